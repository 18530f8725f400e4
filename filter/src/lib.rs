//! The flowfilter language, compiled to a predicate over a flow.
//!
//! Text goes in through [`Filter::parse`], which says where and why if it cannot be read;
//! [`Filter::matches`] then answers for one row. A filter is a list of tests, each naming the test
//! to go to when it holds and when it does not: no tree is walked, nothing is allocated or written,
//! the first test that decides ends it. So one filter serves all threads. A list of thousands of
//! values or prefixes costs one binary search.
//!
//! Deliberately absent: names that need a lookup (DNS, SNMP), state between flows, and I/O.
//!
//! ```
//! use neckar_filter::{Filter, Options};
//! use neckar_proto::{Field, Rows};
//!
//! let filter = Filter::parse("src port 53 and bps >1M", &Options::default())?;
//! let mut rows = Rows::default();
//! rows.push().set(Field::SrcPort, 53);
//! assert!(!filter.matches(&rows.as_slice()[0], &rows));
//!
//! let error = Filter::parse("port 80 and prot udp", &Options::default()).unwrap_err();
//! assert_eq!(error.offset(), 12);
//! assert_eq!(error.suggestion(), Some("proto"));
//! # Ok::<(), neckar_filter::ParseError>(())
//! ```
#![doc = include_str!("grammar.md")]
#![forbid(unsafe_code)]

mod ast;
mod compile;
mod constants;
mod display;
mod error;
mod intervals;
mod lex;
mod names;
mod number;
mod parse;
mod program;
mod texts;
mod values;

use std::fmt;
use std::str::FromStr;

use neckar_proto::{Flow, Presence};

pub use error::ParseError;
pub use parse::{DEPTH_MAX, TEXT_BYTES_MAX};
pub use texts::{Labelled, Texts};

use ast::Expr;
use program::Program;

/// How `and` and `or` bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precedence {
    /// `and` above `or`: `a or b and c` is `a or (b and c)`, `a and b or c` is `(a and b) or c`.
    #[default]
    Standard,
    /// As the suite had it: equal, from the right, so that `a and b or c` is `a and (b or c)`. An
    /// operator with nothing behind it is taken, as if "everything" stood there.
    Legacy,
}

/// What names and numbers stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meaning {
    /// As the RFCs and registries have it.
    #[default]
    Standard,
    /// As the suite had it; the grammar's last section lists the differences. All that was added
    /// since works here too.
    Legacy,
}

/// What `incoming` says of a flow without `FlowDirection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AbsentDirection {
    /// It is neither incoming nor outgoing. Right for rows that decode and enrich made: "absent is
    /// not zero".
    #[default]
    Unknown,
    /// It is incoming. Right for rows read back from protobuf, which does not write a zero, and
    /// what the suite did.
    Incoming,
}

/// How a filter's text is understood. The default is right for new filters on decoded rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How `and` and `or` bind.
    pub precedence: Precedence,
    /// What names and numbers stand for.
    pub meaning: Meaning,
    /// What `incoming` says of a flow without `FlowDirection`.
    pub absent_direction: AbsentDirection,
}

impl Options {
    /// Filters written for the suite, answering as they did there.
    pub const LEGACY: Self = Self {
        precedence: Precedence::Legacy,
        meaning: Meaning::Legacy,
        absent_direction: AbsentDirection::Incoming,
    };
    /// New filters on rows that were read back from protobuf.
    pub const MESSAGE: Self = Self {
        precedence: Precedence::Standard,
        meaning: Meaning::Standard,
        absent_direction: AbsentDirection::Incoming,
    };
}

/// A filter, ready to be asked. Shown by `Display` as canonical text, which parses to the same
/// filter under the same [`Options`], whichever [`Precedence`].
#[derive(Clone, Debug)]
pub struct Filter {
    expr: Expr,
    program: Program,
    options: Options,
}

impl Filter {
    /// Reads a filter. Empty text matches everything.
    ///
    /// # Errors
    /// Text that is not of the language, is longer than [`TEXT_BYTES_MAX`] or nested deeper than
    /// [`DEPTH_MAX`].
    pub fn parse(text: &str, options: &Options) -> Result<Self, ParseError> {
        let expr = parse::parse(text, options)?;
        let program = compile::compile(&expr, options);
        Ok(Self { expr, program, options: *options })
    }

    /// Does `flow` match? `texts` finds its texts: the [`Rows`](neckar_proto::Rows) it stands in,
    /// [`Labelled`] where the texts of enrichment are still encoded labels, `()` where it has
    /// none.
    #[inline]
    #[must_use]
    pub fn matches<T: Texts + ?Sized>(&self, flow: &Flow, texts: &T) -> bool {
        self.program.matches(flow, texts)
    }

    /// Does every flow match, without looking at it?
    #[must_use]
    pub fn matches_all(&self) -> bool {
        self.program.is_always()
    }

    /// The fields that the answer may depend on: what a reader of messages has to decode, and
    /// whether texts are needed.
    #[must_use]
    pub fn reads(&self) -> Presence {
        self.program.reads()
    }

    /// The options it was parsed with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }
}

/// Equal in structure and options, not merely in effect: `port 1, 2` is not `port 1-2`.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr && self.options == other.options
    }
}

impl Eq for Filter {}

/// Parses with the default [`Options`].
impl FromStr for Filter {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, &Options::default())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Filter>();
        shared::<ParseError>();
    }

    #[test]
    fn everything_is_known_to_match_everything() {
        for text in ["", " # nothing\n", "()", "(()) and ()", "port 1 or ()"] {
            assert!(text.parse::<Filter>().expect("valid").matches_all(), "{text}");
        }
        assert!(!"not ()".parse::<Filter>().expect("valid").matches_all());
        assert!(!"port 1".parse::<Filter>().expect("valid").matches_all());
    }

    #[test]
    fn a_filter_knows_what_it_reads() {
        use neckar_proto::Field;
        let reads = |text: &str| text.parse::<Filter>().expect("valid").reads();
        let mut expected = Presence::default();
        assert_eq!(reads(""), expected);
        for field in [Field::SrcPort, Field::DstPort, Field::Bytes] {
            expected.insert(field);
        }
        for field in [Field::TimeFlowStartNs, Field::TimeFlowEndNs, Field::SrcAddr] {
            expected.insert(field);
        }
        expected.insert(Field::SrcIfName);
        assert_eq!(
            reads("port 1 and bps >1 and src address ::/0 and src iface name \"x\""),
            expected
        );
    }
}
