//! A broker that wants to know who talks to it: TLS with certificates on both sides, and SASL with
//! and without TLS. Everybody may do everything that [`super::forbid`] does not forbid him. Its
//! certificates are made for it, by an authority of its own, and go with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::{Broker, alone, cluster_id, free_port};

/// Who may log in, by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
pub const USER: &str = "neckar";
/// With this password.
pub const PASSWORD: &str = "not a secret: a test's";

/// A broker with a plain listener for the tests' own reading, and three that are secured.
#[derive(Debug)]
pub struct Secured {
    /// The broker, by its plain listener.
    pub broker: Broker,
    /// `127.0.0.1:port` that wants TLS and our certificate (mutual TLS).
    pub tls: String,
    /// That wants TLS and a user's password.
    pub sasl_tls: String,
    /// That wants a user's password.
    pub sasl: String,
    folder: PathBuf,
}

impl Secured {
    /// Starts one; its certificates are written into `folder`.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        write_certificates(folder).map_err(io::Error::other)?;
        let [port, controller, tls, sasl_tls, sasl] = ports()?;
        let node =
            alone(port, controller) + &listeners(folder, [port, controller, tls, sasl_tls, sasl]);
        let scram = |mechanism| format!("{mechanism}=[name={USER},password={PASSWORD}]");
        let (short, long) = (scram("SCRAM-SHA-256"), scram("SCRAM-SHA-512"));
        let users = ["--add-scram", &short, "--add-scram", &long];
        let mut broker = Broker::format_with(port, &node, &cluster_id()?, None, &users)?;
        broker.restart()?;
        let [tls, sasl_tls, sasl] = [tls, sasl_tls, sasl].map(|port| format!("127.0.0.1:{port}"));
        Ok(Self { broker, tls, sasl_tls, sasl, folder: folder.into() })
    }

    /// The authority's certificate, in PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A client's certificate that the authority made.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.join("client.pem")
    }

    /// Its private key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("client.key")
    }
}

fn ports() -> io::Result<[u16; 5]> {
    Ok([free_port()?, free_port()?, free_port()?, free_port()?, free_port()?])
}

/// An authority, the broker's certificate and a client's.
fn write_certificates(folder: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Neckar's tests");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    fs::write(folder.join("ca.pem"), authority.pem())?;
    for name in ["broker", "client"] {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(["127.0.0.1".to_string()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &authority)?;
        fs::write(folder.join(format!("{name}.pem")), certificate.pem())?;
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
        // Kafka reads both from one file.
        let both = format!("{}{}", key.serialize_pem(), certificate.pem());
        fs::write(folder.join(format!("{name}.store.pem")), both)?;
    }
    Ok(())
}

/// Later lines win over those of [`alone`].
fn listeners(folder: &Path, ports: [u16; 5]) -> String {
    let [plain, controller, tls, sasl_tls, sasl] = ports;
    let at = |name: &str, port: u16| format!("{name}://127.0.0.1:{port}");
    let open = [at("PLAINTEXT", plain), at("TLS", tls), at("SASLTLS", sasl_tls), at("SASL", sasl)];
    let open = open.join(",");
    let plain_login = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"
    );
    let scram_login = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let mechanisms = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512";
    let mut lines = format!(
        "listeners={open},CONTROLLER://127.0.0.1:{controller}\nadvertised.listeners={open}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,\
         SASLTLS:SASL_SSL,SASL:SASL_PLAINTEXT\n\
         ssl.keystore.type=PEM\nssl.keystore.location={}\n\
         ssl.truststore.type=PEM\nssl.truststore.location={}\n\
         listener.name.tls.ssl.client.auth=required\nsasl.enabled.mechanisms={mechanisms}\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS\nallow.everyone.if.no.acl.found=true\n",
        folder.join("broker.store.pem").display(),
        folder.join("ca.pem").display(),
    );
    for listener in ["sasltls", "sasl"] {
        lines += &format!("listener.name.{listener}.plain.sasl.jaas.config={plain_login}\n");
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            lines +=
                &format!("listener.name.{listener}.{mechanism}.sasl.jaas.config={scram_login}\n");
        }
    }
    lines
}
