//! Memory, added up: one commented sum, printed by `neckard check`.

use neckar_decode::INTERFACES_MAX;
use neckar_enrich::{Sources, Tables};
use neckar_kafka::{FLOW_IN_FLIGHT_BYTES, REQUESTS_BYTES};
use neckar_proto::Batch;

use crate::config::{Config, OutputKind};
use crate::http::{ANSWERS_BYTES_MAX, COPIES_MAX, HISTORY_BYTES, KEPT_BYTES_MAX};
use crate::ingest::ReceiverConfig;
use crate::output::property_problem;
use crate::settings;
use crate::splitter;
use crate::spooler::WINDOW_BATCHES;

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

/// The labels' tables and what they were made from, as loaded now, and as much again while others
/// take their place.
#[must_use]
pub fn labels(sources: &Sources, tables: &Tables) -> Vec<Term> {
    let prefixes = sources.prefixes.iter().map(|source| {
        let (v4, v6) = source.prefixes();
        v4 + v6
    });
    let prefixes: usize = prefixes.sum();
    let (names, (_, interfaces)) = (sources.as_names.len(), sources.interfaces.counts());
    let in_force = tables.memory_bytes();
    let read = prefixes * SOURCE_PREFIX_BYTES + (names + interfaces) * SOURCE_NAME_BYTES;
    vec![
        Term { room: "label tables", bytes: in_force, reason: "as loaded".into() },
        Term {
            room: "label sources",
            bytes: read,
            reason: format!(
                "{prefixes} prefixes x about {SOURCE_PREFIX_BYTES} B, and names: kept, so that only a file \
                 that has changed is read again"
            ),
        },
        Term {
            room: "a reload of labels",
            bytes: in_force + read + prefixes * LOAD_PREFIX_BYTES,
            reason: format!(
                "new ones beside the old, and {prefixes} prefixes x about {LOAD_PREFIX_BYTES} B while they \
                 are read and laid over each other"
            ),
        },
    ]
}

/// Everything whose size the configuration bounds. What labels take is known once they are loaded
/// and comes beside, as [`labels`].
#[must_use]
pub fn budget(config: &Config, receiver: &ReceiverConfig, workers: usize) -> Vec<Term> {
    let mut terms = receiving(config, receiver, workers);
    terms.extend(decoding(config, workers));
    terms.extend(serving(config));
    terms.extend(pushing(config));
    terms.extend(delivering(config, workers));
    terms
}

/// What the workers receive into and write.
fn receiving(config: &Config, receiver: &ReceiverConfig, workers: usize) -> Vec<Term> {
    let one = Batch::memory_bytes(config.batch.flows_max, config.batch.bytes_max);
    let per_worker = batches_per_worker(config, workers);
    let sockets = workers * config.listen.len();
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
    ]
}

/// What is known of exporters.
fn decoding(config: &Config, workers: usize) -> Vec<Term> {
    let decode = &config.decode;
    let asks = config.exporter.iter().any(|rule| rule.snmp.is_some());
    vec![
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
        Term {
            room: "interface names",
            // Likewise, the decoder's in place of the poller's.
            bytes: INTERFACES_MAX * INTERFACE_BYTES,
            reason: format!(
                "{INTERFACES_MAX} that exporters may name in options data x about {INTERFACE_BYTES} B"
            ),
        },
    ]
}

/// What is counted and shown.
fn serving(config: &Config) -> Vec<Term> {
    let mut terms = Vec::new();
    if config.http.bind_address().is_some() {
        terms.push(page(config));
    }
    if config.reverse_names.enabled {
        terms.push(Term {
            room: "host names",
            bytes: config.reverse_names.names_max * HOST_BYTES,
            reason: format!("reverse_names.names_max x about {HOST_BYTES} B"),
        });
    }
    if config.counts_traffic() {
        terms.push(Term {
            room: "traffic",
            bytes: neckar_traffic::Traffic::memory_bytes(&config.traffic.counting()),
            reason:
                "traffic.recent_bytes, traffic.series_max, traffic.talkers_max, traffic.tenants_max"
                    .into(),
        });
    }
    terms
}

