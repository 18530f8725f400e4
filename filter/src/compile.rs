//! A tree into tests in a row.
//!
//! Steps are made from the back: when one is made, both its targets are known, and `and`, `or` and
//! `not` cost nothing but the choice of targets. Before that, what a hand-written filter says in
//! many terms (`address A or address B or …`) becomes one list, hence one search, and among the
//! operands of `and` and `or` the cheap ones come first.

use std::borrow::Cow;

use ipnet::IpNet;
use neckar_proto::Field;

use crate::ast::{Expr, Fact, Side, Term, Value};
use crate::constants::NameTest;
use crate::intervals::Intervals;
use crate::names::{Host, Likeness, Quantity, Reading};
use crate::program::{AddressSet, Derived, Index, MATCH, NO_MATCH, Program, Step, Target, Test};
use crate::texts::Needle;
use crate::{AbsentDirection, Meaning, Options};

pub(crate) fn compile(expr: &Expr, options: &Options) -> Program {
    let mut builder = Builder { options: *options, ..Builder::default() };
    let entry = builder.expr(expr, MATCH, NO_MATCH);
    // Made from the back, read from the front.
    let last = builder.steps.len() as Target;
    let turned = |target| if target >= NO_MATCH { target } else { last - 1 - target };
    let steps = builder.steps.iter().rev().map(|step| Step {
        then: turned(step.then),
        otherwise: turned(step.otherwise),
        ..*step
    });
    Program {
        steps: steps.collect(),
        entry: turned(entry),
        sets: builder.sets.into_boxed_slice(),
        addresses: builder.addresses.into_boxed_slice(),
        needles: builder.needles.into_boxed_slice(),
        bytes: builder.bytes.into_boxed_slice(),
    }
}

#[derive(Default)]
struct Builder {
    options: Options,
    /// Last step first; targets are indexes in this order.
    steps: Vec<Step>,
    sets: Vec<Intervals<u64>>,
    addresses: Vec<AddressSet>,
    needles: Vec<Needle>,
    bytes: Vec<Box<[u8]>>,
}

impl Builder {
    /// Makes the steps of `expr` that go to `then` or `otherwise`, and returns the first of them.
    /// Recursion is as deep as the tree, which is bounded.
    fn expr(&mut self, expr: &Expr, then: Target, otherwise: Target) -> Target {
        match expr {
            Expr::All => then,
            Expr::Term(term) => self.term(term, then, otherwise),
            Expr::Not(inner) => self.expr(inner, otherwise, then),
            Expr::And(operands) => {
                let operands = arranged(operands, true);
                operands.iter().rev().fold(then, |next, one| self.expr(one, next, otherwise))
            }
            Expr::Or(operands) => {
                let operands = arranged(operands, false);
                operands.iter().rev().fold(otherwise, |next, one| self.expr(one, then, next))
            }
        }
    }

    fn term(&mut self, term: &Term, then: Target, otherwise: Target) -> Target {
        match term {
            Term::Is(fact) => self.fact(*fact, then, otherwise),
            Term::Number(side, quantity, values) => {
                self.number(*side, *quantity, values, then, otherwise)
            }
            Term::Address(side, host, prefixes) => {
                let tests = self.address_tests(*side, *host, prefixes);
                self.any(tests, then, otherwise)
            }
            Term::Mac(side, macs) => {
                let fields: &[Field] = match side {
                    Side::Either => &[Field::SrcMac, Field::DstMac],
                    Side::Src => &[Field::SrcMac],
                    Side::Dst => &[Field::DstMac],
                };
                let tests = fields.iter().flat_map(|field| {
                    macs.iter().map(|mac| Test::Bits {
                        field: *field,
                        mask: mac.mask(),
                        value: mac.mac,
                    })
                });
                self.any(tests.collect(), then, otherwise)
            }
            Term::Text(side, label, texts) => {
                let mut tests = Vec::new();
                for text in texts {
                    let test = self.text_test(label.likeness(), text);
                    tests.extend(label.fields(*side).iter().map(|field| test(*field)));
                }
                self.any(tests, then, otherwise)
            }
            Term::Path(paths) => {
                let tests = paths.iter().map(|path| {
                    let path = path.iter().flat_map(|number| number.to_le_bytes()).collect();
                    Test::Path { path: keep(&mut self.bytes, path) }
                });
                let tests = tests.collect();
                self.any(tests, then, otherwise)
            }
        }
    }

    fn step(&mut self, test: Test, then: Target, otherwise: Target) -> Target {
        self.steps.push(Step { test, then, otherwise });
        (self.steps.len() - 1) as Target
    }

    /// Any of the tests; none of no tests.
    fn any(&mut self, tests: Vec<Test>, then: Target, otherwise: Target) -> Target {
        tests.into_iter().rev().fold(otherwise, |next, test| self.step(test, then, next))
    }

