//! Documents made from the code are as the code is now. `UPDATE=1 cargo test -p neckard --test
//! documents` rewrites them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::collections::BTreeSet;
use std::path::Path;

#[track_caller]
fn check(name: &str, fresh: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, fresh).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == fresh,
        "docs/{name} is stale: UPDATE=1 cargo test -p neckard --test documents"
    );
}

#[test]
fn configuration() {
    check("config.md", &neckard::config::markdown());
}

#[test]
fn metrics() {
    check("metrics.md", &neckard::metrics::markdown());
}

#[test]
fn what_troubleshooting_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let metrics = neckard::metrics::markdown();
    for document in ["troubleshoot.md", "operate.md"] {
        let text = std::fs::read_to_string(folder.join(document)).unwrap();
        let names: BTreeSet<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("neckar_"))
            .collect();
        assert!(!names.is_empty(), "{document} names metrics");
        for name in names {
            assert!(
                metrics.contains(&format!("`{name}`")),
                "{document}: there is no metric {name}"
            );
        }
    }
}

/// What the doctor looks at, and the keys that it tells people to turn.
#[test]
fn what_the_doctor_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/src/doctor");
    let (metrics, keys) = (neckard::metrics::markdown(), neckard::config::markdown());
    let sections: BTreeSet<&str> = keys
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('.').map(|(section, _)| section))
        .collect();
    for file in ["losses.rs", "signs.rs", "step.rs"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        // Only what stands between quotes: the rest is code.
        for literal in text.split('"').skip(1).step_by(2) {
            for word in literal.split(|c| !is_word(c)).map(|word| word.trim_end_matches('.')) {
                if word.starts_with("neckar_") {
                    assert!(metrics.contains(&format!("`{word}`")), "{file}: no metric {word}");
                }
                let section = word.split_once('.').map(|(section, _)| section);
                if section.is_some_and(|section| sections.contains(section)) {
                    assert!(keys.contains(&format!("`{word}`")), "{file}: no key {word}");
                }
            }
        }
    }
}
