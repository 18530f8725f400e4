//! For people: which source and prefix gives an address which label, what comes of it, and what a
//! source holds. Slow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use neckar_proto::{Field, Rows, json};

use crate::labels::Labels;
use crate::ranges::{Address, Prefix};
use crate::remote::Side;
use crate::sources::Source;
use crate::tables::{AsOrder, Sources, Tables};
use crate::values::{Text, Value};

/// As what [`Sources::as_names`] shows: it is one file, and its key is what tells it.
const AS_NAMES: &str = "enrich.as_names";
/// Kinds of labels that are numbers.
const CID: &str = "cid";
const AS: &str = "AS";

/// What one prefix of one source says of an address. Where it says "nothing", which undoes the
/// prefixes around it, there is no label at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The source's file.
    pub source: PathBuf,
    /// The prefix around the address; `None` for the name of its AS where that does not come with the
    /// prefix: names go by the AS, whoever gives them.
    pub prefix: Option<IpNet>,
    /// What the address gets from it, as (kind, text).
    pub labels: Vec<(&'static str, String)>,
    /// What it says too, and another one says first.
    pub overruled: Vec<(&'static str, String)>,
}

impl Explanation {
    /// Does it say "nothing"?
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.labels.is_empty() && self.overruled.is_empty()
    }
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
    /// sources that inherit those around it too, longest first. Then who names its AS, if none of
    /// them does.
    #[must_use]
    pub fn explain(&self, address: IpAddr) -> Vec<Explanation> {
        let mut said: Vec<_> =
            self.prefixes.iter().flat_map(|source| source.explain(address)).collect();
        let asn = self.asn(address);
        let mut name = self.as_name(asn);
        let mut seen = Vec::new();
        for one in &mut said {
            let gives = |(kind, text): &(&'static str, String)| match *kind {
                // Names of lists add up.
                kind if kind == Text::List.name() => true,
                kind if kind == Text::AsName.name() => {
                    name.take_if(|name| *name == (one.source.as_path(), text.as_str())).is_some()
                }
                kind => !(seen.contains(&kind) || kind == AS && asn == 0),
            };
            (one.labels, one.overruled) =
                std::mem::take(&mut one.labels).into_iter().partition(gives);
            seen.extend(one.labels.iter().map(|(kind, _)| *kind));
        }
        said.extend(name.map(|(source, name)| Explanation {
            source: source.to_path_buf(),
            prefix: None,
            labels: vec![(Text::AsName.name(), name.to_owned())],
            overruled: Vec::new(),
        }));
        said
    }

    /// The AS that a flow gets for `address` if its record has none; 0 if none.
    fn asn(&self, address: IpAddr) -> u32 {
        if [self.settings.src_as, self.settings.dst_as] == [AsOrder::RecordOnly; 2] {
            return 0;
        }
        let values = self.prefixes.iter().flat_map(|source| source.around(address));
        values.map(|(_, value)| value.asn).find(|asn| *asn != 0).unwrap_or_default()
    }

    /// How an AS is called, and by whom: by the list of names, else by the first source that has a
    /// name for it, at whatever prefix.
    fn as_name(&self, asn: u32) -> Option<(&Path, &str)> {
        let listed = self.as_names.get(&asn).map(|name| (Path::new(AS_NAMES), name.as_str()));
        let mut sources = self.prefixes.iter();
        let said =
            || sources.find_map(|source| Some((source.file.as_path(), source.as_name(asn)?)));
        listed.or_else(said).filter(|_| asn != 0)
    }

    /// What each prefix source holds, in their order.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        self.prefixes.iter().map(|source| source.summary()).collect()
    }
}

impl Tables {
    /// Every label that a flow gets for `address` at this end of it: a JSON object, by the names of
    /// `flow.proto` without their `Src` or `Dst`.
    #[must_use]
    pub fn labels_json(&self, address: IpAddr, end: Side) -> Vec<u8> {
        let (field, prefix) = match end {
            Side::Src => (Field::SrcAddr, "Src"),
            Side::Dst => (Field::DstAddr, "Dst"),
        };
        let rows = self.labelled(address, field);
        let named = |name: &'static str| name.strip_prefix(prefix).filter(|label| *label != "Addr");
        let mut object = Vec::new();
        json::write_named(&mut object, &rows, &rows.as_slice()[0], named);
        object
    }

