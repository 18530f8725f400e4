//! Templates, held data, sampling, and what is known about exporters.

use neckar_enrich::RemotePolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SnmpAccess;

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
    /// Seconds after its last announcement that a template is forgotten; 0 for never.
    pub template_lifetime_s: u64,
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
    /// Addresses that the rule is for; no two rules are for the same.
    pub prefix: String,
    /// Name to write to `SamplerHostName`.
    pub name: Option<String>,
    /// Sampling rate, whatever the exporter says; not 0.
    pub sampling_rate: Option<u64>,
    /// Sampling rate if it does not say one, in place of `decode.default_rate`; not 0.
    pub default_rate: Option<u64>,
    /// Which end of its flows is the far one: `border`, `user`, `customers` or `clear`; see
    /// `enrich.remote`.
    pub remote: Option<RemotePolicy>,
    /// Name to write to `Tenant`.
    pub tenant: Option<String>,
    /// How it is asked for the names of its interfaces; not at all without.
    pub snmp: Option<SnmpAccess>,
}

impl Default for Decode {
    fn default() -> Self {
        Self {
            exporters_max: 16_384,
            templates_max: 262_144,
            templates_per_exporter_max: 4096,
            template_lifetime_s: 0,
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
