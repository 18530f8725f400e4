//! Who may come in: anybody on loopback by default, else who knows the token or the password.
//!
//! On loopback without either, a browser on this host is the way in that is left to a stranger: a
//! page of his, under a name that he lets point to 127.0.0.1 (DNS rebinding). So the name a visitor
//! calls us by has to be one of ours there.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq as _;

use super::HttpCounts;
use crate::config::{self, Problem};
use crate::secret;

/// A token is made, not remembered: one that can be guessed is none.
const TOKEN_BYTES_MIN: usize = 16;
/// What a wrong secret costs the one who tries.
const WRONG: Duration = Duration::from_secs(1);

/// What a visitor has to show.
#[derive(Clone)]
pub(super) struct Access {
    token: Option<Vec<u8>>,
    basic: Option<(String, Vec<u8>)>,
    /// Names by which we may be called; `None` if that does not matter.
    hosts: Option<Vec<String>>,
}

/// Set on a request whose visitor may see everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted(pub(super) bool);

impl fmt::Display for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match (&self.token, &self.basic) {
            (None, None) if self.hosts.is_some() => "open to this host",
            (None, None) => "open to everybody (http.open)",
            (Some(_), None) => "for who has the token",
            (None, Some(_)) => "for who has the password",
            (Some(_), Some(_)) => "for who has the token or the password",
        })
    }
}

impl Access {
    /// Reads the secrets.
    ///
    /// # Errors
    /// One that is not there, or a token too short to be one.
    pub(super) fn read(http: &config::Http) -> Result<Self, Problem> {
        let token = secret::read("http.token", &http.token_file, &http.token_env)?;
        if token.as_ref().is_some_and(|token| token.len() < TOKEN_BYTES_MIN) {
            let key = if http.token_env.is_empty() { "http.token_file" } else { "http.token_env" };
            let why = format!("holds a token of less than {TOKEN_BYTES_MIN} characters");
            return Err(Problem::new(key, "", why, "make one: openssl rand -hex 32"));
        }
        let password = secret::read("http.password", &http.password_file, &http.password_env)?;
        let basic = password.map(|password| (http.user.clone(), password));
        let is_guarded = token.is_some() || basic.is_some();
        let hosts = (!is_guarded && http.is_loopback()).then(|| http.hosts.clone());
        Ok(Self { token, basic, hosts })
    }

    /// Does a visitor have to show something?
    pub(super) fn asks(&self) -> bool {
        self.token.is_some() || self.basic.is_some()
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        if !self.asks() {
            return true;
        }
        let Some(shown) = headers.get(header::AUTHORIZATION).and_then(|one| one.to_str().ok())
        else {
            return false;
        };
        let Some((scheme, value)) = shown.trim().split_once(' ') else { return false };
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is_token(value.trim().as_bytes());
        }
        let decoded = BASE64.decode(value.trim()).unwrap_or_default();
        let colon = decoded.iter().position(|byte| *byte == b':');
        match colon.filter(|_| scheme.eq_ignore_ascii_case("basic")) {
            Some(at) => self.is_user(&decoded[..at], &decoded[at + 1..]),
            None => false,
        }
    }

    fn is_token(&self, shown: &[u8]) -> bool {
        self.token.as_ref().is_some_and(|token| token.ct_eq(shown).into())
    }

    /// The token is good as anybody's password, so that a browser's login takes it.
    fn is_user(&self, user: &[u8], password: &[u8]) -> bool {
        let by_password = self.basic.as_ref().is_some_and(|(name, secret)| {
            (name.as_bytes().ct_eq(user) & secret.ct_eq(password)).into()
        });
        by_password | self.is_token(password)
    }

    /// Is `host`, a Host header, one of our names?
    fn is_called(&self, host: &str) -> bool {
        let Some(hosts) = &self.hosts else { return true };
        let name = without_port(host);
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        // A name can be made to point here, an address cannot.
        literal.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// `[::1]:8080` is `[::1]`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The door.
pub(super) struct Guard {
    pub(super) access: Access,
    pub(super) counts: Arc<HttpCounts>,
}

/// Lets in who may come in. `/healthz` and `/readyz` answer everybody, but say why only to those.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Guard { access, counts } = &*guard;
    let (headers, path) = (request.headers(), request.uri().path());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // Who sends no name is no browser.
    if host.is_some_and(|host| !access.is_called(host)) {
        counts.denied();
        let why = "this name is not known here; call it by its address, or add it to http.hosts\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    if is_foreign(headers, path) {
        counts.denied();
        return (StatusCode::FORBIDDEN, "asked for by another site\n").into_response();
    }
    let is_granted = access.admits(headers);
    // A wrong secret is one anywhere, or what answers everybody would tell in no time which is right.
    let is_wrong = !is_granted && headers.contains_key(header::AUTHORIZATION);
    if is_wrong || !is_granted && !matches!(path, "/healthz" | "/readyz") {
        counts.denied();
        if is_wrong {
            tokio::time::sleep(WRONG).await;
        }
        let login = [(header::WWW_AUTHENTICATE, "Basic realm=\"Neckar\", charset=\"UTF-8\"")];
        return (StatusCode::UNAUTHORIZED, login, "a token or password is needed\n")
            .into_response();
    }
    request.extensions_mut().insert(Granted(is_granted));
    next.run(request).await
}

