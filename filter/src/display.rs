//! Canonical text: one blank between words, decimal numbers, the old language wherever it suffices.
//!
//! `and` inside `or` gets parentheses although it needs none, so that the text reads the same under
//! either precedence.

use std::fmt::{Display, Formatter, Result, Write as _};

use ipnet::IpNet;

use crate::ast::{Expr, MacPrefix, Side, Term, Value};
use crate::names::{Label, Likeness};

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            // Nothing at all would do at the top, but not elsewhere, and it shows better.
            Self::All => out.write_str("()"),
            Self::Term(term) => term.fmt(out),
            Self::Not(inner) => {
                out.write_str("not ")?;
                enclosed(inner, out)
            }
            Self::And(operands) => separated(operands, " and ", out, enclosed),
            Self::Or(operands) => separated(operands, " or ", out, enclosed),
        }
    }
}

/// As an operand: what has operators of its own stands in parentheses.
fn enclosed(expr: &Expr, out: &mut Formatter<'_>) -> Result {
    match expr {
        Expr::And(_) | Expr::Or(_) => write!(out, "({expr})"),
        _ => expr.fmt(out),
    }
}

fn separated<T>(
    list: &[T],
    separator: &str,
    out: &mut Formatter<'_>,
    item: impl Fn(&T, &mut Formatter<'_>) -> Result,
) -> Result {
    for (index, one) in list.iter().enumerate() {
        if index > 0 {
            out.write_str(separator)?;
        }
        item(one, out)?;
    }
    Ok(())
}

fn listed<T>(
    keyword: &str,
    list: &[T],
    out: &mut Formatter<'_>,
    item: impl Fn(&T, &mut Formatter<'_>) -> Result,
) -> Result {
    write!(out, "{keyword} ")?;
    separated(list, ", ", out, item)
}

impl Display for Term {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let side = match self {
            Self::Is(_) | Self::Path(_) => Side::Either,
            Self::Number(side, ..)
            | Self::Address(side, ..)
            | Self::Mac(side, _)
            | Self::Text(side, ..) => *side,
        };
        out.write_str(match side {
            Side::Either => "",
            Side::Src => "src ",
            Side::Dst => "dst ",
        })?;
        match self {
            Self::Is(fact) => out.write_str(fact.text()),
            Self::Number(_, quantity, values) => {
                listed(quantity.info().text, values, out, Value::fmt)
            }
            Self::Address(_, host, prefixes) => listed(host.text(), prefixes, out, prefix),
            Self::Mac(_, macs) => listed("mac", macs, out, MacPrefix::fmt),
            Self::Text(_, label, texts) => {
                listed(label.text(), texts, out, |text, out| quoted(*label, text, out))
            }
            Self::Path(paths) => listed("passes-through", paths, out, |path, out| {
                separated(path, " ", out, u32::fmt)
            }),
        }
    }
}

/// Bounds as `<` and `>`, which the suite's own parser reads.
impl Display for Value {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Name(name) => out.write_str(name),
            Self::Range { low, high } if low == high => write!(out, "{low}"),
            Self::Range { low: 0, high: u64::MAX } => out.write_str(">=0"),
            Self::Range { low: 0, high } => write!(out, "<{}", high + 1),
            Self::Range { low, high: u64::MAX } => write!(out, ">{}", low - 1),
            Self::Range { low: 1, high: 0 } => out.write_str("<0"),
            Self::Range { low, high } => write!(out, "{low}-{high}"),
        }
    }
}

fn prefix(prefix: &IpNet, out: &mut Formatter<'_>) -> Result {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        return prefix.addr().fmt(out);
    }
    prefix.fmt(out)
}

impl Display for MacPrefix {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for (index, byte) in self.mac.to_be_bytes()[2..].iter().enumerate() {
            if index > 0 {
                out.write_char(':')?;
            }
            write!(out, "{byte:02x}")?;
        }
        if self.len < Self::BITS { write!(out, "/{}", self.len) } else { Ok(()) }
    }
}

/// A text has come from between quotes, so one kind of them is not in it.
fn quoted(label: Label, text: &str, out: &mut Formatter<'_>) -> Result {
    if label.likeness() == Likeness::Country {
        return out.write_str(text);
    }
    let quote = if text.contains('"') { '\'' } else { '"' };
    write!(out, "{quote}{text}{quote}")
}
