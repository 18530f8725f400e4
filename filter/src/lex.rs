//! Text into words, texts and signs.
//!
//! A word is a run of letters, digits, `_`, `.` and `:`, so keywords, numbers, addresses and MAC
//! addresses are all words, and what a word has to be is known where it is expected: `::1`,
//! `0.0.0.0` and `ab::1` need no care here. White space is blank, tab and newline, and `#` up to
//! the end of its line.

use crate::error::{Fault, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    Word(&'t str),
    /// What stands between quotes.
    Text(&'t str),
    /// `(`, `)`, `/`, `,`, `-`, `<`, `>`, `<=` or `>=`.
    Sign(&'static str),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lexeme<'t> {
    pub(crate) token: Token<'t>,
    pub(crate) span: Span,
}

/// Two bytes before one, so that `<=` is not `<`.
const SIGNS: [&str; 9] = ["<=", ">=", "<", ">", "(", ")", "/", ",", "-"];

/// Signs of other languages, and what they are here.
const FOREIGN: [(&str, &str); 6] =
    [("&&", "and"), ("||", "or"), ("!=", "not"), ("!", "not"), ("==", ""), ("=", "")];

pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Where the last lexeme ended: what is missing at the end is missing there, not behind a
    /// comment.
    last_end: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, at: 0, last_end: 0 }
    }

    pub(crate) fn next(&mut self) -> Result<Lexeme<'t>, Fault> {
        self.skip_space();
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else {
            return Ok(Lexeme { token: Token::End, span: Span::at(self.last_end) });
        };
        let (token, len) = if is_word(first) {
            let len = word_len(rest);
            (Token::Word(&rest[..len]), len)
        } else if matches!(first, '"' | '\'') {
            let inside = quoted(rest, first, start)?;
            (Token::Text(inside), inside.len() + 2)
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(foreign(rest, first, start));
        };
        self.at = start + len;
        self.last_end = self.at;
        Ok(Lexeme { token, span: Span { start, end: self.at } })
    }

    fn skip_space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let text = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            self.at += rest.len() - text.len();
            if !text.starts_with('#') {
                return;
            }
            self.at += text.find('\n').unwrap_or(text.len());
        }
    }
}

/// Letters of all languages, though no keyword has them: a text without its quotes is to be one
/// word in the message about it.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | ':')
}

/// Length of the word at the front of `rest`. A hyphen joins letters (`passes-through`), not
/// numbers (`0xa-0xf`).
fn word_len(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let joins =
        |at: usize| bytes[at] == b'-' && is_letter(0) && is_letter(at - 1) && is_letter(at + 1);
    let end = rest.char_indices().skip(1).find(|(at, c)| !is_word(*c) && !joins(*at));
    end.map_or(rest.len(), |(at, _)| at)
}

/// What stands between the quotes at the front of `rest`. On one line: a forgotten quote is noticed
/// where it is.
fn quoted(rest: &str, quote: char, start: usize) -> Result<&str, Fault> {
    let inside = &rest[1..];
    let end = inside.find([quote, '\n']).filter(|end| !inside[*end..].starts_with('\n'));
    end.map(|end| &inside[..end]).ok_or_else(|| {
        let line = inside.lines().next().unwrap_or_default();
        let span = Span { start, end: start + 1 + line.len() };
        Fault::new(span, format!("this text has no closing {quote}"))
    })
}

fn foreign(rest: &str, first: char, start: usize) -> Fault {
    if let Some((sign, word)) = FOREIGN.into_iter().find(|(sign, _)| rest.starts_with(sign)) {
        let fault = Fault::new(
            Span { start, end: start + sign.len() },
            format!("`{sign}` is not a sign here"),
        );
        return match word {
            "" => fault.help("the value follows its keyword directly, as in `port 80`"),
            word => fault.suggest(word),
        };
    }
    let span = Span { start, end: start + first.len_utf8() };
    let fault = Fault::new(span, format!("`{}` means nothing here", first.escape_debug()));
    match first {
        '{' | '}' | '[' | ']' => fault.help("a list needs no brackets, as in `port 80, 443`"),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        loop {
            match lexer.next().expect("valid").token {
                Token::End => return tokens,
                token => tokens.push(token),
            }
        }
    }

    #[test]
    fn words_take_what_they_can_and_hyphens_join_letters_only() {
        use Token::{Sign, Text, Word};
        assert_eq!(tokens("passes-through"), [Word("passes-through")]);
        assert_eq!(tokens("80-90"), [Word("80"), Sign("-"), Word("90")]);
        assert_eq!(tokens("0xa-0xf"), [Word("0xa"), Sign("-"), Word("0xf")]);
        assert_eq!(tokens("ssh-90"), [Word("ssh"), Sign("-"), Word("90")]);
        assert_eq!(tokens("a- b"), [Word("a"), Sign("-"), Word("b")]);
        assert_eq!(tokens("::1/128"), [Word("::1"), Sign("/"), Word("128")]);
        assert_eq!(
            tokens("<=1>=2<3>4"),
            [
                Sign("<="),
                Word("1"),
                Sign(">="),
                Word("2"),
                Sign("<"),
                Word("3"),
                Sign(">"),
                Word("4"),
            ]
        );
        assert_eq!(
            tokens("'a \"b' \"it's # ü\"#x\n(,)"),
            [Text("a \"b"), Text("it's # ü"), Sign("("), Sign(","), Sign(")"),]
        );
        assert_eq!(tokens(" \t\r\n# one\n#two\n"), []);
    }

    #[test]
    fn spans_are_bytes_of_the_text() {
        let mut lexer = Lexer::new("# ü\n 'ü' x # end");
        assert_eq!(lexer.next().expect("valid").span, Span { start: 6, end: 10 });
        assert_eq!(lexer.next().expect("valid").span, Span { start: 11, end: 12 });
        assert_eq!(lexer.next().expect("valid").span, Span { start: 12, end: 12 });
    }
}
