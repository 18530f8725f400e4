//! One sending socket, and what became of what was given to it.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::ops::AddAssign;
use std::time::Duration;

use rustix::io::Errno;

use crate::exit::Failure;
use crate::stop::Stop;

/// How often the network may refuse one datagram for lack of buffers, with [`BUFFER_NAP`] in
/// between: ten seconds.
const BUFFER_RETRIES_MAX: u32 = 50_000;
const BUFFER_NAP: Duration = Duration::from_micros(200);
/// How often sending one datagram may meet the answer to an earlier one. It meets one at a time,
/// and there is rarely more.
const ANSWERS_MAX: u32 = 16;

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Handed to the network.
    pub(crate) datagrams: u64,
    /// Their payloads.
    pub(crate) bytes: u64,
    /// Times that the network had no buffer and the same datagram was tried again.
    pub(crate) retried: u64,
    /// Answers that nobody listens there; each stands for a datagram among those sent.
    pub(crate) refused: u64,
    /// Not sent: longer than the path takes in one datagram.
    pub(crate) oversized: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.retried += other.retried;
        self.refused += other.refused;
        self.oversized += other.oversized;
    }
}

impl Tally {
    /// The part of a summary for people that is not always there.
    pub(crate) fn warning(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.refused > 0 {
            parts.push(format!("{} refused: nobody listens there", self.refused));
        }
        if self.oversized > 0 {
            parts.push(format!("{} not sent: too long for one datagram", self.oversized));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// A connected UDP socket: connected, so that the kernel tells when nobody listens.
#[derive(Debug)]
pub(crate) struct Outlet(UdpSocket);

/// What a failed send means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// An answer to an earlier datagram; this one was not looked at.
    Answer,
    /// No buffer now.
    Buffers,
    Oversized,
    Fatal,
}

impl Outlet {
    pub(crate) fn new(socket: UdpSocket) -> Self {
        Self(socket)
    }

    /// Sends one datagram, again and again if need be; `false` if it was not sent because it is too
    /// long or somebody asked to stop.
    pub(crate) fn send(
        &self,
        payload: &[u8],
        tally: &mut Tally,
        stop: &Stop,
    ) -> Result<bool, Failure> {
        let (mut answers, mut waits) = (0, 0);
        loop {
            let error = match self.0.send(payload) {
                Ok(_) => {
                    tally.datagrams += 1;
                    tally.bytes += payload.len() as u64;
                    return Ok(true);
                }
                Err(error) => error,
            };
            match obstacle(&error) {
                Obstacle::Answer if answers < ANSWERS_MAX => {
                    answers += 1;
                    tally.refused += 1;
                }
                Obstacle::Buffers if waits < BUFFER_RETRIES_MAX => {
                    if stop.is_asked() {
                        return Ok(false);
                    }
                    waits += 1;
                    tally.retried += 1;
                    std::thread::sleep(BUFFER_NAP);
                }
                Obstacle::Oversized => {
                    tally.oversized += 1;
                    return Ok(false);
                }
                _ => return Err(self.failure(&error)),
            }
        }
    }

    /// Asks for an answer to the last datagram, which no later one can meet.
    pub(crate) fn settle(&self, tally: &mut Tally) {
        if let Ok(Some(error)) = self.0.take_error()
            && obstacle(&error) == Obstacle::Answer
        {
            tally.refused += 1;
        }
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let target = self.0.peer_addr().map_or_else(|_| "?".into(), |address| address.to_string());
        Failure::running(format!("{target}: cannot be sent to: {error}"))
    }
}

fn obstacle(error: &io::Error) -> Obstacle {
    match error.kind() {
        ErrorKind::ConnectionRefused => return Obstacle::Answer,
        // ICMP's other answers; without a route the send itself fails with them, every time.
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => return Obstacle::Answer,
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::OutOfMemory => {
            return Obstacle::Buffers;
        }
        _ => {}
    }
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOBUFS) => Obstacle::Buffers,
        Some(Errno::MSGSIZE) => Obstacle::Oversized,
        _ => Obstacle::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_mean_what_the_kernel_means() {
        let of = |errno: Errno| obstacle(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert_eq!(of(Errno::CONNREFUSED), Obstacle::Answer);
        assert_eq!(of(Errno::HOSTUNREACH), Obstacle::Answer);
        assert_eq!([of(Errno::NOBUFS), of(Errno::AGAIN), of(Errno::INTR)], [Obstacle::Buffers; 3]);
        assert_eq!(of(Errno::MSGSIZE), Obstacle::Oversized);
        assert_eq!(of(Errno::PERM), Obstacle::Fatal);
    }

    #[test]
    fn a_refusal_is_counted_and_the_datagram_sent_all_the_same() {
        // A port that was just free and is nobody's.
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(free).unwrap();
        let (outlet, mut tally) = (Outlet::new(socket), Tally::default());
        for _ in 0..10 {
            assert_eq!(outlet.send(b"payload", &mut tally, &Stop::default()), Ok(true));
        }
        outlet.settle(&mut tally);
        let expected = Tally { datagrams: 10, bytes: 70, refused: 10, ..Tally::default() };
        assert_eq!(tally, expected);
        let warning = tally.warning().unwrap();
        assert_eq!(warning, "10 refused: nobody listens there");
    }

    #[test]
    fn what_is_too_long_is_counted() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(receiver.local_addr().unwrap()).unwrap();
        let (outlet, mut tally) = (Outlet::new(socket), Tally::default());
        assert_eq!(outlet.send(&[0; 65_508], &mut tally, &Stop::default()), Ok(false));
        assert_eq!(outlet.send(&[0; 65_507], &mut tally, &Stop::default()), Ok(true));
        assert_eq!((tally.datagrams, tally.oversized), (1, 1));
    }
}
