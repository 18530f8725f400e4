//! How much of a file that a crash has cut is whole.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::Path;

use super::files::name_of;

/// Cuts the file behind its last whole flow, or its last whole frame if it is compressed; answers
/// its length. Which it is, its name says, whatever its folder is called.
///
/// # Errors
/// It cannot be read or cut.
pub(super) fn cut(path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = match name_of(path) {
        name if name.contains(".zst") => whole_frames(&bytes),
        name if name.contains(".pb") => whole_messages(&bytes),
        _ => bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
    } as u64;
    file.set_len(whole)?;
    file.sync_all()?;
    Ok(whole)
}

fn whole_frames(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while whole < bytes.len() {
        match zstd::zstd_safe::find_frame_compressed_size(&bytes[whole..]) {
            Ok(len) if len > 0 => whole += len,
            _ => break,
        }
    }
    whole
}

fn whole_messages(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(len) = message_len(&bytes[whole..]) {
        whole += len;
    }
    whole
}

/// Of the first message and its length; `None` if it is not whole.
fn message_len(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let len = prost::decode_length_delimiter(&mut rest).ok()?;
    let all = (bytes.len() - rest.len()).checked_add(len)?;
    (all <= bytes.len()).then_some(all)
}
