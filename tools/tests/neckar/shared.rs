//! The folder of real captures beside the repository, which not everybody has.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `../shared/NAME` from the repository's root; `None`, loudly, if it is not there. In CI it has to
/// be.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let missing = format!("{} is missing", folder.display());
    assert!(std::env::var_os("CI").is_none(), "{missing}, and in CI it must be there");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
    None
}

/// Every file under `folder`, in order of their names.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
