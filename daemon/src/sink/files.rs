//! Flows in files of a folder: written under a name that ends in `.partial`, renamed when they are
//! full or old enough.
//!
//! What a crash leaves behind is a `.partial` file whose last batch may be cut; the next start cuts
//! it to its last whole flow (of compressed files: batch, since each is a frame of its own) and
//! renames it. A full disk costs the flows that did not fit, counted; the file stays whole. A lock keeps
//! a second daemon from doing that to files that are being written.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use neckar_proto::Batch;

use super::text::Formatter;
use super::whole;
use super::writer::{Destination, Writer};
use crate::config::{FileOutput, FlowFormat};

/// Behind the name of a file that is being written.
const PARTIAL: &str = ".partial";
/// What all our files' names start with.
const PREFIX: &str = "neckar-";
/// Not among the files for whoever reads `*`.
const LOCK: &str = ".lock";
/// Complaints about the disk are this far apart.
const COMPLAIN: Duration = Duration::from_secs(60);

/// What became of files.
#[derive(Debug, Default)]
pub struct FileCounts {
    /// Files finished, those that a crash had left included.
    pub finished: AtomicU64,
    /// Old files deleted for `output.file.bytes_max`.
    pub deleted: AtomicU64,
    /// Bytes of finished files.
    pub bytes: AtomicU64,
}

struct Files {
    config: FileOutput,
    /// Holds the lock.
    _lock: File,
    formatter: Formatter,
    ending: String,
    open: Option<Open>,
    /// Finished files, oldest first, with their sizes.
    finished: VecDeque<(PathBuf, u64)>,
    counts: Arc<FileCounts>,
    /// Compressed bytes of a batch.
    frame: Vec<u8>,
    /// Tells files of one second apart.
    number: u32,
    complained: Option<Instant>,
}

struct Open {
    file: File,
    path: PathBuf,
    /// Up to the last whole batch.
    len: u64,
    since: Instant,
}

/// Starts writing files.
///
/// # Errors
/// The folder cannot be written to or is another daemon's, what a crash left cannot be mended, or there is
/// no thread left.
pub fn write_files(
    config: &FileOutput,
    format: FlowFormat,
    counts: Arc<FileCounts>,
) -> io::Result<Writer> {
    let kind = match format {
        FlowFormat::Protobuf => "pb",
        FlowFormat::Json => "jsonl",
        FlowFormat::Line => "txt",
    };
    let ending = if config.zstd_level == 0 { kind.into() } else { format!("{kind}.zst") };
    fs::create_dir_all(&config.directory)?;
    let mut files = Files {
        config: config.clone(),
        _lock: lock(&config.directory)?,
        formatter: Formatter::new(format),
        ending,
        open: None,
        finished: VecDeque::new(),
        counts,
        frame: Vec::new(),
        number: 0,
        complained: None,
    };
    files.take_over()?;
    Writer::start("files", files)
}

impl Files {
    /// Finds what is there already, and finishes what a crash has left.
    fn take_over(&mut self) -> io::Result<()> {
        let mut names: Vec<PathBuf> = fs::read_dir(&self.config.directory)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| name_of(path).starts_with(PREFIX))
            .collect();
        // Names begin with the time.
        names.sort();
        for path in names {
            if name_of(&path).ends_with(PARTIAL) {
                let len = whole::cut(&path)?;
                self.keep(&path, len)?;
            } else {
                let len = fs::metadata(&path)?.len();
                self.count_in(path, len);
            }
        }
        self.delete_old();
        Ok(())
    }

    /// Gives the file its final name.
    fn keep(&mut self, partial: &Path, len: u64) -> io::Result<()> {
        if len == 0 {
            return fs::remove_file(partial);
        }
        let path = partial.with_extension("");
        fs::rename(partial, &path)?;
        // The rename is on disk only when the folder is.
        File::open(&self.config.directory)?.sync_all()?;
        self.counts.finished.fetch_add(1, Ordering::Relaxed);
        self.count_in(path, len);
        Ok(())
    }

    fn count_in(&mut self, path: PathBuf, len: u64) {
        self.counts.bytes.fetch_add(len, Ordering::Relaxed);
        self.finished.push_back((path, len));
    }

    fn delete_old(&mut self) {
        let bytes_max = self.config.bytes_max;
        while bytes_max > 0 && self.counts.bytes.load(Ordering::Relaxed) > bytes_max {
            let Some((path, len)) = self.finished.pop_front() else { return };
            if let Err(error) = fs::remove_file(&path) {
                log::warn!("{}: not deleted: {error}", path.display());
            }
            self.counts.bytes.fetch_sub(len, Ordering::Relaxed);
            self.counts.deleted.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let text = self.formatter.format(batch);
        let bytes = match self.config.zstd_level {
            0 => text,
            level => {
                self.frame = zstd::bulk::compress(text, level)?;
                &self.frame
            }
        };
        if self.open.is_none() {
            let folder = &self.config.directory;
            self.open = Some(Open::create(folder, &self.ending, self.number)?);
            self.number = self.number.wrapping_add(1);
        }
        let open = self.open.as_mut().expect("just opened");
        if let Err(error) = open.file.write_all(bytes) {
            // The file ends with its last whole batch, whatever of this one got through.
            open.file.set_len(open.len)?;
            open.file.seek(SeekFrom::Start(open.len))?;
            return Err(error);
        }
        open.len += bytes.len() as u64;
        Ok(())
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let kept = open.file.sync_all().and_then(|()| self.keep(&open.path, open.len));
        if let Err(error) = kept {
            self.complain(&open.path, &error);
        }
        self.delete_old();
    }

    fn complain(&mut self, path: &Path, error: &io::Error) {
        if self.complained.is_none_or(|at| at.elapsed() > COMPLAIN) {
            self.complained = Some(Instant::now());
            log::error!("{}: {error}", path.display());
        }
    }
}

impl Destination for Files {
    fn write(&mut self, batch: &Batch) -> usize {
        match self.append(batch) {
            Ok(()) => batch.len(),
            Err(error) => {
                self.complain(&self.config.directory.clone(), &error);
                0
            }
        }
    }

    fn tend(&mut self) {
        let Some(open) = &self.open else { return };
        let age = Duration::from_secs(self.config.rotate_s);
        if open.len >= self.config.rotate_bytes || open.since.elapsed() >= age {
            self.close();
        }
    }

    fn finish(&mut self) {
        self.close();
    }
}

impl Open {
    fn create(folder: &Path, ending: &str, number: u32) -> io::Result<Self> {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        // 20261123T230812Z: sorts by time, and needs no quotes.
        let now = now.replace(['-', ':'], "");
        let path = folder.join(format!("{PREFIX}{now}-{number:06}.{ending}{PARTIAL}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, len: 0, since: Instant::now() })
    }
}

/// The folder, for this process alone.
fn lock(folder: &Path) -> io::Result<File> {
    let lock = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process writes to it")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

pub(super) fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
