//! The suite's series: what its boards ask Prometheus for, name by name and label by label.

use std::net::IpAddr;

use neckar_proto::FlowView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::application::application;
use crate::key::address;
use crate::names::{EMPTY, Name, Names};
use crate::series::{Counters, LabelSet, Series};
use crate::written::Written;

/// Labels of the series, with the suite's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Label {
    /// The exporter's address.
    Router,
    /// `IPv4` or `IPv6`.
    IpVersion,
    /// By port.
    Application,
    /// The IP protocol's name.
    ProtoName,
    /// `Incoming` or `Outgoing`.
    Direction,
    /// The customer's number.
    Cid,
    /// The description of the interface on the far side.
    Peer,
    /// The name of the far side's AS, `unset` if it has no number, `other` if no name.
    RemoteAs,
    /// The far side's country.
    RemoteCountry,
}

/// How many labels there are.
pub(crate) const LABELS: usize = 9;

impl Label {
    /// Every label, by its number.
    pub const ALL: [Self; LABELS] = [
        Self::Router,
        Self::IpVersion,
        Self::Application,
        Self::ProtoName,
        Self::Direction,
        Self::Cid,
        Self::Peer,
        Self::RemoteAs,
        Self::RemoteCountry,
    ];

    /// As it stands in the series.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::IpVersion => "ipversion",
            Self::Application => "application",
            Self::ProtoName => "protoname",
            Self::Direction => "direction",
            Self::Cid => "cid",
            Self::Peer => "peer",
            Self::RemoteAs => "remoteas",
            Self::RemoteCountry => "remotecountry",
        }
    }
}

/// A metric of `/flowdata`.
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it says.
    pub help: &'static str,
    value: fn(&Counters) -> u64,
}

/// Labels of the consumer that came last (`consumer_prometheus`).
const BY_PATH: &[Label] = &[
    Label::Router,
    Label::IpVersion,
    Label::Application,
    Label::ProtoName,
    Label::Direction,
    Label::Peer,
    Label::RemoteAs,
    Label::RemoteCountry,
];
/// Labels of the consumer before (`dashboard`).
const BY_CUSTOMER: &[Label] = &[
    Label::IpVersion,
    Label::Application,
    Label::ProtoName,
    Label::Direction,
    Label::Cid,
    Label::Peer,
];

/// Every metric that is a sum over label sets.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "flow_bits",
        labels: BY_PATH,
        help: "Bits, as the records have them.",
        value: |counters| counters.bytes.wrapping_mul(8),
    },
    Metric {
        name: "flow_bytes",
        labels: BY_CUSTOMER,
        help: "Bytes, as the records have them.",
        value: |counters| counters.bytes,
    },
    Metric {
        name: "flow_packets",
        labels: BY_CUSTOMER,
        help: "Packets, as the records have them.",
        value: |counters| counters.packets,
    },
    Metric {
        name: "flow_number_total",
        labels: BY_CUSTOMER,
        help: "Sampling rates added up, as the suite has it; the number of flows is neckar_traffic_flows_total.",
        value: |counters| counters.number,
    },
    Metric {
        name: "neckar_traffic_flows_total",
        labels: BY_CUSTOMER,
        help: "Flows.",
        value: |counters| counters.flows,
    },
    Metric {
        name: "neckar_traffic_bytes_total",
        labels: BY_CUSTOMER,
        help: "Bytes as they were on the wire: multiplied by the sampling rate, unless that was done before.",
        value: |counters| counters.scaled_bytes,
    },
    Metric {
        name: "neckar_traffic_packets_total",
        labels: BY_CUSTOMER,
        help: "Packets as they were on the wire, the same.",
        value: |counters| counters.scaled_packets,
    },
];

/// The counters of `/flowdata`.
pub struct Flowdata {
    /// Those that are wanted.
    labels: [bool; LABELS],
    /// Texts by label, so that a flood of one label's does not drive another's out.
    names: [Names; LABELS],
    written: Written,
    by_path: Series,
    by_customer: Series,
    /// Of the flows at hand.
    sets: Vec<LabelSet>,
    counters: Vec<Counters>,
    idle_s: u64,
    now_s: u64,
    expired_s: u64,
}

/// How often idle series and texts that nobody needs are looked for, and texts written anew, so that names
/// that have changed in the tables show.
const EXPIRE_S: u64 = 30;

