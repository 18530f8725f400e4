//! A row as protobuf, in one pass.
//!
//! Words are taken in groups: of 8 where the processor has AVX-512 (`group.rs`), of 16 otherwise
//! (`block.rs`); a group with a number that is too long for it is walked word by word. Field order on
//! the wire is the row's, not the numbers'; protobuf does not mind.
//!
//! Labels that enrichment keeps ready as encoded bytes are appended as they are: two messages one
//! behind the other are their merge.

mod block;
#[cfg(target_arch = "x86_64")]
mod group;

#[cfg(target_arch = "x86_64")]
use archmage::{SimdToken as _, X64V4xToken};
use block::{BLOCK, BLOCK_BYTES, BlockTags};

use crate::field::{ADDRESS_SLOTS, ADDRESSES, Field, Kind, TEXTS, WORD_SLOTS, WORDS};
use crate::flow::Flow;
use crate::rows::{TEXT_BYTES_MAX, text_of};

/// Tag bytes of a field, little-endian in one word; `len` 0 where the profile leaves the field out.
#[derive(Clone, Copy)]
struct Tag {
    bytes: u32,
    len: u8,
}

const ABSENT: Tag = Tag { bytes: 0, len: 0 };
const WIRE_VARINT: u32 = 0;
const WIRE_LEN: u32 = 2;
const SECOND_NS: u64 = 1_000_000_000;

/// Numbers and choice of fields: which message the bytes are.
pub struct Profile {
    words: [Tag; WORD_SLOTS],
    words_kept: u128,
    blocks: [BlockTags; WORD_SLOTS / BLOCK],
    #[cfg(target_arch = "x86_64")]
    groups: [group::GroupTags; WORD_SLOTS / group::GROUP],
    addresses: [Tag; ADDRESS_SLOTS],
    texts: [Tag; TEXTS],
    /// Times as whole seconds under their old numbers, not as nanoseconds.
    seconds: bool,
    /// The MPLS stack as repeated fields 80 and 81.
    mpls_lists: bool,
}

/// The bwNetFlow enriched message: what the suite's consumers read. Times in whole seconds, rounded
/// down.
pub static BWNETFLOW: Profile = Profile::new(false);
/// goflow2's message (v2 numbering): times in nanoseconds, the MPLS stack as lists, what it has no
/// number for left out.
pub static GOFLOW2: Profile = Profile::new(true);

/// The first of the three times, which stand side by side in the first block (`build.rs`).
const TIMES: usize = Field::TimeReceivedNs.slot();
const _: () =
    assert!(Field::TimeFlowStartNs.slot() == TIMES + 1 && Field::TimeFlowEndNs.slot() == TIMES + 2);

/// An upper bound on what one row encodes to, labels apart: every word, address and text at its
/// longest.
pub const ROW_BYTES_MAX: usize =
    WORDS * (3 + 10) + ADDRESSES * (3 + 1 + 16) + TEXTS * (3 + 2 + 2 * TEXT_BYTES_MAX) + SLACK;
/// An upper bound on the labels that enrichment appends to a row: every text by [`encode_text`],
/// and as many again, since tables add up what sources might say without looking whether a row can
/// have it all.
pub const LABELS_BYTES_MAX: usize = 2 * TEXTS * (3 + 2 + TEXT_BYTES_MAX);
/// Stores are made whatever counts of them; those of a block of words reach farthest.
const SLACK: usize = BLOCK_BYTES;

impl Profile {
    const fn new(goflow2: bool) -> Self {
        let mut profile = Self {
            words: [ABSENT; WORD_SLOTS],
            words_kept: 0,
            blocks: [BlockTags::NONE; WORD_SLOTS / BLOCK],
            #[cfg(target_arch = "x86_64")]
            groups: [group::GroupTags::NONE; WORD_SLOTS / group::GROUP],
            addresses: [ABSENT; ADDRESS_SLOTS],
            texts: [ABSENT; TEXTS],
            seconds: !goflow2,
            mpls_lists: goflow2,
        };
        let mut index = 0;
        while index < crate::field::TABLE.len() {
            let info = &crate::field::TABLE[index];
            let (field, number) =
                (info.field, if goflow2 { goflow2_number(info.number) } else { info.number });
            if number != 0 {
                if field.is_word() {
                    profile.set_word(field, number);
                    profile.words_kept |= 1 << field.slot();
                } else if field.is_address() {
                    profile.addresses[field.slot()] = tag(number, WIRE_LEN);
                } else {
                    profile.texts[field.slot()] = tag(number, WIRE_LEN);
                }
            }
            index += 1;
        }
        if !goflow2 {
            profile.set_word(Field::TimeReceivedNs, 2);
            profile.set_word(Field::TimeFlowStartNs, 38);
            profile.set_word(Field::TimeFlowEndNs, 5);
        }
        profile
    }

    const fn set_word(&mut self, field: Field, number: u32) {
        let (slot, tag) = (field.slot(), tag(number, WIRE_VARINT));
        self.words[slot] = tag;
        self.blocks[slot / BLOCK].set(slot % BLOCK, tag);
        #[cfg(target_arch = "x86_64")]
        self.groups[slot / group::GROUP].set(slot % group::GROUP, tag);
    }
}