fn pushing(config: &Config) -> Vec<Term> {
    let pushes = [
        (config.influx.is_on(), config.influx.buffer_bytes),
        (config.remote_write.is_on(), config.remote_write.buffer_bytes),
    ];
    let series = neckar_traffic::METRICS.len() * config.traffic.series_max;
    let term = |(_, buffer_bytes)| Term {
        room: "points to push",
        bytes: buffer_bytes + series * SERIES_BYTES,
        reason: format!("buffer_bytes, and {series} series x about {SERIES_BYTES} B"),
    };
    pushes.into_iter().filter(|(is_on, _)| *is_on).map(term).collect()
}

/// What waits for the output.
fn delivering(config: &Config, workers: usize) -> Vec<Term> {
    let one = Batch::memory_bytes(config.batch.flows_max, config.batch.bytes_max);
    let mut terms = Vec::new();
    if config.spool.is_on() {
        terms.push(Term {
            room: "spool window",
            bytes: one * WINDOW_BATCHES,
            reason: format!("{WINDOW_BATCHES} batches x {one} B on their way from disk"),
        });
    }
    if config.output.kind == OutputKind::Kafka {
        terms.push(in_flight(config, batches_per_worker(config, workers) * workers));
    }
    if config.split.is_on() {
        terms.push(Term {
            room: "customers' copies",
            bytes: splitter::memory_bytes(&config.split, config.kafka.packed_bytes),
            reason: "split.bytes_max and a quarter of it, and for each customer what is gathered"
                .into(),
        });
    }
    terms
}

/// The last hour, visitors, and what they are shown until they have read it.
fn page(config: &Config) -> Term {
    let counted = config.counts_traffic().then(|| config.traffic.counting());
    let flowdata = counted.map_or(0, |counted| neckar_traffic::Traffic::page_bytes(&counted));
    let metrics = METRICS_BYTES + config.http.exporters_shown_max * EXPORTER_LINES_BYTES;
    // The one that is being made grows by doubling.
    let copies = COPIES_MAX + 1;
    let visitors = config.http.connections_max * CONNECTION_BYTES;
    let answers = ANSWERS_BYTES_MAX + KEPT_BYTES_MAX;
    Term {
        room: "page",
        bytes: HISTORY_BYTES + visitors + answers + copies * (flowdata + metrics),
        reason: format!(
            "the last hour, http.connections_max x about {CONNECTION_BYTES} B, {answers} B of answers, and \
             {copies} x about {flowdata} B of /flowdata (traffic.series_max) and {metrics} B of /metrics \
             (http.exporters_shown_max)"
        ),
    }
}

/// What the transport keeps of flows that Kafka has not acknowledged, beside their batches.
fn in_flight(config: &Config, batches: usize) -> Term {
    let splits = config.split.is_on();
    let native = settings::producer(config).and_then(|settings| {
        let choice = settings.choice().map_err(|error| property_problem(config, &error))?;
        Ok(choice.transport != neckar_kafka::Transport::Librdkafka)
    });
    let (bytes, reason) = if native.unwrap_or(false) {
        // Flows are framed as they are sent. How many brokers there are, only they can tell.
        let (producers, brokers) = (1 + usize::from(splits), config.kafka.brokers.len());
        let each = producers * REQUESTS_BYTES;
        let reason = format!(
            "{producers} x {REQUESTS_BYTES} B of requests for each broker, of which kafka.brokers names \
             {brokers}; as much more for each that the cluster has beside them"
        );
        (brokers * each, reason)
    } else {
        // Split by customer, a flow is in flight once more for each of its ends.
        let times = if splits { 3 } else { 1 };
        let flows = times * batches * config.batch.flows_max;
        let each = FLOW_IN_FLIGHT_BYTES;
        (
            flows * each,
            format!("{times} x {batches} batches x batch.flows_max x {each} B of librdkafka"),
        )
    };
    Term { room: "flows in flight", bytes, reason }
}

