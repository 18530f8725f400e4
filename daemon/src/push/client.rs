//! The HTTP side: one blocking client with time-outs, TLS and our credentials.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::config::Problem;
use crate::secret;

/// Of an answer's text, no more is read.
const TEXT_BYTES_MAX: u64 = 64 << 10;
/// And no more of it is shown.
const WHY_BYTES_MAX: usize = 200;

/// Talks to one server. Holds a secret, so it is not to be shown.
pub(super) struct Client {
    agent: ureq::Agent,
    authorization: Option<String>,
    /// Of one request.
    timeout: Duration,
    /// No request outlasts that.
    until: Option<Instant>,
}

/// What a server said.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// When to come again, if it said so.
    pub(super) retry_after: Option<Duration>,
    pub(super) text: String,
}

/// Where one secret comes from, as the configuration says.
pub(super) struct SecretKeys<'a> {
    /// What comes before `_file` and `_env`.
    pub(super) key: &'a str,
    pub(super) file: &'a Path,
    pub(super) env: &'a str,
}

impl SecretKeys<'_> {
    /// The secret, fit for a header; `None` if none is configured.
    fn read(&self) -> Result<Option<String>, Problem> {
        let Some(secret) = secret::read(self.key, self.file, self.env)? else { return Ok(None) };
        let text = String::from_utf8(secret).ok();
        let text = text.filter(|text| !text.contains(|c: char| c.is_ascii_control()));
        let refused = || {
            let fix = "put the secret there, one line, and nothing else";
            Problem::new(self.key, "", "not a line of text", fix)
        };
        text.ok_or_else(refused).map(Some)
    }
}

/// `Basic`, from user and password; `None` without a user.
///
/// # Errors
/// The password is missing, unreadable, or there without a user.
pub(super) fn basic(
    user_key: &str,
    user: &str,
    password: &SecretKeys<'_>,
) -> Result<Option<String>, Problem> {
    match (user.is_empty(), password.read()?) {
        (true, None) => Ok(None),
        (true, Some(_)) => {
            let (why, fix) = ("a password without a user", "give the user, or take it out");
            Err(Problem::new(user_key, "\"\"", why, fix))
        }
        (false, None) => {
            let fix = format!("give {0}_file or {0}_env", password.key);
            Err(Problem::new(user_key, format!("{user:?}"), "a user without a password", fix))
        }
        (false, Some(password)) => {
            Ok(Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))))
        }
    }
}

/// `Token` or `Bearer` with a secret; `None` if there is none.
///
/// # Errors
/// It cannot be read.
pub(super) fn token(scheme: &str, token: &SecretKeys<'_>) -> Result<Option<String>, Problem> {
    Ok(token.read()?.map(|token| format!("{scheme} {token}")))
}

impl Client {
    /// Trusts the certificates of `ca_file`, which the key `ca_key` names, or the system's.
    ///
    /// # Errors
    /// The file holds no certificate.
    pub(super) fn new(
        ca_key: &str,
        ca_file: &Path,
        authorization: Option<String>,
        timeout: Duration,
    ) -> Result<Self, Problem> {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(roots(ca_key, ca_file)?)
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // Where to is the operator's to say: a secret goes nowhere else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("neckard/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, authorization, timeout, until: None })
    }

    /// From here on no request takes longer than `timeout`, nor outlasts `until`.
    pub(super) fn hurry(&mut self, timeout: Duration, until: Instant) {
        self.timeout = self.timeout.min(timeout);
        self.until = Some(until);
    }

    /// How long the next request may take; what ends at once is an error, not no bound.
    fn patience(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.unwrap_or(Duration::MAX).min(self.timeout).max(Duration::from_millis(1))
    }

