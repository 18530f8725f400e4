//! Datagrams by hand, the sound and the odd.

fn word(number: usize) -> [u8; 4] {
    (number as u32).to_be_bytes()
}

fn half(number: usize) -> [u8; 2] {
    (number as u16).to_be_bytes()
}

/// The routers' clock.
const EXPORT_S: usize = 1_700_000_000;

/// NetFlow v5 with one flow, sent so many seconds after others.
pub fn v5(sequence: usize, later_s: usize) -> Vec<u8> {
    let clock = [&[0, 0, 0x10, 0], &word(EXPORT_S + later_s)[..], &[0; 4]].concat();
    let mut datagram = [&[0, 5, 0, 1][..], &clock, &word(sequence)].concat();
    datagram.resize(24 + 48, 1);
    datagram
}

/// A NetFlow v9 message of these sets.
pub fn v9(sequence: usize, sets: &[Vec<u8>]) -> Vec<u8> {
    let clock = [&word(4096)[..], &word(EXPORT_S)].concat();
    [&[0, 9][..], &half(sets.len()), &clock, &word(sequence), &word(7), &sets.concat()].concat()
}

/// An IPFIX message of these sets.
pub fn ipfix(sequence: usize, sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let length = half(16 + body.len());
    [&[0, 10][..], &length, &word(EXPORT_S), &word(sequence), &word(7), &body].concat()
}

/// A set of this number.
pub fn set(id: usize, content: &[u8]) -> Vec<u8> {
    [&half(id)[..], &half(4 + content.len()), content].concat()
}

/// A template of elements and lengths, as it stands in a set; without any it is a withdrawal.
pub fn template(id: u16, fields: &[(usize, usize)]) -> Vec<u8> {
    let fields = fields.iter().map(|(element, length)| [half(*element), half(*length)].concat());
    let fields: Vec<Vec<u8>> = fields.collect();
    [&id.to_be_bytes()[..], &half(fields.len()), &fields.concat()].concat()
}

/// An sFlow datagram of samples: format and content of each, whose length is a multiple of four.
pub fn sflow(samples: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let agent = [&word(1)[..], &[192, 0, 2, 77]].concat();
    let head = [&word(5)[..], &agent, &word(0), &word(1), &word(1000), &word(samples.len())];
    let samples = samples
        .iter()
        .map(|(format, content)| [&word(*format)[..], &word(content.len()), content].concat());
    [head.concat(), samples.collect::<Vec<_>>().concat()].concat()
}
