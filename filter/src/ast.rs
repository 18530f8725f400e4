//! A filter as a tree: what the parser makes, the compiler takes and `Display` prints.
//!
//! Canonical in structure: no `And` directly in an `And`, no `Or` in an `Or`, both of at least two.
//! Depth is at most [`DEPTH_MAX`](crate::DEPTH_MAX), so recursion over a tree is safe.

use ipnet::IpNet;

use crate::names::{Host, Label, Quantity};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    /// Every flow.
    All,
    Term(Term),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

/// One question about a flow. A list is "any of these", and never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Is(Fact),
    Number(Side, Quantity, Vec<Value>),
    /// Prefixes, host bits cleared, IPv4-mapped ones as IPv4.
    Address(Side, Host, Vec<IpNet>),
    Mac(Side, Vec<MacPrefix>),
    Text(Side, Label, Vec<String>),
    /// Consecutive AS numbers of the path.
    Path(Vec<Vec<u32>>),
}

/// Which end of a flow a term looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// No side was named: any of the fields will do.
    Either,
    Src,
    Dst,
}

/// Questions without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Incoming,
    Outgoing,
    Normalized,
    Fragment,
    Mpls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// From `low` to `high`, both included; none if they are the wrong way round.
    Range { low: u64, high: u64 },
    /// A name that the quantity knows. What it stands for depends on [`Meaning`](crate::Meaning).
    Name(&'static str),
}

/// The first `len` bits of a MAC address, the others zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MacPrefix {
    pub(crate) mac: u64,
    pub(crate) len: u8,
}

impl MacPrefix {
    /// Bits of a MAC address.
    pub(crate) const BITS: u8 = 48;

    /// Clears what lies behind the first `len` bits, at most 48.
    pub(crate) const fn new(mac: u64, len: u8) -> Self {
        Self { mac: mac & mac_mask(len), len }
    }

    pub(crate) const fn mask(self) -> u64 {
        mac_mask(self.len)
    }
}

const fn mac_mask(len: u8) -> u64 {
    let all = (1 << MacPrefix::BITS) - 1;
    all & !(all >> len)
}

impl Term {
    /// Can terms like this one be one list? Texts and paths gain nothing by it.
    pub(crate) const fn has_set(&self) -> bool {
        matches!(self, Self::Number(..) | Self::Address(..) | Self::Mac(..))
    }

    /// Does `other` ask the same thing, be it of other values?
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(side, what, _), Self::Number(s, w, _)) => (side, what) == (s, w),
            (Self::Address(side, what, _), Self::Address(s, w, _)) => (side, what) == (s, w),
            (Self::Mac(side, _), Self::Mac(s, _)) => side == s,
            _ => false,
        }
    }

    /// "This or that" as one list, of terms that are alike.
    pub(crate) fn absorb(&mut self, other: &Self) {
        match (self, other) {
            (Self::Number(_, _, list), Self::Number(_, _, more)) => list.extend(more),
            (Self::Address(_, _, list), Self::Address(_, _, more)) => list.extend(more),
            (Self::Mac(_, list), Self::Mac(_, more)) => list.extend(more),
            _ => {}
        }
    }
}
