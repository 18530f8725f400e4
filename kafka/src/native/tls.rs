//! TLS by rustls, from the operator's PEM files.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::settings::TlsFiles;
use crate::config::ConfigError;

/// As librdkafka is told to look where the system keeps them.
const SYSTEM: &str = "probe";

/// Whom to trust and who we are.
///
/// # Errors
/// A file that does not hold what it should, by the property that names it.
pub(super) fn config(files: &TlsFiles) -> Result<Arc<ClientConfig>, ConfigError> {
    let roots = roots(&files.ca).map_err(|why| refuse("ssl.ca.location", &files.ca, why))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse("security.protocol", "ssl", error.to_string()))?
        .with_root_certificates(roots);
    if files.certificate.is_empty() {
        return Ok(Arc::new(config.with_no_client_auth()));
    }
    let chain = certificates(&files.certificate)
        .map_err(|why| refuse("ssl.certificate.location", &files.certificate, why))?;
    let of_key = |why: String| refuse("ssl.key.location", &files.key, why);
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| of_key(error.to_string()))?;
    let config = config.with_client_auth_cert(chain, key);
    config.map(Arc::new).map_err(|error| of_key(error.to_string()))
}

fn roots(file: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = match file {
        "" | SYSTEM => rustls_native_certs::load_native_certs().certs,
        file => certificates(file)?,
    };
    // A system's store holds some that nobody can use; one that is asked for by name must be good.
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        return Err("no certificate to trust".into());
    }
    Ok(roots)
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("no certificate in PEM".into()) } else { Ok(found) }
}

fn refuse(property: &str, value: &str, why: String) -> ConfigError {
    ConfigError { property: property.into(), value: value.into(), why }
}
