//! The view against prost's message of the same bytes, and on whatever bytes come.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::Message;
use crate::encode::{BWNETFLOW, GOFLOW2, ROW_BYTES_MAX, encode};
use crate::twin::any_row;

/// What prost's message says of the fields that the view has.
fn twin(message: &Message) -> FlowView<'_> {
    let seconds = |nanoseconds: u64, seconds: u64| match nanoseconds {
        0 => seconds,
        some => some / 1_000_000_000,
    };
    FlowView {
        sampling_rate: message.sampling_rate,
        bytes: message.bytes,
        packets: message.packets,
        src_as: message.src_as,
        dst_as: message.dst_as,
        in_if: message.in_if,
        out_if: message.out_if,
        proto: message.proto,
        src_port: message.src_port,
        dst_port: message.dst_port,
        forwarding_status: message.forwarding_status,
        tcp_flags: message.tcp_flags,
        etype: message.etype,
        flow_direction: message.flow_direction,
        cid: message.cid,
        src_cid: message.src_cid,
        dst_cid: message.dst_cid,
        normalized: message.normalized == 1,
        received_s: seconds(message.time_received_ns, message.time_received),
        flow_end_s: seconds(message.time_flow_end_ns, message.time_flow_end),
        sampler_address: &message.sampler_address,
        src_addr: &message.src_addr,
        dst_addr: &message.dst_addr,
        src_if_name: message.src_if_name.as_bytes(),
        src_if_desc: message.src_if_desc.as_bytes(),
        dst_if_name: message.dst_if_name.as_bytes(),
        dst_if_desc: message.dst_if_desc.as_bytes(),
        proto_name: message.proto_name.as_bytes(),
        remote_country: message.remote_country.as_bytes(),
        src_as_name: message.src_as_name.as_bytes(),
        dst_as_name: message.dst_as_name.as_bytes(),
    }
}

proptest! {
    #[test]
    fn the_view_is_what_prost_reads(rows in any_row(), goflow2 in any::<bool>()) {
        let profile = if goflow2 { &GOFLOW2 } else { &BWNETFLOW };
        let mut out = vec![0; ROW_BYTES_MAX];
        let len = encode(profile, &rows.as_slice()[0], rows.texts(), &[], &mut out);
        let message = Message::decode(&out[..len]).expect("our own bytes");
        prop_assert_eq!(FlowView::read(&out[..len]), Some(twin(&message)));
    }

    #[test]
    fn a_varint_is_the_same_by_bytes(value in any::<u64>(), bits in 0_u32..64, tail in 0_usize..9) {
        let value = value >> bits;
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(value, &mut bytes);
        bytes.resize(bytes.len() + tail, 0xff);
        let (mut fast, mut slow) = (&bytes[..], &bytes[..]);
        prop_assert_eq!(varint(&mut fast), Some(value));
        prop_assert_eq!(bytewise_varint(&mut slow), Some(value));
        prop_assert_eq!((fast.len(), slow.len()), (tail, tail));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = FlowView::read(&bytes);
    }
}

#[test]
fn a_flow_that_is_cut_is_none() {
    for cut in [&[0x48][..], &[0x48, 0x80], &[0x32, 4, 1], &[0x4b]] {
        assert_eq!(FlowView::read(cut), None, "{cut:x?}");
    }
}
