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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::PathBuf;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    /// A file of this text in a folder that is gone at the end.
    fn file(name: &str, text: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("neckar-doctor-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        path
    }

    fn args(url: String) -> DoctorArgs {
        DoctorArgs {
            url,
            seconds: 1.0,
            token_file: None,
            user: None,
            password_file: None,
            ca_file: None,
            json: false,
        }
    }

    /// Answers one request with what was asked, over TLS; gives its port and certificate.
    fn echo_over_tls() -> (u16, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key.into()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut asked = vec![0; 4096];
            // A client that does not trust us ends here.
            let Ok(len) = stream.read(&mut asked) else { return };
            let body = String::from_utf8_lossy(&asked[..len]).into_owned();
            let head = format!("HTTP/1.1 503 Trouble\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
            stream.flush().unwrap();
        });
        (port, cert.pem())
    }

    #[test]
    fn a_token_goes_over_tls_to_those_that_the_file_trusts() {
        let (port, pem) = echo_over_tls();
        let (ca, token) = (file("ca.pem", &pem), file("token", "s3cret\n"));
        let mut args = args(format!("https://localhost:{port}/"));
        (args.ca_file, args.token_file) = (Some(ca.clone()), Some(token.clone()));
        let (status, asked) = Client::new(&args).unwrap().get("/healthz").unwrap();
        assert_eq!(status, 503, "an answer, not an error");
        assert!(asked.starts_with("GET /healthz HTTP/1.1"), "{asked}");
        assert!(asked.to_lowercase().contains("authorization: bearer s3cret\r\n"), "{asked}");
        // Another authority than theirs.
        let (port, _) = echo_over_tls();
        args.url = format!("https://localhost:{port}");
        let failure = Client::new(&args).unwrap().get("/healthz").unwrap_err();
        assert_eq!(failure.exit, crate::Exit::Usage);
        assert!(failure.message.contains("invalid peer certificate"), "{failure}");
        args.ca_file = Some(token.clone());
        assert!(Client::new(&args).is_err_and(|failure| failure.message.contains("--ca-file")));
        fs::remove_file(ca).unwrap();
        fs::remove_file(token).unwrap();
    }

    #[test]
    fn a_password_is_sent_as_http_wants_it() {
        let password = file("password", "open sesame\n");
        let mut args = args("http://localhost".into());
        (args.user, args.password_file) = (Some("Aladdin".into()), Some(password.clone()));
        // RFC 7617 section 2.
        let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(authorization(&args), Ok(Some(expected.into())));
        fs::remove_file(&password).unwrap();
        assert!(authorization(&args).is_err(), "the file is gone");
    }
}
