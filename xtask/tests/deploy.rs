//! What is in `deploy/` is fresh, is what Grafana and Prometheus take, and names only metrics that
//! there are.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use xtask::boards::{self, grafana, promql};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names that `docs/metrics.md` has, histograms and summaries with the names of their samples.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let mut names = BTreeSet::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        names.insert(cells[0].to_string());
        if matches!(cells[1], "histogram" | "summary") {
            names.extend(["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", cells[0])));
        }
    }
    assert!(names.contains("neckar_uptime_seconds"), "docs/metrics.md is read");
    names
}

/// Is it a metric of ours, of the suite's, of Prometheus' own, or recorded by a rule?
fn is_known(name: &str, documented: &BTreeSet<String>) -> bool {
    documented.contains(name)
        || boards::INHERITED.contains(&name)
        || boards::FLOWDATA.contains(&name)
        || ["up", "scrape_samples_scraped"].contains(&name)
        || name.contains(':')
        || name == "four_week_average"
}

#[test]
fn boards_are_as_they_are_described() {
    let mut files = BTreeSet::new();
    for board in boards::all() {
        let text = std::fs::read_to_string(board.path()).unwrap_or_default();
        let stands: Value = serde_json::from_str(&text).unwrap_or_default();
        assert!(stands == grafana::json(&board), "{} is stale: cargo xtask boards", board.name);
        files.insert(board.path().file_name().unwrap().to_owned());
    }
    let there =
        std::fs::read_dir(boards::folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<_> = there.filter(|name| Path::new(name).extension().is_some()).collect();
    assert_eq!(there, files, "no other file is in deploy/grafana");
}

#[test]
fn boards_are_what_grafana_takes() {
    let mut uids = BTreeSet::new();
    for board in boards::all() {
        let json = grafana::json(&board);
        let name = board.name;
        let uid = json["uid"].as_str().unwrap().to_string();
        assert!(
            uid.len() <= 40 && uids.insert(uid),
            "{name}: uids are unique, of 40 letters at most"
        );
        let choices = json["templating"]["list"].as_array().unwrap();
        assert_eq!(choices[0]["name"], "datasource", "{name}");
        for document in board.documents {
            assert!(root().join("docs").join(document).is_file(), "{name}: docs/{document}");
        }
        let top = json["panels"].as_array().unwrap();
        let inside = top.iter().flat_map(|panel| panel["panels"].as_array().into_iter().flatten());
        let panels: Vec<&Value> = top.iter().chain(inside).collect();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{name}: ids are unique");
        check_places(name, top);
        for panel in panels.into_iter().filter(|panel| panel["type"] != "row") {
            check_panel(name, panel, choices);
        }
    }
}

/// Panels lie on nobody, those of a closed row on nobody within it.
fn check_places(board: &str, panels: &[Value]) {
    let mut taken = BTreeSet::new();
    for panel in panels {
        check_place(board, panel, &mut taken);
        if let Some(inside) = panel["panels"].as_array() {
            assert_eq!(panel["collapsed"], !inside.is_empty(), "{board}, {}", panel["title"]);
            check_places(board, inside);
        }
    }
}

/// Within 24 columns, upon nobody else.
fn check_place(board: &str, panel: &Value, taken: &mut BTreeSet<(u64, u64)>) {
    let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
    let (x, y, width, height) = (place("x"), place("y"), place("w"), place("h"));
    let title = &panel["title"];
    assert!(width > 0 && height > 0 && x + width <= 24, "{board}, {title}: {x} + {width}");
    for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
        assert!(taken.insert(cell), "{board}, {title} lies upon another panel at {cell:?}");
    }
}

/// Says what it is, asks the chosen Prometheus, and only by choices that the board has.
fn check_panel(board: &str, panel: &Value, choices: &[Value]) {
    let title = panel["title"].as_str().unwrap();
    assert!(!title.is_empty(), "{board}: a panel without a title");
    assert!(panel["description"].as_str().unwrap().len() > 5, "{board}, {title}: says nothing");
    let targets = panel["targets"].as_array().unwrap();
    assert!(!targets.is_empty(), "{board}, {title}: asks nothing");
    let known: BTreeSet<&str> = choices.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let mut refs = BTreeSet::new();
    for target in targets {
        assert!(
            refs.insert(target["refId"].as_str().unwrap()),
            "{board}, {title}: refs are unique"
        );
        assert_eq!(target["datasource"]["uid"], "${datasource}", "{board}, {title}");
        let expr = target["expr"].as_str().unwrap();
        assert!(!expr.is_empty() && !expr.contains('@'), "{board}, {title}: {expr}");
        for word in expr.split('$').skip(1) {
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let word = &word[..end.unwrap_or(word.len())];
            let is_known = word.starts_with("__") || known.contains(word);
            assert!(is_known, "{board}, {title}: there is no variable ${word}");
        }
    }
}

#[test]
fn boards_ask_for_metrics_that_there_are() {
    let documented = documented();
    for board in boards::all() {
        for (panel, query) in board.panels().flat_map(|p| p.queries.iter().map(move |q| (p, q))) {
            let metrics = promql::metrics(&query.expr);
            assert!(!metrics.is_empty(), "{}: {}", panel.title, query.expr);
            for metric in metrics {
                let place = format!("{}, {}", board.name, panel.title);
                assert!(is_known(&metric, &documented), "{place}: there is no metric {metric}");
            }
        }
        for choice in &board.variables {
            assert!(is_known(choice.metric, &documented), "{}: {}", board.name, choice.metric);
        }
    }
}

/// Of our own metrics each has its place on a board, or a reason to have none.
#[test]
fn every_metric_is_on_a_board() {
    let shown: BTreeSet<String> = boards::all()
        .iter()
        .flat_map(|board| {
            board.panels().flat_map(|panel| &panel.queries).cloned().collect::<Vec<_>>()
        })
        .flat_map(|query| promql::metrics(&query.expr))
        .collect();
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let ends = ["", "_bucket", "_sum", "_count"];
    let is_shown = |name: &str| ends.iter().any(|end| shown.contains(&format!("{name}{end}")));
    let missing: Vec<&str> =
        names.filter(|name| name.starts_with("neckar_") && !is_shown(name)).collect();
    assert!(missing.is_empty(), "on no board: {missing:?}");
}

#[test]
fn rules_ask_for_metrics_that_there_are() {
    let documented = documented();
    for folder in ["rules", "tests"] {
        for entry in std::fs::read_dir(root().join("deploy/prometheus").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in words.filter(|word| word.starts_with("neckar_")) {
                assert!(is_known(name, &documented), "{}: {name}", path.display());
            }
        }
    }
}

/// Runs promtool in `deploy/prometheus`.
fn promtool(arguments: &[&str]) {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(root().join("deploy/prometheus"));
    let output = command.output().expect("promtool (Debian: prometheus) is installed");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&text));
}

#[test]
fn promtool_is_content() {
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "rules/recording.yml", "rules/baseline.yml", "rules/alerts.yml"]);
    promtool(&["test", "rules", "tests/recording.yml", "tests/baseline.yml", "tests/alerts.yml"]);
}

/// Of every alert it is tested that it comes.
#[test]
fn every_alert_has_a_test() {
    let read = |name: &str| std::fs::read_to_string(root().join("deploy/prometheus").join(name));
    let (rules, tests) = (read("rules/alerts.yml").unwrap(), read("tests/alerts.yml").unwrap());
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} has no test");
    }
}
