//! Who is asked how: the `snmp` tables of the exporter rules, with their secrets read.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use async_snmp::{Auth, AuthProtocol, MasterKeys, PrivProtocol, UsmConfig};
use ipnet::IpNet;

use crate::config::{
    Config, Problem, SnmpAccess, SnmpAuth, SnmpPrivacy, SnmpVersion, parse_prefix,
};
use crate::secret;

/// How one device is asked.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// Where.
    pub(super) address: SocketAddr,
    /// As whom. Keys are derived from pass phrases already, which takes milliseconds.
    pub(super) auth: Auth,
}

/// All rules that say how exporters are asked. Shows no secrets: [`Auth`] hides them.
#[derive(Clone, Debug)]
pub struct AccessRules {
    /// The most specific first.
    rules: Vec<AccessRule>,
}

#[derive(Clone, Debug)]
struct AccessRule {
    prefix: IpNet,
    address: Option<IpAddr>,
    port: u16,
    /// `None`: not asked.
    auth: Option<Auth>,
}

impl AccessRules {
    /// Reads the secrets of all rules.
    ///
    /// # Errors
    /// The key of a secret that is missing or not good enough.
    pub fn new(config: &Config) -> Result<Self, Problem> {
        let mut rules = Vec::new();
        for (index, rule) in config.exporter.iter().enumerate() {
            // Validated, so the prefix parses.
            let (Some(access), Some(prefix)) = (&rule.snmp, parse_prefix(&rule.prefix)) else {
                continue;
            };
            let auth = auth(&format!("exporter[{index}].snmp"), access)?;
            rules.push(AccessRule { prefix, address: access.address, port: access.port, auth });
        }
        // Stable, and of equal prefixes the later one wins as elsewhere: so turned round first.
        rules.reverse();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.prefix_len()));
        Ok(Self { rules })
    }

    /// Is nobody asked?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.iter().all(|rule| rule.auth.is_none())
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Is `exporter` asked?
    pub(super) fn asks(&self, exporter: IpAddr) -> bool {
        self.rule(exporter).is_some_and(|rule| rule.auth.is_some())
    }

    fn rule(&self, exporter: IpAddr) -> Option<&AccessRule> {
        self.rules.iter().find(|rule| rule.prefix.contains(&exporter))
    }

    /// How `exporter` is asked; `None` if it is not.
    pub(super) fn find(&self, exporter: IpAddr) -> Option<Access> {
        let rule = self.rule(exporter)?;
        let address = SocketAddr::new(rule.address.unwrap_or(exporter), rule.port);
        rule.auth.clone().map(|auth| Access { address, auth })
    }
}

/// Who we are to the devices of a rule, `None` if they are not to be asked.
fn auth(key: &str, access: &SnmpAccess) -> Result<Option<Auth>, Problem> {
    match access.version {
        SnmpVersion::Off => Ok(None),
        SnmpVersion::V2c => {
            let secret = required(
                &format!("{key}.community"),
                &access.community_file,
                &access.community_env,
                "version 2c needs a community",
            )?;
            Ok(Some(Auth::v2c(secret)))
        }
        SnmpVersion::V3 => user(key, access).map(Some),
    }
}

fn user(key: &str, access: &SnmpAccess) -> Result<Auth, Problem> {
    if access.user.is_empty() {
        let fix = "give the name of the user";
        return Err(Problem::new(&format!("{key}.user"), "\"\"", "version 3 needs a user", fix));
    }
    let mut user = UsmConfig::new(access.user.clone()).context_name(access.context.clone());
    match (auth_protocol(access.auth), privacy_protocol(access.privacy)) {
        (None, None) => {}
        (None, Some(_)) => {
            let (why, fix) = ("encryption needs authentication", "set auth, or privacy = \"none\"");
            return Err(Problem::new(&format!("{key}.auth"), "\"none\"", why, fix));
        }
        (Some(auth), privacy) => {
            let why = "authentication needs a pass phrase";
            let at = format!("{key}.auth");
            let secret = required(&at, &access.auth_file, &access.auth_env, why)?;
            let mut keys = MasterKeys::new(auth, &secret).map_err(|error| weak(&at, &error))?;
            if let Some(privacy) = privacy {
                let why = "encryption needs a pass phrase";
                let at = format!("{key}.privacy");
                let secret = required(&at, &access.privacy_file, &access.privacy_env, why)?;
                let with = keys.with_privacy(privacy, &secret);
                keys = with.map_err(|error| weak(&at, &error))?;
            }
            let with = user.with_master_keys(keys);
            user = with.map_err(|error| weak(&at, &error))?;
        }
    }
    Ok(user.into())
}

fn required(key: &str, file: &Path, variable: &str, why: &str) -> Result<Vec<u8>, Problem> {
    secret::read(key, file, variable)?.ok_or_else(|| {
        let fix = format!("name a file (_file) or an environment variable (_env) with it: {key}_…");
        Problem::new(&format!("{key}_file"), "\"\"", why, fix)
    })
}

/// A pass phrase that the library refuses: shorter than RFC 3414 section 11.2 demands.
fn weak(key: &str, error: &impl std::fmt::Display) -> Problem {
    Problem::new(key, "", error, "use a pass phrase of 8 bytes at least")
}

