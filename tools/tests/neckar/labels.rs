//! `neckar table` and `neckar lookup`, run on files written here.

use std::path::Path;

use serde_json::{Value, json};

use crate::program::run;
use crate::scratch::Scratch;

const CUSTOMERS: &[u8] =
    b"10.0.0.0/8,1\n10.1.0.0/16,2\n10.1.1.0/24,0\n2001:db8::/32,uni-ulm\n10.1.0.0/16,2\n";
const NETWORKS: &[u8] = b"prefix,site,role,cid,asn\n10.0.0.0/8,,core,7,553\n10.1.0.0/16,Ulm,,9,\n";
const NAMES: &[u8] = b"asn,name\n553,\"BELWUE, DE\"\n680,DFN\n";

fn args<'a>(verb: &'a str, rest: &[&'a str], files: &'a [&'a Path]) -> Vec<&'a str> {
    let files = files.iter().map(|file| file.to_str().unwrap());
    std::iter::once(verb).chain(rest.iter().copied()).chain(files).collect()
}

#[test]
fn a_table_is_summed_up() {
    let scratch = Scratch::new();
    let file = scratch.file("a.txt", CUSTOMERS);
    let ran = run(args("table", &["--format", "json"], &[&file])).exits(0);
    let mut found = ran.json();
    let memory = found["memory_bytes"].take().as_u64().unwrap();
    assert!((1 << 20..1 << 30).contains(&memory), "{memory}");
    // The sets: nothing, customers 1 and 2, and the one with a name.
    let expected = json!({
        "file": file.to_str().unwrap(), "kind": "customers", "prefixes_v4": 3, "prefixes_v6": 1,
        "nested": 2, "duplicates": 1, "values": 3, "labels": {"cid": 2, "customer": 1},
        "label_sets": 4, "memory_bytes": Value::Null,
    });
    assert_eq!(found, expected);
    let ran = run(args("table", &[], &[&file])).exits(0);
    assert!(ran.stdout().contains("\n  prefixes    3 IPv4, 1 IPv6\n"), "{}", ran.stdout());
    assert!(ran.stdout().contains("\n  labels      cid 2, customer 1\n"), "{}", ran.stdout());
}

#[test]
fn a_bad_row_is_one_line_and_the_other_files_are_read_all_the_same() {
    let scratch = Scratch::new();
    let bad = scratch.file("bad.csv", b"10.0.0.0/8,1\n10.0.0.0/33,2\n");
    let stranger = scratch.file("letter", b"Dear operator,\n");
    let missing = scratch.path().join("missing.csv");
    let names = scratch.file("names.csv", NAMES);
    let ran = run(args("table", &[], &[&bad, &stranger, &missing, &names])).exits(1);
    let lines: Vec<&str> = ran.stderr().lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let start = format!("neckar: {}:2: `10.0.0.0/33,2`: ", bad.display());
    assert!(lines[0].starts_with(&start) && lines[0].contains("expected"), "{}", lines[0]);
    let start = format!("neckar: {}:1: `Dear operator,`: ", stranger.display());
    assert!(lines[1].starts_with(&start) && lines[1].ends_with("--kind"), "{}", lines[1]);
    assert!(lines[2].contains("missing.csv") && lines[2].contains("No such file"), "{}", lines[2]);
    assert!(ran.stdout().contains("  AS names    2\n"), "{}", ran.stdout());
}

#[test]
fn the_kind_can_be_said() {
    let scratch = Scratch::new();
    let file = scratch.file("a.csv", b"10.0.0.0/8,553\n");
    let of = |rest: &[&str]| {
        let rest: Vec<&str> = ["--format", "json"].iter().chain(rest).copied().collect();
        run(args("table", &rest, &[&file])).exits(0).json()["labels"].clone()
    };
    assert_eq!(of(&[]), json!({"cid": 1}));
    assert_eq!(of(&["--kind", "as-prefixes"]), json!({"AS": 1}));
    run(args("table", &["--kind", "tables"], &[&file])).exits(2);
}

#[test]
fn a_kind_that_was_guessed_is_named() {
    let scratch = Scratch::new();
    let file = scratch.file("a.csv", b"10.0.0.0/8,100,Example Ltd\n");
    let source = file.to_str().unwrap();
    let look_up = |kind: &[&str]| {
        let rest = ["lookup", "--format", "json", "--source", source].into_iter();
        run(rest.chain(kind.iter().copied()).chain(["10.0.0.1"])).exits(0)
    };
    let guessed = look_up(&[]);
    assert_eq!(
        guessed.stderr(),
        format!("neckar: {source} is taken for as-prefixes; --kind says otherwise\n")
    );
    let said = look_up(&["--kind", "customers"]);
    assert_eq!((said.stderr(), &said.json()["result"]), ("", &json!({"Cid": 100})));
}

/// An empty row of `networks` undoes nothing, so nothing is said of it.
#[test]
fn a_network_that_says_nothing_is_not_shown() {
    let scratch = Scratch::new();
    let file = scratch.file("n.csv", b"prefix,site\n10.0.0.0/8,Ulm\n10.1.0.0/16,\n");
    let ran = run(["lookup", "--source", file.to_str().unwrap(), "10.1.2.3"]).exits(0);
    assert!(!ran.stdout().contains("10.1.0.0/16"), "{}", ran.stdout());
    assert!(ran.stdout().ends_with("  result: NetSite=Ulm\n"), "{}", ran.stdout());
}

#[test]
fn an_address_is_looked_up_in_files() {
    let scratch = Scratch::new();
    let [customers, networks, names] = [
        scratch.file("c.csv", CUSTOMERS),
        scratch.file("n.csv", NETWORKS),
        scratch.file("names.csv", NAMES),
    ];
    let sources: Vec<&str> = [&customers, &networks, &names]
        .into_iter()
        .flat_map(|file| ["--source", file.to_str().unwrap()])
        .collect();
    let look_up = |address: &str| {
        let rest = ["lookup", "--format", "json"].into_iter().chain(sources.iter().copied());
        run(rest.chain([address])).exits(0).json()
    };
    let found = look_up("10.1.2.3");
    let [customers, networks] = [&customers, &networks].map(|file| file.to_str().unwrap());
    let expected = json!([
        {"source": customers, "prefix": "10.1.0.0/16", "labels": {"cid": "2"}},
        {"source": networks, "prefix": "10.1.0.0/16", "labels": {"site": "Ulm"},
         "overruled": {"cid": "9"}},
        {"source": networks, "prefix": "10.0.0.0/8", "labels": {"AS": "553", "role": "core"},
         "overruled": {"cid": "7"}},
        {"source": "enrich.as_names", "prefix": null, "labels": {"AS name": "BELWUE, DE"}},
    ]);
    assert_eq!(found["sources"], expected);
    // The first source wins, an inner network keeps what the outer says, the name follows the AS.
    let expected = json!({
        "AS": 553, "ASName": "BELWUE, DE", "Cid": 2, "NetSite": "Ulm", "NetRole": "core",
    });
    assert_eq!(found["result"], expected);
    // "Nobody's" undoes the customer around it; the networks still say theirs.
    assert_eq!(look_up("10.1.1.1")["result"]["Cid"], 9);
    assert_eq!(look_up("::ffff:10.1.2.3")["address"], "10.1.2.3");
    assert_eq!(look_up("2001:db8::1")["result"], json!({"CidString": "uni-ulm"}));
    let nothing = json!({"address": "8.8.8.8", "sources": [], "result": {}});
    assert_eq!(look_up("8.8.8.8"), nothing);
}

#[test]
fn the_text_is_a_table() {
    let scratch = Scratch::new();
    let file = scratch.file("c.csv", CUSTOMERS);
    let file = file.to_str().unwrap();
    let ran = run(["lookup", "--source", file, "10.1.2.3", "10.1.1.1", "8.8.8.8"]).exits(0);
    let blank = " ".repeat(file.len() - "SOURCE".len());
    let expected = format!(
        "10.1.2.3\n  SOURCE{blank}  PREFIX       LABEL  VALUE\n  {file}  10.1.0.0/16  cid    2\n  result: Cid=2\n\
         10.1.1.1\n  SOURCE{blank}  PREFIX       LABEL  VALUE\n  {file}  10.1.1.0/24  -      nothing, and undoes the prefixes around it\n  result: no label\n\
         8.8.8.8\n  result: no label\n"
    );
    assert_eq!(ran.stdout(), expected);
}

#[test]
fn the_daemons_configuration_is_read() {
    let scratch = Scratch::new();
    let customers = scratch.file("c.csv", CUSTOMERS);
    let text = format!("[kafka]\ntopic = \"x\"\n[enrich]\ncustomers = {customers:?}\n");
    let config = scratch.file("neckard.toml", text.as_bytes());
    let with = |rest: &[&str]| {
        let config = ["lookup", "--config", config.to_str().unwrap(), "--format", "json"];
        run(config.into_iter().chain(rest.iter().copied()).chain(["10.1.2.3"])).exits(0).json()
    };
    assert_eq!(with(&[])["result"], json!({"Cid": 2}));
    let found = with(&["--set", "enrich.bogons=true"]);
    assert_eq!(found["result"], json!({"Cid": 2, "List": "bogons"}));
    assert_eq!(found["sources"][1]["prefix"], "10.0.0.0/8");
}

/// The AS of one end comes from the record alone, that of the other from the tables, whose name for
/// it is not the one that the list of names has.
#[test]
fn both_ends_are_shown_where_they_differ() {
    let scratch = Scratch::new();
    let routes = scratch.file("as.csv", b"10.0.0.0/8,553,Belwue\n");
    let names = scratch.file("names.csv", NAMES);
    let text = format!(
        "[enrich]\nas_prefixes = [{routes:?}]\nas_names = {names:?}\nsrc_as = \"record-only\"\n\
         dst_as = \"table-first\"\n"
    );
    let config = scratch.file("neckard.toml", text.as_bytes());
    let look_up = |format: &str| {
        let config = ["lookup", "--config", config.to_str().unwrap(), "--format", format];
        run(config.into_iter().chain(["10.1.2.3"])).exits(0)
    };
    let found = look_up("json").json();
    let expected = json!({"AS": 553, "ASName": "BELWUE, DE"});
    assert_eq!([&found["result"], &found["result_as_destination"]], [&json!({}), &expected]);
    let text = look_up("text");
    let lines: Vec<String> = text
        .stdout()
        .lines()
        .map(|line| line.replace(routes.to_str().unwrap(), "as.csv"))
        .collect();
    let words = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        lines[2..].iter().map(words).collect::<Vec<_>>(),
        [
            "as.csv 10.0.0.0/8 AS 553",
            "as.csv 10.0.0.0/8 AS name Belwue (overruled)",
            "enrich.as_names (its AS) AS name BELWUE, DE",
            "as source: no label",
            "as destination: AS=553 ASName=\"BELWUE, DE\"",
        ]
    );
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let scratch = Scratch::new();
    let config = scratch.file("neckard.toml", b"# ours\n[enrich]\ncustomer = \"c.csv\"\n");
    let with = |path: &Path| run(["lookup", "--config", path.to_str().unwrap(), "10.0.0.1"]);
    let ran = with(&config).exits(2);
    let start = format!("neckar: {}:3: unknown field `customer`", config.display());
    assert!(ran.stderr().starts_with(&start), "{}", ran.stderr());
    with(&scratch.path().join("missing.toml")).exits(2);
    let bad = scratch.file("c.csv", b"10.0.0.0/8\n");
    let text = format!("[enrich]\ncustomers = {bad:?}\n");
    let config = scratch.file("neckard.toml", text.as_bytes());
    let ran = with(&config).exits(1);
    let start = format!("neckar: enrich.customers: {}:1: `10.0.0.0/8`: ", bad.display());
    assert!(ran.stderr().starts_with(&start), "{}", ran.stderr());
    assert_eq!(ran.stderr().lines().count(), 1);
    run(["lookup", "10.0.0.256"]).exits(2);
}

/// A dump of one route, 192.0.2.0/24 by AS 553, written by hand from RFC 6396.
fn dump() -> Vec<u8> {
    let record = |subtype: u8, body: &[u8]| {
        let head = [0x65, 0, 0, 0, 0, 13, 0, subtype, 0, 0, 0, body.len() as u8];
        [&head[..], body].concat()
    };
    // One peer with IPv4 and a 4-byte AS number, no view.
    let peers = [0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 192, 0, 2, 9, 0, 0, 2, 0x29];
    let attributes = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 2, 0x29];
    let mut route = vec![0, 0, 0, 0, 24, 192, 0, 2, 0, 1, 0, 0, 0x65, 0, 0, 0];
    route.extend([0, attributes.len() as u8]);
    route.extend(attributes);
    [record(1, &peers), record(2, &route)].concat()
}

#[test]
fn a_packed_dump_is_told_by_its_content() {
    use std::io::Write;
    let scratch = Scratch::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&dump()).unwrap();
    let file = scratch.file("table", &packed.finish().unwrap());
    let found = run(args("table", &["--format", "json"], &[&file])).exits(0).json();
    let counts = [&found["kind"], &found["prefixes_v4"], &found["labels"]["AS"]];
    assert_eq!(counts, [&json!("rib"), &json!(1), &json!(1)]);
    let source = file.to_str().unwrap();
    let found = run(["lookup", "--format", "json", "--source", source, "192.0.2.7"]).exits(0);
    assert_eq!(found.json()["result"], json!({"AS": 553}));
}