/// A template of 30 fields with its plan; the bound on fields makes the worst one about 40 times
/// that.
const TEMPLATE_BYTES: usize = 1024;
/// Sequence state, counters and hash table share of an exporter with one domain.
const EXPORTER_BYTES: usize = 768;
/// `/metrics` but for exporters, and the lines of one of these.
const METRICS_BYTES: usize = 256 << 10;
const EXPORTER_LINES_BYTES: usize = 2800;
/// A visitor's buffers, with TLS.
const CONNECTION_BYTES: usize = 64 << 10;
/// An address with a name of 40 letters, in a hash table.
const HOST_BYTES: usize = 128;
/// A prefix of a source with its share of what is said, and a name with its hash table.
const SOURCE_PREFIX_BYTES: usize = 32;
const SOURCE_NAME_BYTES: usize = 160;
/// What reading and flattening take for a prefix while they run, the file's bytes among them: 127 were
/// measured with 1.2 M IPv4 and 250 k IPv6 prefixes in a CSV file.
const LOAD_PREFIX_BYTES: usize = 130;
/// A series while it is copied, and its text in the memory of what was pushed.
const SERIES_BYTES: usize = 400;
/// An interface with a name of 12 and a description of 40 letters, four times.
const INTERFACE_BYTES: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_being_read_are_in_the_sum() {
        let room = |config: &Config| page(config).bytes;
        let mut config = Config::default();
        let before = room(&config);
        config.http.exporters_shown_max += 1000;
        let with_exporters = room(&config);
        assert!(with_exporters >= before + COPIES_MAX * 1000 * 2700, "27 MB for 10,000");
        config.traffic.enabled = false;
        assert!(room(&config) + COPIES_MAX * (20 << 20) < with_exporters, "20 MB of /flowdata");
    }

    /// The bytes of one term, if it is there.
    fn bytes_of(room: &str, config: &Config) -> Option<usize> {
        let terms = budget(config, &settings::receiver(config), 2);
        terms.iter().find(|term| term.room == room).map(|term| term.bytes)
    }

    /// While labels are loaded anew there is all of them twice, and what loading takes.
    #[test]
    fn a_reload_is_in_the_sum() {
        let file = std::path::Path::new("as.csv");
        let routes = b"192.0.2.0/24,553,BelWue\n198.51.100.0/24,680,DFN\n2001:db8::/32,680\n";
        let routes = neckar_enrich::sources::asn::parse(file, routes).expect("good rows");
        let mut sources = Sources { prefixes: vec![routes.into()], ..Sources::default() };
        sources.as_names.insert(553, "BelWue".into());
        let tables = Tables::build(&sources).expect("small ones");
        let bytes: Vec<usize> = labels(&sources, &tables).iter().map(|term| term.bytes).collect();
        let in_force = tables.memory_bytes();
        let read = 3 * SOURCE_PREFIX_BYTES + SOURCE_NAME_BYTES;
        assert_eq!(bytes, [in_force, read, in_force + read + 3 * LOAD_PREFIX_BYTES]);
    }

    #[test]
    fn what_exporters_call_their_interfaces_is_in_the_sum() {
        let bytes = bytes_of("interface names", &Config::default());
        assert_eq!(bytes, Some(INTERFACES_MAX * INTERFACE_BYTES), "whoever is asked");
    }

    #[test]
    fn customers_copies_are_in_the_sum() {
        let mut config = Config::default();
        let room = |config: &Config| bytes_of("customers' copies", config);
        assert_eq!(room(&config), None);
        config.split.bytes_max = 4 << 20;
        config.split.cids = vec![1, 2, 3];
        assert_eq!(room(&config), Some((5 << 20) + 4 * 65_472), "three and everybody else");
        config.split.wildcard = true;
        config.split.tenants_max = 100;
        assert_eq!(room(&config), Some((5 << 20) + 100 * 65_472));
    }

    #[test]
    fn flows_in_flight_count_where_kafka_is_the_output() {
        let mut config = Config::default();
        let room = |config: &Config| bytes_of("flows in flight", config);
        config.output.kind = OutputKind::Stdout;
        assert_eq!(room(&config), None);
        config.output.kind = OutputKind::Kafka;
        config.batch.flows_max = 1000;
        config.batch.memory_bytes = 0;
        // One producer to one broker; customers have a producer of their own.
        assert_eq!(room(&config), Some(REQUESTS_BYTES));
        config.split.cids = vec![1, 2, 3];
        assert_eq!(room(&config), Some(2 * REQUESTS_BYTES));
        config.split.cids.clear();
        config.kafka.transport = crate::config::Transport::Librdkafka;
        // Two workers with two batches each, the least there is.
        assert_eq!(room(&config), Some(4 * 1000 * 192));
        config.split.cids = vec![1, 2, 3];
        assert_eq!(room(&config), Some(3 * 4 * 1000 * 192));
    }
}
