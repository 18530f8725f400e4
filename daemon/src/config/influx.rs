//! Counters to InfluxDB.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{http_url, quoted, within};
use super::{Pace, Problem};

/// Counters pushed to InfluxDB, as the suite's dashboard did: what each series has counted since the
/// last push, in the field `count`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Influx {
    /// Where it is, such as `http://influx.example.net:8086`; empty for no push.
    pub url: String,
    /// The database, for InfluxDB 1.x. It is made if it is not there and we may.
    pub database: String,
    /// Who we are to 1.x; empty for nobody.
    pub user: String,
    /// File with the password; a line end behind it is not part of it.
    pub password_file: PathBuf,
    /// Or: the environment variable that holds it.
    pub password_env: String,
    /// The bucket, for InfluxDB 2.x. It must be there.
    pub bucket: String,
    /// The organisation that the bucket belongs to.
    pub org: String,
    /// File with the token for 2.x.
    pub token_file: PathBuf,
    /// Or: the environment variable that holds it.
    pub token_env: String,
    /// Whom to trust: certificates in PEM; empty for those of the system.
    pub ca_file: PathBuf,
    /// Series with a customer's number go to `<database>-<cid>` or `<bucket>-<cid>`, and nowhere
    /// else. Databases are made, buckets must be there: a customer without one costs a counter.
    pub per_tenant: bool,
    /// Databases or buckets of customers at most; everybody else's series stay in the main one.
    pub tenants_max: usize,
    /// Seconds that databases which we make keep points; 0 keeps them for good.
    pub retention_s: u64,
    /// Tags of every point. Two daemons that write to one database need one that tells them apart, such
    /// as `host`: else one overwrites the other's points.
    pub tags: BTreeMap<String, String>,
    /// Seconds from push to push.
    pub interval_s: u64,
    /// Points in a request at most.
    pub points_max: usize,
    /// Milliseconds that a request may take.
    pub timeout_ms: u64,
    /// Seconds to wait at most after failures; it begins with one and doubles.
    pub backoff_max_s: u64,
    /// Bytes of points that may wait, compressed. When they are full no new ones are made: what is
    /// counted meanwhile comes in one interval later, and nothing is lost.
    pub buffer_bytes: usize,
    /// Seconds after which points that could not be pushed are given up, the oldest first.
    pub give_up_s: u64,
}

impl Default for Influx {
    fn default() -> Self {
        Self {
            url: String::new(),
            database: String::new(),
            user: String::new(),
            password_file: PathBuf::new(),
            password_env: String::new(),
            bucket: String::new(),
            org: String::new(),
            token_file: PathBuf::new(),
            token_env: String::new(),
            ca_file: PathBuf::new(),
            per_tenant: false,
            tenants_max: 1000,
            retention_s: 3 * 24 * 3600,
            tags: BTreeMap::new(),
            interval_s: 10,
            points_max: 5000,
            timeout_ms: 5000,
            backoff_max_s: 60,
            buffer_bytes: 64 << 20,
            give_up_s: 24 * 3600,
        }
    }
}

impl Influx {
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
    /// The key that is missing, too much or out of bounds.
    pub(super) fn validate(&self) -> Result<(), Problem> {
        within(&[
            ("influx.tenants_max", self.tenants_max as u64, 1, 1 << 20),
            ("influx.retention_s", self.retention_s, 0, 100 * 365 * 24 * 3600),
            ("influx.points_max", self.points_max as u64, 1, 1 << 20),
        ])?;
        self.pace().validate("influx")?;
        if !self.is_on() {
            return Ok(());
        }
        http_url("influx.url", &self.url, "http://influx.example.net:8086")?;
        // InfluxDB's shortest duration.
        if (1..3600).contains(&self.retention_s) {
            let (why, fix) = ("InfluxDB keeps an hour at least", "say 3600 or more, or 0");
            return Err(Problem::new("influx.retention_s", self.retention_s, why, fix));
        }
        let name = &self.database;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !name.bytes().all(legal) {
            let fix = "letters, digits, dots, underscores and dashes";
            return Err(Problem::new("influx.database", quoted(name), "not a database name", fix));
        }
        let wrong = |key: &str, value: &str, why: &str, fix: &str| {
            Err(Problem::new(key, quoted(value), why, fix))
        };
        let (bucket, org, user) = (&self.bucket, &self.org, &self.user);
        match (name.is_empty(), bucket.is_empty()) {
            (false, true) if !org.is_empty() => {
                wrong("influx.org", org, "InfluxDB 1.x has none", "take it out, or give a bucket")
            }
            (false, true) => Ok(()),
            (true, false) if !user.is_empty() => {
                let fix = "take it out, and give influx.token_file";
                wrong("influx.user", user, "InfluxDB 2.x wants a token instead", fix)
            }
            (true, false) if org.is_empty() => {
                wrong("influx.bucket", bucket, "whose is it?", "give influx.org")
            }
            (true, false) => Ok(()),
            (true, true) => {
                let fix = "give influx.database (1.x) or influx.bucket (2.x)";
                wrong("influx.url", &self.url, "push to which place there?", fix)
            }
            (false, false) => {
                wrong("influx.bucket", bucket, "there is a database too", "give one of them")
            }
        }
    }
}
