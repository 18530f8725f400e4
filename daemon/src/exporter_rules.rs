//! What `[[exporter]]` rules say of an exporter: its name and its sampling rate, each from the most
//! specific rule that says it.
//!
//! A scrape asks for each exporter, and there may be a rule for each: so rules are looked up by prefix,
//! once for each length that occurs, and not walked.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Config, ExporterRule, parse_prefix};

/// The rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExporterRules {
    by_prefix: HashMap<IpNet, Said>,
    /// Lengths of prefixes that occur, the longest first: of IPv4, and of IPv6.
    lens: [Vec<u8>; 2],
}

/// What the rule of a prefix says.
#[derive(Clone, Debug, Default)]
struct Said {
    name: Option<String>,
    rate: Option<u64>,
}

impl ExporterRules {
    /// Of a valid configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let mut rules = Self::default();
        rules.by_prefix.extend(config.exporter.iter().filter_map(said));
        let mut lens = BTreeMap::<bool, Vec<u8>>::new();
        for prefix in rules.by_prefix.keys() {
            lens.entry(prefix.addr().is_ipv6()).or_default().push(prefix.prefix_len());
        }
        rules.lens = [false, true].map(|is_v6| {
            let mut lens = lens.remove(&is_v6).unwrap_or_default();
            lens.sort_unstable_by(|one, other| other.cmp(one));
            lens.dedup();
            lens
        });
        rules
    }

    /// How rules name an exporter; empty if none does.
    pub(crate) fn name(&self, exporter: IpAddr) -> &str {
        self.around(exporter).find_map(|said| said.name.as_deref()).unwrap_or_default()
    }

    /// The sampling rate that rules give an exporter.
    pub(crate) fn rate(&self, exporter: IpAddr) -> Option<u64> {
        self.around(exporter).find_map(|said| said.rate)
    }

    /// What is said of the prefixes around an address, the most specific first.
    fn around(&self, address: IpAddr) -> impl Iterator<Item = &Said> {
        let lens = self.lens[usize::from(address.is_ipv6())].iter();
        let prefixes = lens.filter_map(move |len| IpNet::new(address, *len).ok());
        prefixes.filter_map(|prefix| self.by_prefix.get(&prefix.trunc()))
    }
}

/// No two rules have the same prefix.
fn said(rule: &ExporterRule) -> Option<(IpNet, Said)> {
    let said = Said { name: rule.name.clone(), rate: rule.sampling_rate };
    Some((parse_prefix(&rule.prefix)?.trunc(), said))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(rules: &[(&str, Option<&str>, Option<u64>)]) -> ExporterRules {
        let rule = |(prefix, name, rate): &(&str, Option<&str>, Option<u64>)| ExporterRule {
            prefix: (*prefix).into(),
            name: name.map(Into::into),
            sampling_rate: *rate,
            ..ExporterRule::default()
        };
        let exporter = rules.iter().map(rule).collect();
        ExporterRules::new(&Config { exporter, ..Config::default() })
    }

    #[test]
    fn the_most_specific_rule_that_says_something_counts() {
        let rules = rules(&[
            ("192.0.2.9/24", Some("campus"), Some(100)),
            ("192.0.2.1", Some("core"), None),
            ("::/0", None, Some(9)),
        ]);
        let told = |address: &str| {
            let address = address.parse().expect("an address");
            (rules.name(address), rules.rate(address))
        };
        assert_eq!(told("192.0.2.1"), ("core", Some(100)));
        assert_eq!(told("192.0.2.2"), ("campus", Some(100)), "host bits mean nothing");
        assert_eq!(told("2001:db8::1"), ("", Some(9)));
        assert_eq!(told("198.51.100.1"), ("", None));
    }

    #[test]
    fn lengths_are_as_many_as_occur_and_not_as_many_as_rules() {
        let prefixes: Vec<String> = (0..=255).map(|last| format!("192.0.2.{last}")).collect();
        let many: Vec<_> = prefixes.iter().map(|one| (one.as_str(), Some("x"), None)).collect();
        assert_eq!(rules(&many).lens, [vec![32], vec![]], "one look-up for each exporter");
    }

    proptest! {
        /// Beside the slow way: every rule looked at.
        #[test]
        fn the_rule_is_the_one_that_a_walk_finds(
            written in prop::collection::vec((0_u8..4, 24_u8..=32, any::<bool>()), 0..20),
            last in 0_u8..4,
        ) {
            let named: Vec<(String, String)> = written
                .iter()
                .enumerate()
                .map(|(at, (last, len, _))| (format!("192.0.2.{last}/{len}"), at.to_string()))
                .collect();
            // A valid configuration has one rule for a prefix.
            let mut seen = std::collections::HashSet::new();
            let mut is_first =
                |prefix: &str| seen.insert(prefix.parse::<IpNet>().map(|net| net.trunc()).ok());
            let given: Vec<_> = named
                .iter()
                .zip(&written)
                .filter(|((prefix, _), _)| is_first(prefix))
                .map(|((prefix, name), (.., has_name))| {
                    (prefix.as_str(), has_name.then_some(name.as_str()), None)
                })
                .collect();
            let address: IpAddr = [192, 0, 2, last].into();
            let holds = |prefix: &str| prefix.parse::<IpNet>().is_ok_and(|net| net.contains(&address));
            let mut walked: Vec<_> =
                given.iter().filter(|(prefix, name, _)| name.is_some() && holds(prefix)).collect();
            walked.sort_by_key(|(prefix, ..)| {
                std::cmp::Reverse(prefix.parse::<IpNet>().map_or(0, |net| net.prefix_len()))
            });
            let expected = walked.first().and_then(|(_, name, _)| *name).unwrap_or_default();
            let rules = rules(&given);
            prop_assert_eq!(rules.name(address), expected);
        }
    }
}
