//! sFlow for tests, put together from the specification's structures.

/// Big-endian words.
pub(super) fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// A datagram of agent 192.0.2.99, sub-agent 0, sequence 77, 123,456 ms after its start.
pub(super) fn datagram(samples: &[Vec<u8>]) -> Vec<u8> {
    datagram_of([1, 0xc000_0263].as_slice(), [0, 77, 123_456], samples)
}

/// `agent`: kind and address; `numbers`: sub-agent, sequence, uptime.
pub(super) fn datagram_of(agent: &[u32], numbers: [u32; 3], samples: &[Vec<u8>]) -> Vec<u8> {
    let header = [words(&[5]), words(agent), words(&numbers), words(&[samples.len() as u32])];
    [header.concat(), samples.concat()].concat()
}

/// Format, length and body, of a sample or a record.
pub(super) fn opaque(format: u32, body: &[u8]) -> Vec<u8> {
    let mut out = words(&[format, body.len() as u32]);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// A compact flow sample with rate 512.
pub(super) fn flow(input: u32, output: u32, records: &[Vec<u8>]) -> Vec<u8> {
    flow_with(512, input, output, records)
}

pub(super) fn flow_with(rate: u32, input: u32, output: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let head = words(&[1, 3, rate, 9999, 0, input, output, records.len() as u32]);
    opaque(1, &[head, records.concat()].concat())
}

/// An expanded flow sample with rate 512; an interface is its format and value.
pub(super) fn expanded(input: [u32; 2], output: [u32; 2], records: &[Vec<u8>]) -> Vec<u8> {
    let head = words(&[1, 0, 3, 512, 9999, 0, input[0], input[1], output[0], output[1]]);
    opaque(3, &[head, words(&[records.len() as u32]), records.concat()].concat())
}

/// Header protocol, frame length, and the bytes that were sampled of it, in a frame four bytes
/// longer on the wire.
pub(super) fn raw(protocol: u32, frame_bytes: u32, header: &[u8]) -> Vec<u8> {
    let mut body = words(&[protocol, frame_bytes, 4, header.len() as u32]);
    body.extend(header);
    body.resize(body.len().next_multiple_of(4), 0xee);
    opaque(1, &body)
}

/// Sampled IPv4: 192.0.2.1 to 198.51.100.2, port 53 to 5353, TOS 0x10.
pub(super) fn sampled_ipv4(bytes: u32, proto: u32) -> Vec<u8> {
    let head = [bytes, proto, 0xc000_0201, 0xc633_6402, 53, 5353];
    opaque(3, &[words(&head), words(&[0x12, 0x10])].concat())
}

/// The same of IPv6.
pub(super) fn sampled_ipv6(bytes: u32, proto: u32) -> Vec<u8> {
    let address = |last| [0x2001_0db8, 0, 0, last];
    let head = [words(&[bytes, proto]), words(&address(1)), words(&address(2))].concat();
    opaque(4, &[head, words(&[53, 5353, 0x12, 0x10])].concat())
}

/// Sampled Ethernet, addresses padded to eight bytes as XDR wants.
pub(super) fn sampled_ethernet(bytes: u32) -> Vec<u8> {
    let macs = words(&[0x0200_0000, 0x0001_0000, 0x0200_0000, 0x0002_0000]);
    opaque(2, &[words(&[bytes]), macs, words(&[0x0800])].concat())
}

pub(super) fn switch(source: u32, destination: u32) -> Vec<u8> {
    opaque(1001, &words(&[source, 1, destination, 2]))
}

pub(super) fn router(hop: &[u32], source_bits: u32, destination_bits: u32) -> Vec<u8> {
    opaque(1002, &words(&[hop, &[source_bits, destination_bits]].concat()))
}

/// `numbers`: the router's own AS, the source's, its peer's. Segments: kind and numbers.
pub(super) fn gateway(hop: &[u32], numbers: [u32; 3], segments: &[(u32, &[u32])]) -> Vec<u8> {
    let mut body = [hop, &numbers, &[segments.len() as u32]].concat();
    for (kind, path) in segments {
        body.extend([*kind, path.len() as u32]);
        body.extend(*path);
    }
    // Two communities, local preference.
    body.extend([2, 0xfde8_0001, 0xfde8_0002, 100]);
    opaque(1003, &words(&body))
}

/// A counter sample, compact or expanded.
pub(super) fn counters(format: u32) -> Vec<u8> {
    opaque(format, &words(&[1, 3, 0]))
}
