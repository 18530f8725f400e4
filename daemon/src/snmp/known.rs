//! The interfaces that walks brought: bounded, and kept on disk so that names are there before the
//! first walk after a restart.
//!
//! The file is JSON, for people: `{"version": 1, "exporters": {"192.0.2.1": [[1, "ge-0/0/1",
//! "uplink", 10000], …]}}`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;
use neckar_enrich::Interface;
use serde::{Deserialize, Serialize};

/// Of this form; another number is not read.
const VERSION: u32 = 1;

/// ifIndex, name, description, Mbit/s.
type Row = (u32, String, String, u32);

#[derive(Deserialize)]
struct Read {
    version: u32,
    exporters: BTreeMap<IpAddr, Vec<Row>>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    exporters: BTreeMap<IpAddr, Vec<(u32, &'a str, &'a str, u32)>>,
}

/// What became of what a walk brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    /// All of it found room.
    pub(super) all: bool,
    /// Who is not known any more.
    pub(super) forgotten: Vec<IpAddr>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Known {
    exporters: HashMap<IpAddr, Vec<(u32, Interface)>>,
    interfaces: usize,
    interfaces_max: usize,
}

impl Known {
    pub(super) fn new(interfaces_max: usize) -> Self {
        Self { exporters: HashMap::new(), interfaces: 0, interfaces_max }
    }

    /// What an exporter's last walk brought, in place of what was known of it. Where there is no
    /// room, the names of those go that are asked no more, as `is_asked` says.
    pub(super) fn put(
        &mut self,
        exporter: IpAddr,
        mut interfaces: Vec<(u32, Interface)>,
        is_asked: impl Fn(IpAddr) -> bool,
    ) -> Put {
        self.remove(exporter);
        let mut forgotten = Vec::new();
        if self.room() < interfaces.len() {
            let idle = self.exporters.keys().copied().filter(|exporter| !is_asked(*exporter));
            forgotten.extend(idle);
            forgotten.iter().for_each(|exporter| self.remove(*exporter));
        }
        let all = interfaces.len() <= self.room();
        interfaces.truncate(self.room());
        self.interfaces += interfaces.len();
        self.exporters.insert(exporter, interfaces);
        Put { all, forgotten }
    }

    fn remove(&mut self, exporter: IpAddr) {
        let gone = self.exporters.remove(&exporter);
        self.interfaces -= gone.map_or(0, |gone| gone.len());
    }

    fn room(&self) -> usize {
        self.interfaces_max - self.interfaces
    }

    /// Those of one exporter.
    pub(super) fn of(&self, exporter: IpAddr) -> &[(u32, Interface)] {
        self.exporters.get(&exporter).map_or(&[], Vec::as_slice)
    }

    /// Whose are known.
    pub(super) fn exporters(&self) -> impl Iterator<Item = IpAddr> {
        self.exporters.keys().copied()
    }

    /// How many, of all exporters.
    pub(super) fn interfaces(&self) -> usize {
        self.interfaces
    }

    /// The file's content.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let exporters = self.exporters.iter();
        let exporters = exporters.map(|(exporter, of)| (*exporter, rows(of))).collect();
        let written = Written { version: VERSION, exporters };
        serde_json::to_vec(&written).expect("addresses are texts, and texts can be keys")
    }

    /// Takes in a file's content, but only what `is_wanted`, as far as there is room.
    ///
    /// # Errors
    /// Why it is none of ours.
    pub(super) fn restore(
        &mut self,
        bytes: &[u8],
        is_wanted: impl Fn(IpAddr) -> bool,
    ) -> Result<(), String> {
        let read: Read = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if read.version != VERSION {
            return Err(format!("version {} is not {VERSION}", read.version));
        }
        for (exporter, rows) in read.exporters {
            if is_wanted(exporter) {
                let interfaces =
                    rows.into_iter().map(|(if_index, name, description, speed_mbps)| {
                        (if_index, Interface { name, description, speed_mbps })
                    });
                self.put(exporter, interfaces.collect(), |_| true);
            }
        }
        Ok(())
    }
}

fn rows(interfaces: &[(u32, Interface)]) -> Vec<(u32, &str, &str, u32)> {
    let rows = interfaces.iter();
    rows.map(|(if_index, one)| {
        (*if_index, one.name.as_str(), one.description.as_str(), one.speed_mbps)
    })
    .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exporter(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn interfaces(count: u32) -> Vec<(u32, Interface)> {
        let one = |if_index| Interface { name: format!("ge-{if_index}"), ..Interface::default() };
        (0..count).map(|if_index| (if_index, one(if_index))).collect()
    }

    #[test]
    fn the_bound_holds_and_idle_exporters_go_first() {
        let put = |all, forgotten: &[IpAddr]| Put { all, forgotten: forgotten.to_vec() };
        let mut known = Known::new(10);
        assert_eq!(known.put(exporter(1), interfaces(4), |_| true), put(true, &[]));
        assert_eq!(known.put(exporter(2), interfaces(5), |_| true), put(true, &[]));
        // Renewed: its own old ones make room.
        assert_eq!(known.put(exporter(2), interfaces(6), |_| true), put(true, &[]));
        assert_eq!(known.interfaces(), 10);
        assert_eq!(known.put(exporter(3), interfaces(2), |_| true), put(false, &[]));
        assert_eq!(known.of(exporter(3)), []);
        let third = known.put(exporter(3), interfaces(2), |one| one != exporter(1));
        assert_eq!(third, put(true, &[exporter(1)]), "who has to go is told");
        assert_eq!(known.of(exporter(1)), []);
        assert_eq!(known.of(exporter(3)), interfaces(2));
        assert_eq!(known.interfaces(), 8);
    }

    #[test]
    fn only_what_is_wanted_is_restored() {
        let mut known = Known::new(100);
        known.put(exporter(1), interfaces(2), |_| true);
        known.put(exporter(2), interfaces(3), |_| true);
        let mut restored = Known::new(100);
        restored.restore(&known.to_bytes(), |one| one == exporter(2)).unwrap();
        assert_eq!(restored.exporters().collect::<Vec<_>>(), [exporter(2)]);
        assert_eq!(restored.of(exporter(2)), known.of(exporter(2)));
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let mut known = Known::new(100);
        for bytes in ["", "{}", "{\"version\":2,\"exporters\":{}}", "{\"version\":1}"] {
            assert!(known.restore(bytes.as_bytes(), |_| true).is_err(), "{bytes}");
        }
        assert_eq!(known.interfaces(), 0);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            all in proptest::collection::hash_map(
                any::<IpAddr>(),
                proptest::collection::vec((any::<u32>(), ".{0,9}", ".{0,9}", any::<u32>()), 0..5),
                0..5,
            ),
        ) {
            let mut known = Known::new(1000);
            for (exporter, rows) in &all {
                let rows = rows.iter().map(|(if_index, name, description, speed_mbps)| {
                    let (name, description) = (name.clone(), description.clone());
                    (*if_index, Interface { name, description, speed_mbps: *speed_mbps })
                });
                known.put(*exporter, rows.collect(), |_| true);
            }
            let mut restored = Known::new(1000);
            restored.restore(&known.to_bytes(), |_| true).unwrap();
            prop_assert_eq!(restored.interfaces(), known.interfaces());
            prop_assert_eq!(restored.exporters().count(), all.len());
            for exporter in all.keys() {
                prop_assert_eq!(restored.of(*exporter), known.of(*exporter));
            }
        }
    }
}