    /// Posts `body`.
    ///
    /// # Errors
    /// There was no answer; why, in words.
    pub(super) fn post(
        &self,
        url: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, String> {
        let request = self.agent.post(url).config().timeout_global(Some(self.patience())).build();
        let mut request = request.query_pairs(query.iter().copied());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut response = request.send(body).map_err(|error| error.to_string())?;
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(TEXT_BYTES_MAX).lossy_utf8(true);
        Ok(Answer {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            // Status and headers say enough of an answer that is cut off.
            text: body.read_to_string().unwrap_or_default(),
        })
    }
}

fn roots(ca_key: &str, ca_file: &Path) -> Result<RootCerts, Problem> {
    if ca_file.as_os_str().is_empty() {
        let system = rustls_native_certs::load_native_certs().certs;
        return Ok(system.iter().map(|der| Certificate::from_der(der).to_owned()).into());
    }
    let problem = |why: &dyn ToString| {
        let file = format!("{:?}", ca_file.display().to_string());
        Problem::new(ca_key, file, why.to_string(), "name a file of certificates in PEM")
    };
    let pem = std::fs::read(ca_file).map_err(|error| problem(&error))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(problem(&"no certificate in it"));
    }
    Ok(certificates.into())
}

impl Answer {
    /// Has it taken what it was sent?
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// May the same be taken later? Redirects count as that: they are for the operator to mend.
    pub(super) fn is_for_now(&self) -> bool {
        matches!(self.status, 300..400 | 408 | 425 | 429 | 500..)
    }

    /// Status and reason in one short line.
    pub(super) fn why(&self) -> String {
        let json = serde_json::from_str::<Value>(&self.text).unwrap_or_default();
        let told = ["error", "message"].iter().find_map(|key| json[key].as_str());
        let told = told.unwrap_or_else(|| self.text.trim().lines().next().unwrap_or_default());
        let told = &told[..told.floor_char_boundary(WHY_BYTES_MAX)];
        if told.is_empty() {
            format!("HTTP status {}", self.status)
        } else {
            format!("HTTP status {}: {told}", self.status)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    fn answer(status: u16, text: &str) -> Answer {
        Answer { status, retry_after: None, text: text.into() }
    }

    #[test]
    fn reasons_are_short_and_in_words() {
        let why = |text: &str| answer(400, text).why();
        assert_eq!(why("{\"error\":\"partial write\"}"), "HTTP status 400: partial write");
        assert_eq!(why("{\"code\":\"x\",\"message\":\"no\"}"), "HTTP status 400: no");
        assert_eq!(why("out of order\nsample\n"), "HTTP status 400: out of order");
        assert_eq!(why(""), "HTTP status 400");
        assert_eq!(why(&"ä".repeat(400)).len(), "HTTP status 400: ".len() + 200);
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let for_now: Vec<u16> = [301, 400, 401, 404, 408, 413, 429, 500, 503].into_iter().collect();
        let for_now: Vec<u16> =
            for_now.into_iter().filter(|status| answer(*status, "").is_for_now()).collect();
        assert_eq!(for_now, [301, 408, 429, 500, 503]);
    }

    #[test]
    fn a_server_that_does_not_answer_does_not_hold_up_the_end() {
        // It takes the connection, and that is all.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let patient = Duration::from_secs(100_000);
        let mut client = Client::new("influx.ca_file", Path::new(""), None, patient).unwrap();
        assert_eq!(client.patience(), patient);
        client.hurry(Duration::from_secs(5), Instant::now() + patient);
        assert_eq!(client.patience(), Duration::from_secs(5));
        client.hurry(patient, Instant::now());
        assert_eq!(client.patience(), Duration::from_millis(1));
        let why = client.post(&url, &[], &[], b"").unwrap_err();
        assert!(why.contains("timeout"), "{why}");
    }

    #[test]
    fn users_and_passwords_go_together() {
        let none = Path::new("");
        // Cargo sets this one for every test.
        let given = |env| SecretKeys { key: "influx.password", file: none, env };
        let basic = |user: &str, env| basic("influx.user", user, &given(env));
        assert_eq!(basic("", "").unwrap(), None);
        let header = basic("ann", "CARGO_PKG_NAME").unwrap().unwrap();
        assert_eq!(header, format!("Basic {}", STANDARD.encode("ann:neckard")));
        assert_eq!(basic("ann", "").unwrap_err().why, "a user without a password");
        assert_eq!(basic("", "CARGO_PKG_NAME").unwrap_err().key, "influx.user");
        let bearer = token("Bearer", &given("CARGO_PKG_NAME")).unwrap();
        assert_eq!(bearer.as_deref(), Some("Bearer neckard"));
    }
}
