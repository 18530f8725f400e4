//! The configuration: one strict TOML file.
//!
//! The types here are the file as written; every key's doc comment is its documentation (`neckard
//! config`, `docs/config.md`), so nothing can drift. [`load`] reads and merges,
//! [`Config::validate`] judges, and a mistake of the operator becomes a [`Problem`]: one line with
//! key, value, file, line and the fix.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod load;
mod problem;
mod reference;
mod validate;

pub use load::{DEFAULT_FILE, Loaded, load};
pub use problem::Problem;
pub use reference::{markdown, toml_reference};
pub(crate) use validate::parse_prefix;

/// Everything that `neckard.toml` can say.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Threads of the data plane.
    pub workers: Workers,
    /// Where exporters send. Any protocol may come to any port: datagrams are told apart by
    /// content.
    pub listen: Vec<Listen>,
    /// Sockets and rings.
    pub receive: Receive,
    /// Templates, held data, sampling.
    pub decode: Decode,
    /// What is known about exporters by prefix; the most specific rule wins.
    pub exporter: Vec<ExporterRule>,
    /// Labels.
    pub enrich: Enrich,
    /// Encoded flows on their way out.
    pub batch: Batches,
    /// Where flows go.
    pub output: Output,
    /// The Kafka producer.
    pub kafka: Kafka,
    /// One topic per customer.
    pub split: Split,
    /// `/metrics`, `/healthz` and the page.
    pub http: Http,
    /// What survives a restart.
    pub state: State,
    /// The end.
    pub stop: Stop,
}

/// Threads of the data plane.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// Cores to run on, one pinned worker a core: `auto` (every core this process may use) or a
    /// list like `2-5,8`.
    pub cores: String,
    /// Who gets a datagram: `hash` (the kernel's hash keeps an exporter on one worker) or `cpu`
    /// (the core whose NIC queue received it).
    pub steering: Steering,
}

/// See [`Workers::steering`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Steering {
    Hash,
    Cpu,
}

/// One listening address.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and UDP port, for example `[::]:2055` (IPv6 and IPv4) or `192.0.2.1:2055`.
    pub address: String,
}

/// Sockets and rings.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Receive {
    /// How datagrams come in: `auto` (io_uring where the kernel has it, else recvmmsg), `uring` or
    /// `recvmmsg`.
    pub path: ReceivePath,
    /// Bytes of kernel buffer to ask for, per socket. `neckard check` says what the kernel grants
    /// and what to raise.
    pub buffer_bytes: usize,
    /// Let the kernel coalesce datagrams of one sender (UDP_GRO).
    pub gro: bool,
    /// Datagrams to wait for before waking up.
    pub batch_datagrams: usize,
    /// Microseconds after which fewer will do.
    pub batch_wait_us: u64,
}

/// See [`Receive::path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum ReceivePath {
    Auto,
    Uring,
    Recvmmsg,
}

/// Templates, held data, sampling.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Decode {
    /// Exporters remembered at most; what comes from further ones is counted and dropped.
    pub exporters_max: usize,
    /// Templates remembered at most, of all exporters.
    pub templates_max: usize,
    /// Templates remembered at most, per exporter.
    pub templates_per_exporter_max: usize,
    /// Bytes of data held per exporter until its template comes.
    pub hold_bytes: usize,
    /// Bytes of data held per worker, all exporters together.
    pub hold_total_bytes: usize,
    /// Seconds that data is held at most.
    pub hold_s: u64,
    /// Sampling rate of exporters that do not say theirs; 0 leaves it unknown.
    pub default_rate: u64,
    /// Take the inner packet of GRE, IP-in-IP and VXLAN in sampled headers.
    pub decapsulate: bool,
    /// Keep templates apart by UDP source port too, for several exporters behind one address.
    pub key_by_port: bool,
    /// Prefixes of exporters to listen to; empty for all.
    pub allow: Vec<String>,
}

/// What is known about exporters of a prefix.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExporterRule {
    /// Addresses that the rule is for.
    pub prefix: String,
    /// Sampling rate, whatever the exporter says.
    pub sampling_rate: Option<u64>,
}

/// Labels.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Enrich {
    /// Customer list, CSV of `prefix,cid`; empty for none.
    pub customers: PathBuf,
    /// Write the protocol's name to every flow.
    pub protocol_names: bool,
}

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

/// The Kafka producer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// Brokers to start from, `host:port`.
    pub brokers: Vec<String>,
    /// Topic of all flows.
    pub topic: String,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: Compression,
    /// Anything else that librdkafka knows, passed through and checked at start.
    pub properties: BTreeMap<String, String>,
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

/// One topic per customer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Customers whose flows also go to `<prefix>-<cid>`; empty for no splitting.
    pub cids: Vec<u32>,
    /// Start of the topics' names.
    pub topic_prefix: String,
    /// Batches that may wait for the splitter; beyond, the customers' copies are counted as lost,
    /// never the flows.
    pub queue_batches: usize,
}

/// `/metrics`, `/healthz` and the page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port; empty for none. Loopback unless you say otherwise: the page shows who
    /// talks to whom.
    pub address: String,
}

/// What survives a restart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Directory for templates and sampling tables; empty to forget them at the end.
    pub directory: PathBuf,
}

/// The end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// Seconds that flows already received may take to be delivered.
    pub deadline_s: u64,
}

/// Ports that exporters send to by custom: NetFlow, IPFIX (RFC 7011 section 10.3.4), sFlow.
const CUSTOMARY_PORTS: [u16; 3] = [2055, 4739, 6343];

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: Workers::default(),
            listen: CUSTOMARY_PORTS.map(|port| Listen { address: format!("[::]:{port}") }).into(),
            receive: Receive::default(),
            decode: Decode::default(),
            exporter: Vec::new(),
            enrich: Enrich::default(),
            batch: Batches::default(),
            output: Output::default(),
            kafka: Kafka::default(),
            split: Split::default(),
            http: Http::default(),
            state: State::default(),
            stop: Stop::default(),
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self { cores: "auto".into(), steering: Steering::Hash }
    }
}

impl Default for Receive {
    fn default() -> Self {
        Self {
            path: ReceivePath::Auto,
            buffer_bytes: 32 << 20,
            gro: true,
            batch_datagrams: 64,
            batch_wait_us: 10_000,
        }
    }
}

impl Default for Decode {
    fn default() -> Self {
        Self {
            exporters_max: 16_384,
            templates_max: 262_144,
            templates_per_exporter_max: 4096,
            hold_bytes: 1 << 20,
            hold_total_bytes: 64 << 20,
            hold_s: 120,
            default_rate: 0,
            decapsulate: false,
            key_by_port: false,
            allow: Vec::new(),
        }
    }
}

impl Default for Enrich {
    fn default() -> Self {
        Self { customers: PathBuf::new(), protocol_names: true }
    }
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

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:9092".into()],
            topic: "flow-messages-enriched".into(),
            compression: Compression::Lz4,
            properties: BTreeMap::new(),
        }
    }
}

impl Default for Split {
    fn default() -> Self {
        Self { cids: Vec::new(), topic_prefix: "flows".into(), queue_batches: 64 }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { address: "127.0.0.1:8080".into() }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { directory: PathBuf::new() }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { deadline_s: 30 }
    }
}

impl Http {
    /// The address to bind, `None` if there is to be no server. Validated, so it parses.
    #[must_use]
    pub fn bind_address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }
}

impl Listen {
    /// The address to bind. Validated, so it parses.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }
}
