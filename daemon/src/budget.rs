//! Memory, added up: one commented sum, printed by `neckard check`.

use neckar_proto::Batch;

use crate::config::Config;
use crate::ingest::ReceiverConfig;

/// One term of the sum.
#[derive(Clone, Debug)]
pub struct Term {
    /// What takes the memory.
    pub room: &'static str,
    /// At most this many bytes.
    pub bytes: usize,
    /// How the figure comes about.
    pub reason: String,
}

/// Batches that each of `workers` workers gets from the configured memory.
#[must_use]
pub fn batches_per_worker(config: &Config, workers: usize) -> usize {
    let one = Batch::memory_bytes(config.batch.flows_max, config.batch.bytes_max);
    // Two is the least with which a worker can write one batch while the other is out.
    (config.batch.memory_bytes / workers.max(1) / one).max(2)
}

/// Everything whose size the configuration bounds. The prefix tables are known once they are loaded
/// and come beside.
#[must_use]
pub fn budget(config: &Config, receiver: &ReceiverConfig, workers: usize) -> Vec<Term> {
    let one = Batch::memory_bytes(config.batch.flows_max, config.batch.bytes_max);
    let per_worker = batches_per_worker(config, workers);
    let sockets = workers * config.listen.len();
    let decode = &config.decode;
    let asks = config.exporter.iter().any(|rule| rule.snmp.is_some());
    vec![
        Term {
            room: "batches",
            bytes: one * per_worker * workers,
            reason: format!(
                "{workers} workers x {per_worker} batches x {one} B (batch.memory_bytes)"
            ),
        },
        Term {
            room: "receive rings",
            bytes: receiver.memory_bytes() * workers,
            reason: format!("{workers} workers x {} B", receiver.memory_bytes()),
        },
        Term {
            room: "kernel socket buffers",
            // The kernel books twice what was asked for (socket(7)).
            bytes: 2 * config.receive.buffer_bytes * sockets,
            reason: format!(
                "{sockets} sockets x 2 x receive.buffer_bytes, if the kernel grants it"
            ),
        },
        Term {
            room: "held data",
            bytes: decode.hold_total_bytes * workers,
            reason: format!("{workers} workers x decode.hold_total_bytes"),
        },
        Term {
            room: "templates",
            // Shared once, and a compiled plan of it in each worker's cache.
            bytes: decode.templates_max * TEMPLATE_BYTES * (1 + workers),
            reason: format!(
                "decode.templates_max x about {TEMPLATE_BYTES} B x (1 + {workers} workers)"
            ),
        },
        Term {
            room: "exporters",
            bytes: decode.exporters_max * EXPORTER_BYTES * (1 + workers),
            reason: format!("decode.exporters_max x about {EXPORTER_BYTES} B x (1 + {workers})"),
        },
        Term {
            room: "interfaces",
            // The poller's, the table keeper's, and encoded in the tables in force and the next.
            bytes: if asks { config.snmp.interfaces_max * INTERFACE_BYTES } else { 0 },
            reason: format!("snmp.interfaces_max x about {INTERFACE_BYTES} B, if anybody is asked"),
        },
    ]
}

/// A template of 30 fields with its plan; the bound on fields makes the worst one about 40 times
/// that.
const TEMPLATE_BYTES: usize = 1024;
/// Sequence state, counters and hash table share of an exporter with one domain.
const EXPORTER_BYTES: usize = 512;
/// An interface with a name of 12 and a description of 40 letters, four times.
const INTERFACE_BYTES: usize = 640;
