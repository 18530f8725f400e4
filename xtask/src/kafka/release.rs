//! Which Kafka: the one that tests and benches are for, or an older one that somebody asks about.

/// What tests run against.
const NEWEST: &str = "4.3.1";

/// A release of Apache Kafka.
#[derive(Clone, Debug)]
pub(super) struct Release {
    /// As Maven Central has it.
    pub(super) version: String,
    /// Its first two numbers.
    numbers: (u32, u32),
}

impl Release {
    /// The one that `NECKAR_KAFKA_VERSION` asks for, 2.8 or later; the newest if it does not.
    pub(super) fn wanted() -> Self {
        let version = std::env::var("NECKAR_KAFKA_VERSION").unwrap_or_else(|_| NEWEST.to_string());
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        let numbers = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        Self { version, numbers }
    }

    /// Brokers that are their own controllers are fit for use since 3.3; those before keep to ZooKeeper.
    pub(super) fn needs_zookeeper(&self) -> bool {
        self.numbers < (3, 3)
    }

    /// How the tool for offsets is told of brokers.
    pub(super) fn brokers_of_offsets(&self) -> &'static str {
        if self.numbers < (3, 0) { "--broker-list" } else { "--bootstrap-server" }
    }

    /// The class of a tool, which 3.7 moved.
    pub(super) fn tool(&self, name: &str) -> String {
        let before = match name {
            "TopicCommand" => "kafka.admin",
            _ => "kafka.tools",
        };
        let package = if self.numbers < (3, 7) { before } else { "org.apache.kafka.tools" };
        format!("{package}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_where_the_release_has_them() {
        let release = |major, minor| Release { version: String::new(), numbers: (major, minor) };
        assert!(release(2, 8).needs_zookeeper() && !release(3, 3).needs_zookeeper());
        assert_eq!(release(2, 8).tool("TopicCommand"), "kafka.admin.TopicCommand");
        assert_eq!(release(3, 6).tool("GetOffsetShell"), "kafka.tools.GetOffsetShell");
        assert_eq!(release(4, 0).tool("TopicCommand"), "org.apache.kafka.tools.TopicCommand");
    }
}
