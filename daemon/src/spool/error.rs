//! What can go wrong with a spool, one line each, with what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a spool cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    Locked(PathBuf),
    /// The directory or a file in it cannot be used.
    Io(PathBuf, io::Error),
    /// A segment was written by a later version of the daemon.
    Version(PathBuf, u32),
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(path) => write!(
                out,
                "spool {}: another process uses it; every daemon needs a directory of its own",
                path.display()
            ),
            Self::Io(path, error) if error.kind() == io::ErrorKind::NotFound => write!(
                out,
                "spool {}: {error}; make the directory, owned by the daemon's user",
                path.display()
            ),
            Self::Io(path, error) => write!(
                out,
                "spool {}: {error}; it must be a directory that the daemon may write",
                path.display()
            ),
            Self::Version(path, version) => write!(
                out,
                "spool {}: version {version} of the format, written by a later daemon; let that \
                 one deliver it, or move the file away",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a batch was not written. The spool is as before, but for what it shed.
#[derive(Debug)]
pub enum AppendError {
    /// There is no room, on the disk or within the bound.
    Full,
    /// The disk failed.
    Io(io::Error),
}

impl fmt::Display for AppendError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(out, "the spool is full"),
            Self::Io(error) => write!(out, "cannot write to the spool: {error}"),
        }
    }
}

impl std::error::Error for AppendError {}
