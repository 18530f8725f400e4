//! From the configuration as written to what each room wants to know.

mod access;

use std::net::SocketAddr;
use std::time::Duration;

use neckar_enrich::anonymize::Anonymizer;
use neckar_kafka::{NewTopics, TopicOptions};
use neckar_proto::encode::{BWNETFLOW, GOFLOW2, Profile};
use neckar_proto::{Keying, Layout};

use crate::config::{
    Acks, Compression, Config, Create, ExporterRule, Framing, Key, OutputKind, Problem,
    ProfileName, ReceivePath, ShedPolicy, SpoolConfig, Steering, Transport, parse_prefix,
};
use crate::ingest::{self, ReceiverConfig, Socket, SocketConfig};
use crate::spool::{Limits, Shed, Spool};

const SECOND_NS: u64 = 1_000_000_000;

/// For the decoder.
///
/// # Errors
/// A prefix that is none; validation has said so before.
pub fn decode(config: &Config) -> Result<neckar_decode::Config, Problem> {
    let prefix = |key: &str, text: &str| {
        parse_prefix(text).ok_or_else(|| Problem::new(key, text, "not a prefix", ""))
    };
    let decode = &config.decode;
    let allow = decode.allow.iter().map(|text| prefix("decode.allow", text));
    let rates = |rate: fn(&ExporterRule) -> Option<u64>| {
        let said = config.exporter.iter().filter_map(move |rule| Some((rule, rate(rule)?)));
        let rates = said.map(|(rule, rate)| Ok((prefix("exporter.prefix", &rule.prefix)?, rate)));
        rates.collect::<Result<Vec<_>, Problem>>()
    };
    Ok(neckar_decode::Config {
        allow: allow.collect::<Result<_, _>>()?,
        rates: rates(|rule| rule.sampling_rate)?,
        default_rates: rates(|rule| rule.default_rate)?,
        exporters_max: decode.exporters_max,
        templates_max: decode.templates_max,
        templates_per_exporter_max: decode.templates_per_exporter_max,
        template_lifetime_ns: decode.template_lifetime_s.saturating_mul(SECOND_NS),
        hold_bytes: decode.hold_bytes,
        hold_total_bytes: decode.hold_total_bytes,
        hold_ns: decode.hold_s.saturating_mul(SECOND_NS),
        default_rate: decode.default_rate,
        key_by_port: decode.key_by_port,
        decapsulate: decode.decapsulate,
        ..neckar_decode::Config::default()
    })
}

/// For the workers, if addresses are to be made unrecognisable.
///
/// # Errors
/// The key of `[anonymize]` that is wrong: nothing must be written then.
pub fn anonymizer(config: &Config) -> Result<Option<Anonymizer>, Problem> {
    config.anonymize.build().map_err(|(key, why)| {
        let fix = "no flow is written without it; mend it, or say method = \"none\"";
        Problem::new(&format!("anonymize.{key}"), "", why, fix)
    })
}

/// For a worker's receiver.
#[must_use]
pub fn receiver(config: &Config) -> ReceiverConfig {
    ReceiverConfig {
        path: match config.receive.path {
            ReceivePath::Auto => None,
            ReceivePath::Uring => Some(ingest::Path::Uring),
            ReceivePath::Recvmmsg => Some(ingest::Path::Recvmmsg),
        },
        batch_datagrams: config.receive.batch_datagrams,
        batch_wait: Duration::from_micros(config.receive.batch_wait_us),
    }
}

/// For a socket.
#[must_use]
pub fn socket(config: &Config) -> SocketConfig {
    SocketConfig { receive_buffer_bytes: config.receive.buffer_bytes, gro: config.receive.gro }
}

/// For the encoder.
#[must_use]
pub fn profile(config: &Config) -> &'static Profile {
    match config.output.profile {
        ProfileName::Bwnetflow => &BWNETFLOW,
        ProfileName::Goflow2 => &GOFLOW2,
    }
}

/// For the producer.
///
/// # Errors
/// A secret that cannot be had, or a file that is not there.
pub fn producer(config: &Config) -> Result<neckar_kafka::ProducerConfig, Problem> {
    let compression = match config.kafka.compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    };
    let transport = match config.kafka.transport {
        Transport::Auto => neckar_kafka::Transport::Auto,
        Transport::Native => neckar_kafka::Transport::Native,
        Transport::Librdkafka => neckar_kafka::Transport::Librdkafka,
    };
    let mut settings = neckar_kafka::ProducerConfig {
        transport,
        brokers: config.kafka.brokers.clone(),
        compression: compression.into(),
        derived: access::properties(&config.kafka)?,
        properties: config.kafka.properties.clone(),
    };
    let is_safe = is_idempotent(config, &settings);
    let acks = if is_safe || config.kafka.acks == Some(Acks::All) { "all" } else { "1" };
    settings.derived.insert("acks".into(), acks.into());
    settings.derived.insert("enable.idempotence".into(), is_safe.to_string());
    Ok(settings)
}

