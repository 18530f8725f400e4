//! The section `[anonymize]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::anonymize::{Anonymizer, Kept, Key, Method};

/// Addresses made unrecognisable, after labelling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Anonymize {
    /// `none`, `crypto-pan` (one to one under a key, prefixes kept), `truncate` (trailing bits
    /// become 0) or `both`. Unset is `none`, but not beside other keys of the section: those are
    /// refused without it.
    pub method: Option<AnonymizeMethod>,
    /// Address fields to treat, by their names in `flow.proto`; empty for all of them.
    pub fields: Vec<String>,
    /// File with the key of Crypto-PAn, 32 bytes or 64 hexadecimal digits (`openssl rand -hex
    /// 32`).
    pub key_file: PathBuf,
    /// Environment variable with the key, instead of a file.
    pub key_env: String,
    /// Leading bits of IPv4 addresses that truncation keeps; 24 if unset.
    pub keep_v4: Option<u8>,
    /// Leading bits of IPv6 addresses that truncation keeps; 48 if unset.
    pub keep_v6: Option<u8>,
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

impl Anonymize {
    /// Is anything made unrecognisable?
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.method.is_some_and(|method| method != AnonymizeMethod::None)
    }

    /// The anonymiser that is asked for, `None` if none is. Fails closed: whoever asked for one and
    /// gets an error must not write flows.
    ///
    /// # Errors
    /// The key of the section (`method`, `fields`, `key_file`, `key_env`, `keep_v4`) that is wrong,
    /// and why.
    pub fn build(&self) -> Result<Option<Anonymizer>, (&'static str, String)> {
        let kept = self.kept();
        let method = match self.method {
            // Whoever named a key or a length meant something to be done with it.
            None if *self != Self::default() => {
                let why = "not given, so nothing would be done: say crypto-pan, truncate or both";
                return Err(("method", why.into()));
            }
            None | Some(AnonymizeMethod::None) => return Ok(None),
            Some(AnonymizeMethod::CryptoPan) => Method::CryptoPan(self.key()?),
            Some(AnonymizeMethod::Truncate) => Method::Truncate(kept),
            Some(AnonymizeMethod::Both) => Method::Both(self.key()?, kept),
        };
        if kept.v4 > 32 {
            return Err(("keep_v4", "an IPv4 address has 32 bits".into()));
        }
        if kept.v6 > 128 {
            return Err(("keep_v6", "an IPv6 address has 128 bits".into()));
        }
        let anonymizer = match self.fields.is_empty() {
            true => Anonymizer::new(method),
            false => Anonymizer::for_fields(method, self.fields.iter().map(String::as_str)),
        };
        anonymizer.map(Some).map_err(|error| ("fields", error.to_string()))
    }

    /// What is done to which addresses, and how flows say so, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let what = match self.fields.as_slice() {
            [] => "all addresses".into(),
            fields => fields.join(", "),
        };
        let key = match self.key_env.as_str() {
            "" => format!("crypto-pan under the key of {}", self.key_file.display()),
            name => format!("crypto-pan under the key of ${name}"),
        };
        let Kept { v4, v6 } = self.kept();
        let cut = format!("cut to {v4} bits (IPv4) and {v6} (IPv6)");
        let told = format!("with the preserved lengths {v4} and {v6}");
        match self.method {
            None | Some(AnonymizeMethod::None) => "nothing; addresses go out as they are".into(),
            Some(AnonymizeMethod::CryptoPan) => {
                format!("{what}: {key}; flagged CryptoPAN, no preserved length")
            }
            Some(AnonymizeMethod::Truncate) => format!("{what}: {cut}; flagged Subnet, {told}"),
            Some(AnonymizeMethod::Both) => {
                format!("{what}: {key}, and {cut}; flagged SubnetAndCryptoPAN, {told}")
            }
        }
    }

    fn kept(&self) -> Kept {
        Kept { v4: self.keep_v4.unwrap_or(24), v6: self.keep_v6.unwrap_or(48) }
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

    fn with(method: AnonymizeMethod) -> Anonymize {
        Anonymize { method: Some(method), ..Anonymize::default() }
    }

    fn wrong(anonymize: &Anonymize) -> Option<&'static str> {
        anonymize.build().err().map(|(key, _)| key)
    }

    #[test]
    fn what_is_missing_is_told_by_key() {
        assert_eq!(wrong(&with(AnonymizeMethod::None)), None);
        assert_eq!(wrong(&with(AnonymizeMethod::Truncate)), None);
        assert_eq!(wrong(&with(AnonymizeMethod::CryptoPan)), Some("method"));
        let missing = Anonymize { key_file: "/nowhere".into(), ..with(AnonymizeMethod::Both) };
        assert_eq!(wrong(&missing), Some("key_file"));
        assert_eq!(wrong(&Anonymize { key_env: "X".into(), ..missing }), Some("key_env"));
        let long = Anonymize { keep_v4: Some(33), ..with(AnonymizeMethod::Truncate) };
        assert_eq!(wrong(&long), Some("keep_v4"));
        let odd = Anonymize { fields: vec!["Bytes".into()], ..with(AnonymizeMethod::Truncate) };
        assert_eq!(wrong(&odd), Some("fields"));
    }

    /// A section that somebody began to fill in asks for something, whatever it is.
    #[test]
    fn without_a_method_no_other_key_is_taken() {
        let unset = Anonymize::default;
        assert!(matches!(unset().build(), Ok(None)), "nobody asks for anything");
        for begun in [
            Anonymize { key_file: "/nowhere".into(), ..unset() },
            Anonymize { key_env: "KEY".into(), ..unset() },
            Anonymize { fields: vec!["SrcAddr".into()], ..unset() },
            Anonymize { keep_v4: Some(24), ..unset() },
            Anonymize { keep_v6: Some(48), ..unset() },
        ] {
            assert_eq!(wrong(&begun), Some("method"), "{begun:?}");
            let off = Anonymize { method: Some(AnonymizeMethod::None), ..begun };
            assert!(matches!(off.build(), Ok(None)), "switched off in so many words");
        }
    }

    #[test]
    fn it_says_what_it_does() {
        let nothing = "nothing; addresses go out as they are";
        assert_eq!(Anonymize::default().describe(), nothing);
        assert_eq!(with(AnonymizeMethod::None).describe(), nothing);
        assert_eq!(
            Anonymize { keep_v4: Some(16), ..with(AnonymizeMethod::Truncate) }.describe(),
            "all addresses: cut to 16 bits (IPv4) and 48 (IPv6); \
             flagged Subnet, with the preserved lengths 16 and 48"
        );
        let fields = vec!["SrcAddr".into(), "DstAddr".into()];
        let pan = Anonymize { key_file: "/k".into(), fields, ..with(AnonymizeMethod::CryptoPan) };
        assert_eq!(
            pan.describe(),
            "SrcAddr, DstAddr: crypto-pan under the key of /k; \
             flagged CryptoPAN, no preserved length"
        );
        let both = Anonymize { key_env: "KEY".into(), ..with(AnonymizeMethod::Both) };
        assert_eq!(
            both.describe(),
            "all addresses: crypto-pan under the key of $KEY, and cut to 24 bits (IPv4) and 48 \
             (IPv6); flagged SubnetAndCryptoPAN, with the preserved lengths 24 and 48"
        );
    }

    #[test]
    fn truncation_keeps_what_it_is_told_to_keep() {
        let anonymize = Anonymize { keep_v4: Some(20), ..with(AnonymizeMethod::Truncate) };
        let anonymizer = anonymize.build().ok().flatten().expect("it is asked for");
        let given: IpAddr = Ipv4Addr::new(192, 0, 255, 1).into();
        assert_eq!(anonymizer.address(given), IpAddr::from([192, 0, 240, 0]));
    }
}
