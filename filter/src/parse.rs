//! Words into a tree: `and`, `or`, `not`, parentheses, and which keyword begins what. Values are
//! read in [`crate::values`].
//!
//! Recursive descent with bounded depth. Chains of operators are loops, under either precedence: a
//! filter of 10,000 terms is as deep as one of two.

use crate::ast::{Expr, Fact, Side, Term};
use crate::error::{Fault, ParseError, Span};
use crate::lex::{Lexeme, Lexer, Token};
use crate::names::{Label, Quantity, SUBJECTS, SYNONYMS, Subject};
use crate::{Options, Precedence};

/// How deep parentheses, `not` and changes between `and` and `or` may nest.
pub const DEPTH_MAX: usize = 128;
/// The longest filter, in bytes of text.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

pub(crate) fn parse(text: &str, options: &Options) -> Result<Expr, ParseError> {
    read(text, options).map_err(|fault| fault.in_text(text))
}

fn read(text: &str, options: &Options) -> Result<Expr, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        let at = text.floor_char_boundary(TEXT_BYTES_MAX);
        return Err(Fault::new(
            Span::at(at),
            format!("a filter has at most {TEXT_BYTES_MAX} bytes"),
        ));
    }
    let mut lexer = Lexer::new(text);
    let next = lexer.next()?;
    let mut parser = Parser { lexer, next, options: *options };
    let expr = parser.expression(0)?.expr;
    match parser.next.token {
        Token::End => Ok(expr),
        Token::Sign(")") => Err(Fault::new(parser.next.span, "this `)` closes nothing")),
        _ => Err(parser.unexpected("`and`, `or` or the end", vec!["and", "or"])),
    }
}

pub(crate) struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The lexeme to be read next.
    pub(crate) next: Lexeme<'t>,
    pub(crate) options: Options,
}

/// A subtree and how deep it is.
struct Parsed {
    expr: Expr,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
}

