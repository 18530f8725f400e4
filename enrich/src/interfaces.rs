//! What an interface of an exporter is called: `(exporter, ifIndex)` to name, description and speed.
//!
//! Filled from a file ([`crate::sources::interfaces`]) or by whoever asks the exporters; never on the flow path. The labels are
//! encoded when the table is built. Names change more often than prefixes: [`crate::Tables::with_interfaces`] swaps them alone.

use std::net::IpAddr;

use hashbrown::HashMap;
use neckar_proto::Field;
use neckar_proto::encode::{Profile, encode_text};

use crate::arena::{Arena, ArenaBuilder, Span};

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// ifName; empty if unknown.
    pub name: String,
    /// ifAlias; empty if unknown.
    pub description: String,
    /// ifHighSpeed in Mbit/s; 0 if unknown.
    pub speed_mbps: u32,
}

/// All known interfaces.
#[derive(Clone, Debug, Default)]
pub struct Interfaces {
    exporters: HashMap<IpAddr, HashMap<u32, Interface>>,
}

impl Interfaces {
    /// Adds an interface, or replaces what was known of it.
    pub fn insert(&mut self, exporter: IpAddr, if_index: u32, interface: Interface) {
        self.exporters.entry(exporter.to_canonical()).or_default().insert(if_index, interface);
    }

    /// Takes in all of `other`, which wins.
    pub fn extend(&mut self, other: Self) {
        for (exporter, interfaces) in other.exporters {
            self.exporters.entry(exporter).or_default().extend(interfaces);
        }
    }

    /// The interface, if known.
    #[must_use]
    pub fn interface(&self, exporter: IpAddr, if_index: u32) -> Option<&Interface> {
        self.exporters.get(&exporter.to_canonical())?.get(&if_index)
    }

    /// How many exporters, and how many interfaces of all of them.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.exporters.len(), self.exporters.values().map(HashMap::len).sum())
    }
}

/// The labels of one interface, for both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InterfaceLabels {
    /// As the flow came in, as it went out.
    pub(crate) texts: [Span; 2],
    pub(crate) speed_mbps: u32,
}

/// The interfaces of one exporter.
pub(crate) type ExporterInterfaces = HashMap<u32, InterfaceLabels>;

/// All interfaces, encoded.
#[derive(Debug)]
pub(crate) struct InterfaceTable {
    exporters: HashMap<IpAddr, ExporterInterfaces>,
    pub(crate) arena: Arena,
    /// The longest text of an interface in one direction.
    pub(crate) bytes_max: usize,
}

const FIELDS: [[Field; 2]; 2] =
    [[Field::SrcIfName, Field::SrcIfDesc], [Field::DstIfName, Field::DstIfDesc]];

impl InterfaceTable {
    /// Encodes `interfaces`. `None` if their texts exceed 4 GiB.
    pub(crate) fn new(interfaces: &Interfaces, profile: &'static Profile) -> Option<Self> {
        let mut arena = ArenaBuilder::default();
        let mut bytes_max = 0;
        let mut exporters = HashMap::with_capacity(interfaces.exporters.len());
        for (exporter, of_exporter) in &interfaces.exporters {
            let mut encoded = HashMap::with_capacity(of_exporter.len());
            for (if_index, interface) in of_exporter {
                let mut labels =
                    InterfaceLabels { speed_mbps: interface.speed_mbps, ..Default::default() };
                for (span, [name, description]) in labels.texts.iter_mut().zip(FIELDS) {
                    let mut piece = Vec::new();
                    encode_text(profile, name, interface.name.as_bytes(), &mut piece);
                    encode_text(profile, description, interface.description.as_bytes(), &mut piece);
                    bytes_max = bytes_max.max(piece.len());
                    *span = arena.put(&piece)?;
                }
                encoded.insert(*if_index, labels);
            }
            exporters.insert(*exporter, encoded);
        }
        Some(Self { exporters, arena: arena.finish(), bytes_max })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exporters.is_empty()
    }

    pub(crate) fn of(&self, exporter: IpAddr) -> Option<&ExporterInterfaces> {
        self.exporters.get(&exporter)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        // A slot of hashbrown is the entry and one control byte.
        let slots = self.exporters.values().map(HashMap::capacity).sum::<usize>();
        slots * (size_of::<(u32, InterfaceLabels)>() + 1) + self.arena.memory_bytes()
    }
}
