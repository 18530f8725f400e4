//! Fragments put together, or given up.

use proptest::prelude::*;

use super::*;
use crate::frames::*;

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
}

/// A datagram of `len` bytes in pieces of `step`, as frames, with the id of its packet.
fn pieces(v6: bool, id: u32, len: usize, step: usize) -> Vec<Vec<u8>> {
    let names = if v6 { V6 } else { V4 };
    let whole = udp(names, &payload(len));
    let last = whole.len().div_ceil(step) - 1;
    let chunks = whole.chunks(step).enumerate();
    chunks
        .map(|(index, chunk)| {
            let place = (id, index * step, index < last);
            match v6 {
                true => ethernet(IPV6, &ipv6(V6, 44, &fragment_header(17, place, chunk))),
                false => ethernet(IPV4, &ipv4(V4, place, 0, chunk)),
            }
        })
        .collect()
}

fn read_frames(frames: &[Vec<u8>]) -> (Vec<Seen>, Notes) {
    let timed: Vec<_> = frames.iter().map(|frame| (TIME_NS, frame.clone())).collect();
    let (seen, notes, error) = read(&pcap(LITTLE, 1, &timed));
    assert!(error.is_none(), "{}", error.unwrap());
    (seen, notes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn pieces_in_any_order_and_twice_make_the_datagram(
        v6: bool,
        len in 100_usize..9000,
        units in 1_usize..180,
        order in any::<u64>(),
        twice: bool,
    ) {
        let mut frames = pieces(v6, 42, len, units * 8);
        prop_assume!(frames.len() > 1);
        if twice {
            let again = frames[0].clone();
            frames.insert(1, again);
        }
        // A shuffle that depends on one number; the duplicate never comes behind the whole.
        let mut keys: Vec<u64> = (0..frames.len() as u64).map(|i| (i + 1).wrapping_mul(order | 1)).collect();
        if twice {
            keys[0] = 0;
            keys[1] = 0;
        }
        let mut shuffled: Vec<_> = keys.into_iter().zip(frames).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let frames: Vec<_> = shuffled.into_iter().map(|(_, frame)| frame).collect();
        let (seen, notes) = read_frames(&frames);
        prop_assert_eq!(seen.len(), 1);
        prop_assert_eq!(&seen[0].payload, &payload(len));
        prop_assert_eq!(seen[0].source, ends(if v6 { V6 } else { V4 }).0);
        prop_assert_eq!(notes.fragments_abandoned, 0);
    }

    #[test]
    fn a_missing_piece_gives_nothing(v6: bool, missing in any::<prop::sample::Index>()) {
        let mut frames = pieces(v6, 42, 4000, 800);
        frames.remove(missing.index(frames.len()));
        let (seen, notes) = read_frames(&frames);
        prop_assert!(seen.is_empty());
        prop_assert_eq!(notes.fragments_abandoned, 1);
    }
}

#[test]
fn packets_with_different_ids_do_not_mix() {
    let (one, other) = (pieces(false, 1, 3000, 1480), pieces(false, 2, 2000, 1480));
    let frames = [&one[0], &other[0], &one[2], &other[1], &one[1]].map(Clone::clone);
    let (seen, _) = read_frames(&frames);
    let seen: Vec<_> = seen.into_iter().map(|seen| seen.payload).collect();
    assert_eq!(seen, [payload(2000), payload(3000)]);
}

#[test]
fn overlaps_are_refused() {
    for v6 in [false, true] {
        let frames = pieces(v6, 9, 3000, 1000);
        // The second piece once more, one byte of it changed: which of them is right?
        let mut forged = frames[1].clone();
        *forged.last_mut().unwrap() ^= 1;
        let set = [&frames[0], &frames[1], &forged, &frames[2], &frames[3]].map(Clone::clone);
        let (seen, notes) = read_frames(&set);
        assert_eq!((seen.len(), notes.fragments_abandoned), (0, 1));
        // A piece cut elsewhere.
        let other = pieces(v6, 9, 3000, 504);
        let set = [&frames[0], &other[1], &frames[1], &frames[2], &frames[3]].map(Clone::clone);
        let (seen, notes) = read_frames(&set);
        assert_eq!((seen.len(), notes.fragments_abandoned), (0, 1));
    }
}

#[test]
fn impossible_pieces_are_refused() {
    let piece = |place, len| ethernet(IPV4, &ipv4(V4, place, 0, &payload(len)));
    // Beyond 65,535 bytes; not a multiple of 8; two ends; behind the end.
    let cases = [
        vec![piece((1, 65_528, false), 100)],
        vec![piece((1, 0, true), 101), piece((1, 104, false), 8)],
        vec![piece((1, 80, false), 16), piece((1, 96, false), 16), piece((1, 0, true), 80)],
        vec![piece((1, 800, true), 16), piece((1, 80, false), 16), piece((1, 0, true), 80)],
    ];
    for frames in cases {
        let (seen, notes) = read_frames(&frames);
        assert_eq!((seen.len(), notes.fragments_abandoned), (0, 1), "{} frames", frames.len());
    }
}

#[test]
fn old_pieces_are_given_up() {
    let frames = pieces(false, 5, 2000, 1480);
    let second = 1_000_000_000;
    let timed = |gap| [(TIME_NS, frames[0].clone()), (TIME_NS + gap, frames[1].clone())];
    assert_eq!(read(&pcap(LITTLE, 1, &timed(29 * second))).0.len(), 1);
    let (seen, notes, _) = read(&pcap(LITTLE, 1, &timed(31 * second)));
    // The first piece is given up, and the second now waits alone.
    assert_eq!((seen.len(), notes.fragments_abandoned), (0, 2));
}

#[test]
fn many_packets_in_pieces_are_bounded() {
    let mut frames: Vec<_> = (0..1000).map(|id| pieces(false, id, 2000, 1480)[0].clone()).collect();
    // The newest is still there, the oldest is not.
    frames.push(pieces(false, 999, 2000, 1480)[1].clone());
    frames.push(pieces(false, 0, 2000, 1480)[1].clone());
    let (seen, notes) = read_frames(&frames);
    assert_eq!((seen.len(), notes.fragments_abandoned), (1, 1000));
}

#[test]
fn an_atomic_fragment_is_whole() {
    let whole = udp(V6, b"atomic");
    let frame = ethernet(IPV6, &ipv6(V6, 44, &fragment_header(17, (3, 0, false), &whole)));
    assert_eq!(read_frames(&[frame]).0[0].payload, b"atomic");
}