impl Flowdata {
    pub(crate) fn new(config: &Config) -> Self {
        let labels = std::array::from_fn(|at| config.labels.contains(&Label::ALL[at]));
        let group = |metric: &'static [Label]| {
            move |at: usize| labels[at] && metric.contains(&Label::ALL[at])
        };
        Self {
            labels,
            names: Label::ALL.map(|label| Names::new(texts_max(label, config))),
            written: Written::default(),
            by_path: Series::new(config.series_max, group(BY_PATH)),
            by_customer: Series::new(config.series_max, group(BY_CUSTOMER)),
            sets: Vec::new(),
            counters: Vec::new(),
            idle_s: config.series_idle_s,
            now_s: 0,
            expired_s: 0,
        }
    }

    pub(crate) fn memory_bytes(config: &Config) -> usize {
        Written::MEMORY_BYTES
            + 2 * Series::memory_bytes(config.series_max)
            + Label::ALL
                .map(|label| Names::memory_bytes(texts_max(label, config)))
                .iter()
                .sum::<usize>()
    }

    pub(crate) fn set_now(&mut self, now_s: u64) {
        self.now_s = now_s;
    }

    /// Counts flows; returns their label sets. In passes, so that look-ups in memory that is in no cache do
    /// not wait for each other.
    pub(crate) fn add(&mut self, views: &[FlowView<'_>]) -> &[LabelSet] {
        self.sets.clear();
        self.counters.clear();
        for view in views {
            let set = self.label_set(view);
            self.sets.push(set);
            self.counters.push(Counters::of(view));
        }
        for series in [&mut self.by_path, &mut self.by_customer] {
            series.add(&self.sets, &self.counters, self.now_s);
        }
        &self.sets
    }

    /// The value of every label that is wanted, whoever has which. The peer's is always: pairs of hosts have it.
    #[inline]
    fn label_set(&mut self, view: &FlowView<'_>) -> LabelSet {
        let Self { labels, names, written, .. } = self;
        let mut set = [EMPTY; LABELS];
        if labels[Label::Router as usize] {
            let router = address(view.sampler_address).unwrap_or(0);
            let names = &mut names[Label::Router as usize];
            let of_router = || names.number(&address_text(view.sampler_address));
            set[Label::Router as usize] = written.router(router, of_router);
        }
        let peer = peer(view);
        if !peer.is_empty() {
            let names = &mut names[Label::Peer as usize];
            let of_peer = || names.number(&String::from_utf8_lossy(peer));
            set[Label::Peer as usize] = written.peer(peer, of_peer);
        }
        if labels[Label::Cid as usize] {
            let names = &mut names[Label::Cid as usize];
            let of_cid = || names.number(&view.cid.to_string());
            set[Label::Cid as usize] = written.number(Label::Cid, view.cid, of_cid);
        }
        self.put_others(view, &mut set);
        set
    }

    /// Labels that are written from a number or two of the flow.
    #[inline]
    fn put_others(&mut self, view: &FlowView<'_>, set: &mut LabelSet) {
        let Self { labels, names, written, .. } = self;
        let application = application(view.src_port, view.dst_port);
        let direction = view.flow_direction.min(DIRECTIONS.len() as u32);
        let (remote_as, as_name) = match remote_as(view) {
            (0, _) => (0, &b"unset"[..]),
            // One without a name is like any other.
            (_, []) => (u32::MAX, &b"other"[..]),
            named => named,
        };
        let mut put = |label: Label, number: u32, text: &[u8]| {
            if labels[label as usize] {
                let names = &mut names[label as usize];
                let write = || names.number(&String::from_utf8_lossy(text));
                set[label as usize] = written.number(label, number, write);
            }
        };
        put(Label::IpVersion, ip_version(view) as u32, ip_version(view).name().as_bytes());
        put(Label::Application, application.number().into(), application.name().as_bytes());
        put(Label::ProtoName, view.proto, view.proto_name);
        put(Label::Direction, direction, direction_name(direction));
        put(Label::RemoteAs, remote_as, as_name);
        put(Label::RemoteCountry, country_number(view.remote_country), view.remote_country);
    }

    /// Forgets label sets that have been idle, and texts that neither they nor `pairs`, with their peers, need.
    pub(crate) fn expire(&mut self, now_s: u64, pairs: impl Iterator<Item = Name>) {
        // Either way: a clock may be set back.
        if now_s.abs_diff(self.expired_s) < EXPIRE_S {
            return;
        }
        self.expired_s = now_s;
        self.written = Written::default();
        self.by_path.expire(now_s, self.idle_s);
        self.by_customer.expire(now_s, self.idle_s);
        let mut pairs = Some(pairs);
        for (label, names) in self.names.iter_mut().enumerate().filter(|(_, one)| one.is_crowded())
        {
            let sets = self.by_path.iter().chain(self.by_customer.iter());
            let pairs = pairs.take_if(|_| label == Label::Peer as usize).into_iter().flatten();
            names.retain(sets.map(|(set, ..)| set[label]).chain(pairs));
        }
    }

    /// Texts of peers.
    pub(crate) fn peers(&self) -> &Names {
        &self.names[Label::Peer as usize]
    }

    /// How often a text of a label found no room and was `other`; one that is needed tries again
    /// every half minute.
    #[must_use]
    pub fn texts_unkept(&self) -> u64 {
        self.names.iter().map(Names::unkept).sum()
    }

    /// How many label sets there are, by path and by customer.
    #[must_use]
    pub fn series(&self) -> (usize, usize) {
        (self.by_path.len(), self.by_customer.len())
    }

    /// Every sample, metric by metric.
    pub(crate) fn each(&self, mut visit: impl FnMut(Sample<'_>)) {
        let mut labels = Vec::with_capacity(LABELS);
        for metric in METRICS {
            let series = if metric.labels == BY_PATH { &self.by_path } else { &self.by_customer };
            for (set, counters, since_s) in series.iter() {
                labels.clear();
                let kept = metric.labels.iter().filter(|label| self.labels[**label as usize]);
                let text = |label: &Label| self.names[*label as usize].text(set[*label as usize]);
                labels.extend(kept.map(|label| (label.name(), text(label))));
                let value = (metric.value)(counters);
                visit(Sample { metric: metric.name, labels: &labels, value, since_s });
            }
        }
    }
}

/// A series and its value.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The metric's name.
    pub metric: &'static str,
    /// Labels and their values.
    pub labels: &'a [(&'static str, &'a str)],
    /// A counter.
    pub value: u64,
    /// When the series began, at 0, in Unix seconds: one that was forgotten and came back is another.
    pub since_s: u64,
}

