//! Why a source does not load: an operator's error, in one line that names the place and the fix.

use std::fmt;
use std::path::{Path, PathBuf};

/// Longer texts are cut in messages.
const TEXT_CHARS_MAX: usize = 80;

/// A file that cannot be taken, and where in it the trouble is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file, or the name of a source that is none.
    pub file: PathBuf,
    /// Its line, from 1 on; `None` if the trouble has none.
    pub line: Option<u64>,
    /// What stands there.
    pub text: Option<String>,
    /// What was expected instead.
    pub expected: String,
}

impl LoadError {
    /// The file as a whole is at fault.
    pub fn new(file: &Path, expected: impl Into<String>) -> Self {
        Self { file: file.to_path_buf(), line: None, text: None, expected: expected.into() }
    }

    /// Line `line` is at fault, with `text` on it.
    pub fn at(file: &Path, line: u64, text: &str, expected: impl Into<String>) -> Self {
        let mut shown: String = text
            .chars()
            .take(TEXT_CHARS_MAX)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if text.chars().nth(TEXT_CHARS_MAX).is_some() {
            shown.push('…');
        }
        Self { line: Some(line), text: Some(shown), ..Self::new(file, expected) }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if let Some(text) = &self.text {
            write!(out, ": `{text}`")?;
        }
        write!(out, ": {}", self.expected)
    }
}

impl std::error::Error for LoadError {}
