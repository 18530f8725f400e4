//! The certificate, and how it is renewed: a new file is taken in by itself, a broken one leaves
//! the old in force.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{HttpTls, Problem};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(30);

/// A certificate with its key, as last read.
#[derive(Clone)]
pub(super) struct Certificate {
    files: HttpTls,
    config: Arc<ArcSwap<ServerConfig>>,
}

impl Certificate {
    /// Reads it; `None` if none is named.
    ///
    /// # Errors
    /// A file that cannot be read or is not PEM, a key that does not fit.
    pub(super) fn read(files: &HttpTls) -> Result<Option<Self>, Problem> {
        if !files.is_on() {
            return Ok(None);
        }
        let config = ArcSwap::from_pointee(load(files)?);
        Ok(Some(Self { files: files.clone(), config: Arc::new(config) }))
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Looks at the files now and then, for ever.
    pub(super) async fn renew(self) {
        let mut seen = changed(&self.files);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = changed(&self.files);
            if now != seen {
                seen = now;
                self.take_in();
            }
        }
    }

    fn take_in(&self) {
        match load(&self.files) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                log::info!("http: new certificate taken in");
            }
            Err(problem) => log::error!("http: the old certificate stays in force: {problem}"),
        }
    }
}

/// When the files were written. Two looks at the disk, twice a minute: not worth a thread.
fn changed(files: &HttpTls) -> [Option<SystemTime>; 2] {
    let written = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    [written(&files.certificate), written(&files.key)]
}

fn load(files: &HttpTls) -> Result<ServerConfig, Problem> {
    let problem = |key: &str, file: &Path, why: &dyn std::fmt::Display| {
        let fix = "give a file in PEM that the daemon's user can read";
        Problem::new(key, format!("{:?}", file.display().to_string()), why, fix)
    };
    let (key_name, file) = ("http.tls.certificate", &files.certificate);
    let chain =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| problem(key_name, file, &error))?;
    if chain.is_empty() {
        return Err(problem(key_name, file, &"holds no certificate"));
    }
    let (key_name, file) = ("http.tls.key", &files.key);
    let key =
        PrivateKeyDer::from_pem_file(file).map_err(|error| problem(key_name, file, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| problem(key_name, file, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_leaves_the_old_certificate_in_force() {
        let folder = std::env::temp_dir().join(format!("neckar-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let files = HttpTls { certificate: folder.join("page.pem"), key: folder.join("page.key") };
        let write = || {
            let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
            std::fs::write(&files.certificate, made.cert.pem()).unwrap();
            std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        };
        write();
        let certificate = Certificate::read(&files).unwrap().unwrap();
        let first = certificate.config.load_full();
        let (seen, good) = (changed(&files), std::fs::read(&files.key).unwrap());
        // The key of somebody else.
        write();
        let others = std::fs::read(&files.certificate).unwrap();
        std::fs::write(&files.key, good).unwrap();
        assert_ne!(changed(&files), seen);
        certificate.take_in();
        assert!(Arc::ptr_eq(&first, &certificate.config.load_full()));
        assert_eq!(load(&files).unwrap_err().key, "http.tls.key");
        write();
        assert_ne!(std::fs::read(&files.certificate).unwrap(), others);
        certificate.take_in();
        assert!(!Arc::ptr_eq(&first, &certificate.config.load_full()));
        assert!(Certificate::read(&HttpTls::default()).unwrap().is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
