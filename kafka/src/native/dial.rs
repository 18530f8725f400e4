//! A connection made: resolved, connected, TLS, who we are, what the broker speaks.
//!
//! Straight-line and blocking, on a thread of its own for each try, with a time limit on every step
//! and on the whole: the sender goes on meanwhile, also while a name server is silent, and a broker
//! that says a byte at a time keeps no thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use rsasl::config::SASLConfig;
use rsasl::mechname::Mechname;
use rsasl::prelude::{MessageSent, SASLClient, SASLError, Session, State};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::connection::RESPONSE_BYTES_MAX;
use super::request::{
    Api, Head, INIT_PRODUCER_ID, METADATA, PRODUCE, SASL_AUTHENTICATE, SASL_HANDSHAKE,
};
use super::response::{self, Malformed, Reader};
use super::settings::{Sasl, Settings};
use super::tls;
use crate::config::ConfigError;

/// How long connecting, and each answer after that, may take.
const STEP: Duration = Duration::from_secs(5);
/// And all of it.
pub(super) const DIAL: Duration = Duration::from_secs(20);
/// An idle connection is probed after so long: what lies between may forget it.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Of the time that a broker believes us, so much is used.
const LIFETIME_SHARE: f64 = 0.8;
/// Words exchanged until we are believed; SCRAM has three.
const SASL_STEPS_MAX: usize = 8;
/// Rounds of hashing a password that we do for a broker, about a second: Kafka's are 4096 to 16,384.
const ITERATIONS_MAX: u32 = 1_000_000;

/// How to dial, the same for all brokers.
pub(crate) struct Dialer {
    client_id: String,
    tls: Option<Arc<ClientConfig>>,
    sasl: Option<Sasl>,
    idempotence: bool,
}

/// A connection that is ready for requests.
pub(super) struct Dialed {
    pub(super) socket: TcpStream,
    pub(super) tls: Option<ClientConnection>,
    /// Until when the broker believes us.
    pub(super) expires: Option<Instant>,
}