/// As the configuration says; if it does not, where it costs nothing.
fn is_idempotent(config: &Config, settings: &neckar_kafka::ProducerConfig) -> bool {
    let kafka = &config.kafka;
    let says_acks = ["acks", "request.required.acks"].iter().any(|name| {
        kafka.properties.get(*name).is_some_and(|acks| !["all", "-1"].contains(&acks.as_str()))
    });
    let may_be = kafka.acks != Some(Acks::Leader) && !says_acks;
    kafka.idempotence.unwrap_or_else(|| may_be && is_native(settings))
}

/// What topics that are made on request are like; `None` if none are.
#[must_use]
pub fn new_topics(create: &Create) -> Option<NewTopics> {
    let Create { partitions, replication, properties, .. } = create.clone();
    create.enabled.then_some(NewTopics { partitions, replication, properties })
}

/// The disk that flows wait on.
///
/// # Errors
/// The folder cannot be had, or somebody else has it.
pub fn open_spool(config: &SpoolConfig) -> Result<Spool, Problem> {
    let folder = &config.directory;
    std::fs::create_dir_all(folder).map_err(|error| spool_problem(config, &error))?;
    let shed = match config.shed {
        ShedPolicy::Oldest => Shed::Oldest,
        ShedPolicy::Newest => Shed::Newest,
    };
    let limits = Limits { bytes_max: config.bytes_max, segment_bytes: config.segment_bytes, shed };
    let opened = Spool::open(folder, limits);
    let (spool, found) = opened.map_err(|error| spool_problem(config, &error))?;
    if found.flows > 0 || found.damaged_flows > 0 {
        log::info!(
            "the spool holds {} flows of an earlier run; {} more were damaged",
            found.flows,
            found.damaged_flows,
        );
    }
    if found.segments_aside > 0 {
        log::error!(
            "the spool: {} files cannot be read and are set aside as {}/*.unreadable; what they held \
             counts as damaged",
            found.segments_aside,
            folder.display(),
        );
    }
    Ok(spool)
}

/// Would [`open_spool`] find what it can read? The daemon that has it may run.
///
/// # Errors
/// As [`open_spool`].
pub fn check_spool(config: &SpoolConfig) -> Result<(), Problem> {
    Spool::check(&config.directory).map_err(|error| spool_problem(config, &error))
}

fn spool_problem(config: &SpoolConfig, why: &dyn std::fmt::Display) -> Problem {
    let folder = format!("\"{}\"", config.directory.display());
    let fix = "give a folder that the daemon's user can write to and no other daemon uses";
    Problem::new("spool.directory", folder, why, fix)
}

/// What the main topic's messages are.
#[must_use]
pub fn topic(config: &Config) -> TopicOptions {
    let framing = framing(config.kafka.framing);
    let packed_bytes = config.kafka.packed_bytes;
    TopicOptions { framing, packed_bytes, keyed: config.kafka.key != Key::None }
}

/// What a message is.
#[must_use]
pub fn framing(framing: Framing) -> neckar_kafka::Framing {
    match framing {
        Framing::Bare => neckar_kafka::Framing::Bare,
        Framing::Delimited => neckar_kafka::Framing::Delimited,
        Framing::Packed => neckar_kafka::Framing::Packed,
    }
}

/// How flows lie in the batches: as the output sends them.
///
/// # Errors
/// As [`producer`].
pub fn layout(config: &Config) -> Result<Layout, Problem> {
    let is_bare = config.kafka.framing == Framing::Bare && config.kafka.key == Key::None;
    let is_wanted = config.output.kind == OutputKind::Kafka && is_bare;
    let is_native = is_wanted && is_native(&producer(config)?);
    Ok(if is_native { Layout::Records } else { Layout::Delimited })
}

/// Is Kafka spoken to by the native transport? A mistake in it is told by whoever uses it.
fn is_native(settings: &neckar_kafka::ProducerConfig) -> bool {
    let choice = settings.choice();
    choice.is_ok_and(|choice| choice.transport == neckar_kafka::Transport::Native)
}

