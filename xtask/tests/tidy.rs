//! The house rules that a program can check (CONTRIBUTING.md). Each failure says what to do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a file, its tests at the foot apart.
const FILE_LINES_MAX: usize = 500;
/// Longer for now; may shrink, not grow.
const FILES_LONGER: [(&str, usize); 1] = [("decode/src/plan/run.rs", 600)];
/// `cargo fmt` keeps code within 100; layouts in comments, macros and tables of cases stand out.
const COLUMNS_MAX: usize = 160;
const NAMES_REFUSED: [&str; 4] = ["utils", "common", "manager", "helper"];
/// Where `unsafe` may stand.
const UNSAFE_ROOMS: [&str; 2] = ["daemon/src/ingest/", "kafka/src/librdkafka/produce.rs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Files that git knows, with this ending.
fn files(ending: &str) -> Vec<(String, String)> {
    let output = Command::new("git")
        .args(["-C", root().to_str().unwrap(), "ls-files", &format!("*{ending}")])
        .output()
        .expect("git is there: this is a clone");
    let names = String::from_utf8(output.stdout).unwrap();
    names
        .lines()
        .filter_map(|name| Some((name.to_string(), fs::read_to_string(root().join(name)).ok()?)))
        .collect()
}

#[track_caller]
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn files_are_one_idea_long() {
    let found: Vec<String> = files(".rs")
        .into_iter()
        .filter(|(name, _)| !name.contains("tests"))
        .filter_map(|(name, text)| {
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
            let longer = FILES_LONGER.iter().find(|(longer, _)| *longer == name);
            let lines_max = longer.map_or(FILE_LINES_MAX, |(_, lines)| *lines);
            (lines > lines_max).then(|| format!("{name}: {lines} lines"))
        })
        .collect();
    assert_none(&format!("more than {FILE_LINES_MAX} lines: split at the second idea"), &found);
}

#[test]
fn lines_fit() {
    let mut found = Vec::new();
    for (name, text) in files(".rs") {
        for (index, line) in text.lines().enumerate() {
            // A datagram in hexadecimal is no prose.
            if line.chars().count() > COLUMNS_MAX && !line.contains('"') {
                found.push(format!("{name}:{}", index + 1));
            }
        }
    }
    assert_none(&format!("longer than {COLUMNS_MAX} columns"), &found);
}

/// The harness keeps what the print macros say in a test that passes, so nobody would see it.
#[test]
fn skips_are_loud() {
    let quiet = concat!("eprintln!(\"SKIP", "PED");
    let found = files(".rs").into_iter().filter(|(_, text)| text.contains(quiet));
    assert_none("a skip that nobody sees", &found.map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn names_say_something() {
    let found: Vec<String> = files(".rs")
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| {
            let stem = Path::new(name).file_stem().unwrap().to_string_lossy().into_owned();
            NAMES_REFUSED.iter().any(|refused| stem.contains(refused))
        })
        .collect();
    assert_none("a name that says nothing", &found);
}

#[test]
fn unsafe_stands_where_it_may() {
    let found: Vec<String> = files(".rs")
        .into_iter()
        .filter(|(name, _)| !UNSAFE_ROOMS.iter().any(|room| name.starts_with(room)))
        .flat_map(|(name, text)| {
            let lines = text.lines().enumerate().filter(|(_, line)| {
                let code = line.split("//").next().unwrap();
                code.contains("unsafe {")
                    || code.contains("unsafe fn")
                    || code.contains("unsafe impl")
            });
            let places: Vec<String> = lines.map(|(at, _)| format!("{name}:{}", at + 1)).collect();
            places
        })
        .filter(|place| !place.starts_with("xtask/tests/tidy.rs"))
        .collect();
    assert_none("unsafe outside its rooms", &found);
}

#[test]
fn nothing_is_left_open() {
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["todo", "!("].concat()];
    let found: Vec<String> = files(".rs")
        .into_iter()
        .chain(files(".md"))
        .filter(|(_, text)| marks.iter().any(|mark| text.contains(mark.as_str())))
        .map(|(name, _)| name)
        .collect();
    assert_none("left open", &found);
}

#[test]
fn links_lead_somewhere() {
    let mut found = Vec::new();
    for (name, text) in files(".md") {
        let folder = root().join(&name).parent().unwrap().to_path_buf();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                found.push(format!("{name}: {link}"));
            }
        }
    }
    assert_none("a link into nothing", &found);
}

#[test]
fn documents_have_one_title() {
    let found: Vec<String> = files(".md")
        .into_iter()
        .filter(|(_, text)| {
            let mut code = false;
            let titles = text.lines().filter(|line| {
                code ^= line.starts_with("```");
                !code && line.starts_with("# ")
            });
            titles.count() != 1
        })
        .map(|(name, _)| name)
        .collect();
    assert_none("not exactly one title", &found);
}

#[test]
fn tuning_scripts_explain_themselves() {
    for (name, _) in files(".sh").iter().filter(|(name, _)| name.starts_with("tuning/")) {
        let output = Command::new("bash").arg(root().join(name)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for word in ["Why:", "Undo:", "apply|verify|undo"] {
            assert!(text.contains(word), "{name} without arguments says {word}");
        }
    }
}