    fn labelled(&self, address: IpAddr, field: Field) -> Rows {
        let mut rows = Rows::default();
        rows.push().set_ip(field, address);
        let mut labels = Labels::default();
        self.label(&mut rows, &mut labels);
        labels.write_to(&mut rows);
        rows
    }
}

impl Source {
    /// All that it says of `address`, whatever others say.
    fn explain(&self, address: IpAddr) -> impl Iterator<Item = Explanation> {
        self.around(address).into_iter().map(|(prefix, value)| Explanation {
            source: self.file.clone(),
            prefix: Some(prefix),
            labels: self.labels(value),
            overruled: Vec::new(),
        })
    }

    /// The prefixes around `address` that count, longest first.
    fn around(&self, address: IpAddr) -> Vec<(IpNet, &Value)> {
        let around: Vec<(IpNet, u32)> = match address.to_canonical() {
            IpAddr::V4(address) => {
                around(&self.v4, address.into(), 32, |start: u32| IpAddr::V4(Ipv4Addr::from(start)))
            }
            IpAddr::V6(address) => around(&self.v6, address.into(), 128, |start: u128| {
                IpAddr::V6(Ipv6Addr::from(start))
            }),
        };
        let taken = if self.inherits { around.len() } else { 1 };
        let around = around.into_iter().take(taken);
        let around =
            around.map(|(prefix, number)| (prefix, &self.values.as_slice()[number as usize]));
        // Where labels are inherited, a prefix that says nothing undoes nothing.
        around.filter(|(_, value)| !self.inherits || **value != Value::default()).collect()
    }

