//! The Kafka producer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// The Kafka producer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// Brokers to start from, `host:port`.
    pub brokers: Vec<String>,
    /// Topic of all flows.
    pub topic: String,
    /// Who speaks to Kafka: `native` (flows framed straight into Kafka's record batches, a fraction
    /// of the cost), `librdkafka`, or `auto`: the native one unless `kafka.properties` asks for what
    /// only librdkafka speaks. `neckard check` says which it is, and why.
    pub transport: Transport,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: Compression,
    /// What a message is: `bare` (one flow, what the suite's consumers read), `delimited` (the same
    /// behind its length: goflow2's `bin`, ClickHouse's `Protobuf`) or `packed` (many of those: a
    /// fraction of the cost, for consumers that can).
    pub framing: Framing,
    /// Bytes of a packed message at most. It is as old as its batch, `batch.linger_ms`; broker and
    /// topic must allow the size (`max.message.bytes`).
    pub packed_bytes: usize,
    /// What decides the partition: `none` (batches take turns), `exporter` (its address, 4 or 16
    /// bytes), `flow` (a hash, 8 bytes, the same for both directions) or `customer` (`Cid`, 4 bytes
    /// big-endian). Chosen as Java's producers do (murmur2). Packed messages hold one partition's
    /// flows and have no key themselves.
    pub key: Key,
    /// Who has to have a flow before it counts as delivered: `leader` (what it had not replicated
    /// goes with it if it crashes) or `all` (replicas in sync). Left out, it is `all` with
    /// idempotence and `leader` without.
    pub acks: Option<Acks>,
    /// Have the broker drop what it gets twice, and keep the order, through retries. It implies
    /// `acks` of `all`. Left out, it is on with the native transport, where it costs nothing, unless
    /// `acks` is `leader`; and off with librdkafka, which ends for good where a broker forgets.
    pub idempotence: Option<bool>,
    /// Anything else that librdkafka knows, passed through and checked at start.
    pub properties: BTreeMap<String, String>,
    /// Topics made on request.
    pub create: Create,
    /// Encryption.
    pub tls: Tls,
    /// Who we are.
    pub sasl: Sasl,
}

/// See [`Kafka::compression`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Topics made on request: the main one and the customers'.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Create {
    /// Make those that are not there. What is there stays as it is.
    pub enabled: bool,
    /// Partitions of a new topic; 0 for the broker's default.
    pub partitions: u32,
    /// Replicas of each; 0 for the broker's default.
    pub replication: u32,
    /// Kafka's own settings of a new topic, such as `retention.ms`.
    pub properties: BTreeMap<String, String>,
}

/// Encryption of the way to Kafka.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Talk TLS.
    pub enabled: bool,
    /// Whom to trust: certificates in PEM; empty for those of the system.
    pub ca_file: String,
    /// Our own certificate in PEM, where brokers want one (mutual TLS).
    pub certificate_file: String,
    /// Its private key in PEM.
    pub key_file: String,
    /// File with the private key's password, if it has one.
    pub key_password_file: String,
}

/// Who we are to Kafka.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sasl {
    /// `none`, `plain`, `scram-sha-256` or `scram-sha-512`.
    pub mechanism: Mechanism,
    /// The user's name.
    pub username: String,
    /// File with the password; a line end behind it is not part of it.
    pub password_file: String,
    /// Or: the environment variable that holds it.
    pub password_env: String,
}

/// See [`Kafka::transport`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Transport {
    #[default]
    Auto,
    Native,
    Librdkafka,
}

/// See [`Kafka::framing`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Framing {
    #[default]
    Bare,
    Delimited,
    Packed,
}

/// See [`Kafka::key`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Key {
    #[default]
    None,
    Exporter,
    Flow,
    Customer,
}

/// See [`Kafka::acks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Acks {
    Leader,
    All,
}

/// See [`Sasl::mechanism`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Mechanism {
    #[default]
    None,
    Plain,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:9092".into()],
            topic: "flow-messages-enriched".into(),
            transport: Transport::Auto,
            compression: Compression::Lz4,
            framing: Framing::Bare,
            packed_bytes: 256 << 10,
            key: Key::None,
            acks: None,
            idempotence: None,
            create: Create::default(),
            tls: Tls::default(),
            sasl: Sasl::default(),
            properties: BTreeMap::new(),
        }
    }
}

impl Kafka {
    /// What belongs together is there together.
    ///
    /// # Errors
    /// The key that is missing or too much.
    pub(super) fn validate_access(&self) -> Result<(), Problem> {
        let Self { tls, sasl, .. } = self;
        let files = [&tls.ca_file, &tls.certificate_file, &tls.key_file, &tls.key_password_file];
        let needs = |key: &str, why: &str, fix: &str| Err(Problem::new(key, "", why, fix));
        if !tls.enabled && files.iter().any(|file| !file.is_empty()) {
            return needs("kafka.tls", "files, but not enabled", "say kafka.tls.enabled = true");
        }
        if tls.certificate_file.is_empty() != tls.key_file.is_empty() {
            let why = "a certificate and its key go together";
            return needs("kafka.tls", why, "give certificate_file and key_file, or neither");
        }
        let passwords = [&sasl.password_file, &sasl.password_env];
        let given = passwords.iter().filter(|one| !one.is_empty()).count();
        if sasl.mechanism == Mechanism::None {
            if given > 0 || !sasl.username.is_empty() {
                let fix = "say plain, scram-sha-256 or scram-sha-512";
                return needs("kafka.sasl.mechanism", "a user, but no mechanism", fix);
            }
        } else if sasl.username.is_empty() {
            return needs("kafka.sasl.username", "no user's name", "give the one Kafka knows");
        } else if given != 1 {
            let fix = "give password_file or password_env";
            return needs("kafka.sasl", "the password comes from one place", fix);
        }
        Ok(())
    }
}
