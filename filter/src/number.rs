//! Numbers as people write them: `4096`, `0x1000`, `0b1`, `0o17`, `10M`.

use crate::Meaning;

/// What is wrong with a number, and what might be meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Decimal multiples: rates are counted in powers of ten.
const MULTIPLES: [(char, u64); 4] =
    [('k', 1_000), ('M', 1_000_000), ('G', 1_000_000_000), ('T', 1_000_000_000_000)];

/// Reads a word that begins with a digit.
pub(crate) fn number(word: &str, meaning: Meaning) -> Result<u64, Wrong> {
    let (digits, radix) = match word.get(..2) {
        Some("0x" | "0X") => (&word[2..], 16),
        Some("0b" | "0B") => (&word[2..], 2),
        Some("0o" | "0O") => (&word[2..], 8),
        _ => return decimal(word, meaning),
    };
    parse(digits, radix, word)
}

fn decimal(word: &str, meaning: Meaning) -> Result<u64, Wrong> {
    if word.len() > 1 && word.starts_with('0') && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return leading_zero(word, meaning);
    }
    let multiple = MULTIPLES.into_iter().find(|(letter, _)| word.ends_with(*letter));
    let (digits, times) = multiple.map_or((word, 1), |(_, times)| (&word[..word.len() - 1], times));
    parse(digits, 10, word)?.checked_mul(times).ok_or_else(|| too_large(word))
}

/// "a leading zero means octal" in the suite, and hardly ever to the one who writes it: refused
/// unless it makes no difference.
fn leading_zero(word: &str, meaning: Meaning) -> Result<u64, Wrong> {
    let octal = parse(word, 8, word);
    if meaning == Meaning::Legacy {
        return octal;
    }
    let decimal = parse(word, 10, word)?;
    match octal {
        Ok(same) if same == decimal => Ok(decimal),
        octal => {
            let digits = word.trim_start_matches('0');
            let or_octal = octal.map(|value| format!(", or `0o{digits}` for {value}"));
            Err(Wrong {
                message: format!("`{word}` has a leading zero, which meant octal in the suite"),
                help: Some(format!("write `{digits}`{}", or_octal.unwrap_or_default())),
            })
        }
    }
}

fn parse(digits: &str, radix: u32, word: &str) -> Result<u64, Wrong> {
    // `from_str_radix` takes a sign, which no word has in front, but `0x+1` must not pass either
    // way.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(Wrong { message: format!("`{word}` is no number"), help: None });
    }
    u64::from_str_radix(digits, radix).map_err(|_| too_large(word))
}

fn too_large(word: &str) -> Wrong {
    Wrong { message: format!("`{word}` is too large: numbers have 64 bits"), help: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_form() {
        let cases = [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("0x1000", Some(4096)),
            ("0XfF", Some(255)),
            ("0b101", Some(5)),
            ("0o17", Some(15)),
            ("10k", Some(10_000)),
            ("3M", Some(3_000_000)),
            ("1G", Some(1_000_000_000)),
            ("2T", Some(2_000_000_000_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18446744073709552k", None),
            ("0xffffffffffffffff", Some(u64::MAX)),
            ("0x", None),
            ("0b2", None),
            ("0xk", None),
            ("1.5", None),
            ("12abc", None),
            ("1kk", None),
            ("0b+1", None),
            ("1:2", None),
        ];
        for (word, value) in cases {
            assert_eq!(number(word, Meaning::Standard).ok(), value, "{word}");
            assert_eq!(number(word, Meaning::Legacy).ok(), value, "{word}");
        }
    }

    #[test]
    fn a_leading_zero_is_octal_or_refused() {
        for (word, standard, legacy) in [
            ("00", Some(0), Some(0)),
            ("007", Some(7), Some(7)),
            ("010", None, Some(8)),
            ("0755", None, Some(493)),
            ("08", None, None),
        ] {
            assert_eq!(number(word, Meaning::Standard).ok(), standard, "{word}");
            assert_eq!(number(word, Meaning::Legacy).ok(), legacy, "{word}");
        }
        let wrong = number("010", Meaning::Standard).expect_err("ambiguous");
        assert_eq!(wrong.help.as_deref(), Some("write `10`, or `0o10` for 8"));
        let wrong = number("080", Meaning::Standard).expect_err("ambiguous");
        assert_eq!(wrong.help.as_deref(), Some("write `80`"));
    }
}