const fn auth_protocol(auth: SnmpAuth) -> Option<AuthProtocol> {
    match auth {
        SnmpAuth::None => None,
        SnmpAuth::Sha1 => Some(AuthProtocol::Sha1),
        SnmpAuth::Sha224 => Some(AuthProtocol::Sha224),
        SnmpAuth::Sha256 => Some(AuthProtocol::Sha256),
        SnmpAuth::Sha384 => Some(AuthProtocol::Sha384),
        SnmpAuth::Sha512 => Some(AuthProtocol::Sha512),
    }
}

const fn privacy_protocol(privacy: SnmpPrivacy) -> Option<PrivProtocol> {
    match privacy {
        SnmpPrivacy::None => None,
        SnmpPrivacy::Aes128 => Some(PrivProtocol::Aes128),
        SnmpPrivacy::Aes192 => Some(PrivProtocol::Aes192Blumenthal),
        SnmpPrivacy::Aes256 => Some(PrivProtocol::Aes256Blumenthal),
        SnmpPrivacy::Aes192Cisco => Some(PrivProtocol::Aes192Reeder),
        SnmpPrivacy::Aes256Cisco => Some(PrivProtocol::Aes256Reeder),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;
    use crate::config::ExporterRule;

    /// Cargo sets this variable for every test; its value serves as a secret.
    const VARIABLE: &str = "CARGO_PKG_REPOSITORY_PATH";

    fn config(rules: Vec<(&str, SnmpAccess)>) -> Config {
        let rule = |(prefix, snmp): (&str, SnmpAccess)| ExporterRule {
            prefix: prefix.into(),
            snmp: Some(snmp),
            ..ExporterRule::default()
        };
        Config { exporter: rules.into_iter().map(rule).collect(), ..Config::default() }
    }

    fn community(variable: &str) -> SnmpAccess {
        SnmpAccess { community_env: variable.into(), ..SnmpAccess::default() }
    }

    fn user() -> SnmpAccess {
        SnmpAccess {
            version: SnmpVersion::V3,
            user: "neckar".into(),
            auth_env: "CARGO_MANIFEST_DIR".into(),
            privacy_env: "CARGO_MANIFEST_DIR".into(),
            ..SnmpAccess::default()
        }
    }

    #[track_caller]
    fn wrong(access: SnmpAccess) -> String {
        AccessRules::new(&config(vec![("192.0.2.1", access)])).unwrap_err().key
    }

    #[test]
    fn the_most_specific_rule_says_how() {
        let set = community("CARGO_PKG_NAME");
        let rules = AccessRules::new(&config(vec![
            ("10.1.0.0/16", SnmpAccess { port: 1161, ..set.clone() }),
            ("0.0.0.0/0", set.clone()),
            ("10.1.2.0/24", SnmpAccess { version: SnmpVersion::Off, ..SnmpAccess::default() }),
            ("10.1.2.3", SnmpAccess { address: "192.0.2.1".parse().ok(), ..set.clone() }),
            ("10.1.2.4", set.clone()),
            ("10.1.2.4", SnmpAccess { port: 2, ..set }),
        ]));
        let rules = rules.unwrap();
        let found = |exporter: &str| {
            rules.find(exporter.parse().unwrap()).map(|access| access.address.to_string())
        };
        assert_eq!(found("10.2.0.1").as_deref(), Some("10.2.0.1:161"));
        assert_eq!(found("10.1.0.1").as_deref(), Some("10.1.0.1:1161"));
        assert_eq!(found("10.1.2.1"), None);
        assert_eq!(found("10.1.2.3").as_deref(), Some("192.0.2.1:161"));
        assert_eq!(found("10.1.2.4").as_deref(), Some("10.1.2.4:2"));
        assert_eq!(found("2001:db8::1"), None);
        assert!(!rules.is_empty());
    }

    #[test]
    fn secrets_do_not_show() {
        let rules = AccessRules::new(&config(vec![
            ("192.0.2.0/24", community("CARGO_PKG_NAME")),
            ("192.0.2.1", user()),
        ]));
        let shown = format!("{:?}", rules.unwrap());
        assert!(!shown.contains(env!("CARGO_PKG_NAME")), "{shown}");
        assert!(!shown.contains(env!("CARGO_MANIFEST_DIR")), "{shown}");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(wrong(SnmpAccess::default()), "exporter[0].snmp.community_file");
        assert_eq!(wrong(community(VARIABLE)), "exporter[0].snmp.community_env");
        assert_eq!(wrong(SnmpAccess { user: String::new(), ..user() }), "exporter[0].snmp.user");
        let no_phrase = SnmpAccess { auth_env: String::new(), ..user() };
        assert_eq!(wrong(no_phrase), "exporter[0].snmp.auth_file");
        let no_auth = SnmpAccess { auth: SnmpAuth::None, ..user() };
        assert_eq!(wrong(no_auth), "exporter[0].snmp.auth");
        // "neckard" has seven letters.
        let short = SnmpAccess { privacy_env: "CARGO_PKG_NAME".into(), ..user() };
        assert_eq!(wrong(short), "exporter[0].snmp.privacy");
    }
}
