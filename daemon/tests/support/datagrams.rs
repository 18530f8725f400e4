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

/// NetFlow v5 with the most flows that fit, 30, each between two other addresses and ports than any before
/// it, number after number from `first` on.
pub fn v5_flood(first: u32) -> Vec<u8> {
    const FLOWS: u32 = 30;
    let clock = [&[0, 0, 0x10, 0], &word(EXPORT_S)[..], &[0; 4]].concat();
    let mut datagram =
        [&[0, 5, 0, FLOWS as u8][..], &clock, &word(first as usize), &[0; 4]].concat();
    for number in first..first + FLOWS {
        // Odd factors: every number another address.
        let source = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
        let target = number.wrapping_mul(0x85eb_ca6b).to_be_bytes();
        let mut record = [&source[..], &target].concat();
        record.resize(48, 1);
        record[32..36].copy_from_slice(&number.wrapping_mul(0xc2b2_ae35).to_be_bytes());
        datagram.extend(record);
    }
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