/// Texts of a label at most. What the network may have any number of has as many as there are label sets;
/// the more that come in a moment and get no place are forgotten in the next.
const fn texts_max(label: Label, config: &Config) -> usize {
    match label {
        Label::Router | Label::Cid | Label::Peer | Label::RemoteAs => config.series_max + 64,
        _ => FEW,
    }
}

/// Protocols are 256, countries as many.
const FEW: usize = 1024;

const DIRECTIONS: [&str; 2] = ["Incoming", "Outgoing"];

fn direction_name(direction: u32) -> &'static [u8] {
    DIRECTIONS.get(direction as usize).map_or(b"", |name| name.as_bytes())
}

/// The version of IP that a flow is of.
#[derive(Clone, Copy)]
enum IpVersion {
    None,
    V4,
    V6,
}

impl IpVersion {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

#[inline]
fn ip_version(view: &FlowView<'_>) -> IpVersion {
    match (view.etype, view.src_addr.len()) {
        (0x0800, _) | (0, 4) => IpVersion::V4,
        (0x86dd, _) | (0, 16) => IpVersion::V6,
        _ => IpVersion::None,
    }
}

/// Description of the interface on the far side.
#[inline]
fn peer<'a>(view: &FlowView<'a>) -> &'a [u8] {
    match view.flow_direction {
        0 => view.src_if_desc,
        1 => view.dst_if_desc,
        _ => &[],
    }
}

/// A country's code as a number: small for two capital letters, which is what codes are.
#[inline]
fn country_number(code: &[u8]) -> u32 {
    match code {
        [] => 0,
        [one @ b'A'..=b'Z', other @ b'A'..=b'Z'] => {
            1 + u32::from(one - b'A') * 26 + u32::from(other - b'A')
        }
        longer => {
            longer.iter().take(4).fold(1, |number, letter| number << 8 | u32::from(*letter))
                | 1 << 31
        }
    }
}

/// Number and name of the far side's AS.
#[inline]
fn remote_as<'a>(view: &FlowView<'a>) -> (u32, &'a [u8]) {
    match view.flow_direction {
        0 => (view.src_as, view.src_as_name),
        _ => (view.dst_as, view.dst_as_name),
    }
}

/// An address as text; empty if it is none.
pub(crate) fn address_text(bytes: &[u8]) -> String {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.map(|address| address.to_string()).unwrap_or_default()
}
