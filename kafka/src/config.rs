//! What the producer is told, what librdkafka is told beyond its own defaults, and which transport a
//! configuration gets.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::native::{Dialer, Settings};

/// Who speaks to Kafka.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// The native one, unless a property asks for what only librdkafka speaks.
    #[default]
    Auto,
    /// Ours: flows framed straight into Kafka's record batches.
    Native,
    /// librdkafka.
    Librdkafka,
}

/// Which transport a configuration gets: [`Transport::Native`] or [`Transport::Librdkafka`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which.
    pub transport: Transport,
    /// The reason, for people.
    pub why: String,
}

/// How to reach Kafka and how to produce.
#[derive(Clone, Default)]
pub struct ProducerConfig {
    /// Who speaks to Kafka.
    pub transport: Transport,
    /// `host:port`, at least one.
    pub brokers: Vec<String>,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Properties that were worked out from other settings; some are secret, so they are not shown.
    pub derived: BTreeMap<String, String>,
    /// Any of librdkafka's properties; they win over everything here.
    pub properties: BTreeMap<String, String>,
}

impl std::fmt::Debug for ProducerConfig {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.derived.iter().chain(&self.properties);
        let properties: BTreeMap<_, _> =
            all.map(|(name, value)| (name, shown(name, value))).collect();
        out.debug_struct("ProducerConfig")
            .field("transport", &self.transport)
            .field("brokers", &self.brokers)
            .field("compression", &self.compression)
            .field("properties", &properties)
            .finish()
    }
}

/// A property that librdkafka does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Which; empty if it is the whole.
    pub property: String,
    /// What it was given.
    pub value: String,
    /// librdkafka's own words.
    pub why: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} = {:?}: {}", self.property, self.value, self.why)
    }
}

impl std::error::Error for ConfigError {}

/// Our defaults where librdkafka's are made for other work. benches/README.md has what they were
/// chosen by.
const DEFAULTS: [(&str, &str); 11] = [
    ("client.id", "neckard"),
    // Troubles come as events and show in /healthz; its own lines would fill the journal during an
    // outage.
    ("log_level", "2"),
    // The leader's word: with flows on their way every second, a leader's crash may cost what it
    // had not replicated. `acks = all` for those who mind, and `enable.idempotence` for those who
    // mind a flow coming twice; benches/README.md has the price.
    ("acks", "1"),
    // As Java's producers, for what comes before the partitions are known.
    ("partitioner", "murmur2_random"),
    // Memory is bounded by our batches, not by librdkafka's books.
    ("queue.buffering.max.messages", "10000000"),
    ("queue.buffering.max.kbytes", "2097151"),
    // A batch of ours is already a bundle; wait just long enough to join those of several workers.
    ("queue.buffering.max.ms", "20"),
    ("batch.num.messages", "100000"),
    ("batch.size", "1000000"),
    // No time limit: an outage is over when it is over. The pool of batches is the limit.
    ("message.timeout.ms", "0"),
    // Reconnect soon: the first second after an outage matters.
    ("reconnect.backoff.max.ms", "1000"),
];

impl ProducerConfig {
    /// librdkafka's configuration, each property checked by itself so that an error names it.
    ///
    /// # Errors
    /// The first property that librdkafka does not know or take.
    pub fn check(&self) -> Result<ClientConfig, ConfigError> {
        let compression = if self.compression.is_empty() { "none" } else { &self.compression };
        let brokers = self.brokers.join(",");
        let own = [("bootstrap.servers", brokers.as_str()), ("compression.codec", compression)];
        let derived = self.derived.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        checked(DEFAULTS.into_iter().chain(own).chain(derived), &self.properties)
    }

    /// Which transport this gets, and why.
    ///
    /// # Errors
    /// As [`Self::check`], whichever it is; and what keeps the native transport from it, if that was
    /// asked for.
    pub fn choice(&self) -> Result<Choice, ConfigError> {
        self.check()?;
        let (transport, why) = match (self.transport, Settings::of(self)) {
            (Transport::Librdkafka, _) => (Transport::Librdkafka, "asked for".to_owned()),
            (Transport::Native, settings) => {
                settings.map(|_| (Transport::Native, "asked for".to_owned()))?
            }
            (Transport::Auto, Ok(_)) => {
                (Transport::Native, "it speaks all that is configured".to_owned())
            }
            (Transport::Auto, Err(error)) => {
                (Transport::Librdkafka, format!("the native one does not speak {error}"))
            }
        };
        Ok(Choice { transport, why })
    }

    /// The same, with certificates and keys read as the native transport does at its start, connecting to
    /// nobody. librdkafka reads its own, when it starts.
    ///
    /// # Errors
    /// As [`Self::choice`], and the first file that does not hold what it should.
    pub fn choice_with_files(&self) -> Result<Choice, ConfigError> {
        let choice = self.choice()?;
        if choice.transport != Transport::Librdkafka {
            Dialer::new(&Settings::of(self)?)?;
        }
        Ok(choice)
    }

    /// All properties that were given or worked out, the later winning.
    pub(crate) fn given(&self) -> BTreeMap<&str, &str> {
        let all = self.derived.iter().chain(&self.properties);
        all.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

impl ConfigError {
    /// Each property was good by itself; together they are not.
    pub(crate) fn whole(why: String) -> Self {
        Self { property: "kafka.properties".into(), value: String::new(), why }
    }
}

/// Ours and then the user's, each checked by itself.
pub(crate) fn checked<'a>(
    ours: impl Iterator<Item = (&'a str, &'a str)>,
    given: &'a BTreeMap<String, String>,
) -> Result<ClientConfig, ConfigError> {
    let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut config = ClientConfig::new();
    for (name, value) in ours.chain(given) {
        let mut alone = ClientConfig::new();
        alone.set(name, value);
        alone.create_native_config().map_err(|error| ConfigError {
            property: name.into(),
            value: shown(name, value),
            why: words(&error, name, value),
        })?;
        config.set(name, value);
    }
    Ok(config)
}

/// librdkafka's words, without the name and the value that rdkafka puts behind them.
fn words(error: &KafkaError, name: &str, value: &str) -> String {
    let words = match error {
        KafkaError::ClientConfig(_, words, _, _) => words.clone(),
        error => error.to_string(),
    };
    match is_secret(name, value) && !value.is_empty() {
        true => words.replace(value, HIDDEN),
        false => words,
    }
}

/// The value for a message, unless it is a secret.
pub(crate) fn shown(name: &str, value: &str) -> String {
    if is_secret(name, value) { HIDDEN.into() } else { value.into() }
}

const HIDDEN: &str = "(hidden)";

/// By its name, or because it says so itself, as Java's `sasl.jaas.config` does.
fn is_secret(name: &str, value: &str) -> bool {
    let says = |text: &str, words: &[&str]| {
        let text = text.to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    says(name, &["password", "secret", "token", "key", "jaas", "credential"])
        || says(value, &["password", "secret"])
}
