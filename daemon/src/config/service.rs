//! What surrounds the data plane: http, state, the end.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// `/metrics`, `/healthz` and the page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port; empty for none. Loopback unless you say otherwise: the page shows who
    /// talks to whom. Elsewhere it wants a token or a password, and should have `http.tls`.
    pub address: String,
    /// Let everybody in who reaches an address that is not loopback, without token or password.
    pub open: bool,
    /// File with a token (`openssl rand -hex 32`) that lets in who shows it: as `Authorization:
    /// Bearer`, or as any user's password. `/healthz` and `/readyz` answer without, but say no
    /// reasons.
    pub token_file: PathBuf,
    /// Or: the environment variable that holds it.
    pub token_env: String,
    /// Who may log in with the password of `http.password_file` (HTTP's Basic).
    pub user: String,
    /// File with the password.
    pub password_file: PathBuf,
    /// Or: the environment variable that holds it.
    pub password_env: String,
    /// Names that lead to a page on loopback beside `localhost`, such as a proxy's. A browser that
    /// calls it by another name is turned away, for that may be another site's doing.
    pub hosts: Vec<String>,
    /// Connections at a time at most, half of them from one address; in IPv6, from one /64.
    pub connections_max: usize,
    /// Encryption.
    pub tls: HttpTls,
    /// Exporters that have series of their own on `/metrics`, those that have sent most; 0 for none.
    pub exporters_shown_max: usize,
    /// Write the names of goflow's metrics, and `kafka_messages_total`, beside our own: existing
    /// boards read them.
    pub goflow_metrics: bool,
}

/// Encryption of the page and everything beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpTls {
    /// Certificate and what it needs up to the authority, in PEM; empty for none. A new file is
    /// taken in within half a minute.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
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
    /// Leave the sockets open with systemd (its file descriptor store) when stopping, so that what
    /// arrives during a restart waits for the successor. Needs `FileDescriptorStoreMax` in the unit;
    /// the one in `systemd/` has it and sets this key.
    pub keep_sockets: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:8080".into(),
            open: false,
            token_file: PathBuf::new(),
            token_env: String::new(),
            user: String::new(),
            password_file: PathBuf::new(),
            password_env: String::new(),
            hosts: Vec::new(),
            connections_max: 64,
            tls: HttpTls::default(),
            exporters_shown_max: 100,
            goflow_metrics: true,
        }
    }
}

impl Http {
    /// The address to bind, `None` if there is to be no server. Validated, so it parses.
    #[must_use]
    pub fn bind_address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }

    /// Is it out of everybody else's reach?
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.bind_address().is_some_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// Nobody comes in whom nobody wanted.
    ///
    /// # Errors
    /// The key that is missing or too much.
    pub(super) fn validate(&self) -> Result<(), Problem> {
        let given =
            |file: &PathBuf, variable: &str| !file.as_os_str().is_empty() || !variable.is_empty();
        let has_token = given(&self.token_file, &self.token_env);
        let has_password = given(&self.password_file, &self.password_env);
        if self.user.is_empty() == has_password {
            let (why, fix) = ("a user and a password go together", "give both, or neither");
            return Err(Problem::new("http.user", format!("{:?}", self.user), why, fix));
        }
        if self.user.contains(':') {
            let (why, fix) = ("HTTP's Basic has no such names", "choose one without a colon");
            return Err(Problem::new("http.user", format!("{:?}", self.user), why, fix));
        }
        if self.tls.certificate.as_os_str().is_empty() != self.tls.key.as_os_str().is_empty() {
            let (why, fix) = ("a certificate and its key go together", "give both, or neither");
            return Err(Problem::new("http.tls", "", why, fix));
        }
        if self.open && (has_token || has_password) {
            let (why, fix) = ("a token or password is given", "take one of both out");
            return Err(Problem::new("http.open", true, why, fix));
        }
        if !self.is_loopback() && !self.open && !has_token && !has_password {
            let why = "whoever reaches it would see who talks to whom";
            let fix = "give http.token_file (openssl rand -hex 32), or user and password_file, or \
                       say http.open = true";
            return Err(Problem::new("http.address", format!("{:?}", self.address), why, fix));
        }
        Ok(())
    }
}

impl HttpTls {
    /// Is there a certificate?
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.certificate.as_os_str().is_empty()
    }
}

impl Default for State {
    fn default() -> Self {
        Self { directory: PathBuf::new() }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { deadline_s: 30, keep_sockets: false }
    }
}
