//! Encoded flows on their way out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Encoded flows on their way out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Batches {
    /// Flows in a batch at most.
    pub flows_max: usize,
    /// Bytes in a batch at most.
    pub bytes_max: usize,
    /// Milliseconds that the first flow of a batch waits for others.
    pub linger_ms: u64,
    /// Bytes of all batches, shared evenly by the workers: what an outage may fill.
    pub memory_bytes: usize,
    /// Milliseconds that a worker waits for a free batch before it sheds, counting every flow.
    pub stall_ms: u64,
}

/// Where flows go.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    /// `kafka` or `stdout` (one line a flow).
    pub kind: OutputKind,
    /// Field numbers: `bwnetflow` (the suite's enriched message) or `goflow2`.
    pub profile: ProfileName,
    /// What a line is, for `stdout`: `line` (flowdump's) or `json`.
    pub format: LineFormat,
}

/// See [`Output::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum OutputKind {
    Kafka,
    Stdout,
}

/// See [`Output::profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum ProfileName {
    Bwnetflow,
    Goflow2,
}

/// See [`Output::format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum LineFormat {
    Line,
    Json,
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            flows_max: 2048,
            bytes_max: 256 << 10,
            linger_ms: 100,
            memory_bytes: 512 << 20,
            stall_ms: 100,
        }
    }
}

impl Default for Output {
    fn default() -> Self {
        Self { kind: OutputKind::Stdout, profile: ProfileName::Bwnetflow, format: LineFormat::Line }
    }
}
