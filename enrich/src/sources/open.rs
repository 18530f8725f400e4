//! Files opened, gzip and bzip2 told by their first bytes whatever their names.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;

use crate::error::LoadError;

/// Bytes that a file read whole may have, unpacked.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// Opens a file for reading, unpacked.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, LoadError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    unpack(BufReader::with_capacity(1 << 16, file)).map_err(|error| unreadable(path, &error))
}

fn unpack(mut reader: impl Read + 'static) -> std::io::Result<Box<dyn Read>> {
    let mut magic = Vec::new();
    reader.by_ref().take(3).read_to_end(&mut magic)?;
    let packed = magic.clone();
    let reader = std::io::Cursor::new(magic).chain(reader);
    Ok(match packed[..] {
        [0x1f, 0x8b, _] => Box::new(MultiGzDecoder::new(reader)),
        [b'B', b'Z', b'h'] => Box::new(MultiBzDecoder::new(reader)),
        _ => Box::new(reader),
    })
}

/// Reads a whole file, unpacked.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    let read = read.map_err(|error| unreadable(path, &error))?;
    if read as u64 == FILE_BYTES_MAX {
        return Err(LoadError::new(path, format!("at most {FILE_BYTES_MAX} bytes were expected")));
    }
    Ok(bytes)
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> LoadError {
    LoadError::new(path, format!("a readable file was expected: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn packed_files_are_unpacked() {
        let text = b"192.0.2.0/24,100\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(text).unwrap();
        for packed in
            [text.to_vec(), gzip.finish().unwrap(), bzip2.finish().unwrap(), vec![], vec![0x1f]]
        {
            let mut out = Vec::new();
            unpack(std::io::Cursor::new(packed.clone())).unwrap().read_to_end(&mut out).unwrap();
            assert_eq!(out, if packed.len() > 1 { text.to_vec() } else { packed });
        }
    }
}
