//! For people: which source and prefix gives an address which label, what comes of it, and what a
//! source holds. Slow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::IpNet;
use neckar_proto::{Field, Rows, json};

use crate::labels::Labels;
use crate::ranges::{Address, Prefix};
use crate::sources::Source;
use crate::tables::{Sources, Tables};
use crate::values::{Text, Value};

/// What one prefix of one source says of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The source's file.
    pub source: PathBuf,
    /// The prefix around the address.
    pub prefix: IpNet,
    /// What it says, as (kind, text); empty where it says "nothing", which undoes the prefixes
    /// around it.
    pub labels: Vec<(&'static str, String)>,
}

/// What a source holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The source's file.
    pub source: PathBuf,
    /// IPv4 prefixes.
    pub prefixes_v4: usize,
    /// IPv6 prefixes.
    pub prefixes_v6: usize,
    /// Prefixes that lie inside another one of the same source.
    pub nested: usize,
    /// Rows that said again what another row had said.
    pub duplicates: u64,
    /// Different things that it says.
    pub values: usize,
    /// How many prefixes say something of each kind.
    pub kinds: Vec<(&'static str, usize)>,
}

impl Sources {
    /// What each prefix source says of `address`, in their order: its longest prefix, and of
    /// sources that inherit those around it too, longest first.
    #[must_use]
    pub fn explain(&self, address: IpAddr) -> Vec<Explanation> {
        self.prefixes.iter().flat_map(|source| source.explain(address)).collect()
    }

    /// What each prefix source holds, in their order.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        self.prefixes.iter().map(|source| source.summary()).collect()
    }
}

impl Tables {
    /// Every label that a flow from `address` gets for it: a JSON object, by the names of
    /// `flow.proto` without their `Src`.
    #[must_use]
    pub fn labels_json(&self, address: IpAddr) -> Vec<u8> {
        let rows = self.labelled(address);
        let named = |name: &'static str| name.strip_prefix("Src").filter(|label| *label != "Addr");
        let mut object = Vec::new();
        json::write_named(&mut object, &rows, &rows.as_slice()[0], named);
        object
    }

    fn labelled(&self, address: IpAddr) -> Rows {
        let mut rows = Rows::default();
        rows.push().set_ip(Field::SrcAddr, address);
        let mut labels = Labels::default();
        self.label(&mut rows, &mut labels);
        labels.write_to(&mut rows);
        rows
    }
}

impl Source {
    /// As [`Sources::explain`], of one source.
    #[must_use]
    pub fn explain(&self, address: IpAddr) -> Vec<Explanation> {
        let around: Vec<(IpNet, u32)> = match address.to_canonical() {
            IpAddr::V4(address) => {
                around(&self.v4, address.into(), 32, |start: u32| IpAddr::V4(Ipv4Addr::from(start)))
            }
            IpAddr::V6(address) => around(&self.v6, address.into(), 128, |start: u128| {
                IpAddr::V6(Ipv6Addr::from(start))
            }),
        };
        let taken = if self.inherits { around.len() } else { 1 };
        let around = around.into_iter().take(taken).map(|(prefix, number)| Explanation {
            source: self.file.clone(),
            prefix,
            labels: self.labels(&self.values.as_slice()[number as usize]),
        });
        // Where labels are inherited, a prefix that says nothing undoes nothing.
        around.filter(|one| !self.inherits || !one.labels.is_empty()).collect()
    }

    /// Counts what is there.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let numbers = || {
            self.v4
                .iter()
                .map(|prefix| prefix.value)
                .chain(self.v6.iter().map(|prefix| prefix.value))
        };
        let mut kinds: Vec<(&'static str, usize)> = Vec::new();
        for number in numbers() {
            for (kind, _) in self.labels(&self.values.as_slice()[number as usize]) {
                match kinds.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, count)) => *count += 1,
                    None => kinds.push((kind, 1)),
                }
            }
        }
        Summary {
            source: self.file.clone(),
            prefixes_v4: self.v4.len(),
            prefixes_v6: self.v6.len(),
            nested: nested(&self.v4) + nested(&self.v6),
            duplicates: self.duplicates,
            values: self.values.as_slice().len() - 1,
            kinds,
        }
    }

    fn labels(&self, value: &Value) -> Vec<(&'static str, String)> {
        let numbers = [("cid", value.cid), ("AS", value.asn)];
        let numbers = numbers.into_iter().filter(|(_, number)| *number != 0);
        let texts = Text::ALL.into_iter().map(|kind| (kind, value.texts[kind as usize]));
        let texts = texts.filter(|(_, number)| *number != 0);
        numbers
            .map(|(kind, number)| (kind, number.to_string()))
            .chain(texts.map(|(kind, number)| (kind.name(), self.texts.text(number).to_owned())))
            .collect()
    }
}

