//! A connection that is up: requests out, answers in, nothing waited for.
//!
//! Kafka answers the requests of a connection in their order, so what an answer belongs to is the
//! front of a queue.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;

use super::dial::Dialed;

/// An answer is at most so long: metadata of ten thousand topics takes some 2 MB.
pub(super) const RESPONSE_BYTES_MAX: usize = 32 << 20;
/// Read from the socket at a time.
const READ_BYTES: usize = 16 << 10;
/// Pieces that one system call writes at most.
const PIECES_MAX: usize = 64;

/// The connection; `T` is what the sender keeps of a request until its answer comes.
pub(super) struct Connection<T> {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    out: VecDeque<Bytes>,
    inbox: Vec<u8>,
    asked: VecDeque<Asked<T>>,
    correlation: i32,
    expires: Option<Instant>,
}

struct Asked<T> {
    correlation: i32,
    at: Instant,
    what: T,
}

impl<T> Connection<T> {
    /// Watches the socket under `token`.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new(dialed: Dialed, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = TcpStream::from_std(dialed.socket);
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            socket,
            tls: dialed.tls.map(Box::new),
            out: VecDeque::new(),
            inbox: Vec::new(),
            asked: VecDeque::new(),
            correlation: 0,
            expires: dialed.expires,
        })
    }

    /// The number of the next request.
    pub(super) fn next_correlation(&self) -> i32 {
        self.correlation
    }

    /// Queues the pieces of a request that was made with [`Self::next_correlation`].
    pub(super) fn send(&mut self, pieces: impl IntoIterator<Item = Bytes>, what: T, now: Instant) {
        self.out.extend(pieces);
        self.asked.push_back(Asked { correlation: self.correlation, at: now, what });
        self.correlation = self.correlation.wrapping_add(1);
    }

    /// Requests without an answer.
    pub(super) fn asked(&self) -> usize {
        self.asked.len()
    }

    /// Since when the oldest request has no answer.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.asked.front().map(|asked| asked.at)
    }

    /// Has the oldest request waited for so long?
    pub(super) fn is_stuck(&self, now: Instant, timeout: Duration) -> bool {
        self.oldest().is_some_and(|at| now.duration_since(at) > timeout)
    }

    /// Will the broker soon stop believing who we are?
    pub(super) fn is_old(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    /// What was asked and not answered.
    pub(super) fn into_asked(self) -> impl Iterator<Item = T> {
        self.asked.into_iter().map(|asked| asked.what)
    }

    /// Writes what the socket takes.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let done = match &mut self.tls {
            None => write_plain(&mut self.socket, &mut self.out),
            Some(tls) => write_tls(tls, &mut self.socket, &mut self.out),
        };
        match done {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            done => done,
        }
    }

    /// Reads what is there; each whole answer goes to `visit` with what was asked.
    ///
    /// # Errors
    /// The connection is gone, or what comes is no answer.
    pub(super) fn read(&mut self, mut visit: impl FnMut(T, &[u8])) -> io::Result<()> {
        loop {
            let result = self.fill();
            self.take_answers(&mut visit)?;
            match result {
                Ok(0) => return Err(io::Error::other("hung up")),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let before = self.inbox.len();
        self.inbox.resize(before + READ_BYTES, 0);
        let result = match &mut self.tls {
            None => self.socket.read(&mut self.inbox[before..]),
            Some(tls) => read_tls(tls, &mut self.socket, &mut self.inbox[before..]),
        };
        self.inbox.truncate(before + result.as_ref().copied().unwrap_or(0));
        result
    }

    fn take_answers(&mut self, visit: &mut impl FnMut(T, &[u8])) -> io::Result<()> {
        let mut at = 0;
        while let Some((len, rest)) = self.inbox[at..].split_first_chunk::<4>() {
            let len = usize::try_from(i32::from_be_bytes(*len)).unwrap_or(usize::MAX);
            if !(4..=RESPONSE_BYTES_MAX).contains(&len) {
                return Err(io::Error::other("an answer of impossible length"));
            }
            let Some((correlation, answer)) = rest.get(..len).and_then(<[u8]>::split_first_chunk)
            else {
                break;
            };
            let asked = self.asked.pop_front();
            match asked {
                Some(asked) if asked.correlation.to_be_bytes() == *correlation => {
                    visit(asked.what, answer);
                }
                asked => {
                    // Its flows are still to be answered for.
                    self.asked.extend(asked);
                    return Err(io::Error::other("an answer to nothing that was asked"));
                }
            }
            at += 4 + len;
        }
        self.inbox.drain(..at);
        Ok(())
    }

    /// Stops watching the socket.
    pub(super) fn close(&mut self, registry: &Registry) {
        // It goes either way.
        let _ = registry.deregister(&mut self.socket);
    }
}

fn write_plain(socket: &mut TcpStream, out: &mut VecDeque<Bytes>) -> io::Result<()> {
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); PIECES_MAX];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(out.iter()) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        let mut written = match socket.write_vectored(&slices[..count]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            written => written?,
        };
        while let Some(piece) = out.front_mut().filter(|piece| piece.len() <= written) {
            written -= piece.len();
            out.pop_front();
        }
        if let Some(piece) = out.front_mut() {
            piece.advance(written);
        }
    }
    Ok(())
}

fn write_tls(
    tls: &mut ClientConnection,
    socket: &mut TcpStream,
    out: &mut VecDeque<Bytes>,
) -> io::Result<()> {
    loop {
        while tls.wants_write() {
            tls.write_tls(socket)?;
        }
        let Some(piece) = out.front_mut() else { return Ok(()) };
        // Takes as much as its buffer has room for, and wants to write then.
        let taken = tls.writer().write(piece)?;
        piece.advance(taken);
        if piece.is_empty() {
            out.pop_front();
        }
    }
}

fn read_tls(
    tls: &mut ClientConnection,
    socket: &mut TcpStream,
    into: &mut [u8],
) -> io::Result<usize> {
    loop {
        match tls.reader().read(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
        if tls.read_tls(socket)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
    }
}
