//! Kafka's compressions of a batch's records, each in the form that Java's consumers read.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use lz4::block::CompressionMode;

/// Which; the number is that of a record batch's attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Codec {
    #[default]
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

/// A codec and how hard it should try.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compression {
    pub(super) codec: Codec,
    /// As librdkafka takes it, 0 to 12; ours if there is none.
    pub(super) level: Option<i32>,
}

/// What each does unless the operator says otherwise: flows are much alike, and little is to be had
/// by trying harder. benches/README.md has what they were chosen by.
const ZSTD_LEVEL: i32 = 1;
const GZIP_LEVEL: u32 = 1;
const LZ4_ACCELERATION: i32 = 4;

impl Codec {
    /// As configurations name it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }
}

/// Compresses batch after batch, with memory that is kept.
pub(super) struct Compressor {
    compression: Compression,
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.compression.fmt(out)
    }
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Self {
        let level = compression.level.unwrap_or(ZSTD_LEVEL);
        let is_zstd = compression.codec == Codec::Zstd;
        // Only memory can lack, and then everything does.
        let zstd = is_zstd.then(|| zstd::bulk::Compressor::new(level).expect("a context"));
        Self { compression, zstd }
    }

    pub(super) fn codec(&self) -> Codec {
        self.compression.codec
    }

    /// Appends `records` to `out`, compressed.
    ///
    /// # Errors
    /// The codec's; none of them fails on bytes in memory.
    pub(super) fn compress(&mut self, records: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let level = self.compression.level;
        match self.compression.codec {
            Codec::None => out.extend_from_slice(records),
            Codec::Gzip => {
                let level = level.map_or(GZIP_LEVEL, |level| level.clamp(0, 9) as u32);
                let mut encoder = GzEncoder::new(out, flate2::Compression::new(level));
                encoder.write_all(records)?;
                encoder.finish()?;
            }
            Codec::Snappy => snappy(records, out)?,
            Codec::Lz4 => lz4(records, level, out)?,
            Codec::Zstd => {
                let start = out.len();
                out.resize(start + zstd::zstd_safe::compress_bound(records.len()), 0);
                let zstd = self.zstd.as_mut().ok_or_else(|| io::Error::other("no context"))?;
                let len = zstd.compress_to_buffer(records, &mut out[start..])?;
                out.truncate(start + len);
            }
        }
        Ok(())
    }
}

/// LZ4's frame format, of independent blocks, which are all that Java reads. liblz4's own framing has
/// no acceleration; this is a header, blocks behind their lengths, and an end.
fn lz4(records: &[u8], level: Option<i32>, out: &mut Vec<u8>) -> io::Result<()> {
    /// Magic number; version 1, blocks independent; of at most 64 KiB; and the header's checksum.
    const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
    const BLOCK_BYTES: usize = 64 << 10;
    /// Of a length: the block is not compressed.
    const AS_IT_IS: u32 = 1 << 31;
    let mode = match level {
        None => CompressionMode::FAST(LZ4_ACCELERATION),
        Some(..=0) => CompressionMode::DEFAULT,
        Some(level) => CompressionMode::HIGHCOMPRESSION(level),
    };
    out.extend_from_slice(&HEADER);
    for block in records.chunks(BLOCK_BYTES) {
        let start = out.len() + 4;
        out.resize(start + lz4::block::compress_bound(block.len())?, 0);
        let len = lz4::block::compress_to_buffer(block, Some(mode), false, &mut out[start..])?;
        let (len, mark) = if len < block.len() { (len, 0) } else { (block.len(), AS_IT_IS) };
        if mark == AS_IT_IS {
            out[start..start + len].copy_from_slice(block);
        }
        out[start - 4..start].copy_from_slice(&(len as u32 | mark).to_le_bytes());
        out.truncate(start + len);
    }
    out.extend_from_slice(&[0; 4]);
    Ok(())
}

/// The framing of Java's snappy library: a header, then blocks, each behind its length.
fn snappy(records: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
    const BLOCK_BYTES: usize = 32 << 10;
    let mut encoder = snap::raw::Encoder::new();
    out.extend_from_slice(&HEADER);
    for block in records.chunks(BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block)?;
        out.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
        out.extend_from_slice(&compressed);
    }
    Ok(())
}
