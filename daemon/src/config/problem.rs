//! An operator's mistake, told in one line.

use std::fmt;

/// What is wrong with the configuration: key, value, place and fix. Exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key as it is written in documentation, `kafka.compression` or `listen[1].address`;
    /// empty if no key is to blame.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// `neckard.toml:12`, `--set`, or empty for a default.
    pub place: String,
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub fix: String,
}

impl Problem {
    /// A problem with a key whose place is not known yet; [`load`](super::load) finds it.
    pub fn new(key: &str, value: impl ToString, why: impl ToString, fix: impl ToString) -> Self {
        Self {
            key: key.into(),
            value: value.to_string(),
            place: String::new(),
            why: why.to_string(),
            fix: fix.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(out, "{}: ", self.place)?;
        }
        if !self.key.is_empty() {
            write!(out, "{}", self.key)?;
            if !self.value.is_empty() {
                write!(out, " = {}", self.value)?;
            }
            write!(out, ": ")?;
        }
        // Underlying libraries like to answer in several lines; an operator's log wants one.
        write!(out, "{}", one_line(&self.why))?;
        if !self.fix.is_empty() {
            write!(out, "; {}", one_line(&self.fix))?;
        }
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl std::error::Error for Problem {}
