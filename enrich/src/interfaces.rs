//! What an interface of an exporter is called: `(exporter, ifIndex)` to name, description and
//! speed.
//!
//! Filled from a file ([`crate::sources::interfaces`]) or by whoever asks the exporters; never on
//! the flow path. The labels are encoded when the table is built. Names change more often than
//! prefixes: [`crate::Tables::with_interfaces`] swaps them alone.

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

impl Interface {
    /// What this says, and where it says nothing, what `other` says.
    #[must_use]
    pub fn over(self, other: &Self) -> Self {
        let or = |said: String, other: &str| if said.is_empty() { other.to_owned() } else { said };
        Self {
            name: or(self.name, &other.name),
            description: or(self.description, &other.description),
            speed_mbps: if self.speed_mbps == 0 { other.speed_mbps } else { self.speed_mbps },
        }
    }
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

/// The interfaces of one exporter. Most number them from 1 on without large gaps: those are found
/// by index, others by hash.
#[derive(Debug, Default)]
pub(crate) struct ExporterInterfaces {
    labels: Vec<InterfaceLabels>,
    /// By ifIndex: index into `labels`, or [`NONE`].
    dense: Vec<u32>,
    /// Those behind `dense`.
    sparse: HashMap<u32, u32>,
}

const NONE: u32 = u32::MAX;

impl ExporterInterfaces {
    /// The labels of an interface.
    #[inline]
    pub(crate) fn find(&self, if_index: u32) -> Option<&InterfaceLabels> {
        let number = match self.dense.get(if_index as usize) {
            Some(number) => *number,
            None if self.sparse.is_empty() => NONE,
            None => self.sparse.get(&if_index).copied().unwrap_or(NONE),
        };
        self.labels.get(number as usize)
    }

    fn with_room_for(interfaces: &HashMap<u32, Interface>) -> Self {
        // At most eight entries of four bytes for each interface, and 4 KiB.
        let bound = 1024 + 8 * interfaces.len() as u32;
        let last = interfaces.keys().filter(|if_index| **if_index < bound).max();
        let dense = vec![NONE; last.map_or(0, |last| *last as usize + 1)];
        Self { dense, ..Self::default() }
    }

    fn insert(&mut self, if_index: u32, labels: InterfaceLabels) {
        let number = self.labels.len() as u32;
        self.labels.push(labels);
        match self.dense.get_mut(if_index as usize) {
            Some(entry) => *entry = number,
            None => drop(self.sparse.insert(if_index, number)),
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&self.labels[..])
            + size_of_val(&self.dense[..])
            // A slot of hashbrown is the entry and one control byte.
            + self.sparse.capacity() * (size_of::<(u32, u32)>() + 1)
    }
}

/// All interfaces, encoded.
#[derive(Debug)]
pub(crate) struct InterfaceTable {
    exporters: HashMap<IpAddr, ExporterInterfaces>,
    /// Of exporters that the table does not know: none.
    nothing: ExporterInterfaces,
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
            let mut encoded = ExporterInterfaces::with_room_for(of_exporter);
            for (if_index, interface) in of_exporter {
                let mut labels =
                    InterfaceLabels { speed_mbps: interface.speed_mbps, ..Default::default() };
                for (span, [name, description]) in labels.texts.iter_mut().zip(FIELDS) {
                    let mut piece = Vec::new();
                    encode_text(profile, name, &interface.name, &mut piece);
                    encode_text(profile, description, &interface.description, &mut piece);
                    bytes_max = bytes_max.max(piece.len());
                    *span = arena.put(&piece)?;
                }
                encoded.insert(*if_index, labels);
            }
            exporters.insert(*exporter, encoded);
        }
        let nothing = ExporterInterfaces::default();
        Some(Self { exporters, nothing, arena: arena.finish(), bytes_max })
    }

    pub(crate) fn len(&self) -> usize {
        self.exporters.values().map(|exporter| exporter.labels.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exporters.is_empty()
    }

    /// Those of an exporter, so that what is missing is missed; `None` if nobody names interfaces
    /// at all.
    pub(crate) fn of(&self, exporter: IpAddr) -> Option<&ExporterInterfaces> {
        (!self.is_empty()).then(|| self.exporters.get(&exporter).unwrap_or(&self.nothing))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.exporters.values().map(ExporterInterfaces::memory_bytes).sum::<usize>()
            + self.arena.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use neckar_proto::encode::BWNETFLOW;

    use super::*;

    #[test]
    fn small_and_large_numbers_are_found() {
        let mut interfaces = Interfaces::default();
        let exporter: IpAddr = [192, 0, 2, 1].into();
        let known = [1, 7, 1000, 1047, 1048, 1049, 70_000, u32::MAX];
        for if_index in known {
            let interface = Interface { speed_mbps: if_index, ..Interface::default() };
            interfaces.insert(exporter, if_index, interface);
        }
        let table = InterfaceTable::new(&interfaces, &BWNETFLOW).expect("small");
        let of_exporter = table.of(exporter).expect("known");
        for if_index in known {
            assert_eq!(of_exporter.find(if_index).map(|labels| labels.speed_mbps), Some(if_index));
        }
        for if_index in [0, 2, 1046, 1_000_000, u32::MAX - 1] {
            assert!(of_exporter.find(if_index).is_none(), "{if_index}");
        }
        assert!(table.of([192, 0, 2, 2].into()).expect("others have some").find(1).is_none());
        let empty = InterfaceTable::new(&Interfaces::default(), &BWNETFLOW).expect("small");
        assert!(empty.of(exporter).is_none());
    }
}
