//! Messages of our own making.

/// One field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) element: u16,
    /// 0 for none; NetFlow v9 has none.
    pub(crate) enterprise: u32,
    /// 65535: each record tells.
    pub(crate) length: u16,
}

pub(crate) const VARIABLE: u16 = u16::MAX;

pub(crate) fn spec(element: u16, length: u16) -> Spec {
    Spec { element, enterprise: 0, length }
}

#[allow(dead_code, reason = "each test binary uses a part of this room")]
pub(crate) fn reverse(element: u16, length: u16) -> Spec {
    Spec { element, enterprise: 29305, length }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    V9,
    Ipfix,
}

/// What the header of a message says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) uptime_ms: u32,
    pub(crate) export_s: u32,
    pub(crate) sequence: u32,
    pub(crate) domain: u32,
}

pub(crate) const HEADER: Header =
    Header { uptime_ms: 3_600_000, export_s: 1_700_000_000, sequence: 7, domain: 256 };

pub(crate) fn message(wire: Wire, header: Header, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let mut out = Vec::new();
    match wire {
        Wire::V9 => {
            out.extend([0, 9, 0, 1]);
            out.extend(header.uptime_ms.to_be_bytes());
        }
        Wire::Ipfix => {
            out.extend([0, 10]);
            out.extend((16 + sets.len() as u16).to_be_bytes());
        }
    }
    out.extend(header.export_s.to_be_bytes());
    out.extend(header.sequence.to_be_bytes());
    out.extend(header.domain.to_be_bytes());
    out.extend(sets);
    out
}

pub(crate) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend((4 + body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

fn specs(wire: Wire, fields: &[Spec]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let with_enterprise = wire == Wire::Ipfix && field.enterprise != 0;
        let bit = if with_enterprise { 0x8000 } else { 0 };
        out.extend((field.element | bit).to_be_bytes());
        out.extend(field.length.to_be_bytes());
        if with_enterprise {
            out.extend(field.enterprise.to_be_bytes());
        }
    }
    out
}

/// A set with one template.
pub(crate) fn template(wire: Wire, id: u16, fields: &[Spec]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend((fields.len() as u16).to_be_bytes());
    body.extend(specs(wire, fields));
    set(if wire == Wire::V9 { 0 } else { 2 }, &body)
}

/// A set with one options template.
pub(crate) fn options(wire: Wire, id: u16, scope: &[Spec], fields: &[Spec]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    match wire {
        Wire::V9 => {
            body.extend((4 * scope.len() as u16).to_be_bytes());
            body.extend((4 * fields.len() as u16).to_be_bytes());
        }
        Wire::Ipfix => {
            body.extend(((scope.len() + fields.len()) as u16).to_be_bytes());
            body.extend((scope.len() as u16).to_be_bytes());
        }
    }
    body.extend(specs(wire, scope));
    body.extend(specs(wire, fields));
    set(if wire == Wire::V9 { 1 } else { 3 }, &body)
}

/// A withdrawal of `id`, in the set of its kind.
pub(crate) fn withdrawal(set_id: u16, id: u16) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend([0, 0]);
    set(set_id, &body)
}

/// A record with these values. Values of variable length get their length in front, in one byte if it fits and `long`
/// does not ask for three.
pub(crate) fn record(fields: &[Spec], values: &[Vec<u8>], long: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (field, value) in fields.iter().zip(values) {
        if field.length == VARIABLE {
            if value.len() < 255 && !long {
                out.push(value.len() as u8);
            } else {
                out.push(255);
                out.extend((value.len() as u16).to_be_bytes());
            }
        } else {
            assert_eq!(value.len(), usize::from(field.length));
        }
        out.extend(value);
    }
    out
}

/// Big-endian bytes of a number.
#[allow(dead_code, reason = "each test binary uses a part of this room")]
pub(crate) fn be(value: u64, width: usize) -> Vec<u8> {
    value.to_be_bytes()[8 - width..].to_vec()
}
