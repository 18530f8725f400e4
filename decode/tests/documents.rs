//! `docs/fields.md` is as the decoder is now. `UPDATE=1 cargo test -p neckar-decode --test documents`
//! rewrites it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::path::Path;

use neckar_decode::fields;

#[test]
fn the_field_map() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fields.md");
    let fresh = fields::markdown();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == fresh,
        "docs/fields.md is stale: UPDATE=1 cargo test -p neckar-decode --test documents"
    );
}
