//! Which way this kernel offers, found by trying.

use std::fmt;

use io_uring::IoUring;

/// A way to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Multishot receive into a ring of provided buffers (Linux 6.0).
    Uring,
    /// recvmmsg(2).
    Recvmmsg,
}

/// What was found and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The way to take.
    pub path: Path,
    /// One clause for the log.
    pub why: String,
}

impl fmt::Display for Probe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path {
            Path::Uring => "io_uring",
            Path::Recvmmsg => "recvmmsg",
        };
        write!(out, "receiving by {path} ({})", self.why)
    }
}

/// Tries a ring. Whether buffers can be provided shows when the receiver is made.
#[must_use]
pub fn probe() -> Probe {
    match IoUring::new(2) {
        Ok(ring) => {
            let batched = ring.params().is_feature_min_timeout();
            let waiting = if batched { "batched waiting" } else { "batched waiting in two calls" };
            Probe { path: Path::Uring, why: format!("multishot, {waiting}") }
        }
        Err(error) => Probe { path: Path::Recvmmsg, why: format!("io_uring: {error}") },
    }
}
