//! How the program ends.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::capture::CaptureError;

/// What the process says when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done. So it is when whoever reads our output has closed the pipe
    /// (`neckar decode x | head`), and when Ctrl-C ends a `replay` or `generate`: it says what
    /// it has sent until then.
    Done = 0,
    /// It failed while running: a damaged file, a network that is not there. One line said why.
    Failed = 1,
    /// The command line is wrong, or names a file that does not exist. One line said what to mend.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends early: one line for the operator, and whose fault it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// [`Exit::Failed`] or [`Exit::Usage`].
    pub exit: Exit,
    /// Names the thing, the reason and, where there is one, the fix.
    pub message: String,
}

impl Failure {
    /// The world is not as it should be.
    #[must_use]
    pub fn running(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }

    /// The command line is not.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        let exit = if error.is_usage { Exit::Usage } else { Exit::Failed };
        Self { exit, message: error.to_string() }
    }
}

/// Writing to standard output: a reader that has gone away has seen enough.
///
/// # Errors
/// Whatever else kept the bytes from being written.
pub fn written(result: io::Result<()>) -> Result<Written, Failure> {
    match result {
        Ok(()) => Ok(Written::Whole),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Written::NobodyReads),
        Err(error) => Err(Failure::running(format!("standard output cannot be written: {error}"))),
    }
}

/// Prints a text to standard output.
///
/// # Errors
/// As [`written`].
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush())).map(|_| ())
}

/// What became of bytes for standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// They are out.
    Whole,
    /// The pipe is closed.
    NobodyReads,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        assert_eq!([Exit::Done as u8, Exit::Failed as u8, Exit::Usage as u8], [0, 1, 2]);
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert_eq!(written(Ok(())), Ok(Written::Whole));
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(written(Err(closed)), Ok(Written::NobodyReads));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(written(Err(full)).map_err(|failure| failure.exit), Err(Exit::Failed));
    }

    #[test]
    fn a_file_that_is_not_there_is_wrong_usage_and_a_damaged_one_is_not() {
        let error = |is_usage| CaptureError {
            file: "a.pcap".into(),
            offset: Some(24),
            what: "malformed".into(),
            is_usage,
        };
        assert_eq!(Failure::from(error(true)).exit, Exit::Usage);
        let expected = Failure::running("a.pcap: at byte 24: malformed");
        assert_eq!(Failure::from(error(false)), expected);
    }
}