    fn fact(&mut self, fact: Fact, then: Target, otherwise: Target) -> Target {
        let equals = |field, value| Test::Between { field, low: value, span: 0 };
        let above_zero = |field| Test::Between { field, low: 1, span: u64::MAX - 1 };
        match fact {
            Fact::Incoming => {
                let first = self.step(equals(Field::FlowDirection, 0), then, otherwise);
                match self.options.absent_direction {
                    // "Absent is not zero."
                    AbsentDirection::Unknown => {
                        self.step(Test::Has(Field::FlowDirection), first, otherwise)
                    }
                    AbsentDirection::Incoming => first,
                }
            }
            Fact::Outgoing => self.step(equals(Field::FlowDirection, 1), then, otherwise),
            Fact::Normalized => self.step(equals(Field::Normalized, 1), then, otherwise),
            Fact::Fragment => self.step(above_zero(Field::FragmentOffset), then, otherwise),
            Fact::Mpls => {
                let tests = vec![above_zero(Field::HasMPLS), above_zero(Field::MPLSCount)];
                self.any(tests, then, otherwise)
            }
        }
    }

    fn number(
        &mut self,
        side: Side,
        quantity: Quantity,
        values: &[Value],
        then: Target,
        otherwise: Target,
    ) -> Target {
        let tests = self.number_tests(side, quantity, values);
        let first = self.any(tests, then, otherwise);
        let protocols: &[u64] = match (quantity, self.options.meaning) {
            // "tcpflags additionally needs Proto 6"
            (Quantity::TcpFlags, _) => &[6],
            // "icmp: Proto 1 only"
            (Quantity::IcmpType | Quantity::IcmpCode, Meaning::Legacy) => &[1],
            (Quantity::IcmpType | Quantity::IcmpCode, Meaning::Standard) => &[1, 58],
            _ => return first,
        };
        let guards = protocols.iter().map(|protocol| Test::Between {
            field: Field::Proto,
            low: *protocol,
            span: 0,
        });
        self.any(guards.collect(), first, otherwise)
    }

    fn number_tests(&mut self, side: Side, quantity: Quantity, values: &[Value]) -> Vec<Test> {
        let (ranges, masks) = self.values(quantity, values);
        let fields = quantity.fields(side);
        let legacy = self.options.meaning == Meaning::Legacy;
        let derived = match quantity.info().reading {
            Reading::Divided { unit } => {
                let mut tests = self.field_tests(fields, &multiplied(&ranges, unit));
                for mask in masks {
                    tests.extend(fields.iter().map(|field| Test::Bits {
                        field: *field,
                        mask,
                        value: mask,
                    }));
                }
                return tests;
            }
            Reading::LowBits => {
                let set = Intervals::new(ranges);
                let bits = (0..4).filter(|bits| set.contains(*bits));
                return bits.map(|value| Test::Bits { field: fields[0], mask: 3, value }).collect();
            }
            Reading::Stack => {
                return vec![Test::Stack {
                    fields,
                    set: keep(&mut self.sets, Intervals::new(ranges)),
                }];
            }
            Reading::Duration => Derived::Duration,
            Reading::BitRate => Derived::BitRate,
            Reading::Rate => Derived::PacketRate,
            Reading::IcmpType if legacy => Derived::PortType,
            Reading::IcmpCode if legacy => Derived::PortCode,
            Reading::IcmpType => Derived::IcmpType,
            Reading::IcmpCode => Derived::IcmpCode,
        };
        let set = keep(&mut self.sets, Intervals::new(ranges));
        vec![Test::Derived { quantity: derived, set }]
    }

    /// Any of the fields is in any of the ranges.
    fn field_tests(&mut self, fields: &[Field], ranges: &Intervals<u64>) -> Vec<Test> {
        match *ranges.as_slice() {
            [] => Vec::new(),
            [(low, high)] => {
                let between =
                    |field: &Field| Test::Between { field: *field, low, span: high - low };
                fields.iter().map(between).collect()
            }
            _ => {
                let set = keep(&mut self.sets, ranges.clone());
                fields.iter().map(|field| Test::In { field: *field, set }).collect()
            }
        }
    }

    /// Ranges, and masks of bits that are all set.
    fn values(&self, quantity: Quantity, values: &[Value]) -> (Vec<(u64, u64)>, Vec<u64>) {
        let (mut ranges, mut masks) = (Vec::new(), Vec::new());
        for value in values {
            match *value {
                Value::Range { low, high } => ranges.push((low, high)),
                Value::Name(name) => {
                    let test = quantity.meaning_of(name, self.options.meaning);
                    match test.expect("the parser took the name from the table") {
                        NameTest::Range(low, high) => ranges.push((low, high)),
                        NameTest::Bits(mask) => masks.push(mask),
                    }
                }
            }
        }
        (ranges, masks)
    }

