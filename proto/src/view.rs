//! A flow on the wire as counting sees it: some thirty fields, read in one pass without a row.
//!
//! For threads that count every flow and keep none: a row is 1.7 kB to fill, this is borrowed from
//! the batch. It reads what [`crate::encode`] writes, in either profile (their numbers do not
//! collide); what it does not know it passes over. Absent is zero or empty, as proto3 has it on the
//! wire: an absent direction cannot be told from ingress here.
//!
//! What our encoder writes has all its numbers in front and then bytes behind their lengths: two short loops
//! (`view/fast.rs`). Whatever they do not take, to the end of the message, is read field by field.

mod fast;

/// The fields that counting needs, with the names of `flow.proto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "flow.proto says what each is")]
pub struct FlowView<'a> {
    pub sampling_rate: u64,
    pub bytes: u64,
    pub packets: u64,
    pub src_as: u32,
    pub dst_as: u32,
    pub in_if: u32,
    pub out_if: u32,
    pub proto: u32,
    pub src_port: u32,
    pub dst_port: u32,
    pub forwarding_status: u32,
    pub tcp_flags: u32,
    pub etype: u32,
    pub flow_direction: u32,
    pub cid: u32,
    pub src_cid: u32,
    pub dst_cid: u32,
    pub normalized: bool,
    /// Seconds since 1970, when it was received.
    pub received_s: u64,
    /// Seconds since 1970, when its last packet was seen.
    pub flow_end_s: u64,
    pub sampler_address: &'a [u8],
    pub src_addr: &'a [u8],
    pub dst_addr: &'a [u8],
    pub src_if_name: &'a [u8],
    pub src_if_desc: &'a [u8],
    pub dst_if_name: &'a [u8],
    pub dst_if_desc: &'a [u8],
    pub proto_name: &'a [u8],
    pub remote_country: &'a [u8],
    pub src_as_name: &'a [u8],
    pub dst_as_name: &'a [u8],
}

const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LEN: u32 = 2;
const FIXED_32: u32 = 5;

const SECOND_NS: u64 = 1_000_000_000;

/// Numbers of the fields that are numbers, in the order of their places.
const WORDS: [u32; 22] =
    [2, 3, 5, 9, 10, 14, 15, 18, 19, 20, 21, 22, 24, 26, 30, 42, 110, 112, 1000, 1002, 1012, 1013];
/// Numbers of the fields that are bytes.
const SLICES: [u32; 11] = [6, 7, 11, 1003, 1004, 1006, 1007, 1009, 1010, 1183, 1184];

/// All that a tag of two bytes can tell.
const NUMBERS: usize = 2048;
/// Place of each number, from 1 on; 0 is where everything else goes. A table, since the numbers are too far
/// apart for a jump.
const WORD_PLACES: [u8; NUMBERS] = places(&WORDS);
const SLICE_PLACES: [u8; NUMBERS] = places(&SLICES);

const fn places(numbers: &[u32]) -> [u8; NUMBERS] {
    let mut places = [0; NUMBERS];
    let mut at = 0;
    while at < numbers.len() {
        places[numbers[at] as usize] = at as u8 + 1;
        at += 1;
    }
    places
}

#[inline]
fn place(places: &[u8; NUMBERS], number: u32) -> usize {
    places.get(number as usize).map_or(0, |place| usize::from(*place))
}

impl<'a> FlowView<'a> {
    /// Reads `message`, one flow without its length; `None` if it is none.
    #[inline]
    #[must_use]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        Self::read_in_place(message, message.len())
    }

    /// Reads the flow that the first `len` of `bytes` are. What lies behind does not count, but there should be
    /// something: numbers are read many at a time.
    #[inline]
    #[must_use]
    pub fn read_in_place(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut fields = Fields::default();
        let at = fast::numbers(bytes, &mut fields.words);
        let mut at = fast::slices(bytes, (at, len), &mut fields.slices);
        // What lies behind was taken for more of it.
        if at > len {
            (fields, at) = (Fields::default(), 0);
        }
        fields.read(bytes.get(at..len)?)?;
        Some(Self::of(&fields.words, &fields.slices))
    }

    #[inline]
    fn of(words: &[u64; 32], slices: &[&'a [u8]; 16]) -> Self {
        let seconds = |seconds: u64, ns: u64| if ns == 0 { seconds } else { ns / SECOND_NS };
        Self {
            received_s: seconds(words[1], words[17]),
            sampling_rate: words[2],
            flow_end_s: seconds(words[3], words[18]),
            bytes: words[4],
            packets: words[5],
            src_as: words[6] as u32,
            dst_as: words[7] as u32,
            in_if: words[8] as u32,
            out_if: words[9] as u32,
            proto: words[10] as u32,
            src_port: words[11] as u32,
            dst_port: words[12] as u32,
            forwarding_status: words[13] as u32,
            tcp_flags: words[14] as u32,
            etype: words[15] as u32,
            flow_direction: words[16] as u32,
            cid: words[19] as u32,
            normalized: words[20] == 1,
            src_cid: words[21] as u32,
            dst_cid: words[22] as u32,
            src_addr: slices[1],
            dst_addr: slices[2],
            sampler_address: slices[3],
            src_if_name: slices[4],
            src_if_desc: slices[5],
            dst_if_name: slices[6],
            dst_if_desc: slices[7],
            proto_name: slices[8],
            remote_country: slices[9],
            src_as_name: slices[10],
            dst_as_name: slices[11],
        }
    }
}

/// The values of fields by place; place 0 is where everything else goes.
#[derive(Default)]
struct Fields<'a> {
    words: [u64; 32],
    slices: [&'a [u8]; 16],
}

impl<'a> Fields<'a> {
    /// Reads field by field: any message, in any order.
    fn read(&mut self, mut rest: &'a [u8]) -> Option<()> {
        while !rest.is_empty() {
            let key = varint(&mut rest)? as u32;
            match key & 7 {
                VARINT => self.words[place(&WORD_PLACES, key >> 3) & 31] = varint(&mut rest)?,
                LEN => {
                    let len = usize::try_from(varint(&mut rest)?).ok()?;
                    let (bytes, after) = rest.split_at_checked(len)?;
                    rest = after;
                    self.slices[place(&SLICE_PLACES, key >> 3) & 15] = bytes;
                }
                FIXED_64 => rest = rest.get(8..)?,
                FIXED_32 => rest = rest.get(4..)?,
                _ => return None,
            }
        }
        Some(())
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
