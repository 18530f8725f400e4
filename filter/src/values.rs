//! The values behind a keyword: lists of numbers, names, prefixes, MAC addresses, texts and AS
//! paths.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::Meaning;
use crate::ast::{MacPrefix, Side, Term, Value};
use crate::error::{Fault, Span};
use crate::lex::Token;
use crate::names::{Host, Label, Likeness, Quantity};
use crate::number;
use crate::parse::{Parser, shortened};

impl<'t> Parser<'t> {
    /// `list = item { "," item }`
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let mut list = vec![item(self)?];
        while self.take_sign(",")? {
            list.push(item(self)?);
        }
        Ok(list)
    }

    pub(crate) fn numbers(&mut self, side: Side, quantity: Quantity) -> Result<Term, Fault> {
        Ok(Term::Number(side, quantity, self.list(|parser| parser.value(quantity))?))
    }

    /// `value = range | NAME`
    fn value(&mut self, quantity: Quantity) -> Result<Value, Fault> {
        match self.next.token {
            Token::Sign(sign @ ("<" | ">" | "<=" | ">=")) => self.comparison(sign),
            Token::Word(word) if !starts_with_digit(word) => {
                let names = quantity.info().names;
                match names.iter().find(|name| name.word == word) {
                    Some(name) => {
                        self.advance()?;
                        Ok(Value::Name(name.word))
                    }
                    None => Err(self.no_value(quantity)),
                }
            }
            Token::Word(_) => self.range(quantity),
            _ => Err(self.no_value(quantity)),
        }
    }

    fn no_value(&self, quantity: Quantity) -> Fault {
        let info = quantity.info();
        let names: Vec<_> = info.names.iter().map(|name| name.word).collect();
        let what = match (names.as_slice(), self.next.token) {
            ([], Token::Text(text)) if starts_with_digit(text) => "a number without quotes",
            ([], _) => "a number",
            _ => "a number or a name",
        };
        self.unexpected(&format!("{what} behind `{}`", info.text), names)
    }

    /// `NUM` or `NUM "-" NUM`
    fn range(&mut self, quantity: Quantity) -> Result<Value, Fault> {
        let (low, start) = self.number_up_to(quantity)?;
        if !self.take_sign("-")? {
            return Ok(Value::Range { low, high: low });
        }
        let (high, end) = self.number_up_to(quantity)?;
        // "inverted bps ranges are accepted silently"
        let tolerated = self.options.meaning == Meaning::Legacy && quantity == Quantity::Bps;
        if low > high && !tolerated {
            let span = Span { start: start.start, end: end.end };
            return Err(Fault::new(span, "this range is the wrong way round")
                .suggest(format!("{high}-{low}")));
        }
        Ok(Value::Range { low, high })
    }

    /// `<` and its like. The suite had no more than these two, and no bound.
    fn comparison(&mut self, sign: &str) -> Result<Value, Fault> {
        let start = self.advance()?.span;
        let (number, end) = self.number()?;
        let range = match sign {
            "<" => number.checked_sub(1).map(|high| (0, high)),
            "<=" => Some((0, number)),
            ">" => number.checked_add(1).map(|low| (low, u64::MAX)),
            _ => Some((number, u64::MAX)),
        };
        match range {
            Some((low, high)) => Ok(Value::Range { low, high }),
            None if self.options.meaning == Meaning::Legacy => Ok(Value::Range { low: 1, high: 0 }),
            None => {
                let span = Span { start: start.start, end: end.end };
                Err(Fault::new(span, format!("no number is {sign} {number}")))
            }
        }
    }

    /// A number that the quantity can have. The suite's own filters may hold others, which never
    /// match.
    fn number_up_to(&mut self, quantity: Quantity) -> Result<(u64, Span), Fault> {
        let (number, span) = self.number()?;
        let info = quantity.info();
        if number > info.max && self.options.meaning == Meaning::Standard {
            let message = format!("`{}` is at most {}", info.text, info.max);
            return Err(Fault::new(span, message));
        }
        Ok((number, span))
    }

    fn number(&mut self) -> Result<(u64, Span), Fault> {
        let Token::Word(word) = self.next.token else {
            return Err(self.unexpected("a number", Vec::new()));
        };
        if !starts_with_digit(word) {
            return Err(self.unexpected("a number", Vec::new()));
        }
        let span = self.next.span;
        match number::number(word, self.options.meaning) {
            Ok(number) => {
                self.advance()?;
                Ok((number, span))
            }
            Err(wrong) => {
                let fault = Fault::new(span, wrong.message);
                Err(match wrong.help {
                    Some(help) => fault.help(help),
                    None => fault,
                })
            }
        }
    }

    pub(crate) fn addresses(&mut self, side: Side, host: Host) -> Result<Term, Fault> {
        Ok(Term::Address(side, host, self.list(Self::prefix)?))
    }

    /// `ADDR [ "/" NUM ]`. Host bits are cleared: `10.1.2.3/8` is `10.0.0.0/8`.
    fn prefix(&mut self) -> Result<IpNet, Fault> {
        let address = match self.next.token {
            Token::Word(word) => word.parse::<IpAddr>().ok(),
            _ => None,
        };
        let Some(address) = address else {
            return Err(self.no_address());
        };
        self.advance()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let len = self.prefix_len(bits)?;
        let prefix = IpNet::new(address, len).expect("the length was checked").trunc();
        Ok(unmapped(prefix))
    }

    fn no_address(&self) -> Fault {
        let fault = self.unexpected("an address", Vec::new());
        match self.next.token {
            Token::Text(text) if is_address(text) => fault.suggest(text),
            Token::Word(word) if word.contains(|c: char| c.is_ascii_digit() || c == ':') => fault,
            Token::Word(_) | Token::Text(_) => fault.help("names are not looked up"),
            _ => fault,
        }
    }

    /// `[ "/" NUM ]`, all the bits without it.
    fn prefix_len(&mut self, bits: u8) -> Result<u8, Fault> {
        if !self.take_sign("/")? {
            return Ok(bits);
        }
        let (len, span) = self.number()?;
        u8::try_from(len).ok().filter(|len| *len <= bits).ok_or_else(|| {
            Fault::new(span, format!("a prefix of this address has at most {bits} bits"))
        })
    }

    pub(crate) fn macs(&mut self, side: Side) -> Result<Term, Fault> {
        Ok(Term::Mac(side, self.list(Self::mac)?))
    }

    /// `MAC [ "/" NUM ]`
    fn mac(&mut self) -> Result<MacPrefix, Fault> {
        let mac = match self.next.token {
            Token::Word(word) => mac_address(word),
            _ => None,
        };
        let Some(mac) = mac else {
            return Err(self
                .unexpected("a MAC address", Vec::new())
                .help("write `00:1b:21:3c:9d:f8` or `001b.213c.9df8`"));
        };
        self.advance()?;
        Ok(MacPrefix::new(mac, self.prefix_len(MacPrefix::BITS)?))
    }

    pub(crate) fn texts(&mut self, side: Side, label: Label) -> Result<Term, Fault> {
        let list = if label.likeness() == Likeness::Country {
            self.list(Self::country)?
        } else {
            self.list(|parser| parser.text(label))?
        };
        Ok(Term::Text(side, label, list))
    }

    fn text(&mut self, label: Label) -> Result<String, Fault> {
        if let Token::Text(text) = self.next.token {
            self.advance()?;
            return Ok(text.into());
        }
        let fault = self.unexpected("a text in quotes", Vec::new());
        Err(match self.next.token {
            Token::Word(word) if label == Label::HostName && is_address(word) => {
                fault.suggest(format!("address {word}"))
            }
            Token::Word(word) => fault.suggest(format!("\"{}\"", shortened(word))),
            _ => fault,
        })
    }

    /// `CC`, in either case, with or without quotes.
    fn country(&mut self) -> Result<String, Fault> {
        match self.next.token {
            Token::Word(code) | Token::Text(code)
                if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) =>
            {
                self.advance()?;
                // "contains the upper-cased code"
                Ok(code.to_ascii_uppercase())
            }
            _ => Err(self.unexpected("a country's two letters", Vec::new())),
        }
    }

    pub(crate) fn paths(&mut self) -> Result<Term, Fault> {
        Ok(Term::Path(self.list(Self::path)?))
    }

    /// `NUM { NUM }`
    fn path(&mut self) -> Result<Vec<u32>, Fault> {
        let mut path = vec![self.as_number()?];
        while matches!(self.next.token, Token::Word(word) if starts_with_digit(word)) {
            path.push(self.as_number()?);
        }
        Ok(path)
    }

    fn as_number(&mut self) -> Result<u32, Fault> {
        let (number, span) = self.number()?;
        u32::try_from(number)
            .map_err(|_| Fault::new(span, format!("an AS number is at most {}", u32::MAX)))
    }
}

