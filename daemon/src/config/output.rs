//! Encoded flows on their way out.

use std::path::PathBuf;

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
    /// `kafka`, `file` or `stdout`.
    pub kind: OutputKind,
    /// Field numbers: `bwnetflow` (the suite's enriched message) or `goflow2`.
    pub profile: ProfileName,
    /// What a flow is in files and on standard output: `line` (flowdump's), `json` (one object a
    /// line) or `protobuf` (the message behind its length).
    pub format: FlowFormat,
    /// Files, for `file`.
    pub file: FileOutput,
}

/// Files of flows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FileOutput {
    /// Folder for them. One that is being written ends in `.partial`.
    pub directory: PathBuf,
    /// Seconds after which a file is finished and the next one started.
    pub rotate_s: u64,
    /// Bytes after which it is.
    pub rotate_bytes: u64,
    /// zstd's level; 0 does not compress. Each batch is a frame, so a file that is cut reads up to
    /// there.
    pub zstd_level: i32,
    /// Bytes of all finished files; the oldest are deleted beyond, and counted. 0 keeps them all.
    pub bytes_max: u64,
}

impl Default for FileOutput {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            rotate_s: 300,
            rotate_bytes: 256 << 20,
            zstd_level: 3,
            bytes_max: 0,
        }
    }
}

/// See [`Output::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum OutputKind {
    Kafka,
    File,
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
pub enum FlowFormat {
    Line,
    Json,
    Protobuf,
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
        Self {
            kind: OutputKind::Stdout,
            profile: ProfileName::Bwnetflow,
            format: FlowFormat::Line,
            file: FileOutput::default(),
        }
    }
}
