//! What real exporters sent, counted as independent counters counted it: the tables of
//! `captures/README.md`.

use crate::program::{Stats, run};
use crate::readme::{Row, rows};
use crate::shared;
use std::io::Write as _;

fn stats_of(row: &Row) -> Stats {
    let files = row.files.iter().map(|file| file.to_str().unwrap());
    let args = ["decode", "--format", "none", "--stats"];
    let ran = run(args.into_iter().chain(files)).exits(0);
    ran.stats()
}

/// What the row says against what we count: one line a difference.
fn differences(row: &Row, stats: &Stats) -> Vec<String> {
    let mut expected = vec![("datagrams", row.number("dgr"))];
    let columns = [
        ("templates", "tpl"),
        ("options_templates", "opt tpl"),
        ("records", "data"),
        ("options_records", "opt rec"),
        // Section 1 has a shorter head.
        ("options_records", "opt"),
    ];
    expected.extend(columns.map(|(name, column)| (name, row.number(column))));
    if row.number("samples").is_some() {
        let (flows, counters) = samples(row.text("sample types"));
        expected.extend([("records", Some(flows)), ("counter_samples", Some(counters))]);
    }
    let of = |(name, expected): (&str, Option<u64>)| {
        let (expected, count) = (expected?, stats.count(name));
        (count != expected).then(|| format!("{}: {name} {count}, not {expected}", row.name))
    };
    expected.into_iter().filter_map(of).collect()
}

/// "8 counter, 1 flow" and "1 expanded flow", as flow and counter samples.
fn samples(text: &str) -> (u64, u64) {
    let mut counts = (0, 0);
    for part in text.split(',') {
        let (count, kind) = part.trim().split_once(' ').unwrap();
        let count: u64 = count.parse().unwrap();
        if kind.ends_with("flow") { counts.0 += count } else { counts.1 += count }
    }
    counts
}

/// Every row with this use, played: how many there were, and what differs.
fn play(usage: &str) -> Option<(usize, Vec<String>)> {
    let captures = shared::folder("captures")?;
    let rows = rows(&captures);
    let (mut played, mut found) = (0, Vec::new());
    for row in rows.iter().filter(|row| row.text("use") == usage) {
        if row.files.is_empty() {
            // Its expectations are there, the file is not.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {} is not among the captures", row.name);
            continue;
        }
        played += 1;
        found.extend(differences(row, &stats_of(row)));
    }
    Some((played, found))
}

#[test]
fn counts_of_real_exporters_are_the_readmes() {
    // D: conformance cases.
    let Some((played, found)) = play("D") else { return };
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    assert!(played >= 110, "only {played} cases read from the page");
}

#[test]
fn counts_of_malformed_files_differ_where_we_know_why() {
    // F: made to be misread, and other counters do.
    let Some((played, found)) = play("F") else { return };
    let known = [
        // Cut inside their only message. Nobody else counts them; for us it is a datagram of which
        // the end is missing, and the sets that are whole stand (semantics.md section 5,
        // last rule).
        "`ipfix_data/bad-length-in-set-very-long.ipfix`: datagrams 1, not 0",
        "`ipfix_data/bad-length-in-set-very-long.ipfix`: templates 16, not 0",
        "`ipfix_data/bad-length-in-set.ipfix`: datagrams 1, not 0",
        "`ipfix_data/bad-length-in-set.ipfix`: templates 15, not 0",
        // Options templates of a scope and nothing else: 12 of the 16 have a record of 4 bytes.
        "`testcases/malformed_2.pcap`: options_records 12, not 0",
    ];
    assert_eq!(found, known);
    assert!(played >= 26, "only {played} files read from the page");
}

#[test]
fn sets_that_arrive_without_a_template_are_held_or_dropped() {
    let Some(captures) = shared::folder("captures") else { return };
    for row in rows(&captures) {
        if row.text("use") != "D" || row.files.is_empty() {
            continue;
        }
        let Some(expected) = row.number("sets no tpl") else { continue };
        let stats = stats_of(&row);
        // In none of them the template comes later.
        let dropped = stats.dropped("set_template_missing");
        assert_eq!((stats.count("held"), dropped), (expected, expected), "{}", row.name);
    }
}
