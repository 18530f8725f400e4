//! Damaged captures: an error that names the place, never a panic, an endless loop or much memory.

use proptest::prelude::*;

use super::*;
use crate::frames::*;

#[test]
fn a_capture_cut_anywhere_gives_its_whole_packets() {
    let whole = simple(&[b"one", b"two", b"three"]);
    let ends: Vec<usize> = [0_usize, 3, 6, 11]
        .iter()
        .enumerate()
        .map(|(packets, bytes)| 24 + packets * (16 + 14 + 28) + bytes)
        .collect();
    for len in 4..=whole.len() {
        let (seen, _, error) = read(&whole[..len]);
        let packets = ends.iter().filter(|end| **end <= len).count().saturating_sub(1);
        assert_eq!(seen.len(), packets, "cut at {len}");
        match ends.contains(&len) {
            true => assert!(error.is_none(), "cut at {len}: {}", error.unwrap()),
            false => {
                let start = if len < 24 { 0 } else { ends[packets] };
                assert_eq!(error.unwrap().offset, Some(start as u64), "cut at {len}");
            }
        }
    }
}

#[test]
fn a_length_beyond_reason_is_an_error_not_memory() {
    let mut bytes = simple(&[b"one", b"two"]);
    let second = 24 + 16 + 14 + 28 + 3;
    bytes[second + 8..second + 12].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    let (seen, _, error) = read(&bytes);
    assert_eq!((seen.len(), error.unwrap().offset), (1, Some(second as u64)));
    // The same with 40 MB behind it, so that it is not the end of the file that stops the reader.
    bytes.resize(40 << 20, 0);
    let (seen, _, error) = read(&bytes);
    assert_eq!(seen.len(), 1);
    assert!(error.unwrap().what.contains("16 MiB"));
}

#[test]
fn too_many_interfaces_are_an_error() {
    let mut bytes = section(LITTLE);
    for _ in 0..5000 {
        bytes.extend(interface(LITTLE, 1, &[]));
    }
    let (_, _, error) = read(&bytes);
    assert!(error.unwrap().what.contains("more than 4096 interfaces"));
}

fn pcapng() -> Vec<u8> {
    let order = Order { big_endian: true, nanoseconds: false };
    join(&[
        &section(order),
        &interface(order, 1, &[(9, &[9]), (2, b"eth0")]),
        &enhanced(order, 0, TIME_NS, &ethernet(IPV4, &udp4(b"payload"))),
        &enhanced(order, 0, TIME_NS, &ethernet(IPV6, &udp6(b"payload"))),
        &simple_packet(order, &ethernet(IPV4, &udp4(b"payload"))),
    ])
}

/// Reading these bytes ends, and says nothing twice.
fn survive(bytes: &[u8]) {
    let (seen, notes, _) = read(bytes);
    // A frame has at least the 28 bytes of IP and UDP headers, a message at least one.
    assert!(seen.len() <= bytes.len());
    assert!(notes.frames as usize * 8 <= bytes.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_behind_every_magic(
        magic in prop::sample::select(vec![
            vec![], vec![0, 5], vec![0, 10], vec![0x1f, 0x8b], vec![0x28, 0xb5, 0x2f, 0xfd],
            vec![0xa1, 0xb2, 0xc3, 0xd4], vec![0xd4, 0xc3, 0xb2, 0xa1], vec![0x4d, 0x3c, 0xb2, 0xa1],
            vec![0x34, 0xcd, 0xb2, 0xa1], vec![0x0a, 0x0d, 0x0d, 0x0a],
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        survive(&[magic, rest].concat());
    }

    #[test]
    fn random_frames_of_every_link_type(
        link in 0_u32..300,
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..20),
    ) {
        let frames: Vec<_> = frames.into_iter().map(|frame| (TIME_NS, frame)).collect();
        let (_, notes, error) = read(&pcap(LITTLE, link, &frames));
        let unknown = notes.link_unknown > 0;
        prop_assert_eq!(error.is_some(), unknown);
        prop_assert!(!unknown || notes.link_unknown == notes.frames);
        prop_assert_eq!(notes.frames, frames.len() as u64);
    }

    #[test]
    fn mutated_captures(
        ng: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = if ng { pcapng() } else { simple(&[b"one", b"two", b"three"]) };
        for (index, value) in edits {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        survive(&bytes);
        survive(&bytes[..cut.index(bytes.len())]);
    }
}