/// goflow2's number for ours, 0 if its message has no such field: it dropped VRFs, directions and
/// the fixed MPLS slots (39 to 62), and never had enrichment.
const fn goflow2_number(number: u32) -> u32 {
    match number {
        39..=62 | 1000..1171 | 1172.. => 0,
        1171 => 102,
        other => other,
    }
}

const fn tag(number: u32, wire_type: u32) -> Tag {
    let key = number << 3 | wire_type;
    if key < 1 << 7 {
        Tag { bytes: key, len: 1 }
    } else if key < 1 << 14 {
        Tag { bytes: key & 0x7f | 0x80 | key >> 7 << 8, len: 2 }
    } else {
        Tag { bytes: key & 0x7f | 0x80 | (key >> 7 & 0x7f | 0x80) << 8 | key >> 14 << 16, len: 3 }
    }
}

/// Writes `flow` to the front of `out` and returns its length in bytes. `texts` is the buffer of
/// the row's [`Rows`](crate::Rows); `labels` are encoded fields to append.
///
/// # Panics
/// If `out` is shorter than [`ROW_BYTES_MAX`] plus the labels.
#[inline]
pub fn encode(
    profile: &Profile,
    flow: &Flow,
    texts: &[u8],
    labels: &[&[u8]],
    out: &mut [u8],
) -> usize {
    let mut at = encode_words(profile, flow, out);
    at = encode_addresses(profile, flow, out, at);
    if flow.present.texts != 0 {
        at = encode_texts(profile, flow, texts, out, at);
    }
    if profile.mpls_lists && flow.has(Field::MPLSCount) {
        at = encode_mpls_lists(flow, out, at);
    }
    for label in labels {
        at = put_label(out, at, label);
    }
    at
}

/// Copies `label` to `at`: in pieces of fixed size, which need no call, the last of which overlaps
/// the one before.
#[inline(always)]
fn put_label(out: &mut [u8], at: usize, label: &[u8]) -> usize {
    let end = at + label.len();
    let out = &mut out[at..end];
    match label.len() {
        0..4 => out.copy_from_slice(label),
        4..8 => put_pieces::<4>(out, label),
        8..16 => put_pieces::<8>(out, label),
        16..32 => put_pieces::<16>(out, label),
        32..64 => put_pieces::<32>(out, label),
        _ => put_pieces::<64>(out, label),
    }
    end
}

/// Copies what is at least `LEN` bytes long.
#[inline(always)]
fn put_pieces<const LEN: usize>(out: &mut [u8], label: &[u8]) {
    for (into, piece) in out.as_chunks_mut::<LEN>().0.iter_mut().zip(label.as_chunks::<LEN>().0) {
        *into = *piece;
    }
    if let (Some(into), Some(last)) = (out.last_chunk_mut::<LEN>(), label.last_chunk::<LEN>()) {
        *into = *last;
    }
}

