//! Interface names by SNMP: how routers are asked, and with which credentials.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Interface names by SNMP, for exporters whose `[[exporter]]` rule has an `snmp` table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Snmp {
    /// Seconds between two walks of a device.
    pub interval_s: u64,
    /// Milliseconds that a device may take to answer one request.
    pub timeout_ms: u64,
    /// Times that an unanswered request is repeated.
    pub retries: u32,
    /// Seconds that the walk of a device may take as a whole.
    pub walk_s: u64,
    /// Devices asked at the same time.
    pub concurrency: usize,
    /// Rows asked for in one request (GETBULK max-repetitions).
    pub repetitions: u32,
    /// Seconds until a device that failed is asked again; doubled with each failure in a row.
    pub backoff_s: u64,
    /// Seconds that a device which keeps failing is left alone at most.
    pub backoff_max_s: u64,
    /// Interfaces remembered at most, per exporter.
    pub interfaces_per_exporter_max: usize,
    /// Interfaces remembered at most, of all exporters.
    pub interfaces_max: usize,
    /// Regular expression whose group 1 is what descriptions (ifAlias) are cut to; those that it
    /// does not match are taken whole. Empty takes all whole.
    pub description_regex: String,
}

/// How the exporters of a prefix are asked; the most specific rule with such a table wins as a
/// whole. Secrets come from files or the environment only.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SnmpAccess {
    /// Version of SNMP; `off` takes a prefix out of a wider rule.
    pub version: SnmpVersion,
    /// Address to ask instead of the exporter's, where all of its names are to be had.
    pub address: Option<IpAddr>,
    /// UDP port to ask.
    pub port: u16,
    /// Version 2c: file with the community.
    pub community_file: PathBuf,
    /// Version 2c: environment variable with the community.
    pub community_env: String,
    /// Version 3: user name.
    pub user: String,
    /// Version 3: how messages are authenticated (RFC 3414, RFC 7860).
    pub auth: SnmpAuth,
    /// Version 3: file with the authentication pass phrase.
    pub auth_file: PathBuf,
    /// Version 3: environment variable with the authentication pass phrase.
    pub auth_env: String,
    /// Version 3: how messages are encrypted (RFC 3826); the `-cisco` kinds are those that Cisco's
    /// routers mean by AES-192 and AES-256.
    pub privacy: SnmpPrivacy,
    /// Version 3: file with the encryption pass phrase.
    pub privacy_file: PathBuf,
    /// Version 3: environment variable with the encryption pass phrase.
    pub privacy_env: String,
    /// Version 3: name of the context; most devices have one without a name.
    pub context: String,
}

/// Versions of SNMP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SnmpVersion {
    /// RFC 3416 with a community.
    #[default]
    #[serde(rename = "2c")]
    V2c,
    /// RFC 3414, user-based security.
    #[serde(rename = "3")]
    V3,
    /// Not asked.
    #[serde(rename = "off")]
    Off,
}

/// Authentication of version 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SnmpAuth {
    /// Anybody may answer anything.
    None,
    /// HMAC-SHA-96.
    Sha1,
    /// HMAC-128-SHA-224.
    Sha224,
    /// HMAC-192-SHA-256.
    #[default]
    Sha256,
    /// HMAC-256-SHA-384.
    Sha384,
    /// HMAC-384-SHA-512.
    Sha512,
}

/// Encryption of version 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SnmpPrivacy {
    /// In the clear.
    None,
    /// AES-128.
    #[default]
    Aes128,
    /// AES-192, keys extended as by Blumenthal.
    Aes192,
    /// AES-256, keys extended as by Blumenthal.
    Aes256,
    /// AES-192, keys extended as by Reeder.
    #[serde(rename = "aes192-cisco")]
    Aes192Cisco,
    /// AES-256, keys extended as by Reeder.
    #[serde(rename = "aes256-cisco")]
    Aes256Cisco,
}

impl Default for Snmp {
    fn default() -> Self {
        Self {
            interval_s: 1800,
            timeout_ms: 2000,
            retries: 2,
            walk_s: 120,
            concurrency: 16,
            repetitions: 25,
            backoff_s: 30,
            backoff_max_s: 3600,
            interfaces_per_exporter_max: 16_384,
            interfaces_max: 1_000_000,
            description_regex: String::new(),
        }
    }
}

impl Default for SnmpAccess {
    fn default() -> Self {
        Self {
            version: SnmpVersion::default(),
            address: None,
            port: 161,
            community_file: PathBuf::new(),
            community_env: String::new(),
            user: String::new(),
            auth: SnmpAuth::default(),
            auth_file: PathBuf::new(),
            auth_env: String::new(),
            privacy: SnmpPrivacy::default(),
            privacy_file: PathBuf::new(),
            privacy_env: String::new(),
            context: String::new(),
        }
    }
}
