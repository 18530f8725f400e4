//! What waits on disk while Kafka is away.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What waits on disk while Kafka is away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// Folder for it, which no other daemon uses; empty for none: an outage then fills
    /// `batch.memory_bytes`, and flows are shed beyond.
    pub directory: PathBuf,
    /// Bytes on disk at most.
    pub bytes_max: u64,
    /// Bytes of a file: what is given up at once where the oldest are.
    pub segment_bytes: u64,
    /// What is given up when it is full: `oldest` or `newest`.
    pub shed: ShedPolicy,
}

/// See [`SpoolConfig::shed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum ShedPolicy {
    Oldest,
    Newest,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            bytes_max: 8 << 30,
            segment_bytes: 64 << 20,
            shed: ShedPolicy::Oldest,
        }
    }
}

impl SpoolConfig {
    /// Is there one?
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.directory.as_os_str().is_empty()
    }
}
