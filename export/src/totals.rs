//! Ground truth: what has been sent, to compare with what came out at the other end.

use std::ops::{AddAssign, Mul};

use neckar_proto::{Field, Flow};

use crate::address_plan::{self, CUSTOMERS};

/// Flows and what they carried, as exported: never multiplied by a sampling rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Data records, or flow samples of sFlow.
    pub flows: u64,
    /// The sum of `Bytes`.
    pub bytes: u64,
    /// The sum of `Packets`.
    pub packets: u64,
}

/// Everything that one or more routers have sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// UDP payloads.
    pub datagrams: u64,
    /// Their bytes.
    pub datagram_bytes: u64,
    /// Template records, refreshes included.
    pub templates: u64,
    /// Options template records, refreshes included.
    pub options_templates: u64,
    /// Options data records.
    pub options_records: u64,
    /// sFlow counter samples.
    pub counter_samples: u64,
    /// All flows.
    pub all: Sum,
    /// Those of IPv6.
    pub ipv6: Sum,
    /// Those of TCP.
    pub tcp: Sum,
    /// Those of UDP.
    pub udp: Sum,
    /// Those of ICMP and ICMPv6.
    pub icmp: Sum,
    /// By customer, in the order of [`customer_prefixes`](crate::customer_prefixes); a flow has at
    /// most one.
    pub customers: [Sum; CUSTOMERS],
}

impl Totals {
    /// Each customer that can have flows, with its sums.
    pub fn by_customer(&self) -> impl Iterator<Item = (u32, Sum)> + '_ {
        self.customers.iter().enumerate().map(|(index, sum)| (address_plan::cid(index), *sum))
    }

    /// The flows of the customer with this number; none for an unknown number.
    #[must_use]
    pub fn customer(&self, cid: u32) -> Sum {
        let index = (0..CUSTOMERS).find(|index| address_plan::cid(*index) == cid);
        index.map(|index| self.customers[index]).unwrap_or_default()
    }

    /// Adds one flow.
    pub(crate) fn count(&mut self, flow: &Flow, customer: Option<usize>) {
        let sum = Sum {
            flows: 1,
            bytes: flow.word_or_zero(Field::Bytes),
            packets: flow.word_or_zero(Field::Packets),
        };
        self.all += sum;
        if flow.word_or_zero(Field::Etype) == 0x86dd {
            self.ipv6 += sum;
        }
        match flow.word_or_zero(Field::Proto) {
            1 | 58 => self.icmp += sum,
            6 => self.tcp += sum,
            17 => self.udp += sum,
            _ => {}
        }
        if let Some(index) = customer {
            self.customers[index] += sum;
        }
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.flows += other.flows;
        self.bytes += other.bytes;
        self.packets += other.packets;
    }
}

impl Mul<u64> for Sum {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self { flows: self.flows * times, bytes: self.bytes * times, packets: self.packets * times }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.datagrams += other.datagrams;
        self.datagram_bytes += other.datagram_bytes;
        self.templates += other.templates;
        self.options_templates += other.options_templates;
        self.options_records += other.options_records;
        self.counter_samples += other.counter_samples;
        self.all += other.all;
        self.ipv6 += other.ipv6;
        self.tcp += other.tcp;
        self.udp += other.udp;
        self.icmp += other.icmp;
        for (sum, more) in self.customers.iter_mut().zip(other.customers) {
            *sum += more;
        }
    }
}

impl Mul<u64> for Totals {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self {
            datagrams: self.datagrams * times,
            datagram_bytes: self.datagram_bytes * times,
            templates: self.templates * times,
            options_templates: self.options_templates * times,
            options_records: self.options_records * times,
            counter_samples: self.counter_samples * times,
            all: self.all * times,
            ipv6: self.ipv6 * times,
            tcp: self.tcp * times,
            udp: self.udp * times,
            icmp: self.icmp * times,
            customers: self.customers.map(|sum| sum * times),
        }
    }
}
