//! Templates and sampling tables on disk, so that the first datagram after a restart decodes.
//!
//! A thread of its own writes the file when something has changed, at most every [`INTERVAL`], to a
//! temporary name that is synced and renamed: a crash leaves the old file or the new one, never
//! half of either.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use neckar_decode::Shared;

use crate::config::State;

/// Changes are written at most this often.
const INTERVAL: Duration = Duration::from_secs(2);
const FILE: &str = "templates.neckar";

/// The thread that keeps the state file.
#[derive(Debug)]
pub struct StateKeeper {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl StateKeeper {
    /// Loads what was kept into `shared` and starts keeping. Without a directory it does nothing.
    ///
    /// # Errors
    /// The directory cannot be made or there is no thread left. A file that cannot be read is an
    /// error line in the log and an empty start, since losing templates is better than not
    /// receiving.
    pub fn start(state: &State, shared: Arc<Shared>) -> io::Result<Self> {
        if state.directory.as_os_str().is_empty() {
            return Ok(Self { running: None });
        }
        fs::create_dir_all(&state.directory)?;
        let path = state.directory.join(FILE);
        restore(&path, &shared);
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("state".into()).spawn(move || {
            let mut written = shared.revision();
            loop {
                let stopping = stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout);
                let revision = shared.revision();
                if revision != written {
                    match replace(&path, &shared.export()) {
                        Ok(()) => written = revision,
                        Err(error) => log::error!("cannot write {}: {error}", path.display()),
                    }
                }
                if stopping {
                    return;
                }
            }
        })?;
        Ok(Self { running: Some((stop, thread)) })
    }

    /// Writes the last changes and ends.
    pub fn stop(self) {
        if let Some((stop, thread)) = self.running {
            drop(stop);
            // A keeper that panicked has told so already.
            let _ = thread.join();
        }
    }
}

fn restore(path: &Path, shared: &Shared) {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            log::error!("cannot read {}: {error}; starting without templates", path.display());
            return;
        }
    };
    match shared.import(&bytes) {
        Ok(summary) => log::info!("{}: {summary}", path.display()),
        Err(error) => log::error!("{}: {error}; starting without templates", path.display()),
    }
}

/// Puts `bytes` in the place of `path` in one step.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary: PathBuf = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
