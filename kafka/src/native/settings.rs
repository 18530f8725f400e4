//! What the native transport is told, read from the same properties as librdkafka, by the same names.
//!
//! A property that it does not know is an error here, not silence: the configuration then gets
//! librdkafka, or the operator the word.

use std::time::Duration;

use super::compress::{Codec, Compression};
use crate::config::{ConfigError, ProducerConfig, shown};

/// How to reach Kafka and how to produce.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `host:port`, to start from.
    pub(super) brokers: Vec<String>,
    pub(super) client_id: String,
    /// 1 for the leader's word, -1 for that of all replicas in sync.
    pub(super) acks: i16,
    pub(super) idempotence: bool,
    pub(super) compression: Compression,
    /// Bytes of one flow's record at most.
    pub(super) message_bytes: usize,
    /// Bytes of a record batch, and of one request's batches, before compression.
    pub(super) batch_bytes: usize,
    /// Flows of a record batch at most.
    pub(super) batch_flows: usize,
    /// Flows and bytes taken and not reported on, if bounded beyond the caller's own batches.
    pub(super) flows_max: Option<u64>,
    pub(super) bytes_max: Option<u64>,
    /// What a broker's first flows wait for others to go with them.
    pub(super) linger: Duration,
    /// A broker that does not answer a request for so long is left.
    pub(super) request_timeout: Duration,
    /// Between one try to connect and the next: the first, and the longest.
    pub(super) backoff: (Duration, Duration),
    /// Between one try to produce and the next.
    pub(super) retry: Duration,
    /// Requests to a broker that it has not answered.
    pub(super) requests_max: usize,
    /// How old may be what is known of a topic?
    pub(super) refresh: Duration,
    pub(super) security: Security,
}

/// How the way is secured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    /// Talk TLS.
    pub(super) tls: Option<TlsFiles>,
    /// Say who we are.
    pub(super) sasl: Option<Sasl>,
}

/// PEM files; empty where there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsFiles {
    pub(super) ca: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Who we are.
#[derive(Clone)]
pub(crate) struct Sasl {
    pub(super) mechanism: String,
    pub(super) username: String,
    pub(super) password: String,
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Sasl({}, {:?})", self.mechanism, self.username)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            client_id: "neckard".into(),
            acks: 1,
            idempotence: false,
            compression: Compression::default(),
            message_bytes: 1_000_000,
            batch_bytes: 1_000_000,
            batch_flows: 100_000,
            flows_max: None,
            bytes_max: None,
            linger: Duration::from_millis(5),
            request_timeout: Duration::from_secs(30),
            backoff: (Duration::from_millis(100), Duration::from_secs(1)),
            retry: Duration::from_millis(100),
            requests_max: 5,
            refresh: Duration::from_secs(60),
            security: Security::default(),
        }
    }
}

