//! A file or standard input as one stream of plain bytes: opened, counted, decompressed, with its
//! first bytes on view.
//!
//! Compression is told by content, not by name. Decompression is a stream with a window of at most
//! 2^[`WINDOW_LOG_MAX`] bytes, so a bomb costs time, never memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::MultiGzDecoder;

/// 128 MiB: what `zstd` itself accepts without being asked for more.
const WINDOW_LOG_MAX: u32 = 27;
/// How much of the start is on view: one byte more than a UDP payload can have, so that "longer
/// than a datagram" shows.
pub(super) const PREFIX_BYTES: usize = 65_536;

type Plain = Box<dyn Read + Send>;

/// Plain bytes, with a view of the first ones.
pub(super) struct Input {
    prefix: Vec<u8>,
    /// How much of `prefix` has been read.
    at: usize,
    rest: Plain,
    /// What went wrong behind `prefix`: its reader meets it there, after everything that could be
    /// read.
    pending: Option<io::Error>,
    last_error: LastError,
}

/// Where a failed read leaves its reason: parsers in between only say that there was one.
#[derive(Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<io::Error>>>);

impl LastError {
    /// The reason of the last failed read.
    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Leaves a reason; returns what can be passed on of it.
    fn put(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        kind.into()
    }
}

impl Input {
    /// Opens `path`, `-` being standard input, with `watch` around the bytes as they lie on disk.
    pub(super) fn open(path: &Path, watch: impl FnOnce(Plain) -> Plain) -> io::Result<Self> {
        let raw: Plain = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path)?)
        };
        Self::new(watch(raw))
    }

    /// Reads the start, and unpacks it if it is compressed.
    pub(super) fn new(mut raw: Plain) -> io::Result<Self> {
        let mut magic = Vec::new();
        raw.by_ref().take(4).read_to_end(&mut magic)?;
        let (gzip, zstd) = (magic.starts_with(&[0x1f, 0x8b]), magic == [0x28, 0xb5, 0x2f, 0xfd]);
        let whole = io::Cursor::new(magic).chain(raw);
        let mut plain: Plain = if gzip {
            Box::new(MultiGzDecoder::new(io::BufReader::new(whole)))
        } else if zstd {
            let mut decoder = zstd::stream::read::Decoder::new(whole)?;
            decoder.window_log_max(WINDOW_LOG_MAX)?;
            Box::new(decoder)
        } else {
            Box::new(whole)
        };
        let mut prefix = Vec::new();
        let read = plain.by_ref().take(PREFIX_BYTES as u64).read_to_end(&mut prefix);
        let pending = match read {
            Err(error) if prefix.is_empty() => return Err(error),
            read => read.err(),
        };
        Ok(Self { prefix, at: 0, rest: plain, pending, last_error: LastError::default() })
    }

    /// The first bytes, at most [`PREFIX_BYTES`]; fewer only if that is all there is.
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Where the reason of a failed read will be.
    pub(super) fn last_error(&self) -> LastError {
        self.last_error.clone()
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = &self.prefix[self.at..];
        if !left.is_empty() {
            let count = left.len().min(out.len());
            out[..count].copy_from_slice(&left[..count]);
            self.at += count;
            return Ok(count);
        }
        loop {
            let result = self.pending.take().map_or_else(|| self.rest.read(out), Err);
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.last_error.put(error)),
                Ok(count) => return Ok(count),
            }
        }
    }
}
