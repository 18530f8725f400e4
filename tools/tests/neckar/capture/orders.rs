//! Byte orders, clocks, sections and packings.

use std::io::Write;

use super::*;
use crate::frames::*;

const ORDERS: [Order; 4] = [
    LITTLE,
    Order { big_endian: true, nanoseconds: false },
    Order { big_endian: false, nanoseconds: true },
    Order { big_endian: true, nanoseconds: true },
];

fn frame(payload: &[u8]) -> Vec<u8> {
    ethernet(IPV4, &udp4(payload))
}

fn times(bytes: &[u8]) -> Vec<u64> {
    let (seen, _, error) = read(bytes);
    assert!(error.is_none(), "{}", error.unwrap());
    seen.into_iter().map(|seen| seen.time_ns).collect()
}

#[test]
fn pcap_in_every_order() {
    for order in ORDERS {
        let time_ns = TIME_NS + if order.nanoseconds { 789 } else { 0 };
        let frames = [(time_ns, frame(b"a")), (time_ns + 1_000_000, frame(b"b"))];
        let bytes = pcap(order, 1, &frames);
        assert_eq!(payloads(&bytes), [b"a", b"b"], "{order:?}");
        assert_eq!(times(&bytes), [time_ns, time_ns + 1_000_000], "{order:?}");
        // The upper bits of the link type say how long the check sequence behind each frame is.
        assert_eq!(payloads(&pcap(order, 0x4400_0001, &frames)), [b"a", b"b"], "{order:?}");
    }
}

#[test]
fn pcapng_in_both_orders_with_every_clock() {
    for order in &ORDERS[..2] {
        let offset = if order.big_endian { 100_i64.to_be_bytes() } else { 100_i64.to_le_bytes() };
        let bytes = join(&[
            &section(*order),
            &interface(*order, 1, &[]),
            &interface(*order, 1, &[(9, &[9])]),
            &interface(*order, 1, &[(9, &[0x80 | 10])]),
            &interface(*order, 1, &[(9, &[3]), (14, &offset)]),
            &block(*order, 0x0bad, b"unknown kind"),
            &enhanced(*order, 0, TIME_NS / 1000, &frame(b"micro")),
            &enhanced(*order, 1, TIME_NS + 789, &frame(b"nano")),
            &enhanced(*order, 2, 1_700_000_000 << 10 | 512, &frame(b"binary")),
            &enhanced(*order, 3, 5, &frame(b"offset")),
            &simple_packet(*order, &frame(b"timeless")),
        ]);
        let expected: [&[u8]; 5] = [b"micro", b"nano", b"binary", b"offset", b"timeless"];
        assert_eq!(payloads(&bytes), expected, "{order:?}");
        let expected =
            [TIME_NS, TIME_NS + 789, 1_700_000_000_500_000_000, 100_005_000_000, 100_005_000_000];
        assert_eq!(times(&bytes), expected, "{order:?}");
    }
}

#[test]
fn sections_have_their_own_interfaces_and_order() {
    let (little, big) = (ORDERS[0], ORDERS[1]);
    let bytes = join(&[
        &section(little),
        &interface(little, 1, &[]),
        &enhanced(little, 0, 1, &frame(b"ethernet")),
        &section(big),
        &interface(big, 101, &[]),
        &enhanced(big, 0, 1, &udp6(b"raw")),
    ]);
    assert_eq!(payloads(&bytes), [&b"ethernet"[..], b"raw"]);
    let bytes = join(&[&section(little), &enhanced(little, 3, 1, &frame(b"whose"))]);
    let (seen, _, error) = read(&bytes);
    let error = error.unwrap();
    assert!(seen.is_empty());
    assert_eq!((error.offset, error.is_usage), (Some(28), false));
    assert!(error.what.contains("interface 3"), "{error}");
}

/// 36 bytes that no packer makes shorter.
fn noise(seed: u64) -> Vec<u8> {
    let words = (1..=9).map(|word| (seed * 9 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32);
    words.flat_map(|word| (word as u32).to_be_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn packed_captures_open_by_content() {
    let payloads_in: Vec<Vec<u8>> = (0..5000).map(noise).collect();
    let slices: Vec<&[u8]> = payloads_in.iter().map(Vec::as_slice).collect();
    let plain = simple(&slices);
    assert!(plain.len() > 300_000, "more than one buffer");
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    // Members one after another, as `cat a.gz b.gz` and parallel packers make them.
    let (start, end) = plain.split_at(plain.len() / 2);
    for packed in [plain.clone(), gzip(&plain), zstd, join(&[&gzip(start), &gzip(end)])] {
        assert_eq!(payloads(&packed), payloads_in);
    }
}

#[test]
fn a_broken_packing_gives_what_comes_before() {
    let payloads_in: Vec<Vec<u8>> = (0..5000).map(noise).collect();
    let slices: Vec<&[u8]> = payloads_in.iter().map(Vec::as_slice).collect();
    let plain = simple(&slices);
    for packed in [gzip(&plain), zstd::encode_all(&plain[..], 1).unwrap()] {
        for len in [packed.len() / 2, packed.len() / 9] {
            let (seen, _, error) = read(&packed[..len]);
            let error = error.unwrap();
            assert!(error.what.starts_with("cannot be read: "), "{error}");
            assert_eq!(error.offset.is_some(), !seen.is_empty(), "{error}");
            assert!(seen.len() < 5000);
            assert!(seen.iter().zip(&payloads_in).all(|(seen, payload)| seen.payload == *payload));
        }
        assert!(read(&packed[..packed.len() / 2]).0.len() > 1000);
    }
}