/// The connection while it is being made.
enum Link {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket whose reading and writing ends at a time, however little it is that comes each time.
struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn check(&self) -> std::io::Result<()> {
        match Instant::now() < self.deadline {
            true => Ok(()),
            false => Err(ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.check()?;
        self.socket.read(into)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.check()?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

impl Dialer {
    /// As the settings say; certificates are read now.
    ///
    /// # Errors
    /// A file that does not hold what it should.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let security = &settings.security;
        Ok(Self {
            client_id: settings.client_id.clone(),
            tls: security.tls.as_ref().map(tls::config).transpose()?,
            sasl: security.sasl.clone(),
            idempotence: settings.idempotence,
        })
    }

    /// Makes a connection to `host:port`, until `deadline`; what is under way then may take a step more.
    ///
    /// # Errors
    /// What went wrong, for people; the address is not in it.
    pub(super) fn dial(&self, address: &str, deadline: Instant) -> Result<Dialed, String> {
        let socket = Timed { socket: connect(address, deadline)?, deadline };
        let mut link = match &self.tls {
            None => Link::Plain(socket),
            Some(config) => Link::Tls(Box::new(secure(address, config, socket)?)),
        };
        let mut dialogue = Dialogue { link: &mut link, client_id: &self.client_id, correlation: 0 };
        dialogue.check_versions(&self.needed())?;
        let expires = match &self.sasl {
            Some(sasl) => dialogue.authenticate(sasl)?,
            None => None,
        };
        let (Timed { socket, .. }, tls) = match link {
            Link::Plain(socket) => (socket, None),
            Link::Tls(stream) => (stream.sock, Some(stream.conn)),
        };
        socket.set_nonblocking(true).map_err(|error| error.to_string())?;
        Ok(Dialed { socket, tls, expires })
    }

    fn needed(&self) -> Vec<Api> {
        let mut needed = vec![METADATA, PRODUCE];
        if self.idempotence {
            needed.push(INIT_PRODUCER_ID);
        }
        if self.sasl.is_some() {
            needed.extend([SASL_HANDSHAKE, SASL_AUTHENTICATE]);
        }
        needed
    }
}

fn connect(address: &str, deadline: Instant) -> Result<TcpStream, String> {
    let resolved = address.to_socket_addrs().map_err(|error| error.to_string())?;
    let mut why = "the name has no address".to_owned();
    for address in resolved {
        if Instant::now() >= deadline {
            break;
        }
        match connect_to(&address) {
            Ok(socket) => return Ok(socket),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

fn connect_to(address: &SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(address, STEP)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(STEP))?;
    socket.set_write_timeout(Some(STEP))?;
    let keep_alive = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE);
    socket2::SockRef::from(&socket).set_tcp_keepalive(&keep_alive)?;
    Ok(socket)
}

fn secure(
    address: &str,
    config: &Arc<ClientConfig>,
    mut socket: Timed,
) -> Result<StreamOwned<ClientConnection, Timed>, String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|error| format!("TLS: {error}"))?;
    let mut connection =
        ClientConnection::new(Arc::clone(config), name).map_err(|error| format!("TLS: {error}"))?;
    connection.complete_io(&mut socket).map_err(|error| format!("TLS: {}", words_of(&error)))?;
    Ok(StreamOwned::new(connection, socket))
}

/// Request and answer, one after the other.
struct Dialogue<'a> {
    link: &'a mut Link,
    client_id: &'a str,
    correlation: i32,
}

impl Dialogue<'_> {
    fn ask(&mut self, request: impl FnOnce(&Head<'_>) -> Bytes) -> Result<Vec<u8>, String> {
        self.correlation += 1;
        let head = Head { client_id: self.client_id, correlation: self.correlation };
        self.exchange(&request(&head)).map_err(|error| match &self.link {
            Link::Plain(_) => format!("hung up or silent: {}", words_of(&error)),
            // TLS 1.3 tells only now what the other side thinks of our certificate.
            Link::Tls(_) if error.to_string().contains("Certificate") => {
                format!("TLS: {error}: it wants a certificate of ours, or another one")
            }
            Link::Tls(_) => format!("hung up or silent: TLS: {}", words_of(&error)),
        })
    }

    fn exchange(&mut self, request: &Bytes) -> std::io::Result<Vec<u8>> {
        let stream: &mut dyn ReadWrite = match self.link {
            Link::Plain(socket) => socket,
            Link::Tls(stream) => stream.as_mut(),
        };
        stream.write_all(request)?;
        stream.flush()?;
        let mut len = [0; 4];
        stream.read_exact(&mut len)?;
        let len = usize::try_from(i32::from_be_bytes(len)).unwrap_or(usize::MAX);
        let unlike = || std::io::Error::other("this is no Kafka");
        if !(4..=RESPONSE_BYTES_MAX).contains(&len) {
            return Err(unlike());
        }
        let mut answer = Vec::new();
        stream.take(len as u64).read_to_end(&mut answer)?;
        if answer.len() < len || answer[..4] != self.correlation.to_be_bytes() {
            return Err(unlike());
        }
        answer.drain(..4);
        Ok(answer)
    }

    fn check_versions(&mut self, needed: &[Api]) -> Result<(), String> {
        let answer = self.ask(|head| head.api_versions())?;
        match response::api_versions(&mut Reader::new(&answer), needed).map_err(unreadable)? {
            Ok(None) => Ok(()),
            Ok(Some(api)) => {
                let name = api.name();
                Err(format!(
                    "does not speak {name}: brokers 2.8 to 4.x do; use transport = \"librdkafka\""
                ))
            }
            Err(code) => Err(name_of(code)),
        }
    }

    /// Says who we are; answers until when that is believed.
    fn authenticate(&mut self, sasl: &Sasl) -> Result<Option<Instant>, String> {
        let answer = self.ask(|head| head.sasl_handshake(&sasl.mechanism))?;
        let (error, mechanisms) =
            response::sasl_handshake(&mut Reader::new(&answer)).map_err(unreadable)?;
        if error != 0 {
            let known = mechanisms.join(", ");
            return Err(format!("authentication: it takes {known}, not {}", sasl.mechanism));
        }
        let of_ours = |error: &dyn std::fmt::Display| format!("authentication: {error}");
        let mut session = session(sasl).map_err(|error| of_ours(&error))?;
        let (mut heard, mut expires) = (None::<Vec<u8>>, None);
        for _ in 0..SASL_STEPS_MAX {
            if let Some(heard) = &heard {
                check_scram(heard).map_err(|error| of_ours(&error))?;
            }
            let mut words = Vec::new();
            let state = session.step(heard.as_deref(), &mut words);
            let state = state.map_err(|error| of_ours(&error))?;
            // SCRAM's last step looks at the broker's proof and says nothing more.
            if state == State::Finished(MessageSent::No) {
                return Ok(expires);
            }
            let started = Instant::now();
            let answer = self.ask(|head| head.sasl_authenticate(words))?;
            let told =
                response::sasl_authenticate(&mut Reader::new(&answer)).map_err(unreadable)?;
            if told.error != 0 {
                return Err(format!("authentication failed: {}", told.words));
            }
            expires = expiry(started, told.lifetime_ms);
            if state.is_finished() {
                return Ok(expires);
            }
            heard = Some(told.bytes.to_vec());
        }
        Err("authentication: no end of words".into())
    }
}

fn expiry(started: Instant, lifetime_ms: i64) -> Option<Instant> {
    let lifetime = Duration::from_millis(u64::try_from(lifetime_ms).ok().filter(|ms| *ms > 0)?);
    started.checked_add(lifetime.mul_f64(LIFETIME_SHARE))
}

/// Looks at what SCRAM's words ask for before the crate works on them: it would panic over an attribute
/// without a name, and hash for hours if it is told to.
fn check_scram(words: &[u8]) -> Result<(), &'static str> {
    for attribute in words.split(|byte| *byte == b',') {
        let (name, value) = attribute.split_at_checked(2).ok_or("its words cannot be read")?;
        let rounds = || str::from_utf8(value).ok()?.parse::<u32>().ok();
        if name == b"i=" && rounds().is_none_or(|rounds| rounds > ITERATIONS_MAX) {
            return Err("it wants a password hashed too often");
        }
    }
    Ok(())
}

fn session(sasl: &Sasl) -> Result<Session, SASLError> {
    let (username, password) = (sasl.username.clone(), sasl.password.clone());
    let config = SASLConfig::with_credentials(None, username, password)?;
    let mechanism = Mechname::parse(sasl.mechanism.as_bytes()).expect("a checked mechanism");
    SASLClient::new(config).start_suggested(&[mechanism])
}

/// The system calls a time-out a lack of resources.
fn words_of(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "no answer in time".into(),
        _ => error.to_string(),
    }
}

/// What TCP and TLS have in common.
trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn unreadable(_: Malformed) -> String {
    "its answer cannot be read".into()
}

/// Kafka's name for an error.
pub(super) fn name_of(code: i16) -> String {
    code.err().map_or_else(String::new, |error| match error {
        ResponseError::Unknown(code) => format!("Unknown{code}"),
        error => format!("{error:?}"),
    })
}

#[cfg(test)]
mod tests;
