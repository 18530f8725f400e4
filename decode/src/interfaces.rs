//! What exporters say of their interfaces in options data: `interfaceName` (82) and
//! `interfaceDescription` (83) by ifIndex. Kept for whoever labels flows; decoding has no use for it.
//!
//! Options data come once in minutes, so this is a map behind a lock, never touched by data records.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::plan::{Layout, Place};
use crate::shared::lock;
use crate::template::{FieldSpec, Protocol};

/// Interfaces remembered per exporter.
const PER_EXPORTER_MAX: usize = 8192;
/// Interfaces remembered of all exporters. Who comes first is served: against spoofed sources that come
/// first there is [`Config::allow`](crate::Config::allow).
pub const INTERFACES_MAX: usize = 1 << 18;
/// Bytes that one takes at most, two texts and their place; 80 usually.
pub const INTERFACE_BYTES_MAX: usize = 2 * TEXT_BYTES_MAX + 96;
/// Texts are cut here, as those of flows are.
const TEXT_BYTES_MAX: usize = neckar_proto::TEXT_BYTES_MAX;

/// What an exporter calls one of its interfaces; empty is "not said".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceName {
    /// IE 82.
    pub name: String,
    /// IE 83.
    pub description: String,
}

/// Where the records of an options template say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamePlan {
    index: Place,
    name: Option<Place>,
    description: Option<Place>,
}

impl NamePlan {
    /// The ifIndex is the scope "interface" of NetFlow v9 (RFC 3954 section 6.1), or IE 10, or IE 14.
    pub(crate) fn find(
        protocol: Protocol,
        specs: &[FieldSpec],
        places: &[Place],
        scope: usize,
    ) -> Option<Self> {
        const SCOPE_INTERFACE: u16 = 2;
        let place = |wanted: &dyn Fn(usize, &FieldSpec) -> bool| {
            let mut fields = specs.iter().enumerate().zip(places);
            let is_it = |(index, spec): &(usize, &FieldSpec)| {
                spec.enterprise == 0 && spec.length != 0 && wanted(*index, spec)
            };
            fields.find(|(field, _)| is_it(field)).map(|(_, place)| *place)
        };
        let in_v9_scope = |index: usize| protocol == Protocol::NetflowV9 && index < scope;
        let element = |id: u16| place(&|index, spec| spec.element == id && !in_v9_scope(index));
        let scoped = place(&|index, spec| spec.element == SCOPE_INTERFACE && in_v9_scope(index));
        let (name, description) = (element(82), element(83));
        name.or(description)?;
        let index = scoped.or_else(|| element(10)).or_else(|| element(14))?;
        Some(Self { index, name, description })
    }

    /// What record `record` says; `None` if it names no interface.
    pub(crate) fn read<L: Layout>(
        &self,
        bytes: &[u8],
        layout: L,
        record: usize,
    ) -> Option<(u32, InterfaceName)> {
        let text = |place: Option<Place>| {
            place.map_or(String::new(), |place| clean(place.bytes(bytes, layout, record)))
        };
        let if_index = u32::try_from(self.index.number(bytes, layout, record)?).ok()?;
        let said = InterfaceName { name: text(self.name), description: text(self.description) };
        (said != InterfaceName::default()).then_some((if_index, said))
    }
}

/// Fixed-length strings are filled up with zeros.
fn clean(text: &[u8]) -> String {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let mut text = String::from_utf8_lossy(&text[..end.min(TEXT_BYTES_MAX)]).into_owned();
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text.trim().to_owned()
}

/// What all exporters have said.
#[derive(Debug, Default)]
pub(crate) struct InterfaceNames {
    known: Mutex<Known>,
    revision: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    exporters: ExporterNames,
    total: usize,
}

/// By exporter and ifIndex. Whoever reads them holds nobody up: he takes the exporters' maps as they are.
pub type ExporterNames = BTreeMap<IpAddr, Arc<BTreeMap<u32, InterfaceName>>>;

impl InterfaceNames {
    /// Takes in what an exporter said; beyond the bounds only what is known already changes.
    pub(crate) fn learn(&self, exporter: IpAddr, said: Vec<(u32, InterfaceName)>) {
        let mut known = lock(&self.known);
        let mut news = false;
        for (if_index, name) in said {
            let own = known.exporters.get(&exporter);
            let known_as = own.and_then(|own| own.get(&if_index));
            if known_as == Some(&name) {
                continue;
            }
            if known_as.is_none() {
                let is_full = own.is_some_and(|own| own.len() >= PER_EXPORTER_MAX);
                if is_full || known.total >= INTERFACES_MAX {
                    continue;
                }
                known.total += 1;
            }
            Arc::make_mut(known.exporters.entry(exporter).or_default()).insert(if_index, name);
            news = true;
        }
        if news {
            self.revision.fetch_add(1, Ordering::Release);
        }
    }

    /// The exporter was forgotten, and with it what it said.
    pub(crate) fn forget(&self, exporter: IpAddr) {
        let mut known = lock(&self.known);
        if let Some(gone) = known.exporters.remove(&exporter) {
            known.total -= gone.len();
            self.revision.fetch_add(1, Ordering::Release);
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    pub(crate) fn all(&self) -> ExporterNames {
        lock(&self.known).exporters.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> InterfaceName {
        InterfaceName { name: name.into(), description: String::new() }
    }

    #[test]
    #[cfg_attr(miri, ignore = "fills the table to its bound: hours")]
    fn bounds_hold_and_known_ones_still_change() {
        let names = InterfaceNames::default();
        let exporter = IpAddr::from([192, 0, 2, 1]);
        names.learn(exporter, (0..10_000).map(|index| (index, named("old"))).collect());
        assert_eq!(names.all()[&exporter].len(), PER_EXPORTER_MAX);
        let before = names.revision();
        names.learn(exporter, vec![(1, named("new")), (9_999, named("no room"))]);
        assert_eq!(names.all()[&exporter][&1], named("new"));
        assert!(!names.all()[&exporter].contains_key(&9_999));
        assert_eq!(names.revision(), before + 1);
        names.learn(exporter, vec![(1, named("new"))]);
        assert_eq!(names.revision(), before + 1, "nothing new");
        names.forget(exporter);
        assert!(names.all().is_empty());
        assert_eq!(lock(&names.known).total, 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "fills the table to its bound: hours")]
    fn all_exporters_together_are_bounded() {
        let names = InterfaceNames::default();
        for exporter in 0..100 {
            let address = IpAddr::from([10, 0, 0, exporter]);
            names.learn(address, (0..4_000).map(|index| (index, named("x"))).collect());
        }
        let count =
            |names: &InterfaceNames| names.all().values().map(|own| own.len()).sum::<usize>();
        assert_eq!((count(&names), lock(&names.known).total), (INTERFACES_MAX, INTERFACES_MAX));
    }

    #[test]
    fn texts_end_at_zero_and_are_cut_between_characters() {
        assert_eq!(clean(b"xe-0/0/1\0\0\0rest"), "xe-0/0/1");
        assert_eq!(clean(b" padded  "), "padded");
        assert_eq!(clean("ä".repeat(400).as_bytes()).len(), 254);
    }
}