    fn address_tests(&mut self, side: Side, host: Host, prefixes: &[IpNet]) -> Vec<Test> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match prefix {
                IpNet::V4(prefix) => {
                    v4.push((u32::from(prefix.network()), u32::from(prefix.broadcast())));
                }
                IpNet::V6(prefix) => {
                    v6.push((u128::from(prefix.network()), u128::from(prefix.broadcast())));
                }
            }
        }
        let set = AddressSet { v4: Intervals::new(v4), v6: Intervals::new(v6) };
        let fields = host.fields(side).iter();
        match (set.v4.as_slice(), set.v6.as_slice()) {
            (&[(low, high)], []) => {
                fields.map(|field| Test::V4 { field: *field, low, span: high - low }).collect()
            }
            _ => {
                let set = keep(&mut self.addresses, set);
                fields.map(|field| Test::Address { field: *field, set }).collect()
            }
        }
    }

    fn text_test(&mut self, likeness: Likeness, text: &str) -> impl Fn(Field) -> Test + use<> {
        let index = match likeness {
            Likeness::Contains => keep(&mut self.needles, Needle::new(text)),
            Likeness::Country | Likeness::Equals => keep(&mut self.bytes, text.as_bytes().into()),
        };
        move |field| match likeness {
            Likeness::Contains => Test::Contains { field, needle: index },
            Likeness::Country => Test::HasBytes { field, bytes: index },
            Likeness::Equals => Test::IsBytes { field, bytes: index },
        }
    }
}

/// Puts `item` into a table. Indexes fit: the text that they come from is some megabytes at most.
fn keep<T>(table: &mut Vec<T>, item: T) -> Index {
    table.push(item);
    (table.len() - 1) as Index
}

/// The numbers that, divided by `unit` and rounded down, are in the ranges.
fn multiplied(ranges: &[(u64, u64)], unit: u64) -> Intervals<u64> {
    let multiplied = ranges.iter().map(|(low, high)| {
        // What overflows is above everything: no number divided reaches it, and none is above a
        // high end there.
        let low = low.checked_mul(unit);
        low.map(|low| (low, high.saturating_mul(unit).saturating_add(unit - 1)))
    });
    Intervals::new(multiplied.flatten().collect())
}

/// Operands of `and`, or of `or`: terms that ask the same thing of other values made one, the cheap
/// ones first.
fn arranged(operands: &[Expr], and: bool) -> Vec<Cow<'_, Expr>> {
    let mut arranged: Vec<Cow<'_, Expr>> = Vec::with_capacity(operands.len());
    // Where the first term of each kind is: a list that is searched for every operand, but has few
    // kinds.
    let mut firsts: Vec<(&Term, usize)> = Vec::new();
    for operand in operands {
        // `not (a or b)` is `not a and not b`: under `and` it is the negated terms that are lists.
        if let Some(term) = term_of(operand, and).filter(|term| term.has_set()) {
            if let Some((_, place)) = firsts.iter().find(|(first, _)| first.is_alike(term)) {
                absorb(arranged[*place].to_mut(), term);
                continue;
            }
            firsts.push((term, arranged.len()));
        }
        arranged.push(Cow::Borrowed(operand));
    }
    arranged.sort_by_cached_key(|expr| cost(expr));
    arranged
}

/// The term, under `not` if it has to be negated.
fn term_of(expr: &Expr, negated: bool) -> Option<&Term> {
    match expr {
        Expr::Term(term) if !negated => Some(term),
        Expr::Not(inner) if negated => term_of(inner, false),
        _ => None,
    }
}

/// Puts the values of `term` into the term of `expr`, negated or not.
fn absorb(expr: &mut Expr, term: &Term) {
    match expr {
        Expr::Term(own) => own.absorb(term),
        Expr::Not(inner) => absorb(inner, term),
        _ => {}
    }
}

/// What the dearest test of `expr` costs, roughly in nanoseconds.
fn cost(expr: &Expr) -> u32 {
    match expr {
        Expr::All => 0,
        Expr::Not(inner) => cost(inner),
        Expr::And(operands) | Expr::Or(operands) => operands.iter().map(cost).max().unwrap_or(0),
        Expr::Term(Term::Is(_) | Term::Mac(..)) => 1,
        Expr::Term(Term::Number(_, quantity, _)) => match quantity.info().reading {
            Reading::Divided { .. } | Reading::LowBits => 1,
            _ => 5,
        },
        Expr::Term(Term::Address(..)) => 3,
        Expr::Term(Term::Path(_)) => 20,
        Expr::Term(Term::Text(..)) => 50,
    }
}
