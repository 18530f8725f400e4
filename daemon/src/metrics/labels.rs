//! Tables of labels, interface names by SNMP and host names by the DNS.

use std::time::UNIX_EPOCH;

use super::View;
use super::page::Kind::{Counter, Gauge};
use super::page::{CAUSE, Metric, Page};
use crate::board::Snapshot;
use crate::snmp::Failure;

const TABLES: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_tables_swaps_total",
        kind: Counter,
        help: "Times that new tables of labels came into force, the first included.",
        value: |snapshot| snapshot.tables.swaps,
    },
    Metric {
        name: "neckar_tables_failures_total",
        kind: Counter,
        help: "Loads of tables that failed, a refused configuration's too; the old stayed in force.",
        value: |snapshot| snapshot.tables.failures,
    },
    Metric {
        name: "neckar_tables_up",
        kind: Gauge,
        help: "1 if the last load of tables succeeded and the last reload's configuration was good.",
        value: |snapshot| u64::from(snapshot.tables.is_up()),
    },
    Metric {
        name: "neckar_tables_loaded_timestamp_seconds",
        kind: Gauge,
        help: "When the prefixes in force were loaded, Unix time.",
        value: |snapshot| {
            let since = snapshot.tables.loaded.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            since.map_or(0, |since| since.as_secs())
        },
    },
    Metric {
        name: "neckar_tables_load_milliseconds",
        kind: Gauge,
        help: "How long the last load took that succeeded.",
        value: |snapshot| snapshot.tables.load.as_millis() as u64,
    },
    Metric {
        name: "neckar_tables_prefixes",
        kind: Gauge,
        help: "Prefixes of all sources.",
        value: |snapshot| snapshot.tables.prefixes,
    },
    Metric {
        name: "neckar_tables_label_sets",
        kind: Gauge,
        help: "Different sets of labels that addresses have.",
        value: |snapshot| snapshot.tables.label_sets,
    },
    Metric {
        name: "neckar_tables_interfaces",
        kind: Gauge,
        help: "Interfaces with labels.",
        value: |snapshot| snapshot.tables.interfaces,
    },
    Metric {
        name: "neckar_tables_bytes",
        kind: Gauge,
        help: "Memory of the tables in force.",
        value: |snapshot| snapshot.tables.memory_bytes,
    },
    Metric {
        name: "neckar_tables_retired",
        kind: Gauge,
        help: "Old tables that are not freed yet because a worker still reads them.",
        value: |snapshot| snapshot.tables.retired,
    },
];

const SNMP: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_snmp_walks_total",
        kind: Counter,
        help: "Walks that brought the interfaces of a device.",
        value: |snapshot| snapshot.snmp.walks,
    },
    Metric {
        name: "neckar_snmp_cut_total",
        kind: Counter,
        help: "Walks that found more interfaces than `snmp.interfaces_per_exporter_max` or `snmp.interfaces_max` leave room for.",
        value: |snapshot| snapshot.snmp.cut,
    },
    Metric {
        name: "neckar_snmp_devices",
        kind: Gauge,
        help: "Exporters that are asked by SNMP.",
        value: |snapshot| snapshot.snmp.devices,
    },
    Metric {
        name: "neckar_snmp_devices_backing_off",
        kind: Gauge,
        help: "Those of them whose last walk failed, and which rest.",
        value: |snapshot| snapshot.snmp.backing_off,
    },
    Metric {
        name: "neckar_snmp_devices_walking",
        kind: Gauge,
        help: "Those of them that are being asked now.",
        value: |snapshot| snapshot.snmp.walking,
    },
    Metric {
        name: "neckar_snmp_interfaces",
        kind: Gauge,
        help: "Interfaces known by SNMP, remembered ones included.",
        value: |snapshot| snapshot.snmp.interfaces,
    },
];

const NAMES: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_names_asked_total",
        kind: Counter,
        help: "Addresses whose names the DNS was asked for.",
        value: |snapshot| snapshot.names.asked,
    },
    Metric {
        name: "neckar_names_answered_total",
        kind: Counter,
        help: "Those that have one.",
        value: |snapshot| snapshot.names.answered,
    },
    Metric {
        name: "neckar_names_nameless_total",
        kind: Counter,
        help: "Those that have none.",
        value: |snapshot| snapshot.names.nameless,
    },
    Metric {
        name: "neckar_names_failed_total",
        kind: Counter,
        help: "Those for which no good answer came in time.",
        value: |snapshot| snapshot.names.failed,
    },
    Metric {
        name: "neckar_names_evicted_total",
        kind: Counter,
        help: "Names forgotten before their time because `reverse_names.names_max` are known.",
        value: |snapshot| snapshot.names.evicted,
    },
    Metric {
        name: "neckar_names_queue_full_total",
        kind: Counter,
        help: "Times that an address could not be asked for because too many wait.",
        value: |snapshot| snapshot.names.queue_full,
    },
    Metric {
        name: "neckar_names_entries",
        kind: Gauge,
        help: "Addresses of which it is known what they are called, or that they are not.",
        value: |snapshot| snapshot.names.entries,
    },
];

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    let rows = [([], &view.snapshot)];
    page.table(TABLES, &[], &rows);
    page.table(SNMP, &[], &rows);
    let help = "Walks that brought nothing; a wrong community or pass phrase is a timeout, too.";
    let mut samples = page.family(("neckar_snmp_failed_total", Counter), &[CAUSE], help);
    for (failure, count) in Failure::ALL.iter().zip(view.snapshot.snmp.failed) {
        samples.add([failure.name()], count);
    }
    page.table(NAMES, &[], &rows);
}
