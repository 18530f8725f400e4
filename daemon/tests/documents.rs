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
