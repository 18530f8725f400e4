//! Folders that a start makes and writes to, looked at without making them: whoever checks may be
//! another user than the daemon, and what he made would be his.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::config::{Config, OutputKind, Problem};
use crate::settings;

/// All that `config` names.
///
/// # Errors
/// The first that a start could not have.
pub(super) fn check(config: &Config) -> Result<(), Problem> {
    let (state, output) = (&config.state.directory, &config.output.file.directory);
    // That this one can be written to shows when something is to be kept, and stops nobody.
    if !state.as_os_str().is_empty() && !state.is_dir() {
        folder("state.directory", state)?;
    }
    if config.output.kind == OutputKind::File {
        folder("output.file.directory", output)?;
    }
    if config.spool.is_on() {
        folder("spool.directory", &config.spool.directory)?;
        settings::check_spool(&config.spool)?;
    }
    Ok(())
}

fn folder(key: &str, folder: &Path) -> Result<(), Problem> {
    try_out(folder).map_err(|error| {
        let fix = "give a folder that the daemon's user can write to";
        Problem::new(key, format!("\"{}\"", folder.display()), error, fix)
    })
}

/// Makes a file in `folder`, or in the one that it would be made in, and takes it away again.
fn try_out(folder: &Path) -> io::Result<()> {
    let folder = std::path::absolute(folder)?;
    for there in folder.ancestors() {
        match fs::metadata(there) {
            Ok(found) if found.is_dir() => {
                let probe = there.join(format!(".neckard-check-{}", std::process::id()));
                File::create_new(&probe)?;
                return fs::remove_file(probe);
            }
            Ok(_) => return Err(ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::NotFound.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_tried_out_and_left_as_it_was() {
        let root = std::env::temp_dir().join(format!("neckar-folders-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("file"), "").unwrap();
        assert!(try_out(&root).is_ok());
        assert!(try_out(&root.join("to/be/made")).is_ok());
        for wrong in ["file", "file/below"] {
            let error = try_out(&root.join(wrong)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotADirectory, "{wrong}");
        }
        let left: Vec<_> =
            fs::read_dir(&root).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert_eq!(left, ["file"]);
        fs::remove_dir_all(root).unwrap();
        // Nobody, not even root, makes files there.
        assert!(try_out(Path::new("/proc/neckar")).is_err());
    }
}
