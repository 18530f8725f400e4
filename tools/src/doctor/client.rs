//! The daemon's pages, over HTTP or HTTPS.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};

use super::DoctorArgs;
use crate::exit::Failure;

/// A page has to come within this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Thousands of exporters with series of their own are some dozen megabytes.
const PAGE_BYTES_MAX: u64 = 256 << 20;

/// The way to one daemon.
pub(super) struct Client {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl Client {
    pub(super) fn new(args: &DoctorArgs) -> Result<Self, Failure> {
        let base = args.url.trim_end_matches('/').to_owned();
        let is_https = base.starts_with("https://");
        if !is_https && !base.starts_with("http://") {
            let why = format!("--url {}: begin it with http:// or https://", args.url);
            return Err(Failure::usage(why));
        }
        let mut config = Agent::config_builder().timeout_global(Some(TIMEOUT));
        config = config.http_status_as_error(false).proxy(None).max_redirects(0);
        if is_https {
            config = config.tls_config(tls(args.ca_file.as_deref())?);
        }
        let authorization = authorization(args)?;
        Ok(Self { agent: config.build().into(), base, authorization })
    }

    /// Status and body of a page.
    pub(super) fn get(&self, path: &str) -> Result<(u16, String), Failure> {
        let url = format!("{}{path}", self.base);
        let mut request = self.agent.get(&url);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let failed = |error: ureq::Error| Failure::usage(format!("{url}: {error}"));
        let mut answer = request.call().map_err(failed)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(PAGE_BYTES_MAX);
        Ok((status, body.read_to_string().map_err(failed)?))
    }
}

/// Bearer with a token, Basic with a user's password, as the daemon's `[http]` wants it.
fn authorization(args: &DoctorArgs) -> Result<Option<String>, Failure> {
    if let Some(file) = &args.token_file {
        return Ok(Some(format!("Bearer {}", secret(file)?)));
    }
    let (Some(user), Some(file)) = (&args.user, &args.password_file) else { return Ok(None) };
    let pair = format!("{user}:{}", secret(file)?);
    Ok(Some(format!("Basic {}", STANDARD.encode(pair))))
}

fn secret(file: &Path) -> Result<String, Failure> {
    let read = fs::read_to_string(file);
    let text = read.map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Trusts the system's authorities, or those in `file` alone.
fn tls(file: Option<&Path>) -> Result<TlsConfig, Failure> {
    let certificates: Vec<Certificate<'static>> = match file {
        Some(file) => in_file(file)?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            found.certs.iter().map(|one| Certificate::from_der(one).to_owned()).collect()
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

fn in_file(file: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let wrong = |why: String| Failure::usage(format!("--ca-file {}: {why}", file.display()));
    let pem = fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let items = ureq::tls::parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(one)) => Some(one),
        _ => None,
    });
    let found: Vec<_> = items.collect();
    if found.is_empty() { Err(wrong("no certificate in PEM".into())) } else { Ok(found) }
}