/// Appends one text field to `out`, encoded as [`encode()`] would: nothing if the profile has no
/// number for it or the text is empty, at most [`TEXT_BYTES_MAX`] bytes of it, cut between
/// characters: readers refuse a whole message over half of one. What labels are made of.
pub fn encode_text(profile: &Profile, field: Field, text: &str, out: &mut Vec<u8>) {
    debug_assert!(!field.is_word() && !field.is_address());
    let tag = profile.texts[field.slot()];
    let text = &text.as_bytes()[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    if tag.len == 0 || text.is_empty() {
        return;
    }
    out.extend_from_slice(&tag.bytes.to_le_bytes()[..usize::from(tag.len)]);
    // Two bytes hold any length up to the bound.
    match text.len() {
        short @ ..0x80 => out.push(short as u8),
        long => out.extend_from_slice(&[long as u8 | 0x80, (long >> 7) as u8]),
    }
    out.extend_from_slice(text);
}

/// Writes the words to the front of `out`, by whatever the processor does it best with.
#[inline]
fn encode_words(profile: &Profile, flow: &Flow, out: &mut [u8]) -> usize {
    let out = &mut out[..WORDS * 13 + SLACK];
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = X64V4xToken::summon() {
        return group::put_words(token, profile, flow, out);
    }
    block::put_words(profile, flow, out)
}

/// Writes one word after another: those of `words` that `bits` says are there.
#[inline(never)]
fn walk<const WORDS: usize, const BYTES: usize>(
    tags: &[Tag; WORDS],
    words: &[u64; WORDS],
    mut bits: u16,
    out: &mut [u8; BYTES],
) -> usize {
    let mut at = 0;
    while bits != 0 {
        let slot = bits.trailing_zeros() as usize % WORDS;
        bits &= bits - 1;
        if words[slot] != 0 {
            out[at..at + 4].copy_from_slice(&tags[slot].bytes.to_le_bytes());
            at = put_varint(out, at + usize::from(tags[slot].len), words[slot]);
        }
    }
    at
}

/// The first words of a row, its times in seconds.
#[inline(always)]
fn in_seconds<const WORDS: usize>(words: &[u64; WORDS]) -> [u64; WORDS] {
    const { assert!(TIMES + 2 < WORDS) };
    let mut words = *words;
    for time in &mut words[TIMES..TIMES + 3] {
        *time /= SECOND_NS;
    }
    words
}

#[inline(always)]
fn put_varint(out: &mut [u8], at: usize, value: u64) -> usize {
    if value >= 1 << 56 {
        return put_long_varint(out, at, value);
    }
    let bits = 64 - (value | 1).leading_zeros();
    // ceil(bits / 7) for 1 to 64 bits, without a division.
    let len = (bits * 9 + 64) >> 6;
    let more = 0x8080_8080_8080_8080 & ((1 << (8 * (len - 1))) - 1);
    out[at..at + 8].copy_from_slice(&(spread(value) | more).to_le_bytes());
    at + len as usize
}

/// Eight groups of seven bits, each moved into its own byte: halves, quarters, eighths.
#[inline(always)]
const fn spread(value: u64) -> u64 {
    let halves = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let quarters = halves & 0x0000_3fff_0000_3fff | (halves & 0x0fff_c000_0fff_c000) << 2;
    quarters & 0x007f_007f_007f_007f | (quarters & 0x3f80_3f80_3f80_3f80) << 1
}

#[cold]
fn put_long_varint(out: &mut [u8], mut at: usize, mut value: u64) -> usize {
    while value >= 0x80 {
        out[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = value as u8;
    at + 1
}

#[inline]
fn encode_addresses(profile: &Profile, flow: &Flow, out: &mut [u8], mut at: usize) -> usize {
    let mut present = flow.present.addresses;
    while present != 0 {
        let slot = present.trailing_zeros() as usize % ADDRESS_SLOTS;
        present &= present - 1;
        let tag = profile.addresses[slot];
        let len = flow.address_len[slot];
        let start = at + usize::from(tag.len);
        out[at..at + 4].copy_from_slice(&tag.bytes.to_le_bytes());
        out[start] = len;
        out[start + 1..start + 17].copy_from_slice(&flow.addresses[slot]);
        if tag.len != 0 {
            at = start + 1 + usize::from(len);
        }
    }
    at
}

fn encode_texts(
    profile: &Profile,
    flow: &Flow,
    texts: &[u8],
    out: &mut [u8],
    mut at: usize,
) -> usize {
    let mut present = flow.present.texts;
    while present != 0 {
        let slot = present.trailing_zeros() as usize;
        present &= present - 1;
        let field = Field::text_at(slot);
        let tag = profile.texts[slot];
        let text = text_of(flow, field, texts).unwrap_or_default();
        if tag.len == 0 || text.is_empty() {
            continue;
        }
        out[at..at + 4].copy_from_slice(&tag.bytes.to_le_bytes());
        at += usize::from(tag.len);
        at = match field.info().kind {
            Kind::U32List => put_packed(out, at, text.chunks_exact(4).map(u32_of)),
            _ => put_bytes(out, at, text),
        };
    }
    at
}

fn u32_of(chunk: &[u8]) -> u32 {
    chunk.try_into().map_or(0, u32::from_le_bytes)
}

fn put_bytes(out: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let at = put_varint(out, at, bytes.len() as u64);
    out[at..at + bytes.len()].copy_from_slice(bytes);
    at + bytes.len()
}

/// A packed repeated `uint32`. The length comes first, so the items are measured, then written.
fn put_packed(out: &mut [u8], at: usize, items: impl Iterator<Item = u32> + Clone) -> usize {
    let len: usize = items.clone().map(varint_len).sum();
    let mut at = put_varint(out, at, len as u64);
    for item in items {
        at = put_varint(out, at, u64::from(item));
    }
    at
}

fn varint_len(value: u32) -> usize {
    ((32 - (value | 1).leading_zeros()) as usize * 9 + 64) >> 6
}

fn encode_mpls_lists(flow: &Flow, out: &mut [u8], mut at: usize) -> usize {
    const TTLS: [Field; 4] =
        [Field::MPLS1TTL, Field::MPLS2TTL, Field::MPLS3TTL, Field::MPLSLastTTL];
    const LABELS: [Field; 4] =
        [Field::MPLS1Label, Field::MPLS2Label, Field::MPLS3Label, Field::MPLSLastLabel];
    // The last slot repeats one of the first three unless the stack is deeper.
    let entries = flow.word_or_zero(Field::MPLSCount).min(4) as usize;
    for (number, fields) in [(80, TTLS), (81, LABELS)] {
        if fields[..entries].iter().any(|field| flow.has(*field)) {
            let tag = tag(number, WIRE_LEN);
            out[at..at + 4].copy_from_slice(&tag.bytes.to_le_bytes());
            at += usize::from(tag.len);
            at = put_packed(
                out,
                at,
                fields[..entries].iter().map(|field| flow.word_or_zero(*field) as u32),
            );
        }
    }
    at
}

#[cfg(test)]
mod tests;
