//! What Kafka's own tools read: the last word on what is in a topic.

use std::io;

use super::{Broker, jars, java};

impl Broker {
    /// What `DumpLogSegments` says of a partition's files: a line a batch, with its CRC checked, and a
    /// line a record below, decompressed.
    ///
    /// # Errors
    /// The files are not there, or the tool fails.
    pub fn dump_log(&self, topic: &str, partition: u32) -> io::Result<String> {
        let folder = self.folder.join("data/logs").join(format!("{topic}-{partition}"));
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "log") {
                files.push(path.display().to_string());
            }
        }
        files.sort();
        let files = files.join(",");
        let args = ["--deep-iteration", "--files", &files];
        let output = java(&jars()?, "org.apache.kafka.tools.DumpLogSegments", &args)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Values of the first `count` records as Java's consumer reads them, each with what is no letter as
/// `\xNN`.
///
/// # Errors
/// They do not come within half a minute.
pub fn java_consumer(brokers: &str, topic: &str, count: usize) -> io::Result<Vec<String>> {
    let bytes = "value.deserializer=org.apache.kafka.common.serialization.BytesDeserializer";
    let count_text = count.to_string();
    let args = [
        ["--bootstrap-server", brokers],
        ["--topic", topic],
        ["--max-messages", &count_text],
        ["--timeout-ms", "30000"],
        ["--formatter-property", bytes],
    ]
    .concat();
    let args = [&args[..], &["--from-beginning"]].concat();
    let output = java(&jars()?, "org.apache.kafka.tools.consumer.ConsoleConsumer", &args)?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

/// Allows a client of this id so many bytes a second of producing.
///
/// # Errors
/// The broker's answer.
pub fn set_quota(brokers: &str, client_id: &str, bytes: u32) -> io::Result<()> {
    let bytes = format!("producer_byte_rate={bytes}");
    let args = [
        ["--bootstrap-server", brokers],
        ["--entity-type", "clients"],
        ["--entity-name", client_id],
        ["--add-config", &bytes],
    ]
    .concat();
    let args = [&args[..], &["--alter"]].concat();
    java(&jars()?, "kafka.admin.ConfigCommand", &args).map(drop)
}
