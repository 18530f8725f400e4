//! The configuration: one strict TOML file.
//!
//! The types here are the file as written, one module for each room; every key's doc comment is its
//! documentation (`neckard config`, `docs/config.md`), so nothing can drift. [`load`] reads and merges,
//! [`Config::validate`] judges, and a mistake of the operator becomes a [`Problem`]: one line with
//! key, value, file, line and the fix.

use neckar_enrich::config::{Anonymize, Enrich};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod decode;
mod influx;
mod kafka;
mod load;
mod output;
mod pace;
mod problem;
mod receive;
mod reference;
mod remote_write;
mod reverse_names;
mod service;
mod snmp;
mod split;
mod spool;
mod traffic;
mod validate;

pub use decode::{Decode, ExporterRule};
pub use influx::Influx;
pub use kafka::{Acks, Compression, Create, Framing, Kafka, Key, Mechanism, Sasl, Tls, Transport};
pub use load::{DEFAULT_FILE, Loaded, load};
/// A prefix, or an address as the prefix of its full length.
pub(crate) use neckar_enrich::sources::network as parse_prefix;
pub use output::{Batches, FileOutput, FlowFormat, Output, OutputKind, ProfileName};
pub use pace::Pace;
pub use problem::Problem;
pub use receive::{Listen, Receive, ReceivePath, Steering, Workers};
pub use reference::{markdown, toml_reference};
pub use remote_write::RemoteWrite;
pub use reverse_names::ReverseNames;
pub use service::{Http, HttpTls, State, Stop};
pub use snmp::{Snmp, SnmpAccess, SnmpAuth, SnmpPrivacy, SnmpVersion};
pub use split::{Split, SplitBy, Tenant};
pub use spool::{ShedPolicy, SpoolConfig};
pub use traffic::Traffic;

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
    /// Addresses made unrecognisable, after labelling.
    pub anonymize: Anonymize,
    /// Interface names by SNMP.
    pub snmp: Snmp,
    /// Names of hosts, asked of the DNS.
    pub reverse_names: ReverseNames,
    /// Encoded flows on their way out.
    pub batch: Batches,
    /// Where flows go.
    pub output: Output,
    /// The Kafka producer.
    pub kafka: Kafka,
    /// What waits on disk while Kafka is away.
    pub spool: SpoolConfig,
    /// One topic per customer.
    pub split: Split,
    /// What is counted of the traffic.
    pub traffic: Traffic,
    /// Counters to InfluxDB.
    pub influx: Influx,
    /// Counters to Prometheus, by remote write.
    pub remote_write: RemoteWrite,
    /// `/metrics`, `/healthz` and the page.
    pub http: Http,
    /// What survives a restart.
    pub state: State,
    /// The end.
    pub stop: Stop,
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
            anonymize: Anonymize::default(),
            snmp: Snmp::default(),
            reverse_names: ReverseNames::default(),
            batch: Batches::default(),
            output: Output::default(),
            kafka: Kafka::default(),
            spool: SpoolConfig::default(),
            split: Split::default(),
            traffic: Traffic::default(),
            influx: Influx::default(),
            remote_write: RemoteWrite::default(),
            http: Http::default(),
            state: State::default(),
            stop: Stop::default(),
        }
    }
}

impl Config {
    /// Is the traffic counted? Not if nobody could see it.
    #[must_use]
    pub fn counts_traffic(&self) -> bool {
        let is_seen = !self.http.address.is_empty();
        self.traffic.enabled && (is_seen || self.influx.is_on() || self.remote_write.is_on())
    }
}