/// What of each flow the batches keep as its key.
#[must_use]
pub fn keying(config: &Config) -> Keying {
    match config.kafka.key {
        Key::None => Keying::None,
        Key::Exporter => Keying::Exporter,
        Key::Flow => Keying::Flow,
        Key::Customer => Keying::Customer,
    }
}

/// Says once per listening address if the kernel granted less than was asked for, and what to
/// raise.
pub fn report_buffer(socket: &Socket, address: SocketAddr) {
    let buffer = socket.receive_buffer();
    if buffer.got < buffer.asked {
        log::warn!(
            "{address}: asked for a receive buffer of {} bytes, got {}; raise net.core.rmem_max \
             (tuning/receive-buffers.sh apply) or lower receive.buffer_bytes",
            buffer.asked,
            buffer.got,
        );
    }
}

/// Attaches the steering program to the group of sockets that share an address.
pub fn steer<'a>(config: &Config, mut group: impl Iterator<Item = &'a Socket>) {
    if config.workers.steering != Steering::Cpu {
        return;
    }
    let Some(first) = group.next() else { return };
    let workers = 1 + group.count();
    if let Err(error) = ingest::steer_by_cpu(first, workers) {
        log::warn!("steering by cpu is not to be had ({error}); the kernel's hash decides");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rules_rates_go_where_they_count() {
        let rule = |prefix: &str, sampling_rate, default_rate| ExporterRule {
            prefix: prefix.into(),
            sampling_rate,
            default_rate,
            ..ExporterRule::default()
        };
        let exporter =
            vec![rule("192.0.2.0/24", Some(7), None), rule("192.0.2.1", Some(8), Some(9))];
        let decode = decode(&Config { exporter, ..Config::default() }).expect("good rules");
        let rates = |rates: &[(ipnet::IpNet, u64)]| -> Vec<_> {
            rates.iter().map(|(prefix, rate)| (prefix.to_string(), *rate)).collect()
        };
        let expected = [("192.0.2.0/24".to_string(), 7), ("192.0.2.1/32".to_string(), 8)];
        assert_eq!(rates(&decode.rates), expected);
        assert_eq!(rates(&decode.default_rates), [("192.0.2.1/32".to_string(), 9)]);
    }

    #[test]
    fn flows_lie_in_records_where_those_are_sent() {
        type Change = fn(&mut Config);
        let cases: [(Change, Layout); 5] = [
            (|_| {}, Layout::Records),
            (|config| config.output.kind = OutputKind::File, Layout::Delimited),
            (|config| config.kafka.framing = Framing::Packed, Layout::Delimited),
            (|config| config.kafka.key = Key::Exporter, Layout::Delimited),
            (|config| config.kafka.transport = Transport::Librdkafka, Layout::Delimited),
        ];
        for (index, (change, expected)) in cases.into_iter().enumerate() {
            let mut config = Config::default();
            config.output.kind = OutputKind::Kafka;
            change(&mut config);
            assert_eq!(layout(&config).expect("nothing is missing"), expected, "case {index}");
        }
    }

    #[test]
    fn idempotence_is_on_where_it_costs_nothing_and_nobody_says_otherwise() {
        type Change = fn(&mut crate::config::Kafka);
        let cases: [(Change, &str, &str); 6] = [
            (|_| {}, "all", "true"),
            (|kafka| kafka.acks = Some(Acks::Leader), "1", "false"),
            (|kafka| kafka.acks = Some(Acks::All), "all", "true"),
            (|kafka| kafka.idempotence = Some(false), "1", "false"),
            (|kafka| kafka.transport = Transport::Librdkafka, "1", "false"),
            (
                |kafka| {
                    kafka.transport = Transport::Librdkafka;
                    kafka.idempotence = Some(true);
                },
                "all",
                "true",
            ),
        ];
        for (index, (change, acks, idempotence)) in cases.into_iter().enumerate() {
            let mut config = Config::default();
            change(&mut config.kafka);
            let derived = producer(&config).expect("nothing is missing").derived;
            let found = (derived["acks"].as_str(), derived["enable.idempotence"].as_str());
            assert_eq!(found, (acks, idempotence), "case {index}");
        }
        // A property goes past the keys, and wins.
        let mut config = Config::default();
        config.kafka.properties.insert("acks".into(), "1".into());
        let settings = producer(&config).expect("nothing is missing");
        assert_eq!(settings.derived["enable.idempotence"], "false");
        let choice = settings.choice().expect("librdkafka takes it");
        assert_eq!(choice.transport, neckar_kafka::Transport::Native);
    }
}
