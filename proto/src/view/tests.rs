//! The view against prost's message of the same bytes, and on whatever bytes come.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::encode::{BWNETFLOW, GOFLOW2, ROW_BYTES_MAX, encode, encode_text};
use crate::twin::any_row;
use crate::{Batch, Field, Message, Rows};

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

fn slow(message: &[u8]) -> Option<FlowView<'_>> {
    let mut fields = Fields::default();
    fields.read(message)?;
    Some(FlowView::of(&fields.words, &fields.slices))
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

    /// Fast and field by field, with labels behind, cut anywhere, one byte changed.
    #[test]
    fn the_fast_loops_read_what_their_slow_twin_reads(
        rows in any_row(),
        label in "[a-z]{0,140}",
        cut in 0_usize..400,
        (at, byte) in (any::<prop::sample::Index>(), any::<u8>()),
        goflow2 in any::<bool>(),
    ) {
        let profile = if goflow2 { &GOFLOW2 } else { &BWNETFLOW };
        let mut labels = Vec::new();
        encode_text(&BWNETFLOW, Field::DstASName, &label, &mut labels);
        let mut out = vec![0; ROW_BYTES_MAX + labels.len()];
        let len = encode(profile, &rows.as_slice()[0], rows.texts(), &[&labels], &mut out);
        prop_assert_eq!(FlowView::read(&out[..len]), slow(&out[..len]));
        let len = len.min(cut);
        prop_assert_eq!(FlowView::read(&out[..len]), slow(&out[..len]));
        if len > 0 {
            out[at.index(len)] = byte;
            prop_assert_eq!(FlowView::read(&out[..len]), slow(&out[..len]));
        }
    }

    /// Flows side by side: none is read into the next, nor into what was there before.
    #[test]
    fn what_lies_behind_a_flow_does_not_count(
        rows in prop::collection::vec(any_row(), 1..5),
        before in any::<u8>(),
    ) {
        let mut batch = Batch::with_capacity(10, 1 << 20);
        let mut field = Rows::default();
        field.push().set(Field::Bytes, before.into());
        for row in [&field, &field].into_iter().chain(&rows) {
            prop_assert!(batch.push(&BWNETFLOW, &row.as_slice()[0], row.texts(), &[]));
        }
        for (flow, (bytes, len)) in batch.flows().zip(batch.flows_in_place()) {
            prop_assert_eq!(flow, &bytes[..len]);
            prop_assert_eq!(FlowView::read_in_place(bytes, len), slow(flow));
        }
        for (at, (bytes, len)) in batch.flows_in_place().enumerate() {
            let short = len.min(at);
            prop_assert_eq!(FlowView::read_in_place(bytes, short), slow(&bytes[..short]));
        }
    }

    #[test]
    fn any_bytes_read_the_same(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(FlowView::read(&bytes), slow(&bytes));
    }
}

#[test]
fn a_flow_that_is_cut_is_none() {
    for cut in [&[0x48][..], &[0x48, 0x80], &[0x32, 4, 1], &[0x4b]] {
        assert_eq!(FlowView::read(cut), None, "{cut:x?}");
    }
}
