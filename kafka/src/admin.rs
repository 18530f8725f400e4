//! Topics made on request.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::config::{ConfigError, ProducerConfig};

/// How long the brokers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a new topic is like.
#[derive(Clone, Debug, Default)]
pub struct NewTopics {
    /// Partitions; 0 leaves it to the broker.
    pub partitions: u32,
    /// Replicas of each; 0 leaves it to the broker.
    pub replication: u32,
    /// Kafka's own settings of a topic, such as `retention.ms`.
    pub properties: BTreeMap<String, String>,
}

/// What came of making one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was not there.
    New,
    /// It is there already, and left as it is.
    Existed,
    /// It is not there.
    Failed {
        /// Kafka's words.
        why: String,
        /// Is it worth another try? Not what the request itself is refused for.
        later: bool,
    },
}

/// Makes topics; its client connects when it first has to.
pub struct Admin(AdminClient<DefaultClientContext>);

impl std::fmt::Debug for Admin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Admin")
    }
}

impl Admin {
    /// With the producer's way to the brokers.
    ///
    /// # Errors
    /// A property that librdkafka does not take.
    pub fn new(config: &ProducerConfig) -> Result<Self, ConfigError> {
        let client = config.check()?.create();
        client.map(Self).map_err(|error| ConfigError::whole(error.to_string()))
    }

    /// Makes those topics that are not there, and answers for each. Waits.
    #[must_use]
    pub fn create(&self, names: &[String], like: &NewTopics) -> Vec<(String, Made)> {
        let count = |given: u32| i32::try_from(given).ok().filter(|count| *count > 0).unwrap_or(-1);
        let topics: Vec<NewTopic<'_>> = names
            .iter()
            .map(|name| {
                let replication = TopicReplication::Fixed(count(like.replication));
                let topic = NewTopic::new(name, count(like.partitions), replication);
                like.properties.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
            })
            .collect();
        let options =
            AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        match pollster::block_on(self.0.create_topics(&topics, &options)) {
            Ok(results) => results.into_iter().map(made).collect(),
            Err(error) => {
                let failed = Made::Failed { why: error.to_string(), later: true };
                names.iter().map(|name| (name.clone(), failed.clone())).collect()
            }
        }
    }
}

fn made(result: Result<String, (String, RDKafkaErrorCode)>) -> (String, Made) {
    match result {
        Ok(name) => (name, Made::New),
        Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => (name, Made::Existed),
        Err((name, code)) => {
            // What the request itself says. Brokers may still register, and rights be granted.
            let is_final = matches!(
                code,
                RDKafkaErrorCode::InvalidTopic
                    | RDKafkaErrorCode::InvalidPartitions
                    | RDKafkaErrorCode::InvalidConfig
                    | RDKafkaErrorCode::InvalidReplicaAssignment
                    | RDKafkaErrorCode::InvalidRequest
                    | RDKafkaErrorCode::PolicyViolation
                    | RDKafkaErrorCode::UnsupportedVersion
            );
            (name, Made::Failed { why: code.to_string(), later: !is_final })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_brokers_may_change_their_mind_about_is_tried_again() {
        use RDKafkaErrorCode as Code;
        let later = |code| match made(Err(("flows".into(), code))) {
            (_, Made::Failed { later, .. }) => Some(later),
            _ => None,
        };
        for code in [
            Code::RequestTimedOut,
            Code::NotController,
            Code::InvalidReplicationFactor,
            Code::TopicAuthorizationFailed,
        ] {
            assert_eq!(later(code), Some(true), "{code}");
        }
        for code in [Code::InvalidTopic, Code::InvalidPartitions, Code::PolicyViolation] {
            assert_eq!(later(code), Some(false), "{code}");
        }
        assert_eq!(later(Code::TopicAlreadyExists), None);
    }
}
