//! What real exporters sent, counted as independent counters counted it: the tables of `captures/README.md`.

use crate::program::{Ran, Stats, run};
use crate::readme::{Row, rows};
use crate::shared;

fn stats_of(row: &Row) -> Stats {
    let files = row.files.iter().map(|file| file.to_str().unwrap());
    let args = ["decode", "--format", "none", "--stats"];
    let ran: Ran = run(args.into_iter().chain(files)).exits(0);
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

#[test]
fn counts_of_real_exporters_are_the_readmes() {
    let Some(captures) = shared::folder("captures") else { return };
    let rows = rows(&captures);
    // D: conformance cases. The other rows are for robustness or copies.
    let cases: Vec<&Row> = rows.iter().filter(|row| row.text("use") == "D").collect();
    assert!(cases.len() >= 110, "only {} cases read from the page", cases.len());
    let mut found = Vec::new();
    let mut played = 0;
    for row in cases {
        if row.files.is_empty() {
            // Its expectations are there, the file is not.
            eprintln!("SKIPPED: {} is not among the captures", row.name);
            continue;
        }
        played += 1;
        found.extend(differences(row, &stats_of(row)));
    }
    eprintln!("{played} cases");
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
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