impl Settings {
    /// Reads the properties.
    ///
    /// # Errors
    /// The first that it does not speak.
    pub(crate) fn of(config: &ProducerConfig) -> Result<Self, ConfigError> {
        let mut settings = Self { brokers: config.brokers.clone(), ..Self::default() };
        let given = config.given();
        let refuse = |name: &str, value: &str, why: &str| ConfigError {
            property: name.into(),
            value: shown(name, value),
            why: why.into(),
        };
        if !config.compression.is_empty() {
            let codec = Codec::named(&config.compression);
            settings.compression.codec =
                codec.ok_or_else(|| refuse("compression.codec", &config.compression, UNKNOWN))?;
        }
        for (name, value) in &given {
            settings.set(name, value).map_err(|why| refuse(name, value, why))?;
        }
        settings.secure(&given).map_err(|(name, why)| refuse(&name, "", why))?;
        if settings.idempotence && settings.acks != -1 {
            // As librdkafka: what was said of idempotence wins over what was not said of acks.
            if config.properties.contains_key("acks") {
                return Err(refuse("acks", "1", "idempotence needs acks of all"));
            }
            settings.acks = -1;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "bootstrap.servers" | "metadata.broker.list" => {
                self.brokers = value.split(',').map(broker).collect::<Result<_, _>>()?;
            }
            "client.id" => value.clone_into(&mut self.client_id),
            "acks" | "request.required.acks" => {
                self.acks = match value {
                    "1" => 1,
                    "all" | "-1" => -1,
                    _ => return Err("acks are 1 or all"),
                }
            }
            "enable.idempotence" => self.idempotence = boolean(value)?,
            "compression.codec" | "compression.type" => {
                self.compression.codec = Codec::named(value).ok_or(UNKNOWN)?;
            }
            "compression.level" => {
                // -1 is librdkafka's word for the codec's own.
                let level: i32 = value.parse().map_err(|_| UNKNOWN)?;
                self.compression.level = Some(level).filter(|level| *level >= 0);
            }
            "message.max.bytes" => self.message_bytes = number(value)?,
            "batch.size" => self.batch_bytes = number(value)?,
            "batch.num.messages" => self.batch_flows = number(value)?,
            // 0 is librdkafka's word for no bound.
            "queue.buffering.max.messages" => {
                self.flows_max = Some(number(value)? as u64).filter(|flows| *flows > 0);
            }
            "queue.buffering.max.kbytes" => self.bytes_max = Some(number(value)? as u64 * 1024),
            "queue.buffering.max.ms" | "linger.ms" => self.linger = milliseconds(value)?,
            "request.timeout.ms" => self.request_timeout = milliseconds(value)?,
            "reconnect.backoff.ms" => self.backoff.0 = milliseconds(value)?,
            "reconnect.backoff.max.ms" => self.backoff.1 = milliseconds(value)?,
            "retry.backoff.ms" => self.retry = milliseconds(value)?,
            "max.in.flight" | "max.in.flight.requests.per.connection" => {
                self.requests_max = number(value)?.max(1);
            }
            "topic.metadata.refresh.interval.ms" => self.refresh = milliseconds(value)?,
            // No time limit is what we have.
            "message.timeout.ms" | "delivery.timeout.ms" if value == "0" => {}
            // Ours say nothing, whatever the level.
            "log_level" => {}
            name if name.starts_with("ssl.") || name.starts_with("sasl.") => {}
            "security.protocol" => {}
            _ => return Err("this property"),
        }
        Ok(())
    }

    /// Reads what belongs together.
    fn secure(
        &mut self,
        given: &std::collections::BTreeMap<&str, &str>,
    ) -> Result<(), (String, &'static str)> {
        const KNOWN: [&str; 7] = [
            "ssl.ca.location",
            "ssl.certificate.location",
            "ssl.key.location",
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.username",
            "sasl.password",
        ];
        let unknown = |name: &&&str| {
            (name.starts_with("ssl.") || name.starts_with("sasl.")) && !KNOWN.contains(*name)
        };
        if let Some(name) = given.keys().find(unknown) {
            return Err((name.to_string(), "this property"));
        }
        let of = |name| given.get(name).copied().unwrap_or_default().to_owned();
        let protocol = of("security.protocol").to_lowercase();
        if protocol == "ssl" || protocol == "sasl_ssl" {
            self.security.tls = Some(TlsFiles {
                ca: of("ssl.ca.location"),
                certificate: of("ssl.certificate.location"),
                key: of("ssl.key.location"),
            });
        }
        if protocol.starts_with("sasl") {
            let mechanism = format!("{}{}", of("sasl.mechanism"), of("sasl.mechanisms"));
            if !["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&mechanism.as_str()) {
                return Err(("sasl.mechanisms".into(), "any but PLAIN and SCRAM"));
            }
            let (username, password) = (of("sasl.username"), of("sasl.password"));
            self.security.sasl = Some(Sasl { mechanism, username, password });
        }
        Ok(())
    }
}

const UNKNOWN: &str = "this value";

/// `host:port`; librdkafka's port where none is said, and nothing else of what it takes (`PLAINTEXT://`).
fn broker(value: &str) -> Result<String, &'static str> {
    let value = value.trim();
    let colons = value.matches(':').count();
    match value.starts_with('[') {
        _ if value.is_empty() || value.contains('/') => Err(UNKNOWN),
        true if value.ends_with(']') => Ok(format!("{value}:9092")),
        true => Ok(value.to_owned()),
        false if colons == 0 => Ok(format!("{value}:9092")),
        false if colons == 1 => Ok(value.to_owned()),
        false => Err(UNKNOWN),
    }
}

