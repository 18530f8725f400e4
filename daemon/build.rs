//! Tells the build what it is: the compiler, and the commit where there is one. Asks no network.

use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let rustc = said(&rustc, &["--version"]);
    let rustc = rustc.split_whitespace().nth(1).unwrap_or("unknown").to_string();
    println!("cargo::rustc-env=NECKAR_RUSTC={rustc}");
    println!("cargo::rustc-env=NECKAR_REVISION={}", revision());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NECKAR_REVISION");
}

/// What a packager says, else the commit. Builds for development do not say: they would be built anew
/// with each commit, and hold what is not committed.
fn revision() -> String {
    if let Some(revision) = std::env::var("NECKAR_REVISION").ok().filter(|one| !one.is_empty()) {
        return revision;
    }
    if std::env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return "development".into();
    }
    // Each commit is a line there.
    let log = said("git", &["rev-parse", "--git-path", "logs/HEAD"]);
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    let revision = said("git", &["rev-parse", "--short=12", "HEAD"]);
    if revision.is_empty() { "unknown".into() } else { revision }
}

/// The first line that a program says; nothing if it is not there or fails.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let output = output.ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
}