/// Does a page of another site ask? It has no business here: it could not read the answer, only make us work
/// for one. Somebody who follows a link is welcome, but not into `/api/`, which is for our page.
fn is_foreign(headers: &HeaderMap, path: &str) -> bool {
    let said = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let is_of_another = matches!(said("sec-fetch-site"), Some(b"cross-site" | b"same-site"));
    let is_link = said("sec-fetch-mode") == Some(b"navigate")
        && said("sec-fetch-dest").is_none_or(|place| place == b"document");
    is_of_another && (path.starts_with("/api/") || !is_link)
}

/// What a browser may do with an answer: nothing from elsewhere is loaded, run or sent to, nobody
/// frames the page, and nothing is put into it but as text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Says so.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut say = |name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    say(header::CONTENT_SECURITY_POLICY, POLICY);
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::REFERRER_POLICY, "no-referrer");
    say(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    const TOKEN: &[u8] = b"0123456789abcdef";

    fn admits(access: &Access, shown: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, shown.parse().unwrap());
        access.admits(&headers)
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn who_knows_the_token_or_the_password_comes_in() {
        let user = ("ops".to_string(), b"pass:word".to_vec());
        let access = Access { token: Some(TOKEN.to_vec()), basic: Some(user), hosts: None };
        assert!(admits(&access, "Bearer 0123456789abcdef"));
        assert!(admits(&access, "bearer  0123456789abcdef"));
        assert!(admits(&access, &basic("ops:pass:word")));
        assert!(admits(&access, &basic("anybody:0123456789abcdef")));
        for wrong in ["", "Bearer", "Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Basic !"]
        {
            assert!(!admits(&access, wrong), "{wrong}");
        }
        for wrong in ["ops:password", "root:pass:word", "ops", ":", "ops:"] {
            assert!(!admits(&access, &basic(wrong)), "{wrong}");
        }
        assert!(!access.admits(&HeaderMap::new()));
        let access = Access { token: None, ..access };
        assert!(!admits(&access, &basic("ops:")) && !admits(&access, "Bearer "));
    }

    #[test]
    fn another_site_may_link_and_no_more() {
        let of = |path: &str, said: &[(&'static str, &'static str)]| {
            let said = said.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            is_foreign(&said.collect(), path)
        };
        let cross = ("sec-fetch-site", "cross-site");
        let link = ("sec-fetch-mode", "navigate");
        for path in ["/flowdata", "/metrics", "/", "/status.json"] {
            assert!(of(path, &[cross]) && of(path, &[("sec-fetch-site", "same-site")]), "{path}");
            assert!(of(path, &[cross, ("sec-fetch-mode", "no-cors")]), "{path}");
            assert!(of(path, &[cross, link, ("sec-fetch-dest", "iframe")]), "{path}");
            assert!(!of(path, &[cross, link]), "{path}");
            assert!(!of(path, &[cross, link, ("sec-fetch-dest", "document")]), "{path}");
            assert!(!of(path, &[("sec-fetch-site", "same-origin")]) && !of(path, &[]), "{path}");
        }
        assert!(of("/api/talkers", &[cross, link]));
        assert!(!of("/api/talkers", &[("sec-fetch-site", "none"), link]));
    }

    #[test]
    fn on_loopback_only_our_names_are_answered() {
        let hosts = Some(vec!["collector.example.net".to_string()]);
        let access = Access { token: None, basic: None, hosts };
        let ours = ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "[::1]"];
        for host in ours.into_iter().chain(["collector.example.net:443", "192.0.2.1"]) {
            assert!(access.is_called(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", ""] {
            assert!(!access.is_called(host), "{host}");
        }
        let access = Access { hosts: None, ..access };
        assert!(access.is_called("evil.example"));
    }
}
