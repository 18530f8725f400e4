//! Where datagrams go, and from which source address each exporter sends.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::str::FromStr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::Failure;
use crate::outlet::Outlet;

/// The first source address on loopback; 127.0.0.x is where collectors listen.
const LOOPBACK_FIRST: u32 = u32::from_be_bytes([127, 0, 1, 1]);
const LOOPBACK_LAST: u32 = u32::from_be_bytes([127, 255, 255, 254]);

/// `HOST:PORT` as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            "give HOST:PORT, for example 127.0.0.1:2055, collector.example:4739 or [::1]:6343";
        let (host, port) = text.rsplit_once(':').ok_or(wrong)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(wrong)?;
        if host.is_empty() {
            return Err(wrong.into());
        }
        Ok(Self { host: host.into(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Target {
    /// Its address. Of several the first, except that IPv4 loopback goes before IPv6's: only there
    /// can every exporter have an address of its own.
    pub(crate) fn resolve(&self) -> Result<SocketAddr, Failure> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let addresses: Vec<SocketAddr> = found
            .map_err(|error| Failure::running(format!("{self}: the host is not found: {error}")))?
            .collect();
        let loopback = addresses.iter().find(|one| one.is_ipv4() && one.ip().is_loopback());
        let chosen = loopback.or(addresses.first()).copied();
        chosen.ok_or_else(|| Failure::running(format!("{self}: the host has no address")))
    }
}

/// A socket to `target` for exporter `index`: from an address of its own where `target` is IPv4
/// loopback, else from a port of its own.
pub(crate) fn outlet(target: SocketAddr, index: usize) -> Result<Outlet, Failure> {
    let failure = |error: io::Error| {
        let fix = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::MFILE) => "; every exporter needs a socket: raise `ulimit -n`",
            _ => "",
        };
        Failure::running(format!("no socket to {target} for exporter {}: {error}{fix}", index + 1))
    };
    let connect = || {
        let socket = UdpSocket::bind((source(target, index), 0))?;
        socket.connect(target)?;
        Ok(socket)
    };
    connect().map(Outlet::new).map_err(failure)
}

/// The source address of exporter `index`.
fn source(target: SocketAddr, index: usize) -> IpAddr {
    match target {
        SocketAddr::V4(target) if target.ip().is_loopback() => {
            let span = LOOPBACK_LAST - LOOPBACK_FIRST + 1;
            let offset = (index as u64 % u64::from(span)) as u32;
            Ipv4Addr::from_bits(LOOPBACK_FIRST + offset).into()
        }
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Asks for as many open files as the system allows this user: a socket per exporter goes beyond
/// the usual 1,024.
pub(crate) fn allow_many_sockets() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If that is refused, opening the socket that is too many says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_typed() {
        let parse = |text: &str| text.parse::<Target>().map(|target| (target.host, target.port));
        assert_eq!(parse("127.0.0.1:2055"), Ok(("127.0.0.1".into(), 2055)));
        assert_eq!(parse("[::1]:6343"), Ok(("::1".into(), 6343)));
        assert_eq!(parse("collector:4739"), Ok(("collector".into(), 4739)));
        for wrong in ["", "collector", ":2055", "collector:", "collector:0", "a:70000", "a:b"] {
            assert!(parse(wrong).unwrap_err().starts_with("give HOST:PORT"), "{wrong}");
        }
        assert_eq!("[::1]:6343".parse::<Target>().unwrap().to_string(), "[::1]:6343");
    }

    #[test]
    fn exporters_on_loopback_have_addresses_of_their_own() {
        let target = "127.0.0.1:2055".parse().unwrap();
        let text = |index| source(target, index).to_string();
        assert_eq!([text(0), text(1), text(254)], ["127.0.1.1", "127.0.1.2", "127.0.1.255"]);
        assert_eq!([text(255), text(65_278)], ["127.0.2.0", "127.0.255.255"]);
        assert_eq!(text(65_279), "127.1.0.0");
        let last = (LOOPBACK_LAST - LOOPBACK_FIRST) as usize;
        assert_eq!([text(last), text(last + 1)], ["127.255.255.254", "127.0.1.1"]);
    }

    #[test]
    fn elsewhere_they_have_ports() {
        assert_eq!(source("192.0.2.1:2055".parse().unwrap(), 3).to_string(), "0.0.0.0");
        assert_eq!(source("[::1]:2055".parse().unwrap(), 3).to_string(), "::");
    }
}