    /// Its name for an AS, the first of several.
    fn as_name(&self, asn: u32) -> Option<&str> {
        let name = |value: &Value| value.texts[Text::AsName as usize];
        let mut values = self.values.as_slice().iter();
        let named = values.find(|value| value.asn == asn && name(value) != 0)?;
        Some(self.texts.text(name(named)))
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
        let numbers = [(CID, value.cid), (AS, value.asn)];
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
    use crate::sources::{asn, customers, list, networks};

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

    /// A line each, what is overruled in parentheses.
    fn told(sources: &Sources, address: &str) -> Vec<String> {
        let show = |one: Explanation| {
            let labels = one.labels.iter().map(|(kind, text)| format!(" {kind}={text}"));
            let overruled = one.overruled.iter().map(|(kind, text)| format!(" ({kind}={text})"));
            let prefix = one.prefix.map_or("-".into(), |prefix| prefix.to_string());
            let all: String = labels.chain(overruled).collect();
            format!("{} {prefix}{all}", one.source.display())
        };
        sources.explain(address.parse().unwrap()).into_iter().map(show).collect()
    }

    fn explained(address: &str) -> Vec<String> {
        told(&sources(), address)
    }

    fn labels(sources: &Sources, address: &str, end: Side) -> String {
        let tables = Tables::build(sources).unwrap();
        String::from_utf8(tables.labels_json(address.parse().unwrap(), end)).unwrap()
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
        assert_eq!(explained("10.1.1.1")[0], "c.csv 10.1.1.0/24");
        assert_eq!(
            explained("2001:db8::1"),
            ["c.csv 2001:db8::/32 customer=three", "bogons (built in) 2001:db8::/32 list=bogons"]
        );
        assert!(explained("8.8.8.8").is_empty());
    }

    #[test]
    fn labels_are_named_without_their_side() {
        let expected = "{\"Cid\":2,\"NetRole\":\"core\",\"NetSite\":\"Ulm\",\"List\":\"bogons\"}\n";
        for end in [Side::Src, Side::Dst] {
            assert_eq!(labels(&sources(), "10.1.2.3", end), expected);
            assert_eq!(labels(&sources(), "::ffff:10.1.2.3", end), expected);
            assert_eq!(labels(&sources(), "8.8.8.8", end), "{}\n");
        }
    }

    #[test]
    fn what_another_source_says_first_is_overruled() {
        let networks = b"prefix,cid,site,asn\n10.0.0.0/8,7,Bonn,553\n10.1.0.0/16,9,Ulm,\n";
        let mut sources = sources();
        sources.prefixes[1] = Arc::new(networks::parse(Path::new("n.csv"), networks).unwrap());
        assert_eq!(
            told(&sources, "10.1.2.3")[..3],
            [
                "c.csv 10.1.0.0/16 cid=2",
                "n.csv 10.1.0.0/16 site=Ulm (cid=9)",
                "n.csv 10.0.0.0/8 AS=553 (cid=7) (site=Bonn)",
            ]
        );
    }

    /// Prefixes of AS 553 with a name and without, of AS 680 with two, and a list of names.
    fn routes(names: &[(u32, &str)]) -> Sources {
        let routes = b"10.0.0.0/8,553,BelWue\n10.1.0.0/16,553\n10.2.0.0/16,680,DFN\n";
        let others = b"10.2.0.0/16,680,Deutsches Forschungsnetz\n192.0.2.0/24,680\n";
        Sources {
            prefixes: vec![
                Arc::new(asn::parse(Path::new("one.csv"), routes).unwrap()),
                Arc::new(asn::parse(Path::new("two.csv"), others).unwrap()),
            ],
            as_names: names.iter().map(|(asn, name)| (*asn, (*name).to_owned())).collect(),
            ..Sources::default()
        }
    }

    #[test]
    fn whoever_names_an_as_is_shown() {
        let sources = routes(&[]);
        assert_eq!(told(&sources, "10.3.0.1"), ["one.csv 10.0.0.0/8 AS=553 AS name=BelWue"]);
        // The name comes from another prefix, and from another source.
        let unnamed = ["one.csv 10.1.0.0/16 AS=553", "one.csv - AS name=BelWue"];
        assert_eq!(told(&sources, "10.1.0.1"), unnamed);
        assert_eq!(
            told(&sources, "192.0.2.1"),
            ["two.csv 192.0.2.0/24 AS=680", "one.csv - AS name=DFN"]
        );
        assert_eq!(
            told(&sources, "10.2.0.1"),
            [
                "one.csv 10.2.0.0/16 AS=680 AS name=DFN",
                "two.csv 10.2.0.0/16 (AS=680) (AS name=Deutsches Forschungsnetz)",
            ]
        );
    }

    #[test]
    fn the_list_of_as_names_wins_and_is_shown() {
        let sources = routes(&[(680, "GWiN"), (64500, "nobody here")]);
        assert_eq!(
            told(&sources, "10.2.0.1"),
            [
                "one.csv 10.2.0.0/16 AS=680 (AS name=DFN)",
                "two.csv 10.2.0.0/16 (AS=680) (AS name=Deutsches Forschungsnetz)",
                "enrich.as_names - AS name=GWiN",
            ]
        );
        let json = labels(&sources, "10.2.0.1", Side::Src);
        assert_eq!(json, "{\"AS\":680,\"ASName\":\"GWiN\"}\n");
    }

    #[test]
    fn an_end_whose_as_is_the_records_gets_none_from_the_tables() {
        let mut sources = routes(&[]);
        sources.settings.src_as = AsOrder::RecordOnly;
        sources.settings.dst_as = AsOrder::TableFirst;
        assert_eq!(labels(&sources, "10.3.0.1", Side::Src), "{}\n");
        let expected = "{\"AS\":553,\"ASName\":\"BelWue\"}\n";
        assert_eq!(labels(&sources, "10.3.0.1", Side::Dst), expected);
        assert_eq!(told(&sources, "10.3.0.1"), ["one.csv 10.0.0.0/8 AS=553 AS name=BelWue"]);
        sources.settings.dst_as = AsOrder::RecordOnly;
        let unused = ["one.csv 10.0.0.0/8 (AS=553) (AS name=BelWue)"];
        assert_eq!(told(&sources, "10.3.0.1"), unused);
    }

    #[test]
    fn a_source_is_summed_up() {
        let summary = &sources().summaries()[0];
        assert_eq!((summary.prefixes_v4, summary.prefixes_v6, summary.nested), (3, 1, 2));
        assert_eq!((summary.duplicates, summary.values), (1, 3));
        assert_eq!(summary.kinds, [("cid", 2), ("customer", 1)]);
    }
}
