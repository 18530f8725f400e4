//! The section `[anonymize]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::anonymize::{Anonymizer, Kept, Key, Method};

/// Addresses made unrecognisable, after labelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Anonymize {
    /// `none`, `crypto-pan` (one to one under a key, prefixes kept), `truncate` (trailing bits
    /// become 0) or `both`.
    pub method: AnonymizeMethod,
    /// Address fields to treat, by their names in `flow.proto`; empty for all of them.
    pub fields: Vec<String>,
    /// File with the key of Crypto-PAn, 32 bytes or 64 hexadecimal digits (`openssl rand -hex
    /// 32`).
    pub key_file: PathBuf,
    /// Environment variable with the key, instead of a file.
    pub key_env: String,
    /// Leading bits of IPv4 addresses that truncation keeps.
    pub keep_v4: u8,
    /// Leading bits of IPv6 addresses that truncation keeps.
    pub keep_v6: u8,
}

/// See [`Anonymize::method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum AnonymizeMethod {
    None,
    CryptoPan,
    Truncate,
    Both,
}

impl Default for Anonymize {
    fn default() -> Self {
        Self {
            method: AnonymizeMethod::None,
            fields: Vec::new(),
            key_file: PathBuf::new(),
            key_env: String::new(),
            keep_v4: 24,
            keep_v6: 48,
        }
    }
}

impl Anonymize {
    /// The anonymiser that is asked for, `None` if none is. Fails closed: whoever asked for one and
    /// gets an error must not write flows.
    ///
    /// # Errors
    /// The key of the section (`method`, `fields`, `key_file`, `key_env`, `keep_v4`) that is wrong,
    /// and why.
    pub fn build(&self) -> Result<Option<Anonymizer>, (&'static str, String)> {
        let kept = Kept { v4: self.keep_v4, v6: self.keep_v6 };
        let method = match self.method {
            AnonymizeMethod::None => return Ok(None),
            AnonymizeMethod::CryptoPan => Method::CryptoPan(self.key()?),
            AnonymizeMethod::Truncate => Method::Truncate(kept),
            AnonymizeMethod::Both => Method::Both(self.key()?, kept),
        };
        if self.keep_v4 > 32 {
            return Err(("keep_v4", "an IPv4 address has 32 bits".into()));
        }
        if self.keep_v6 > 128 {
            return Err(("keep_v6", "an IPv6 address has 128 bits".into()));
        }
        let anonymizer = match self.fields.is_empty() {
            true => Anonymizer::new(method),
            false => Anonymizer::for_fields(method, self.fields.iter().map(String::as_str)),
        };
        anonymizer.map(Some).map_err(|error| ("fields", error.to_string()))
    }

    fn key(&self) -> Result<Key, (&'static str, String)> {
        match (self.key_file.as_os_str().is_empty(), self.key_env.is_empty()) {
            (false, true) => {
                Key::from_file(&self.key_file).map_err(|error| ("key_file", error.to_string()))
            }
            (true, false) => {
                Key::from_env(&self.key_env).map_err(|error| ("key_env", error.to_string()))
            }
            (true, true) => Err(("method", "it needs key_file or key_env".into())),
            (false, false) => Err(("key_env", "key_file is given too; give one of them".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn what_is_missing_is_told_by_key() {
        let wrong = |anonymize: Anonymize| anonymize.build().err().map(|(key, _)| key);
        let with = |method| Anonymize { method, ..Anonymize::default() };
        assert_eq!(wrong(with(AnonymizeMethod::None)), None);
        assert_eq!(wrong(with(AnonymizeMethod::Truncate)), None);
        assert_eq!(wrong(with(AnonymizeMethod::CryptoPan)), Some("method"));
        let missing = Anonymize { key_file: "/nowhere".into(), ..with(AnonymizeMethod::Both) };
        assert_eq!(wrong(missing.clone()), Some("key_file"));
        assert_eq!(wrong(Anonymize { key_env: "X".into(), ..missing }), Some("key_env"));
        let long = Anonymize { keep_v4: 33, ..with(AnonymizeMethod::Truncate) };
        assert_eq!(wrong(long), Some("keep_v4"));
        let odd = Anonymize { fields: vec!["Bytes".into()], ..with(AnonymizeMethod::Truncate) };
        assert_eq!(wrong(odd), Some("fields"));
    }

    #[test]
    fn truncation_keeps_what_it_is_told_to_keep() {
        let anonymize =
            Anonymize { method: AnonymizeMethod::Truncate, keep_v4: 20, ..Anonymize::default() };
        let anonymizer = anonymize.build().ok().flatten().expect("it is asked for");
        let given: IpAddr = Ipv4Addr::new(192, 0, 255, 1).into();
        assert_eq!(anonymizer.address(given), IpAddr::from([192, 0, 240, 0]));
    }
}
