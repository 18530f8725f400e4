//! The secret that Crypto-PAn works with.

use std::io::Read as _;
use std::path::Path;
use std::{env, fmt, fs};

/// 32 bytes. Whoever has them can undo the anonymisation, so they are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub(crate) [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(secret)")
    }
}

/// The longest text that a key is taken from: more is the wrong file, or one without end.
const BYTES_MAX: usize = 4096;

/// Why there is no key: where it was looked for, and what is wrong. Never the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    place: String,
    what: String,
}

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: {}; expected 32 bytes or 64 hexadecimal digits (make one: openssl rand -hex 32)",
            self.place, self.what
        )
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// Takes the key from a file.
    ///
    /// # Errors
    /// It cannot be read, or is too short or too long.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let place = path.display().to_string();
        let mut bytes = Vec::new();
        let read = fs::File::open(path)
            .and_then(|file| file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(len) if len > BYTES_MAX => {
                Err(KeyError { place, what: format!("has more than {BYTES_MAX} bytes") })
            }
            Ok(_) => Self::parse(&place, &bytes),
            Err(error) => Err(KeyError { place, what: format!("cannot be read: {error}") }),
        }
    }

    /// Takes the key from an environment variable.
    ///
    /// # Errors
    /// It is not set, or too short.
    pub fn from_env(variable: &str) -> Result<Self, KeyError> {
        let place = format!("environment variable {variable}");
        match env::var_os(variable) {
            Some(value) => Self::parse(&place, value.as_encoded_bytes()),
            None => Err(KeyError { place, what: "is not set".into() }),
        }
    }

    /// 32 bytes as they are; 64 hexadecimal digits; or a longer text, of which the suite has always
    /// taken the first 32 bytes. `place` is for the error.
    ///
    /// # Errors
    /// There are fewer than 32 bytes.
    pub fn parse(place: &str, bytes: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = bytes.try_into() {
            return Ok(Self(key));
        }
        let text = bytes.trim_ascii();
        if let Some(key) = from_hex(text) {
            return Ok(Self(key));
        }
        match text.first_chunk() {
            Some(key) => Ok(Self(*key)),
            None => {
                let what = format!("has {} bytes", text.len());
                Err(KeyError { place: place.to_owned(), what })
            }
        }
    }
}

fn from_hex(text: &[u8]) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.try_into().ok()?;
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.as_chunks::<2>().0) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn raw_hexadecimal_and_long_keys() {
        let raw: [u8; 32] = std::array::from_fn(|index| index as u8 * 7);
        let hex: String = raw.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(Key::parse("x", &raw).unwrap().0, raw);
        assert_eq!(Key::parse("x", format!("{hex}\n").as_bytes()).unwrap().0, raw);
        let long = b"a passphrase that is rather longer than the key\n";
        assert_eq!(Key::parse("x", long).unwrap().0, long[..32]);
        let newline = [b'\n'; 32];
        assert_eq!(Key::parse("x", &newline).unwrap().0, newline);
    }

    #[test]
    fn no_key_is_an_error_that_does_not_show_it() {
        let error = Key::parse("/etc/key", b"short\n").unwrap_err().to_string();
        assert!(error.starts_with("/etc/key: has 5 bytes; expected 32 bytes"), "{error}");
        let error = Key::from_env("NECKAR_TEST_NO_SUCH_VARIABLE").unwrap_err().to_string();
        assert!(error.contains("NECKAR_TEST_NO_SUCH_VARIABLE: is not set"), "{error}");
        let error = Key::from_file(Path::new("/nonexistent/key")).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/key: cannot be read"), "{error}");
        // It has no end.
        let error = Key::from_file(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.starts_with("/dev/zero: has more than 4096 bytes"), "{error}");
        assert_eq!(format!("{:?}", Key([7; 32])), "Key(secret)");
    }
}
