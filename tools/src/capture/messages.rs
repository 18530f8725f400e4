//! Files without a capture around the datagrams: an IPFIX file (RFC 5655), NetFlow v5 datagrams one
//! after another, or the payload of one datagram.
//!
//! Which of them it is, the content decides. IPFIX messages carry their length ("An IPFIX File is a
//! serialized stream of IPFIX Messages", RFC 5655, 3) and NetFlow v5 datagrams their number of
//! records, so these are cut where they end. NetFlow v9 and sFlow say nothing of the kind: such a
//! file is one datagram.
//!
//! There is no capture time, so the clock in the header takes its place; for sFlow, which has none,
//! the time the file was last written.

use std::io::Read;

use super::bytes::{u16_at, u32_at};
use super::found::{Fault, Found, NOWHERE, read_failed};
use super::input::{Input, PREFIX_BYTES};

/// The longest UDP payload, and the longest IPFIX message.
const MESSAGE_BYTES_MAX: usize = 65_535;

/// A file of messages being read.
pub(super) struct Messages {
    input: Input,
    shape: Shape,
    /// What has been read and not yet cut off.
    window: Vec<u8>,
    /// Start of the next message in `window`.
    start: usize,
    /// Where `window` starts in the file.
    offset: u64,
    ended: bool,
    file_time_ns: u64,
}

/// How the file is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One message of this protocol after another.
    Chain(Protocol),
    /// All of it is one datagram.
    One,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    NetflowV5,
    Ipfix,
}

impl Messages {
    /// `file_time_ns`: when the file was written, Unix.
    pub(super) fn open(input: Input, file_time_ns: u64) -> Result<Self, Fault> {
        let shape = shape(input.prefix())?;
        let (window, ended) = (Vec::new(), false);
        Ok(Self { input, shape, window, start: 0, offset: 0, ended, file_time_ns })
    }

    /// Cuts off the next datagram; `false` at the end.
    pub(super) fn advance(&mut self, found: &mut Found) -> Result<bool, Fault> {
        self.fill()?;
        let rest = &self.window[self.start..];
        if rest.is_empty() {
            return Ok(false);
        }
        let len = match self.shape {
            Shape::One => rest.len(),
            Shape::Chain(protocol) => protocol
                .message_bytes(rest)
                .map_err(|what| Fault::at(self.offset + self.start as u64, what))?,
        };
        let message = &rest[..len];
        found.time_ns = header_time_ns(message).unwrap_or(self.file_time_ns);
        (found.source, found.destination) = (NOWHERE, NOWHERE);
        found.payload.clear();
        found.payload.extend_from_slice(message);
        self.start += len;
        Ok(true)
    }

    /// Reads until a whole message of any length is in the window, or the file ends.
    fn fill(&mut self) -> Result<(), Fault> {
        if self.ended || self.window.len() - self.start >= PREFIX_BYTES {
            return Ok(());
        }
        self.window.drain(..self.start);
        self.offset += self.start as u64;
        self.start = 0;
        while !self.ended && self.window.len() < 2 * PREFIX_BYTES {
            let filled = self.window.len();
            self.window.resize(2 * PREFIX_BYTES, 0);
            let read = self.input.read(&mut self.window[filled..]);
            let count = *read.as_ref().unwrap_or(&0);
            self.window.truncate(filled + count);
            if read.is_err() {
                let offset = self.offset + filled as u64;
                return Err(Fault::at(
                    offset,
                    read_failed(self.input.last_error().take().as_ref()),
                ));
            }
            self.ended = count == 0;
        }
        Ok(())
    }
}

impl Protocol {
    /// Length of the message at the start of `rest`, which reaches to the end of the file if it is
    /// shorter than the longest message.
    fn message_bytes(self, rest: &[u8]) -> Result<usize, String> {
        let (version, word) = match (u16_at(rest, 0), u16_at(rest, 2)) {
            (Some(version), Some(word)) => (version, usize::from(word)),
            _ => return Err(format!("{} bytes that belong to no message", rest.len())),
        };
        let (name, own, len, least) = match self {
            Self::NetflowV5 => ("NetFlow v5 datagram", 5, 24 + 48 * word, 24),
            Self::Ipfix => ("IPFIX message", 10, word, 16),
        };
        if version != own {
            return Err(format!("no {name} starts here (version {version})"));
        }
        if len < least {
            return Err(format!("an {name} of {len} bytes, shorter than its header"));
        }
        if len > rest.len() {
            let have = rest.len();
            return Err(format!(
                "the file ends inside a message: {have} of its {len} bytes are there"
            ));
        }
        Ok(len)
    }
}

/// How a file that starts like this is to be cut.
fn shape(prefix: &[u8]) -> Result<Shape, Fault> {
    let all = prefix.len() < PREFIX_BYTES;
    let protocol = match u16_at(prefix, 0) {
        None if prefix.is_empty() => return Err(Fault::of("the file is empty")),
        Some(5) => Some(Protocol::NetflowV5),
        Some(10) => Some(Protocol::Ipfix),
        _ => None,
    };
    let (mut messages, mut at) = (0, 0);
    if let Some(protocol) = protocol {
        while at < prefix.len()
            && let Ok(len) = protocol.message_bytes(&prefix[at..])
        {
            at += len;
            messages += 1;
        }
    }
    match protocol {
        // One message and then something else is a datagram with trailing bytes; two are a file,
        // broken further on.
        Some(protocol) if messages > 1 || messages == 1 && (at == prefix.len() || !all) => {
            Ok(Shape::Chain(protocol))
        }
        _ if all => Ok(Shape::One),
        _ => Err(Fault::of(
            "neither a capture (pcap, pcapng) nor an IPFIX file, and too long for one datagram",
        )),
    }
}

/// The clock in a datagram's header, Unix nanoseconds.
fn header_time_ns(message: &[u8]) -> Option<u64> {
    const SECOND: u64 = 1_000_000_000;
    let seconds = |at| u32_at(message, at).map(|seconds| u64::from(seconds) * SECOND);
    match u16_at(message, 0)? {
        5 => Some(seconds(8)? + u64::from(u32_at(message, 12)?)),
        9 => seconds(8),
        10 => seconds(4),
        _ => None,
    }
}

const _: () = assert!(PREFIX_BYTES > MESSAGE_BYTES_MAX);
