//! What a decoder may be told. Every bound has a default that a large site can live with.

use std::net::IpAddr;

use ipnet::IpNet;

/// Settings of decoding. The bounds on exporters and templates are those of
/// [`Shared`](crate::Shared), for all workers together; those on held data are per worker.
#[derive(Clone, Debug)]
pub struct Config {
    /// Prefixes whose exporters are listened to; empty for all.
    pub allow: Vec<IpNet>,
    /// Exporters remembered at most. What comes from further ones is counted and dropped: a flood
    /// of spoofed sources takes no memory and evicts nobody.
    pub exporters_max: usize,
    /// Observation domains (source ids, engines, sub-agents) remembered at most, of all exporters.
    pub domains_max: usize,
    /// Observation domains remembered at most, per exporter.
    pub domains_per_exporter_max: usize,
    /// Silence in nanoseconds after which an exporter gives way to a new one when the table is
    /// full.
    pub exporter_idle_ns: u64,
    /// Templates remembered at most, of all exporters.
    pub templates_max: usize,
    /// Templates remembered at most, per exporter.
    pub templates_per_exporter_max: usize,
    /// Fields that a template may have.
    pub template_fields_max: usize,
    /// Bytes of all templates with their plans.
    pub template_bytes_max: usize,
    /// Nanoseconds after its last announcement that a template is forgotten; 0 for never ("off by
    /// default").
    pub template_lifetime_ns: u64,
    /// Bytes of data sets held per exporter until their template comes; 0 to hold none.
    pub hold_bytes: usize,
    /// Bytes of data sets held per worker, all exporters together.
    pub hold_total_bytes: usize,
    /// Nanoseconds that a data set is held at most.
    pub hold_ns: u64,
    /// Sampling rate of exporters that do not say theirs; 0 leaves it unknown.
    pub default_rate: u64,
    /// The same by exporter, before it. The longest prefix that holds the address applies.
    pub default_rates: Vec<(IpNet, u64)>,
    /// Sampling rates by exporter, whatever it says itself. The longest prefix that holds the
    /// address applies.
    pub rates: Vec<(IpNet, u64)>,
    /// Keep templates apart by UDP source port too, for several exporters behind one address.
    pub key_by_port: bool,
    /// Take the inner packet of GRE, IP-in-IP, 6in4 and VXLAN in sampled headers.
    pub decapsulate: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            exporters_max: 16_384,
            domains_max: 131_072,
            domains_per_exporter_max: 8_192,
            exporter_idle_ns: 3_600_000_000_000,
            templates_max: 262_144,
            templates_per_exporter_max: 4_096,
            template_fields_max: 1_024,
            template_bytes_max: 512 << 20,
            template_lifetime_ns: 0,
            hold_bytes: 1 << 20,
            hold_total_bytes: 64 << 20,
            hold_ns: 120_000_000_000,
            default_rate: 0,
            default_rates: Vec::new(),
            rates: Vec::new(),
            key_by_port: false,
            decapsulate: false,
        }
    }
}

impl Config {
    /// May this exporter send to us?
    pub(crate) fn allows(&self, exporter: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|prefix| prefix.contains(&exporter))
    }

    /// The rate configured for this exporter, or 0.
    pub(crate) fn rate_of(&self, exporter: IpAddr) -> u64 {
        longest(&self.rates, exporter).unwrap_or(0)
    }

    /// The rate of this exporter if it says none, or 0.
    pub(crate) fn default_rate_of(&self, exporter: IpAddr) -> u64 {
        longest(&self.default_rates, exporter).unwrap_or(self.default_rate)
    }
}

/// What the longest prefix that holds the address says.
fn longest(rates: &[(IpNet, u64)], exporter: IpAddr) -> Option<u64> {
    let matching = rates.iter().filter(|(prefix, _)| prefix.contains(&exporter));
    matching.max_by_key(|(prefix, _)| prefix.prefix_len()).map(|(_, rate)| *rate)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_says_the_rate() {
        let rates = [("10.0.0.0/8", 8), ("10.1.0.0/16", 16), ("2001:db8::/32", 6)];
        let rates = rates.map(|(prefix, rate)| (prefix.parse().unwrap(), rate)).to_vec();
        let config = Config { rates, ..Config::default() };
        assert_eq!(config.rate_of("10.1.2.3".parse().unwrap()), 16);
        assert_eq!(config.rate_of("10.2.2.3".parse().unwrap()), 8);
        assert_eq!(config.rate_of("2001:db8::1".parse().unwrap()), 6);
        assert_eq!(config.rate_of("192.0.2.1".parse().unwrap()), 0);
    }

    #[test]
    fn an_empty_list_allows_everybody() {
        let everybody = Config::default();
        assert!(everybody.allows("192.0.2.1".parse().unwrap()));
        let few = Config { allow: vec!["192.0.2.0/24".parse().unwrap()], ..Config::default() };
        assert!(few.allows("192.0.2.1".parse().unwrap()));
        assert!(!few.allows("198.51.100.1".parse().unwrap()));
        assert!(!few.allows("2001:db8::1".parse().unwrap()));
    }
}
