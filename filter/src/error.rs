//! What is wrong with a filter's text, and where.

use std::cmp::Reverse;
use std::fmt;

/// Bytes of the text, from `start` up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const fn at(offset: usize) -> Self {
        Self { start: offset, end: offset }
    }
}

/// A fault as the parser finds it: it knows where, [`Fault::in_text`] shows it.
#[derive(Debug)]
pub(crate) struct Fault {
    span: Span,
    message: String,
    expected: Vec<&'static str>,
    suggestion: Option<String>,
    help: Option<String>,
}

impl Fault {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), expected: Vec::new(), suggestion: None, help: None }
    }

    /// These words could stand here.
    pub(crate) fn expect(self, expected: Vec<&'static str>) -> Self {
        Self { expected, ..self }
    }

    /// This is likely meant.
    pub(crate) fn suggest(self, meant: impl Into<String>) -> Self {
        Self { suggestion: Some(meant.into()), ..self }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The word of `candidates` that `given` is nearest to is likely meant, if it is near at all.
    pub(crate) fn suggest_among(
        self,
        given: &str,
        candidates: impl Iterator<Item = &'static str>,
    ) -> Self {
        // Nobody misspells that much, and the distance takes time that grows with it.
        const CHARS_MAX: usize = 30;
        let lower = given.get(..CHARS_MAX).unwrap_or(given).to_ascii_lowercase();
        // Of two that are as near, the one that begins alike: `prot` is `proto` rather than `port`.
        let alike = |candidate: &str| {
            candidate.bytes().zip(lower.bytes()).take_while(|(one, other)| one == other).count()
        };
        let nearest = candidates
            .map(|one| (strsim::damerau_levenshtein(&lower, one), Reverse(alike(one)), one))
            .min()
            .filter(|(distance, _, one)| *distance <= one.len().max(3) / 3);
        match nearest {
            Some((.., candidate)) => self.suggest(candidate),
            None => self,
        }
    }

    /// The error, with the line of `text` that it is in.
    pub(crate) fn in_text(self, text: &str) -> ParseError {
        let Span { start, end } = self.span;
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |len| start + len);
        let before = &text[line_start..start];
        let marked = &text[start..end.min(line_end).max(start)];
        // A long line is shown around the mark.
        let skipped = before.chars().count().saturating_sub(CHARS_BEFORE_MAX);
        let shown = before.chars().skip(skipped).chain(text[start..line_end].chars());
        ParseError(Box::new(Details {
            offset: start,
            line: text[..start].matches('\n').count() + 1,
            column: before.chars().count() + 1,
            message: self.message,
            expected: self.expected,
            suggestion: self.suggestion,
            help: self.help,
            excerpt: shown.take(CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect(),
            caret_at: before.chars().count() - skipped,
            carets: marked.chars().count().clamp(1, CHARS_MAX - CHARS_BEFORE_MAX),
        }))
    }
}

/// Characters of the line that an error shows, and of them before the mark.
const CHARS_MAX: usize = 100;
const CHARS_BEFORE_MAX: usize = 60;
/// Expected words that `Display` lists; [`ParseError::expected`] has them all.
const LISTED_MAX: usize = 12;

/// A text that is no filter: where it goes wrong, why, and what might be meant.
///
/// `Display` gives several lines: the place and message, the text, a caret under the place, and
/// what would be right there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(Box<Details>);

/// Boxed, so that a good result is not the size of a bad one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    offset: usize,
    line: usize,
    column: usize,
    message: String,
    expected: Vec<&'static str>,
    suggestion: Option<String>,
    help: Option<String>,
    excerpt: String,
    caret_at: usize,
    carets: usize,
}

impl ParseError {
    /// Where it goes wrong, in bytes from the start of the text.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The same place as line and column, both from 1 on; columns count characters.
    #[must_use]
    pub fn line_and_column(&self) -> (usize, usize) {
        (self.0.line, self.0.column)
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Words that could stand there; empty where it is no word that is missing.
    #[must_use]
    pub fn expected(&self) -> &[&'static str] {
        &self.0.expected
    }

    /// What is likely meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_and_column();
        writeln!(out, "line {line}, column {column}: {}", self.0.message)?;
        writeln!(out, "  {}", self.0.excerpt)?;
        write!(out, "  {}{}", " ".repeat(self.0.caret_at), "^".repeat(self.0.carets))?;
        if let Some(meant) = &self.0.suggestion {
            write!(out, "\n  did you mean `{meant}`?")?;
        }
        if let Some(help) = &self.0.help {
            write!(out, "\n  {help}")?;
        }
        if self.0.suggestion.is_none() && !self.0.expected.is_empty() {
            let listed = &self.0.expected[..self.0.expected.len().min(LISTED_MAX)];
            let more = if listed.len() < self.0.expected.len() { ", …" } else { "" };
            write!(out, "\n  expected: {}{more}", listed.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}
