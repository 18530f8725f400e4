//! Connections within bounds: so many at a time, half of them for one visitor, and none that holds
//! its place without using it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::HttpCounts;
use super::live::Sampler;
use super::reading::{Patience, READ};
use super::tls::Certificate;

/// A request's head has to be there within this time, and a handshake done.
const HEAD: Duration = Duration::from_secs(10);
/// Who takes nothing of an answer for so long is cut off, by the kernel; who takes little, by [`READ`].
const UNREAD: Duration = Duration::from_secs(30);
/// Bytes of a request's head. There are no bodies.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// What answers under way may take at the stop.
const LAST: Duration = Duration::from_millis(250);

/// How often the log hears that there are too many.
const COMPLAIN: Duration = Duration::from_secs(60);

/// All that the http thread runs.
pub(super) struct Server {
    pub(super) limits: Limits,
    pub(super) certificate: Option<Certificate>,
    pub(super) routes: Router,
}

impl Server {
    /// Serves until told to stop.
    pub(super) async fn run(
        self,
        listener: StdListener,
        sampler: Sampler,
        stopped: oneshot::Receiver<()>,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let graceful = GracefulShutdown::new();
        let sampling = tokio::spawn(sampler.run());
        if let Some(certificate) = self.certificate.clone() {
            tokio::spawn(certificate.renew());
        }
        tokio::select! {
            () = self.accept(&listener, &graceful) => {}
            // The sender's end is as good as a word.
            _ = stopped => {}
        }
        drop(listener);
        // The live events end with their source.
        sampling.abort();
        let _ = tokio::time::timeout(LAST, graceful.shutdown()).await;
        Ok(())
    }

    async fn accept(&self, listener: &TcpListener, graceful: &GracefulShutdown) {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                // Out of descriptors, or the visitor is gone already: others are still to come.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Some(place) = self.limits.take(peer.ip()) else {
                self.limits.complain(peer.ip());
                continue;
            };
            let (routes, watcher) = (self.routes.clone(), graceful.watcher());
            let acceptor = self.certificate.as_ref().map(Certificate::acceptor);
            tokio::spawn(async move {
                let _place = place;
                prepare(&stream);
                match acceptor {
                    None => answer(stream, routes, watcher, Patience::new(READ)).await,
                    Some(acceptor) => {
                        let handshake = tokio::time::timeout(HEAD, acceptor.accept(stream));
                        if let Ok(Ok(stream)) = handshake.await {
                            answer(stream, routes, watcher, Patience::new(READ)).await;
                        }
                    }
                }
            });
        }
    }
}

/// A socket that does not take these goes on without.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD));
}

/// Answers on a connection until its end, the visitor's or that of `patience`.
pub(super) async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: Router,
    watcher: Watcher,
    patience: Patience,
) {
    let (routes, waiting) = (TowerToHyperService::new(routes), patience.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(waiting.clone());
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A visitor who left or talked nonsense is his own affair.
        _ = watcher.watch(connection) => {}
        () = patience.end() => {}
    }
}

/// Places for connections.
#[derive(Clone)]
pub(super) struct Limits {
    connections_max: usize,
    /// By the network that a visitor has to himself.
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    complained: Arc<Mutex<Option<Instant>>>,
    counts: Arc<HttpCounts>,
}

impl Limits {
    pub(super) fn new(connections_max: usize, counts: Arc<HttpCounts>) -> Self {
        Self { connections_max, taken: Arc::default(), complained: Arc::default(), counts }
    }

    /// Counts that somebody was turned away, and says so once in a while.
    fn complain(&self, address: IpAddr) {
        self.counts.refused();
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            *complained = Some(Instant::now());
            let bound = self.connections_max;
            log::warn!(
                "http: {address} was turned away, for too many are there; http.connections_max is {bound}"
            );
        }
    }

    /// A place for a visitor from `address`, if there is one. One visitor gets half of them, so that
    /// he cannot keep everybody else out.
    fn take(&self, address: IpAddr) -> Option<Place> {
        let home = home(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&home).copied());
        if all >= self.connections_max || own.unwrap_or(0) >= self.connections_max.div_ceil(2) {
            return None;
        }
        *taken.entry(home).or_default() += 1;
        self.counts.came();
        let (taken, counts) = (Arc::clone(&self.taken), Arc::clone(&self.counts));
        Some(Place { home, taken, counts })
    }
}

/// What one visitor has for himself: an address of IPv4, and of IPv6 the 64 bits that every host's network has
/// beside as many addresses as it likes (RFC 4291).
fn home(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Given back when dropped.
struct Place {
    home: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    counts: Arc<HttpCounts>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counts.left();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.home) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.home);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others() {
        let limits = Limits::new(4, Arc::default());
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|at| at.parse().unwrap());
        let places = [limits.take(one).unwrap(), limits.take(one).unwrap()];
        assert!(limits.take(one).is_none());
        let others = [limits.take(other).unwrap(), limits.take(other).unwrap()];
        assert!(limits.take("192.0.2.3".parse().unwrap()).is_none(), "full");
        drop(places);
        assert!(limits.take(one).is_some());
        drop(others);
        assert!(limits.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_visitor() {
        let limits = Limits::new(4, Arc::default());
        let take = |address: &str| limits.take(address.parse().unwrap());
        let places = ["2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"].map(|one| take(one).unwrap());
        assert!(take("2001:db8::2").is_none(), "another address of the same");
        let others = [take("2001:db8:0:1::1").unwrap(), take("::ffff:192.0.2.1").unwrap()];
        drop(places);
        let again = take("192.0.2.1").unwrap();
        assert!(take("::ffff:192.0.2.1").is_none(), "IPv4, either way it is written");
        drop((others, again));
        assert!(limits.taken.lock().unwrap().is_empty());
    }
}