/// The prefixes around `address`, longest first.
fn around<A: Address>(
    prefixes: &[Prefix<A>],
    address: A,
    bits: u8,
    show: impl Fn(A) -> IpAddr,
) -> Vec<(IpNet, u32)> {
    (0..=bits)
        .rev()
        .filter_map(|len| {
            let key = (address.first(len), len);
            let index =
                prefixes.binary_search_by_key(&key, |prefix| (prefix.start, prefix.len)).ok()?;
            Some((IpNet::new_assert(show(key.0), len), prefixes[index].value))
        })
        .collect()
}

/// How many of the sorted prefixes lie inside another.
fn nested<A: Address>(prefixes: &[Prefix<A>]) -> usize {
    let mut covered_to = None;
    let mut nested = 0;
    for prefix in prefixes {
        if covered_to.is_some_and(|last| prefix.start <= last) {
            nested += 1;
        } else {
            covered_to = Some(prefix.start.last(prefix.len));
        }
    }
    nested
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::sources::{customers, list, networks};

    fn sources() -> Sources {
        let customers =
            b"10.0.0.0/8,1\n10.1.0.0/16,2\n10.1.1.0/24,0\n2001:db8::/32,three\n10.1.0.0/16,2\n";
        let networks = b"prefix,site,role\n10.0.0.0/8,,core\n10.1.0.0/16,Ulm,\n10.1.2.0/24,,\n";
        Sources {
            prefixes: vec![
                Arc::new(customers::parse(Path::new("c.csv"), customers).unwrap()),
                Arc::new(networks::parse(Path::new("n.csv"), networks).unwrap()),
                Arc::new(list::bogons()),
            ],
            ..Sources::default()
        }
    }

    fn explained(address: &str) -> Vec<String> {
        let explanations = sources().explain(address.parse().unwrap());
        let show = |explanation: &Explanation| {
            let labels: Vec<_> =
                explanation.labels.iter().map(|(kind, text)| format!("{kind}={text}")).collect();
            format!("{} {} {}", explanation.source.display(), explanation.prefix, labels.join(" "))
        };
        explanations.iter().map(show).collect()
    }

    #[test]
    fn every_source_is_heard() {
        assert_eq!(
            explained("10.1.2.3"),
            [
                "c.csv 10.1.0.0/16 cid=2",
                "n.csv 10.1.0.0/16 site=Ulm",
                "n.csv 10.0.0.0/8 role=core",
                "bogons (built in) 10.0.0.0/8 list=bogons",
            ]
        );
        assert_eq!(explained("10.1.1.1")[0], "c.csv 10.1.1.0/24 ");
        assert_eq!(
            explained("2001:db8::1"),
            ["c.csv 2001:db8::/32 customer=three", "bogons (built in) 2001:db8::/32 list=bogons"]
        );
        assert!(explained("8.8.8.8").is_empty());
    }

    #[test]
    fn labels_are_named_without_their_side() {
        let json = |address: &str| {
            let tables = Tables::build(&sources()).unwrap();
            String::from_utf8(tables.labels_json(address.parse().unwrap())).unwrap()
        };
        let expected = "{\"Cid\":2,\"NetRole\":\"core\",\"NetSite\":\"Ulm\",\"List\":\"bogons\"}\n";
        assert_eq!(json("10.1.2.3"), expected);
        assert_eq!(json("::ffff:10.1.2.3"), expected);
        assert_eq!(json("8.8.8.8"), "{}\n");
    }

    #[test]
    fn a_source_is_summed_up() {
        let summary = &sources().summaries()[0];
        assert_eq!((summary.prefixes_v4, summary.prefixes_v6, summary.nested), (3, 1, 2));
        assert_eq!((summary.duplicates, summary.values), (1, 3));
        assert_eq!(summary.kinds, [("cid", 2), ("customer", 1)]);
    }
}
