//! Files in, UDP datagrams out: captures (pcap, pcapng, plain or packed with gzip or zstd), IPFIX
//! files, bare datagrams.
//!
//! Several files are one stream. It is read once, front to back, in memory that does not depend on
//! its length:
//!
//! ```text
//! input     open, unpack, look at the first bytes
//!   pcap      blocks of pcap and pcapng (pcap-parser) -> link (to the IP header) -> ip -> fragments -> UDP
//!   messages  IPFIX files and bare datagrams, cut by their own lengths
//! ```
//!
//! What is damaged gives an error that names file and offset, after everything before it; never a
//! panic. Deliberately absent: writing captures, TCP and SCTP transports, filters (tcpdump has
//! better ones).

mod bytes;
mod found;
mod fragments;
mod frame;
mod input;
mod ip;
mod link;
mod messages;
mod pcap;

use std::collections::VecDeque;
use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use found::{Fault, Found};
use input::Input;
use messages::Messages;
use pcap::Pcap;

/// A UDP datagram with when and between whom it travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Unix nanoseconds: capture time; for a file without any, the clock in the datagram's header.
    pub time_ns: u64,
    /// Who sent it; `0.0.0.0:0` where the file does not say. IPv4-mapped addresses are IPv4.
    pub source: SocketAddr,
    /// To whom; `0.0.0.0:0` where the file does not say.
    pub destination: SocketAddr,
    /// Number of the file that it comes from, counted from 1.
    pub file: usize,
    /// The UDP payload; only its start where the capture was cut.
    pub payload: &'a [u8],
}

/// What captures held that is not among the datagrams handed out whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Frames in captures.
    pub frames: u64,
    /// Frames of a link type that cannot be looked into.
    pub link_unknown: u64,
    /// Frames without IP, or with a malformed IP header.
    pub not_ip: u64,
    /// IP packets without UDP.
    pub not_udp: u64,
    /// Datagrams handed out cut, since the capture holds only their start.
    pub cut: u64,
    /// IP packets given up because fragments were missing, overlapping or cut.
    pub fragments_abandoned: u64,
}

/// A file that cannot be read, or not any further.
#[derive(Debug)]
pub struct CaptureError {
    /// Which file.
    pub file: PathBuf,
    /// Where in it, counted in unpacked bytes; `None` if it is about the file as a whole.
    pub offset: Option<u64>,
    /// What is wrong with it.
    pub what: String,
    /// Is it the command line that names a wrong file?
    pub is_usage: bool,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", name(&self.file))?;
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for CaptureError {}

/// How a file's name is shown.
fn name(file: &Path) -> String {
    if file.as_os_str() == "-" { "standard input".into() } else { file.display().to_string() }
}

/// Wraps a file as it lies on disk, to see how far the reading is.
pub type Watch = Box<dyn FnMut(Box<dyn Read + Send>) -> Box<dyn Read + Send>>;

/// Files as one stream of datagrams.
pub struct Captures {
    files: VecDeque<PathBuf>,
    open: Option<(PathBuf, Reader)>,
    opened: usize,
    found: Found,
    notes: Notes,
    watch: Watch,
}

/// A file being read.
enum Reader {
    Pcap(Box<Pcap>),
    Messages(Messages),
}

impl Captures {
    /// A stream of these files, in this order; `-` is standard input.
    ///
    /// # Errors
    /// A file is not there or is a directory: told before anything is read.
    pub fn open(files: &[PathBuf]) -> Result<Self, CaptureError> {
        Self::watched(files, Box::new(|raw| raw))
    }

    /// Like [`Captures::open`], with `watch` around each file's bytes.
    ///
    /// # Errors
    /// As [`Captures::open`].
    pub fn watched(files: &[PathBuf], watch: Watch) -> Result<Self, CaptureError> {
        for file in files.iter().filter(|file| file.as_os_str() != "-") {
            let what = match file.metadata() {
                Ok(metadata) if metadata.is_dir() => "is a directory; name the files in it".into(),
                Ok(_) => continue,
                Err(error) => format!("cannot be opened: {error}"),
            };
            return Err(CaptureError { file: file.clone(), offset: None, what, is_usage: true });
        }
        Ok(Self {
            files: files.iter().cloned().collect(),
            open: None,
            opened: 0,
            found: Found::default(),
            notes: Notes::default(),
            watch,
        })
    }

    /// The next datagram, or `None` at the end of the last file.
    ///
    /// # Errors
    /// A file cannot be read or is damaged. The stream can be read on: it goes on with the next
    /// file.
    #[allow(clippy::should_implement_trait, reason = "it lends what it returns")]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        while !self.advance()? {
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            self.opened += 1;
            let reader = open(&file, &mut self.watch).map_err(|fault| error(&file, fault))?;
            self.open = Some((file, reader));
        }
        let Found { time_ns, source, destination, ref payload } = self.found;
        Ok(Some(Packet { time_ns, source, destination, file: self.opened, payload }))
    }

    /// What the captures read so far held beside the datagrams.
    #[must_use]
    pub fn notes(&self) -> Notes {
        match &self.open {
            Some((_, reader)) => self.notes.with(reader),
            None => self.notes,
        }
    }

    /// Finds the next datagram in the open file; `false` if there is none.
    fn advance(&mut self) -> Result<bool, CaptureError> {
        let Some((_, reader)) = &mut self.open else { return Ok(false) };
        let result = match reader {
            Reader::Pcap(pcap) => pcap.advance(&mut self.found),
            Reader::Messages(messages) => messages.advance(&mut self.found),
        };
        if let Ok(true) = result {
            return Ok(true);
        }
        self.notes = self.notes();
        let file = self.open.take().map(|(file, _)| file).unwrap_or_default();
        result.map_err(|fault| error(&file, fault))
    }
}

impl Notes {
    fn with(self, reader: &Reader) -> Self {
        let Reader::Pcap(pcap) = reader else { return self };
        let frames = pcap.frames();
        Self {
            frames: self.frames + frames.frames,
            link_unknown: self.link_unknown + frames.link_unknown.map_or(0, |(_, count)| count),
            not_ip: self.not_ip + frames.not_ip,
            not_udp: self.not_udp + frames.not_udp,
            cut: self.cut + frames.cut,
            fragments_abandoned: self.fragments_abandoned + frames.abandoned(),
        }
    }
}

fn open(file: &Path, watch: &mut Watch) -> Result<Reader, Fault> {
    let input = Input::open(file, watch).map_err(|e| Fault::of(found::read_failed(Some(&e))))?;
    if pcap::is_capture(input.prefix()) {
        return Ok(Reader::Pcap(Box::new(Pcap::open(input)?)));
    }
    let written = file.metadata().and_then(|metadata| metadata.modified());
    let written = written.unwrap_or_else(|_| SystemTime::now());
    let age = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time_ns = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
    Ok(Reader::Messages(Messages::open(input, time_ns)?))
}

fn error(file: &Path, fault: Fault) -> CaptureError {
    CaptureError { file: file.into(), offset: fault.offset, what: fault.what, is_usage: false }
}