/// Whatever librdkafka takes for one.
fn boolean(value: &str) -> Result<bool, &'static str> {
    match value.to_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(UNKNOWN),
    }
}

fn number(value: &str) -> Result<usize, &'static str> {
    value.parse().map_err(|_| UNKNOWN)
}

fn milliseconds(value: &str) -> Result<Duration, &'static str> {
    // librdkafka takes fractions.
    let value: f64 = value.parse().map_err(|_| UNKNOWN)?;
    Duration::try_from_secs_f64(value / 1000.0).map_err(|_| UNKNOWN)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Transport;

    fn config(properties: &[(&str, &str)]) -> ProducerConfig {
        let properties: BTreeMap<String, String> =
            properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let brokers = vec!["192.0.2.1:9092".into()];
        ProducerConfig { brokers, properties, ..ProducerConfig::default() }
    }

    #[test]
    fn what_it_speaks_it_takes_from_librdkafkas_names() {
        let settings = Settings::of(&config(&[
            ("acks", "all"),
            ("compression.codec", "zstd"),
            ("linger.ms", "7.5"),
            ("compression.level", "-1"),
            ("bootstrap.servers", "a:1, b:2"),
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "me"),
        ]))
        .expect("all are known");
        assert_eq!((settings.acks, settings.compression.codec), (-1, Codec::Zstd));
        assert_eq!(settings.compression.level, None, "the codec's own");
        assert_eq!(settings.linger, Duration::from_micros(7500));
        assert_eq!(settings.brokers, ["a:1", "b:2"]);
        assert!(settings.security.tls.is_some());
        assert_eq!(settings.security.sasl.map(|sasl| sasl.username).as_deref(), Some("me"));
    }

    #[test]
    fn what_it_does_not_speak_goes_to_librdkafka_and_says_why() {
        for (name, value) in [
            ("sasl.mechanisms", "GSSAPI"),
            ("acks", "0"),
            ("message.timeout.ms", "5000"),
            ("statistics.interval.ms", "1000"),
            ("ssl.key.password", "x"),
            ("ssl.cipher.suites", "x"),
        ] {
            let mut config = config(&[("security.protocol", "sasl_plaintext"), (name, value)]);
            let choice = config.choice().expect("librdkafka takes it");
            assert_eq!(choice.transport, Transport::Librdkafka, "{name}");
            assert!(choice.why.contains(name), "{}", choice.why);
            config.transport = Transport::Native;
            assert_eq!(config.choice().expect_err("asked for").property, name);
        }
        assert_eq!(config(&[]).choice().map(|choice| choice.transport), Ok(Transport::Native));
    }

    #[test]
    fn values_mean_what_they_mean_to_librdkafka() {
        for (value, expected) in
            [("True", true), ("t", true), ("1", true), ("F", false), ("0", false)]
        {
            let settings = Settings::of(&config(&[("enable.idempotence", value)])).expect("known");
            assert_eq!(settings.idempotence, expected, "{value}");
        }
        let flows_max = |value| {
            let config = config(&[("queue.buffering.max.messages", value)]);
            Settings::of(&config).expect("known").flows_max
        };
        assert_eq!((flows_max("0"), flows_max("7")), (None, Some(7)));
        let brokers = |value| {
            let settings = Settings::of(&config(&[("bootstrap.servers", value)]));
            settings.map(|settings| settings.brokers).map_err(|error| error.property)
        };
        let expected = ["kafka1:9092", "kafka2:19092", "[2001:db8::1]:9092"].map(str::to_owned);
        assert_eq!(brokers("kafka1, kafka2:19092,[2001:db8::1]"), Ok(expected.to_vec()));
        for other in ["PLAINTEXT://kafka1:9092", "2001:db8::1", "a,,b"] {
            assert_eq!(brokers(other), Err("bootstrap.servers".into()), "librdkafka's to try");
        }
    }

    #[test]
    fn idempotence_brings_acks_of_all() {
        let settings = Settings::of(&config(&[("enable.idempotence", "true")])).expect("known");
        assert_eq!((settings.acks, settings.idempotence), (-1, true));
        let both = [("enable.idempotence", "true"), ("acks", "1")];
        assert!(Settings::of(&config(&both)).is_err(), "one of them is not meant");
    }
}
