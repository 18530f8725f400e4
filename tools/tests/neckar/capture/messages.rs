//! Files of bare messages, cut by their own lengths.

use super::*;

fn ipfix(len: u16, export_s: u32) -> Vec<u8> {
    let mut message = vec![0, 10];
    message.extend(len.to_be_bytes());
    message.extend(export_s.to_be_bytes());
    message.resize(usize::from(len).max(16), 0xee);
    message
}

fn v5(count: u16) -> Vec<u8> {
    let mut datagram = vec![0, 5];
    datagram.extend(count.to_be_bytes());
    datagram.extend([0; 4]);
    datagram.extend(1_700_000_000_u32.to_be_bytes());
    datagram.extend(250_000_000_u32.to_be_bytes());
    datagram.resize(24 + 48 * usize::from(count), 0xee);
    datagram
}

fn lengths(bytes: &[u8]) -> Vec<usize> {
    payloads(bytes).iter().map(Vec::len).collect()
}

#[test]
fn ipfix_files_are_cut_by_message_length() {
    assert_eq!(lengths(&ipfix(20, 0)), [20]);
    assert_eq!(lengths(&[ipfix(20, 0), ipfix(16, 0), ipfix(60_000, 0)].concat()), [20, 16, 60_000]);
    // Longer than any window.
    let many: Vec<u8> = (0..300).flat_map(|index| ipfix(1000 + index, 0)).collect();
    assert_eq!(lengths(&many), (1000..1300).collect::<Vec<_>>());
    let longest: Vec<u8> = (0..5).flat_map(|_| ipfix(65_535, 0)).collect();
    assert_eq!(lengths(&longest), [65_535; 5]);
}

#[test]
fn v5_datagrams_are_cut_by_count() {
    assert_eq!(lengths(&[v5(1), v5(30), v5(0), v5(7)].concat()), [72, 1464, 24, 360]);
}

#[test]
fn times_come_from_the_header() {
    let (seen, _, _) = read(&[ipfix(20, 1_700_000_001), ipfix(16, 1_700_000_002)].concat());
    let times: Vec<_> = seen.iter().map(|seen| seen.time_ns).collect();
    assert_eq!(times, [1_700_000_001_000_000_000, 1_700_000_002_000_000_000]);
    assert_eq!(read(&v5(1)).0[0].time_ns, 1_700_000_000_250_000_000);
    assert_eq!(seen[0].source, "0.0.0.0:0".parse().unwrap());
    // sFlow has no clock; the file's own time is some time after 2020.
    let sflow = [0_u32, 5, 1, 0x0a00_0001, 0, 1, 1, 0].map(u32::to_be_bytes).concat();
    assert!(read(&sflow).0[0].time_ns > 1_577_836_800_000_000_000);
}

#[test]
fn anything_else_is_one_datagram() {
    assert_eq!(lengths(&[0, 9, 0, 1]), [4]);
    assert_eq!(lengths(b"x"), [1]);
    // A length or count that does not add up is the decoder's to judge.
    assert_eq!(lengths(&ipfix(8, 0)), [16]);
    assert_eq!(lengths(&[&ipfix(400, 0)[..100]].concat()), [100]);
    assert_eq!(lengths(&[ipfix(40, 0), vec![0; 9]].concat()), [49]);
    assert_eq!(lengths(&[v5(1), vec![0; 48]].concat()), [120]);
}

#[test]
fn a_file_broken_further_on_gives_what_comes_before() {
    let good = [ipfix(100, 0), ipfix(100, 0)].concat();
    let cases: [(Vec<u8>, &str); 4] = [
        (ipfix(100, 0)[..60].to_vec(), "the file ends inside a message: 60 of its 100 bytes"),
        (vec![1, 2, 3], "3 bytes that belong to no message"),
        (vec![0; 50], "no IPFIX message starts here (version 0)"),
        (ipfix(15, 0), "shorter than its header"),
    ];
    for (tail, what) in cases {
        let (seen, _, error) = read(&[good.clone(), tail].concat());
        let error = error.unwrap();
        assert_eq!((seen.len(), error.offset), (2, Some(200)));
        assert!(error.what.contains(what), "{error}");
    }
}

#[test]
fn what_is_no_datagram_is_named() {
    for (bytes, what) in [(vec![], "is empty"), (vec![7; 70_000], "too long for one datagram")] {
        let (seen, _, error) = read(&bytes);
        assert!(seen.is_empty() && error.unwrap().what.contains(what));
    }
    assert_eq!(lengths(&[7; 65_535]), [65_535]);
}

#[test]
fn files_are_one_stream_and_errors_name_theirs() {
    let scratch = Scratch::new();
    let capture = crate::frames::simple(&[b"first", b"second"]);
    let files = [
        scratch.file("a.pcap", &capture),
        scratch.file("b.ipfix", &[ipfix(16, 0), ipfix(17, 0), vec![0; 5]].concat()),
        scratch.file("c.dat", b"last"),
    ];
    let mut captures = Captures::open(&files).unwrap();
    let mut seen = Vec::new();
    let mut errors = Vec::new();
    loop {
        match captures.next() {
            Ok(None) => break,
            Ok(Some(packet)) => seen.push((packet.payload.len(), packet.file)),
            Err(error) => errors.push(error.to_string()),
        }
    }
    assert_eq!(seen, [(5, 1), (6, 1), (16, 2), (17, 2), (4, 3)]);
    let expected =
        format!("{}: at byte 33: no IPFIX message starts here (version 0)", files[1].display());
    assert_eq!(errors, [expected]);
}

#[test]
fn a_missing_file_is_told_before_anything_is_read() {
    let scratch = Scratch::new();
    let there = scratch.file("there.dat", b"x");
    for wrong in [scratch.path().join("missing.pcap"), scratch.path().to_path_buf()] {
        let error = Captures::open(&[there.clone(), wrong]).err().unwrap();
        assert!(error.is_usage && error.offset.is_none(), "{error}");
    }
}
