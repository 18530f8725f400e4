//! Secrets: read from a file or an environment variable, never from the configuration itself, so
//! that it can be shown and shared. What is read appears in no message.

use std::io::Read as _;
use std::path::Path;

use crate::config::Problem;

/// The longest secret: more is the wrong file.
const BYTES_MAX: usize = 4096;

/// Reads the secret that is named by the keys `{key}_file` or `{key}_env`, without the line end
/// behind it; `None` if both are empty.
///
/// # Errors
/// Both are given, or what is given does not lead to a secret.
pub fn read(key: &str, file: &Path, variable: &str) -> Result<Option<Vec<u8>>, Problem> {
    let (file_key, env_key) = (format!("{key}_file"), format!("{key}_env"));
    let (key, shown, secret) = match (file.as_os_str().is_empty(), variable.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {
            let fix = "give one of them";
            let why = format!("{file_key} is given too");
            return Err(Problem::new(&env_key, quoted(variable), why, fix));
        }
        (false, true) => {
            let shown = quoted(&file.display().to_string());
            let secret = read_file(file).map_err(|error| {
                let fix = "name a file that neckard can read";
                Problem::new(&file_key, &shown, error, fix)
            })?;
            (file_key, shown, secret)
        }
        (true, false) => {
            let shown = quoted(variable);
            let secret = std::env::var_os(variable).ok_or_else(|| {
                let fix = "set it where neckard is started";
                Problem::new(&env_key, &shown, "there is no such environment variable", fix)
            })?;
            (env_key, shown, secret.into_encoded_bytes())
        }
    };
    let secret = secret.strip_suffix(b"\n").unwrap_or(&secret);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.is_empty() || secret.len() > BYTES_MAX {
        let why = format!("holds no secret of 1 to {BYTES_MAX} bytes");
        return Err(Problem::new(&key, shown, why, "put the secret there, and nothing else"));
    }
    Ok(Some(secret.to_vec()))
}

/// Reads so much that a longer file shows as one, and no more: a wrong one may have no end.
fn read_file(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut secret = Vec::new();
    let with_line_end = BYTES_MAX as u64 + 2;
    std::fs::File::open(file)?.take(with_line_end + 1).read_to_end(&mut secret)?;
    Ok(secret)
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_content_without_the_line_end() {
        let folder = std::env::temp_dir().join(format!("neckar-secret-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("community");
        for (text, expected) in [("s3 cret\n", "s3 cret"), ("a\r\n", "a"), ("b\n\n", "b\n")] {
            std::fs::write(&file, text).unwrap();
            let secret = read("snmp.community", &file, "").unwrap();
            assert_eq!(secret.as_deref(), Some(expected.as_bytes()));
        }
        std::fs::write(&file, "\n").unwrap();
        let problem = read("snmp.community", &file, "").unwrap_err();
        assert_eq!(problem.key, "snmp.community_file");
        for (len, is_taken) in [(BYTES_MAX, true), (BYTES_MAX + 1, false)] {
            std::fs::write(&file, format!("{}\r\n", "x".repeat(len))).unwrap();
            assert_eq!(read("snmp.community", &file, "").is_ok(), is_taken, "{len}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        let endless = read("snmp.community", Path::new("/dev/zero"), "").unwrap_err();
        assert_eq!(endless.why, "holds no secret of 1 to 4096 bytes");
    }

    #[test]
    fn an_environment_variable_must_be_there_and_alone() {
        let none = Path::new("");
        // Cargo sets this one for every test.
        let name = read("key", none, "CARGO_PKG_NAME").unwrap();
        assert_eq!(name.as_deref(), Some(b"neckard".as_slice()));
        assert_eq!(read("key", none, "").unwrap(), None);
        assert_eq!(read("key", none, "NECKAR_NOT_THERE").unwrap_err().key, "key_env");
        let both = read("key", Path::new("/nowhere"), "CARGO_PKG_NAME").unwrap_err();
        assert_eq!(both.why, "key_file is given too");
    }
}
