//! What the operator says of exporters, by prefix.
//!
//! Rules nest: for each attribute the most specific rule that states it wins. There are few of
//! them, and a worker asks once per change of exporter, so a binary search over ranges is enough.

use std::net::IpAddr;

use hashbrown::HashMap;
use ipnet::IpNet;

use crate::ranges::{Address, Prefix, Range, cut, find};
use crate::remote::RemotePolicy;

/// What is said of the exporters in a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExporterRule {
    /// Which exporters: `SamplerAddress` lies in it.
    pub prefix: IpNet,
    /// Written to `SamplerHostName`.
    pub name: Option<String>,
    /// Packets per sampled packet, whatever the exporter says; not 0. The decoder, which knows it
    /// too, has put it into the flow by then; here it stands in where a flow comes without a rate.
    pub sampling_rate: Option<u64>,
    /// How to tell the far end.
    pub remote: Option<RemotePolicy>,
    /// Written to `Tenant`.
    pub tenant: Option<String>,
}

impl ExporterRule {
    /// A rule that says nothing yet.
    #[must_use]
    pub const fn new(prefix: IpNet) -> Self {
        Self { prefix, name: None, sampling_rate: None, remote: None, tenant: None }
    }

    fn over(&self, outer: &Self) -> Self {
        Self {
            prefix: self.prefix,
            name: self.name.clone().or_else(|| outer.name.clone()),
            sampling_rate: self.sampling_rate.or(outer.sampling_rate),
            remote: self.remote.or(outer.remote),
            tenant: self.tenant.clone().or_else(|| outer.tenant.clone()),
        }
    }
}

/// All rules, flattened: number 0 is the rule that says nothing.
#[derive(Debug)]
pub(crate) struct ExporterRules {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u128>>,
    pub(crate) resolved: Vec<ExporterRule>,
}

impl ExporterRules {
    /// Flattens `rules`; of two with the same prefix the later one wins where both say something.
    pub(crate) fn new(rules: &[ExporterRule]) -> Self {
        let mut resolved = vec![ExporterRule::new(IpNet::default())];
        resolved.extend(rules.iter().cloned());
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (rule, value) in rules.iter().zip(1..) {
            let len = rule.prefix.prefix_len();
            match rule.prefix.network() {
                IpAddr::V4(start) => v4.push(Prefix { start: u32::from(start), len, value }),
                IpAddr::V6(start) => v6.push(Prefix { start: u128::from(start), len, value }),
            }
        }
        Self { v4: flatten(v4, &mut resolved), v6: flatten(v6, &mut resolved), resolved }
    }

    /// Is there any?
    pub(crate) fn is_empty(&self) -> bool {
        self.resolved.len() == 1
    }

    /// The number of the rule for `exporter`.
    pub(crate) fn rule(&self, exporter: IpAddr) -> usize {
        let number = match exporter {
            IpAddr::V4(address) => find(&self.v4, address.into()),
            IpAddr::V6(address) => find(&self.v6, address.into()),
        };
        number as usize
    }
}

fn flatten<A: Address>(
    mut prefixes: Vec<Prefix<A>>,
    resolved: &mut Vec<ExporterRule>,
) -> Vec<Range<A>> {
    prefixes.sort_by_key(|prefix| (prefix.start, prefix.len));
    let mut known = HashMap::new();
    cut(&prefixes, |outer, own| {
        *known.entry((outer, own)).or_insert_with(|| {
            let rule = resolved[own as usize].over(&resolved[outer as usize]);
            resolved.push(rule);
            (resolved.len() - 1) as u32
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_rule_that_states_an_attribute_wins() {
        let rule = |prefix: &str| ExporterRule::new(prefix.parse().unwrap());
        let rules = ExporterRules::new(&[
            ExporterRule {
                sampling_rate: Some(32),
                tenant: Some("all".into()),
                ..rule("0.0.0.0/0")
            },
            ExporterRule {
                name: Some("core".into()),
                remote: Some(RemotePolicy::User),
                ..rule("10.0.0.0/8")
            },
            ExporterRule { sampling_rate: Some(1), ..rule("10.1.1.1/32") },
            ExporterRule { name: Some("six".into()), ..rule("2001:db8::/32") },
        ]);
        let found = |address: &str| {
            let rule = &rules.resolved[rules.rule(address.parse().unwrap())];
            (rule.name.as_deref(), rule.sampling_rate, rule.remote, rule.tenant.as_deref())
        };
        assert_eq!(found("192.0.2.1"), (None, Some(32), None, Some("all")));
        assert_eq!(
            found("10.2.0.0"),
            (Some("core"), Some(32), Some(RemotePolicy::User), Some("all"))
        );
        assert_eq!(
            found("10.1.1.1"),
            (Some("core"), Some(1), Some(RemotePolicy::User), Some("all"))
        );
        assert_eq!(found("2001:db8::1"), (Some("six"), None, None, None));
        assert_eq!(found("2001:db9::1"), (None, None, None, None));
    }
}
