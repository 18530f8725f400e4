//! The README's first command ends well and accounts for everything.

use std::process::Command;

#[test]
fn the_demo_accounts_for_every_flow() {
    let output = Command::new(env!("CARGO_BIN_EXE_neckard"))
        .args(["demo", "--seconds", "3", "--rate", "10000"])
        .output()
        .expect("neckard runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("  ok ").count(), 5, "{text}");
    assert!(text.contains("\"Cid\":"), "a labelled flow is shown: {text}");
    assert!(text.contains("lost: 0 "), "{text}");
}
