//! One file of a spool: its name, its header, and the one that is being written.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::{Count, HEADER_BYTES, Header, Unread};

/// What is known of a segment that is on disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Behind its last record.
    pub(super) end: u64,
    /// What was written before it.
    pub(super) before: Count,
    pub(super) opened_ms: u64,
}

/// A segment found on disk; without a header if that is damaged.
#[derive(Debug)]
pub(super) struct FoundSegment {
    pub(super) number: u64,
    pub(super) end: u64,
    pub(super) header: Result<Header, Unread>,
}

/// `neckar-<20 digits>.spool`: names sort as numbers do.
pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("neckar-{number:020}.spool"))
}

fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("neckar-")?.strip_suffix(".spool")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// The segments of a directory by number, and the numbers of those that cannot be opened; other files
/// are left alone.
pub(super) fn list(directory: &Path) -> io::Result<(Vec<FoundSegment>, Vec<u64>)> {
    let (mut found, mut closed) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().and_then(number) else { continue };
        match look_at(&entry.path(), number) {
            Ok(segment) => found.push(segment),
            Err(_) => closed.push(number),
        }
    }
    found.sort_unstable_by_key(|segment| segment.number);
    Ok((found, closed))
}

fn look_at(path: &Path, number: u64) -> io::Result<FoundSegment> {
    let file = File::open(path)?;
    let mut bytes = [0; HEADER_BYTES as usize];
    // A file that is too short, or whose header the disk does not give back, has none.
    let header = match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Header::read(&bytes, number),
        Err(_) => Err(Unread::Damaged),
    };
    Ok(FoundSegment { number, end: file.metadata()?.len(), header })
}

/// Where a segment that cannot be read is put, for whoever may yet read it.
pub(super) fn set_aside(directory: &Path, number: u64) -> io::Result<()> {
    let path = path(directory, number);
    fs::rename(&path, path.with_extension("unreadable"))
}

/// The segment that is being written; the last one.
#[derive(Debug)]
pub(super) struct Active {
    file: File,
}

impl Active {
    /// Makes the file. Nothing is left of it on error.
    pub(super) fn create(directory: &Path, header: Header) -> io::Result<Self> {
        let path = path(directory, header.number);
        let file = File::options().write(true).create_new(true).open(&path)?;
        let written = file.write_all_at(&header.to_bytes(), 0);
        // The name too has to be there after a power cut.
        let made = written.and_then(|()| File::open(directory)?.sync_all());
        if let Err(error) = made {
            drop(fs::remove_file(&path));
            return Err(error);
        }
        Ok(Self { file })
    }

    /// Writes `record` at `end`. On error the file ends at `end` as before.
    pub(super) fn write(&self, record: &[u8], end: u64) -> io::Result<()> {
        self.file.write_all_at(record, end).inspect_err(|_| {
            // Where even this fails, the reader stops at `end`, and the next start cuts it off.
            drop(self.file.set_len(end));
        })
    }

    /// Past this call the records survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
