//! The sample files beside the sources load, and say what they seem to say.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use std::path::PathBuf;
use std::sync::Arc;

use neckar_enrich::Sources;
use neckar_enrich::sources::{SourceKind, asn, customers, interfaces, list, networks};

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

/// What the first source says of an address, longest prefix first.
fn said(sources: &Sources, address: &str) -> Vec<String> {
    let explanations = sources.explain(address.parse().unwrap());
    let labels = explanations.into_iter().flat_map(|explanation| explanation.labels);
    labels.map(|(kind, text)| format!("{kind}={text}")).collect()
}

#[test]
fn prefix_sources() {
    let said = |source: neckar_enrich::sources::Source, address: &str| {
        said(&Sources { prefixes: vec![Arc::new(source)], ..Sources::default() }, address)
    };
    let list = || list::read(&sample("list.txt"), "blocked").unwrap();
    let customers = |name: &str| customers::read(&sample(name)).unwrap();
    assert_eq!(said(customers("customers.csv"), "192.0.2.200"), ["cid=101"]);
    assert_eq!(said(customers("customers.csv"), "203.0.113.8"), ["customer=uni-example"]);
    assert!(said(customers("customers.csv"), "203.0.113.7").is_empty());
    assert_eq!(said(customers("customers-v4-v6.csv"), "198.51.100.193"), ["cid=101"]);
    assert_eq!(said(customers("customers-v4-v6.csv"), "2001:db8:200::1"), ["cid=102"]);
    let routes = asn::read(&sample("asn.csv")).unwrap();
    assert_eq!(said(routes, "192.0.2.1"), ["AS=64500", "AS name=Example University"]);
    let nets = networks::read(&sample("networks.csv")).unwrap();
    let expected =
        ["city=Ulm", "role=students", "site=Ulm", "region=south", "country=DE", "network=campus"];
    assert_eq!(said(nets, "10.1.2.3"), expected);
    assert_eq!(said(list(), "198.51.100.66"), ["list=blocked"]);
    assert!(said(list(), "198.51.100.67").is_empty());
}

#[test]
fn names_and_interfaces() {
    let names = asn::read_names(&sample("as-names.csv")).unwrap();
    assert_eq!(names[&64500], "Example University, Ulm");
    let interfaces = interfaces::read(&sample("interfaces.csv")).unwrap();
    let interface = interfaces.interface("192.0.2.1".parse().unwrap(), 501).unwrap();
    assert_eq!((interface.name.as_str(), interface.speed_mbps), ("xe-0/0/1", 100_000));
}

#[test]
fn every_sample_is_told_by_its_content() {
    let told = |name: &str| SourceKind::of_file(&sample(name)).unwrap();
    let cases = [
        ("as-names.csv", SourceKind::AsNames),
        ("asn.csv", SourceKind::AsPrefixes),
        ("customers.csv", SourceKind::Customers),
        ("customers-v4-v6.csv", SourceKind::Customers),
        ("interfaces.csv", SourceKind::Interfaces),
        ("list.txt", SourceKind::List),
        ("networks.csv", SourceKind::Networks),
    ];
    for (name, kind) in cases {
        assert_eq!(told(name), kind, "{name}");
        assert!(kind.read(&sample(name)).is_ok(), "{name}");
    }
    let samples = std::fs::read_dir(sample("")).unwrap().count();
    assert_eq!(samples, cases.len(), "a sample is missing here");
}
