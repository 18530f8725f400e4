//! A tree as text, as somebody might have written it.

use neckar_filter::Precedence;

use super::{Number, Side, Term, Tree};

/// Writes a tree as text in one of many ways, which `seed` chooses: white space, comments, forms of
/// numbers, quotes, and parentheses that need not be.
pub(crate) fn write(tree: &Tree, precedence: Precedence, seed: u64) -> String {
    let mut writer = Writer { out: String::new(), precedence, seed: seed | 1 };
    writer.tree(tree);
    writer.out
}

struct Writer {
    out: String,
    precedence: Precedence,
    seed: u64,
}

impl Writer {
    fn choose(&mut self, of: u64) -> u64 {
        // xorshift: any sequence does.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 20) % of
    }

    fn space(&mut self) {
        let space = match self.choose(8) {
            0 => "\n",
            1 => "\t ",
            2 => " # and ( or\n",
            _ => " ",
        };
        self.out.push_str(space);
    }

    fn word(&mut self, word: &str) {
        for part in word.split(' ') {
            self.out.push_str(part);
            self.space();
        }
    }

    fn enclosed(&mut self, tree: &Tree) {
        self.word("(");
        self.tree(tree);
        self.word(")");
    }

    /// An operand, enclosed if it has to be, and sometimes if not.
    fn operand(&mut self, tree: &Tree, must: bool) {
        if must || self.choose(6) == 0 { self.enclosed(tree) } else { self.tree(tree) }
    }

    fn tree(&mut self, tree: &Tree) {
        let legacy = self.precedence == Precedence::Legacy;
        let (left, right, operator) = match tree {
            Tree::All => return self.word("( )"),
            Tree::Term(term) => return self.term(term),
            Tree::Not(inner) => {
                self.word("not");
                return self.operand(inner, matches!(**inner, Tree::And(..) | Tree::Or(..)));
            }
            Tree::And(left, right) => (left, right, "and"),
            Tree::Or(left, right) => (left, right, "or"),
        };
        // Legacy: `stmt operator expr`, so the right one never needs parentheses.
        let must = |operand: &Tree, is_left: bool| match operand {
            Tree::And(..) => legacy && is_left,
            Tree::Or(..) if legacy => is_left,
            Tree::Or(..) => operator == "and",
            _ => false,
        };
        self.operand(left, must(left, true));
        self.word(operator);
        self.operand(right, must(right, false));
    }

    fn list<T>(&mut self, list: &[T], item: impl Fn(&mut Self, &T)) {
        for (index, one) in list.iter().enumerate() {
            if index > 0 {
                self.word(",");
            }
            item(self, one);
        }
    }

    fn term(&mut self, term: &Term) {
        match term {
            Term::Is("incoming") if self.choose(2) == 0 => self.word("direction incoming"),
            Term::Is(fact) => self.word(fact),
            Term::Number(side, keyword, numbers) => {
                self.subject(*side, keyword);
                self.list(numbers, Self::number);
            }
            Term::Address(side, keyword, prefixes) => {
                self.subject(*side, keyword);
                self.list(prefixes, |writer, (address, len)| {
                    writer.word(&address.to_string());
                    let whole = *len == if address.is_ipv4() { 32 } else { 128 };
                    if !whole || writer.choose(2) == 0 {
                        writer.word("/");
                        writer.word(&len.to_string());
                    }
                });
            }
            Term::Mac(side, macs) => {
                self.subject(*side, "mac");
                self.list(macs, |writer, (mac, len)| {
                    let octets = mac.to_be_bytes().map(|octet| format!("{octet:02x}"));
                    writer.word(&octets[2..].join(":"));
                    writer.word("/");
                    writer.word(&len.to_string());
                });
            }
            Term::Text(side, keyword, texts) => {
                self.subject(*side, keyword);
                self.list(texts, |writer, text| {
                    let quote = if writer.choose(2) == 0 { '"' } else { '\'' };
                    writer.out.push_str(&format!("{quote}{text}{quote}"));
                    writer.space();
                });
            }
            Term::Path(paths) => {
                self.word("passes-through");
                self.list(paths, |writer, path| {
                    for number in path {
                        writer.word(&number.to_string());
                    }
                });
            }
        }
    }

    fn subject(&mut self, side: Side, keyword: &str) {
        match side {
            Side::Either => {}
            Side::Src => self.word("src"),
            Side::Dst => self.word("dst"),
        }
        if keyword.starts_with("iface") && self.choose(2) == 0 {
            return self.word(&keyword.replace("iface", "interface"));
        }
        self.word(keyword);
    }

    fn digits(&mut self, number: u64) {
        let text = match self.choose(6) {
            0 => format!("{number:#x}"),
            1 => format!("{number:#b}"),
            2 if number.is_multiple_of(1000) && number > 0 => format!("{}k", number / 1000),
            _ => number.to_string(),
        };
        self.word(&text);
    }

    fn number(&mut self, number: &Number) {
        match *number {
            Number::Is(number) => self.digits(number),
            Number::Between(low, high) => {
                self.digits(low);
                self.word("-");
                self.digits(high);
            }
            Number::Compared(sign, bound) => {
                self.word(sign);
                self.digits(bound);
            }
            Number::Name(name) => self.word(name),
        }
    }
}
