//! The suite's series: what its boards ask Prometheus for, name by name and label by label.

use std::net::IpAddr;

use neckar_proto::FlowView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::application::application;
use crate::key::address;
use crate::label_set::LabelSet;
use crate::names::{Name, Names, OTHER};
use crate::series::{Bytes, Counters, Series};
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
    /// Of which there is one metric: bits.
    by_path: Series<Bytes>,
    by_customer: Series<Counters>,
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
        let is_wanted = |label| config.labels.contains(&label);
        let mask =
            |metric: &[Label]| LabelSet::mask(|label| is_wanted(label) && metric.contains(&label));
        Self {
            labels: Label::ALL.map(is_wanted),
            names: Label::ALL.map(|label| Names::new(texts_max(label, config))),
            written: Written::default(),
            by_path: Series::new(config.series_max, mask(BY_PATH)),
            by_customer: Series::new(config.series_max, mask(BY_CUSTOMER)),
            sets: Vec::new(),
            counters: Vec::new(),
            idle_s: config.series_idle_s,
            now_s: 0,
            expired_s: 0,
        }
    }

    pub(crate) fn memory_bytes(config: &Config) -> usize {
        Written::MEMORY_BYTES
            + Series::<Bytes>::memory_bytes(config.series_max)
            + Series::<Counters>::memory_bytes(config.series_max)
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
        self.by_path.add(&self.sets, &self.counters, self.now_s);
        self.by_customer.add(&self.sets, &self.counters, self.now_s);
        &self.sets
    }

    /// The value of every label that is wanted, whoever has which. The peer's is always: pairs of hosts have it.
    #[inline]
    fn label_set(&mut self, view: &FlowView<'_>) -> LabelSet {
        let Self { labels, names, written, .. } = self;
        let mut set = LabelSet::default();
        if labels[Label::Router as usize] {
            let router = address(view.sampler_address).unwrap_or(0);
            let names = &mut names[Label::Router as usize];
            let of_router = || names.number(&address_text(view.sampler_address));
            set.put(Label::Router, written.router(router, of_router));
        }
        let peer = peer(view);
        if !peer.is_empty() {
            let names = &mut names[Label::Peer as usize];
            let of_peer = || names.number(&String::from_utf8_lossy(peer));
            set.put(Label::Peer, written.peer(peer, of_peer));
        }
        if labels[Label::Cid as usize] {
            let names = &mut names[Label::Cid as usize];
            let of_cid = || names.number(&view.cid.to_string());
            set.put(Label::Cid, written.number(Label::Cid, view.cid, of_cid));
        }
        if labels[Label::RemoteAs as usize] {
            let names = &mut names[Label::RemoteAs as usize];
            let name = match remote_as(view) {
                (0, _) => written.number(Label::RemoteAs, 0, || names.number("unset")),
                (_, []) => OTHER,
                (number, name) => {
                    let of_as = || names.number(&String::from_utf8_lossy(name));
                    written.number(Label::RemoteAs, number, of_as)
                }
            };
            set.put(Label::RemoteAs, name);
        }
        for (label, number, text) in [
            (Label::ProtoName, view.proto, view.proto_name),
            (Label::RemoteCountry, country_number(view.remote_country), view.remote_country),
        ] {
            if labels[label as usize] {
                let names = &mut names[label as usize];
                let of_text = || names.number(&String::from_utf8_lossy(text));
                set.put(label, written.number(label, number, of_text));
            }
        }
        let (kind, texts) = kind(view);
        set.with(written.kind(kind, || write_kind(labels, names, texts)))
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
        let names = Label::ALL.into_iter().zip(&mut self.names);
        for (label, names) in names.filter(|(_, names)| names.is_crowded()) {
            let sets = self.by_path.iter().chain(self.by_customer.iter());
            let pairs = pairs.take_if(|_| label == Label::Peer).into_iter().flatten();
            names.retain(sets.map(|(set, ..)| set.name(label)).chain(pairs));
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
        for metric in METRICS {
            let sample =
                |(set, counters, since_s)| self.visit(metric, set, &counters, since_s, &mut visit);
            if metric.labels == BY_PATH {
                self.by_path.iter().for_each(sample);
            } else {
                self.by_customer.iter().for_each(sample);
            }
        }
    }

    fn visit(
        &self,
        metric: &Metric,
        set: LabelSet,
        counters: &Counters,
        since_s: u64,
        visit: &mut impl FnMut(Sample<'_>),
    ) {
        let kept = metric.labels.iter().filter(|label| self.labels[**label as usize]);
        let text = |label: Label| self.names[label as usize].text(set.name(label));
        let labels = kept.map(|label| (label.name(), text(*label))).collect::<Vec<_>>();
        let value = (metric.value)(counters);
        visit(Sample { metric: metric.name, labels: &labels, value, since_s });
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
    let max = LabelSet::names_max(label);
    if config.series_max + 64 < max { config.series_max + 64 } else { max }
}

/// Kinds of flows: applications, versions and directions, either of which may be none.
pub(crate) const KINDS: usize = 10 * 3 * 3;
const DIRECTIONS: [&str; 2] = ["Incoming", "Outgoing"];

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

/// What a flow is by its numbers alone, as a number of [`KINDS`], and the texts of the labels that say so.
#[inline]
fn kind(view: &FlowView<'_>) -> (usize, [(Label, &'static str); 3]) {
    let (version, application) = (ip_version(view), application(view.src_port, view.dst_port));
    let direction = view.flow_direction.min(DIRECTIONS.len() as u32) as usize;
    let kind = (usize::from(application.number()) * 3 + version as usize) * 3 + direction;
    let direction = DIRECTIONS.get(direction).copied().unwrap_or_default();
    let texts = [
        (Label::IpVersion, version.name()),
        (Label::Application, application.name()),
        (Label::Direction, direction),
    ];
    (kind, texts)
}

/// Those of the labels that are wanted.
#[cold]
fn write_kind(
    labels: &[bool; LABELS],
    names: &mut [Names; LABELS],
    texts: [(Label, &str); 3],
) -> LabelSet {
    let mut set = LabelSet::default();
    for (label, text) in texts.into_iter().filter(|(label, _)| labels[*label as usize]) {
        set.put(label, names[label as usize].number(text));
    }
    set
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