impl<'t> Parser<'t> {
    pub(crate) fn advance(&mut self) -> Result<Lexeme<'t>, Fault> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Reads `sign` if it comes next.
    pub(crate) fn take_sign(&mut self, sign: &'static str) -> Result<bool, Fault> {
        let found = self.next.token == Token::Sign(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Reads `word` if it comes next.
    pub(crate) fn take_word(&mut self, word: &str) -> Result<bool, Fault> {
        let found = self.next.token == Token::Word(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// The next lexeme is not `what` that could stand there.
    pub(crate) fn unexpected(&self, what: &str, expected: Vec<&'static str>) -> Fault {
        let Lexeme { token, span } = self.next;
        let (found, word) = match token {
            Token::Word(word) => (format!("`{}`", shortened(word)), word),
            Token::Text(text) => (format!("the text \"{}\"", shortened(text)), ""),
            Token::Sign(sign) => (format!("`{sign}`"), ""),
            Token::End => ("the end".into(), ""),
        };
        let words = expected.clone();
        let fault = Fault::new(span, format!("expected {what}, found {found}")).expect(expected);
        if word.is_empty() { fault } else { fault.suggest_among(word, words.into_iter()) }
    }

    /// `expr`: terms and operators up to what is neither.
    fn expression(&mut self, level: usize) -> Result<Parsed, Fault> {
        let span = self.next.span;
        if matches!(self.next.token, Token::End | Token::Sign(")")) {
            return Ok(Parsed { expr: Expr::All, depth: 0 });
        }
        let mut operands = vec![self.statement(level)?];
        let mut operators = Vec::new();
        while let Some(operator) = self.operator()? {
            operators.push(operator);
            let dangling = matches!(self.next.token, Token::End | Token::Sign(")"));
            if dangling && self.options.precedence == Precedence::Legacy {
                operands.push(Parsed { expr: Expr::All, depth: 0 });
                break;
            }
            operands.push(self.statement(level)?);
        }
        let parsed = match self.options.precedence {
            Precedence::Standard => Some(and_above_or(operands, &operators)),
            Precedence::Legacy => from_the_right(operands, &operators),
        };
        parsed.filter(|parsed| parsed.depth <= DEPTH_MAX).ok_or_else(|| too_deep(span))
    }

    fn operator(&mut self) -> Result<Option<Operator>, Fault> {
        let operator = match self.next.token {
            Token::Word("and") => Operator::And,
            Token::Word("or") => Operator::Or,
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(operator))
    }

    /// `stmt`: any number of `not`, then a term or an expression in parentheses.
    fn statement(&mut self, level: usize) -> Result<Parsed, Fault> {
        let mut nots = 0;
        while self.next.token == Token::Word("not") {
            nots += 1;
            if level + nots > DEPTH_MAX {
                return Err(too_deep(self.next.span));
            }
            self.advance()?;
        }
        let level = level + nots;
        let mut parsed = match self.next.token {
            Token::Sign("(") => self.parenthesis(level)?,
            _ => Parsed { expr: Expr::Term(self.term()?), depth: 0 },
        };
        for _ in 0..nots {
            parsed = Parsed { expr: Expr::Not(Box::new(parsed.expr)), depth: parsed.depth + 1 };
        }
        Ok(parsed)
    }

    fn parenthesis(&mut self, level: usize) -> Result<Parsed, Fault> {
        let open = self.advance()?.span;
        if level >= DEPTH_MAX {
            return Err(too_deep(open));
        }
        let inside = self.expression(level + 1)?;
        if self.take_sign(")")? {
            return Ok(inside);
        }
        if self.next.token == Token::End {
            return Err(Fault::new(open, "this `(` is not closed"));
        }
        Err(self.unexpected("`and`, `or` or `)`", vec!["and", "or"]))
    }

    fn term(&mut self) -> Result<Term, Fault> {
        let side = match self.next.token {
            Token::Word("src") => Side::Src,
            Token::Word("dst") => Side::Dst,
            _ => Side::Either,
        };
        if side != Side::Either {
            self.advance()?;
        }
        let span = self.next.span;
        let found = match self.next.token {
            Token::Word(word) => {
                Subject::named(word).map(|(subject, sided)| (word, subject, sided))
            }
            _ => None,
        };
        let Some((word, subject, sided)) = found else {
            return Err(self.no_term(side));
        };
        if side != Side::Either && !sided {
            return Err(Fault::new(span, format!("`{word}` has no sides"))
                .help("without `src` or `dst` it stands for the flow as a whole"));
        }
        self.advance()?;
        self.about(subject, side)
    }

    /// What comes next begins no term.
    fn no_term(&self, side: Side) -> Fault {
        let sided = side != Side::Either;
        let subjects = SUBJECTS.iter().filter(|(_, has_sides, _)| *has_sides || !sided);
        let mut words: Vec<_> = subjects.map(|(word, ..)| *word).collect();
        if !sided {
            words.extend(["not", "src", "dst"]);
        }
        let what = if sided { "a term that has sides" } else { "a term" };
        let fault = self.unexpected(what, words);
        let Token::Word(word) = self.next.token else { return fault };
        let lower = word.to_ascii_lowercase();
        match SYNONYMS.iter().find(|(synonym, _)| *synonym == lower) {
            Some((_, meant)) => fault.suggest(*meant),
            None => fault,
        }
    }

    /// The rest of a term whose keyword has been read.
    fn about(&mut self, subject: Subject, side: Side) -> Result<Term, Fault> {
        Ok(match subject {
            Subject::Number(quantity) => self.numbers(side, quantity)?,
            Subject::Text(label) => self.texts(side, label)?,
            Subject::Address(host) => self.addresses(side, host)?,
            Subject::Mac => self.macs(side)?,
            Subject::Is(fact) => Term::Is(fact),
            Subject::Path => self.paths()?,
            Subject::Direction => {
                if self.take_word("incoming")? {
                    Term::Is(Fact::Incoming)
                } else if self.take_word("outgoing")? {
                    Term::Is(Fact::Outgoing)
                } else {
                    return Err(self.unexpected("a direction", vec!["incoming", "outgoing"]));
                }
            }
            Subject::Iface => self.iface(side)?,
            Subject::Icmp => {
                if self.take_word("type")? {
                    self.numbers(side, Quantity::IcmpType)?
                } else if self.take_word("code")? {
                    self.numbers(side, Quantity::IcmpCode)?
                } else {
                    let fault = self.unexpected("`type` or `code`", vec!["type", "code"]);
                    return Err(fault.help("all of ICMP is `proto icmp`"));
                }
            }
            Subject::Mpls => {
                if self.take_word("label")? {
                    self.numbers(side, Quantity::MplsLabel)?
                } else if self.take_word("ttl")? {
                    self.numbers(side, Quantity::MplsTtl)?
                } else if self.take_word("count")? {
                    self.numbers(side, Quantity::MplsCount)?
                } else {
                    Term::Is(Fact::Mpls)
                }
            }
            Subject::Cid => match self.next.token {
                Token::Text(_) => self.texts(side, Label::CidName)?,
                _ => self.numbers(side, Quantity::Cid)?,
            },
        })
    }

    /// `iface` and `interface`: an index, with or without `id`, name, description or speed.
    fn iface(&mut self, side: Side) -> Result<Term, Fault> {
        if self.take_word("name")? {
            return self.texts(side, Label::IfaceName);
        }
        if self.take_word("desc")? {
            return self.texts(side, Label::IfaceDesc);
        }
        if self.take_word("speed")? {
            return self.numbers(side, Quantity::IfaceSpeed);
        }
        let named = self.take_word("id")?;
        match self.next.token {
            Token::Word(word) if !named && !word.starts_with(|c: char| c.is_ascii_digit()) => {
                Err(self.unexpected(
                    "an interface's index, or what of it",
                    vec!["id", "name", "desc", "speed"],
                ))
            }
            _ => self.numbers(side, Quantity::IfaceId),
        }
    }
}

fn too_deep(span: Span) -> Fault {
    Fault::new(span, format!("nested deeper than {DEPTH_MAX}"))
        .help("of many values make one list, as in `port 80, 443`")
}

/// At most some dozen characters of what stands there, harmless to a terminal.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(CHARS_MAX).map(harmless).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// `a or b and c` as `a or (b and c)`.
fn and_above_or(operands: Vec<Parsed>, operators: &[Operator]) -> Parsed {
    let mut alternatives = Vec::new();
    let mut conjunction = Vec::new();
    let before = std::iter::once(&Operator::And).chain(operators);
    for (operand, operator) in operands.into_iter().zip(before) {
        if *operator == Operator::Or {
            alternatives.push(join(Operator::And, std::mem::take(&mut conjunction)));
        }
        conjunction.push(operand);
    }
    alternatives.push(join(Operator::And, conjunction));
    join(Operator::Or, alternatives)
}

/// "equal precedence and associate right": `a and b or c` as `a and (b or c)`. `None` if that nests
/// too deep, before there is a tree that could not even be dropped.
fn from_the_right(mut operands: Vec<Parsed>, operators: &[Operator]) -> Option<Parsed> {
    let last = operands.pop().expect("an expression has a first statement");
    // Equal operators in a row are one join: kept in reverse until another operator, or the front,
    // ends it.
    let mut row = vec![last];
    for (index, operand) in operands.into_iter().enumerate().rev() {
        row.push(operand);
        if index == 0 || operators[index - 1] != operators[index] {
            row.reverse();
            let joined = join(operators[index], row);
            if joined.depth > DEPTH_MAX {
                return None;
            }
            row = vec![joined];
        }
    }
    row.pop()
}

/// Operands under one operator, those of the same operator taken in.
fn join(operator: Operator, mut operands: Vec<Parsed>) -> Parsed {
    if operands.len() == 1 {
        return operands.pop().expect("there is one");
    }
    let mut depth = 0;
    let mut joined = Vec::with_capacity(operands.len());
    for Parsed { expr, depth: own } in operands {
        match (operator, expr) {
            (Operator::And, Expr::And(inner)) | (Operator::Or, Expr::Or(inner)) => {
                depth = depth.max(own);
                joined.extend(inner);
            }
            (_, expr) => {
                depth = depth.max(own + 1);
                joined.push(expr);
            }
        }
    }
    let expr = match operator {
        Operator::And => Expr::And(joined),
        Operator::Or => Expr::Or(joined),
    };
    Parsed { expr, depth }
}
