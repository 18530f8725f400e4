//! How the way to Kafka is secured, in librdkafka's words. Files and secrets are looked at here, at
//! start: a missing one is the operator's mistake then, and not an outage later.

use std::collections::BTreeMap;
use std::fs;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{Kafka, Mechanism, Problem, Tls};

/// librdkafka's properties for `[kafka.tls]` and `[kafka.sasl]`, secrets among them.
///
/// # Errors
/// A file that cannot be read or does not hold what it should, a variable that is not set, an empty
/// password.
pub(super) fn properties(kafka: &Kafka) -> Result<BTreeMap<String, String>, Problem> {
    let mut properties = BTreeMap::new();
    let mut set = |name: &str, value: String| drop(properties.insert(name.to_string(), value));
    let (tls, sasl) = (&kafka.tls, &kafka.sasl);
    let protocol = match (tls.enabled, sasl.mechanism) {
        (false, Mechanism::None) => "plaintext",
        (true, Mechanism::None) => "ssl",
        (false, _) => "sasl_plaintext",
        (true, _) => "sasl_ssl",
    };
    set("security.protocol", protocol.into());
    if tls.enabled {
        // Built with an OpenSSL of its own, librdkafka has to look where this system keeps them.
        let ca = if tls.ca_file.is_empty() { "probe" } else { &tls.ca_file };
        set("ssl.ca.location", ca.into());
        for (key, property, file) in [
            ("kafka.tls.ca_file", "", &tls.ca_file),
            ("kafka.tls.certificate_file", "ssl.certificate.location", &tls.certificate_file),
            ("kafka.tls.key_file", "ssl.key.location", &tls.key_file),
        ] {
            if !file.is_empty() {
                look_into(key, file, tls)?;
                if !property.is_empty() {
                    set(property, file.clone());
                }
            }
        }
        if !tls.key_password_file.is_empty() {
            let password = secret_file("kafka.tls.key_password_file", &tls.key_password_file)?;
            set("ssl.key.password", password);
        }
    }
    let mechanism = match sasl.mechanism {
        Mechanism::None => return Ok(properties),
        Mechanism::Plain => "PLAIN",
        Mechanism::ScramSha256 => "SCRAM-SHA-256",
        Mechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    let password = match sasl.password_file.as_str() {
        "" => secret_variable("kafka.sasl.password_env", &sasl.password_env)?,
        file => secret_file("kafka.sasl.password_file", file)?,
    };
    set("sasl.mechanisms", mechanism.into());
    set("sasl.username", sasl.username.clone());
    set("sasl.password", password);
    Ok(properties)
}

/// Looks whether a file holds what its key says. Whether a private key fits its certificate, and
/// whether the password opens one that is encrypted, is the transport's to say.
fn look_into(key: &str, file: &str, tls: &Tls) -> Result<(), Problem> {
    fs::File::open(file).map_err(|error| unreadable(key, file, &error))?;
    let found = match key {
        "kafka.tls.key_file" if !tls.key_password_file.is_empty() => return Ok(()),
        "kafka.tls.key_file" => PrivateKeyDer::from_pem_file(file).map(drop),
        _ => certificates(file),
    };
    found.map_err(|error| {
        let why = match error {
            pem::Error::NoItemsFound if key == "kafka.tls.key_file" => {
                "holds no private key".into()
            }
            pem::Error::NoItemsFound => "holds no certificate".into(),
            error => error.to_string(),
        };
        let fix = "give a file in PEM that the daemon's user can read";
        Problem::new(key, format!("{file:?}"), why, fix)
    })
}

fn certificates(file: &str) -> Result<(), pem::Error> {
    let mut found = CertificateDer::pem_file_iter(file)?.peekable();
    if found.peek().is_none() {
        return Err(pem::Error::NoItemsFound);
    }
    found.try_for_each(|certificate| certificate.map(drop))
}

fn secret_file(key: &str, file: &str) -> Result<String, Problem> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(key, file, &error))?;
    // An editor's line end is not part of it; blanks may be.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Problem::new(key, format!("{file:?}"), "the file is empty", "write it there"));
    }
    Ok(secret.into())
}

fn secret_variable(key: &str, name: &str) -> Result<String, Problem> {
    let secret = std::env::var(name).ok().filter(|secret| !secret.is_empty());
    let fix = "set it in the service's environment (systemd: EnvironmentFile=)";
    secret.ok_or_else(|| Problem::new(key, format!("{name:?}"), "that variable is not set", fix))
}

fn unreadable(key: &str, file: &str, error: &std::io::Error) -> Problem {
    let fix = "give a file that the daemon's user can read";
    Problem::new(key, format!("{file:?}"), error, fix)
}
