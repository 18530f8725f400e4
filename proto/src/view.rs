//! A flow on the wire as counting sees it: some thirty fields, read in one pass without a row.
//!
//! For threads that count every flow and keep none: a row is 1.7 kB to fill, this is borrowed from
//! the batch. It reads what [`crate::encode`] writes, in either profile (their numbers do not
//! collide); what it does not know it passes over. Absent is zero or empty, as proto3 has it on the
//! wire: an absent direction cannot be told from ingress here.

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

impl<'a> FlowView<'a> {
    /// Reads `message`, one flow without its length; `None` if it is none.
    #[inline]
    #[must_use]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let mut view = Self::default();
        let mut rest = message;
        while !rest.is_empty() {
            let key = varint(&mut rest)? as u32;
            match key & 7 {
                VARINT => view.set_word(key >> 3, varint(&mut rest)?),
                LEN => {
                    let len = usize::try_from(varint(&mut rest)?).ok()?;
                    let (bytes, after) = rest.split_at_checked(len)?;
                    rest = after;
                    view.set_bytes(key >> 3, bytes);
                }
                FIXED_64 => rest = rest.get(8..)?,
                FIXED_32 => rest = rest.get(4..)?,
                _ => return None,
            }
        }
        Some(view)
    }

    #[inline]
    fn set_word(&mut self, number: u32, value: u64) {
        match number {
            2 => self.received_s = value,
            3 => self.sampling_rate = value,
            5 => self.flow_end_s = value,
            9 => self.bytes = value,
            10 => self.packets = value,
            14 => self.src_as = value as u32,
            15 => self.dst_as = value as u32,
            18 => self.in_if = value as u32,
            19 => self.out_if = value as u32,
            20 => self.proto = value as u32,
            21 => self.src_port = value as u32,
            22 => self.dst_port = value as u32,
            24 => self.forwarding_status = value as u32,
            26 => self.tcp_flags = value as u32,
            30 => self.etype = value as u32,
            42 => self.flow_direction = value as u32,
            110 => self.received_s = value / SECOND_NS,
            112 => self.flow_end_s = value / SECOND_NS,
            1000 => self.cid = value as u32,
            1002 => self.normalized = value == 1,
            1012 => self.src_cid = value as u32,
            1013 => self.dst_cid = value as u32,
            _ => {}
        }
    }

    #[inline]
    fn set_bytes(&mut self, number: u32, bytes: &'a [u8]) {
        match number {
            6 => self.src_addr = bytes,
            7 => self.dst_addr = bytes,
            11 => self.sampler_address = bytes,
            1003 => self.src_if_name = bytes,
            1004 => self.src_if_desc = bytes,
            1006 => self.dst_if_name = bytes,
            1007 => self.dst_if_desc = bytes,
            1009 => self.proto_name = bytes,
            1010 => self.remote_country = bytes,
            1183 => self.src_as_name = bytes,
            1184 => self.dst_as_name = bytes,
            _ => {}
        }
    }
}

#[inline]
fn varint(rest: &mut &[u8]) -> Option<u64> {
    // Keys and most values take one or two bytes.
    match **rest {
        [low, ..] if low < 0x80 => {
            *rest = &rest[1..];
            Some(u64::from(low))
        }
        [low, high, ..] if high < 0x80 => {
            *rest = &rest[2..];
            Some(u64::from(low & 0x7f) | u64::from(high) << 7)
        }
        _ => long_varint(rest),
    }
}

#[inline]
fn long_varint(rest: &mut &[u8]) -> Option<u64> {
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