fn starts_with_digit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

fn is_address(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok()
}

/// IPv4-mapped IPv6 is IPv4, as in the flows' addresses.
fn unmapped(prefix: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    let IpNet::V6(v6) = prefix else { return prefix };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(MAPPED_BITS)) {
        (Some(v4), Some(len)) => Ipv4Net::new(v4, len).map_or(prefix, IpNet::V4),
        _ => prefix,
    }
}

/// `00:1b:21:3c:9d:f8` or `001b.213c.9df8`.
fn mac_address(word: &str) -> Option<u64> {
    let (separator, digits) = if word.contains(':') { (':', 1..=2) } else { ('.', 4..=4) };
    let groups = 12 / digits.end();
    let bits = 4 * digits.end();
    let mut mac = 0;
    let mut count = 0;
    for group in word.split(separator) {
        if !digits.contains(&group.len()) || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        mac = mac << bits | u64::from_str_radix(group, 16).ok()?;
        count += 1;
        if count > groups {
            return None;
        }
    }
    (count == groups).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_of_both_forms() {
        assert_eq!(mac_address("00:1b:21:3c:9D:f8"), Some(0x001b_213c_9df8));
        assert_eq!(mac_address("0:1b:2:3c:9:f8"), Some(0x001b_023c_09f8));
        assert_eq!(mac_address("001b.213c.9df8"), Some(0x001b_213c_9df8));
        for wrong in [
            "",
            "00:1b:21:3c:9d",
            "00:1b:21:3c:9d:f8:00",
            "001b.213c",
            "00:1b:21:3c:9d:g8",
            "1b.213c.9df8",
        ] {
            assert_eq!(mac_address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn mapped_prefixes_are_ipv4() {
        for (text, expected) in [
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("::1/128", "::1/128"),
        ] {
            let prefix: IpNet = text.parse().expect("valid");
            assert_eq!(unmapped(prefix).to_string(), expected);
        }
    }
}
