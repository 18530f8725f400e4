//! How far a spool was delivered, kept on disk.
//!
//! Two slots in one file, written in turn, the newer intact one read: a write that a crash tears
//! leaves the other. Not a temporary file and a rename, because that needs new blocks, and the
//! cursor has to be written above all when the disk is full and a segment is about to be shed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::record::{Count, u64_at};

/// Apart by more than a sector, so that one torn write cannot reach both.
const SLOT_BYTES: usize = 4096;
const USED_BYTES: usize = 68;
const MAGIC: [u8; 8] = *b"NECKARCU";

/// Where the first record stands that is not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of its segment, which need not exist yet.
    pub(super) segment: u64,
    /// Bytes from the start of the segment.
    pub(super) offset: u64,
    /// What is before it.
    pub(super) before: Count,
}

/// What is kept: the place, and all that was written, so that a tail that is missing is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) place: Place,
    pub(super) written: Count,
}

/// The file.
#[derive(Debug)]
pub(super) struct Cursor {
    file: File,
    turn: u64,
    kept: Option<Kept>,
}

impl Cursor {
    /// Opens `path` or makes it; both slots have their blocks from here on, unless the disk fails,
    /// which `errors` counts. A cursor that cannot be read is none: all that is there comes again.
    pub(super) fn open(path: &Path, errors: &mut u64) -> io::Result<Self> {
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = vec![0; 2 * SLOT_BYTES];
        let len = file.read_at(&mut bytes, 0).unwrap_or_else(|_| {
            *errors += 1;
            bytes.fill(0);
            0
        });
        if len < bytes.len() {
            *errors += u64::from(file.write_all_at(&bytes[len..], len as u64).is_err());
        }
        let newer = bytes.chunks_exact(SLOT_BYTES).filter_map(read).max_by_key(|(turn, _)| *turn);
        let (turn, kept) = newer.map_or((0, None), |(turn, kept)| (turn, Some(kept)));
        Ok(Self { file, turn, kept })
    }

    /// What was kept last; `None` if nothing, or both slots are damaged.
    pub(super) fn kept(&self) -> Option<Kept> {
        self.kept
    }

    /// Keeps `kept`, past a power cut too if `synced`. Writes nothing if it is kept already.
    pub(super) fn keep(&mut self, kept: Kept, synced: bool) -> io::Result<()> {
        if self.kept != Some(kept) {
            let turn = self.turn.wrapping_add(1);
            self.file.write_all_at(&slot(turn, kept), turn % 2 * SLOT_BYTES as u64)?;
            // Not before: a write that failed may have torn its slot, and the other is the good one.
            self.turn = turn;
            self.kept = Some(kept);
        }
        if synced { self.file.sync_data() } else { Ok(()) }
    }
}

fn slot(turn: u64, kept: Kept) -> [u8; USED_BYTES] {
    let Kept { place, written } = kept;
    let mut bytes = [0; USED_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    let numbers = [
        turn,
        place.segment,
        place.offset,
        place.before.flows,
        place.before.records,
        written.flows,
        written.records,
    ];
    for (number, out) in numbers.iter().zip(bytes[8..64].chunks_exact_mut(8)) {
        out.copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32c::crc32c(&bytes[..64]);
    bytes[64..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn read(bytes: &[u8]) -> Option<(u64, Kept)> {
    let crc = crc32c::crc32c(&bytes[..64]).to_le_bytes();
    if bytes[..8] != MAGIC || bytes[64..USED_BYTES] != crc {
        return None;
    }
    let before = Count { flows: u64_at(bytes, 32), records: u64_at(bytes, 40) };
    let place = Place { segment: u64_at(bytes, 16), offset: u64_at(bytes, 24), before };
    let written = Count { flows: u64_at(bytes, 48), records: u64_at(bytes, 56) };
    Some((u64_at(bytes, 8), Kept { place, written }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_is_tried_again_in_the_same_slot() {
        let path = std::env::temp_dir().join(format!("neckar-cursor-{}", std::process::id()));
        let at = |segment| Kept { place: Place { segment, ..Place::default() }, ..Kept::default() };
        let mut cursor = Cursor::open(&path, &mut 0).unwrap();
        cursor.keep(at(1), true).unwrap();
        // Nothing can be written through a descriptor that reads.
        let file = std::mem::replace(&mut cursor.file, File::open(&path).unwrap());
        cursor.keep(at(2), true).unwrap_err();
        cursor.file = file;
        cursor.keep(at(3), true).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let slots: Vec<_> = bytes.chunks_exact(SLOT_BYTES).map(read).collect();
        assert_eq!(slots, [Some((2, at(3))), Some((1, at(1)))], "the good one is still there");
        std::fs::remove_file(path).unwrap();
    }
}
