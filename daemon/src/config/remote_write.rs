//! Counters to Prometheus, by remote write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{http_url, quoted, within};
use super::{Pace, Problem};

/// Counters pushed by Prometheus' remote write (version 1), to Prometheus itself or whoever else
/// takes it: for hosts that cannot be scraped.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteWrite {
    /// Where, such as `http://prometheus.example.net:9090/api/v1/write`; empty for no push.
    pub url: String,
    /// Who we are; empty for nobody.
    pub user: String,
    /// File with the password; a line end behind it is not part of it.
    pub password_file: PathBuf,
    /// Or: the environment variable that holds it.
    pub password_env: String,
    /// File with a bearer token, instead of user and password.
    pub token_file: PathBuf,
    /// Or: the environment variable that holds it.
    pub token_env: String,
    /// Whom to trust: certificates in PEM; empty for those of the system.
    pub ca_file: PathBuf,
    /// Push what `/metrics` shows as well, not only `/flowdata`.
    pub metrics: bool,
    /// Labels of every series. Two daemons that write to one Prometheus need one that tells them apart,
    /// such as `instance`.
    pub labels: BTreeMap<String, String>,
    /// Seconds from push to push.
    pub interval_s: u64,
    /// Series in a request at most.
    pub series_max: usize,
    /// Milliseconds that a request may take.
    pub timeout_ms: u64,
    /// Seconds to wait at most after failures; it begins with one and doubles.
    pub backoff_max_s: u64,
    /// Bytes of samples that may wait, compressed. When they are full no new ones are made.
    pub buffer_bytes: usize,
    /// Seconds after which samples that could not be pushed are given up, the oldest first.
    /// Prometheus takes none that are older than an hour or so.
    pub give_up_s: u64,
}

impl Default for RemoteWrite {
    fn default() -> Self {
        Self {
            url: String::new(),
            user: String::new(),
            password_file: PathBuf::new(),
            password_env: String::new(),
            token_file: PathBuf::new(),
            token_env: String::new(),
            ca_file: PathBuf::new(),
            metrics: true,
            labels: BTreeMap::from([("job".into(), "neckar".into())]),
            interval_s: 15,
            series_max: 2000,
            timeout_ms: 5000,
            backoff_max_s: 60,
            buffer_bytes: 64 << 20,
            give_up_s: 3600,
        }
    }
}

impl RemoteWrite {
    /// Is anything pushed?
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// How often, how patiently, and how much may wait.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace {
            interval_s: self.interval_s,
            timeout_ms: self.timeout_ms,
            backoff_max_s: self.backoff_max_s,
            buffer_bytes: self.buffer_bytes,
            give_up_s: self.give_up_s,
        }
    }

    /// What belongs together is there together, and within bounds.
    ///
    /// # Errors
    /// The key that is out of bounds or no label.
    pub(super) fn validate(&self) -> Result<(), Problem> {
        within(&[("remote_write.series_max", self.series_max as u64, 1, 1 << 20)])?;
        self.pace().validate("remote_write")?;
        if self.is_on() {
            let example = "http://prometheus.example.net:9090/api/v1/write";
            http_url("remote_write.url", &self.url, example)?;
        }
        for label in self.labels.keys() {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let starts = label.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
            // Two underscores at the start are Prometheus' own.
            if !starts || label.starts_with("__") || !label.bytes().all(legal) {
                let fix = "letters, digits and underscores";
                return Err(Problem::new(
                    "remote_write.labels",
                    quoted(label),
                    "not the name of a label",
                    fix,
                ));
            }
        }
        Ok(())
    }
}
