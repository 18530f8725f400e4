//! Rows as one line of text each, for people: the line of flowpipeline's `printflowdump`.
//!
//! `HH:MM:SS: src:port → dst:port [inDesc|inIf → STATUS@router → outDesc|outIf], proto, Ns, X bps,
//! Y pps`. The time is the flow's end, in UTC: time zones are not the business of this crate.

use crate::column::{push_address, push_decimal};
use crate::field::Field;
use crate::flow::Flow;
use crate::ip_protocol;
use crate::rows::Rows;

const SECOND_NS: u64 = 1_000_000_000;

/// Appends `flow`, one of `rows`, to `out`, with a newline.
pub fn write(out: &mut Vec<u8>, rows: &Rows, flow: &Flow) {
    let word = |field| flow.word_or_zero(field);
    let end_s = word(Field::TimeFlowEndNs) / SECOND_NS;
    let start_s = word(Field::TimeFlowStartNs) / SECOND_NS;
    push_time_of_day(out, end_s);
    out.extend_from_slice(b": ");
    push_end(out, flow, Field::SrcAddr, Field::SrcPort);
    out.extend_from_slice(" → ".as_bytes());
    push_end(out, flow, Field::DstAddr, Field::DstPort);
    out.extend_from_slice(b" [");
    push_interface(out, rows, flow, Field::SrcIfDesc, Field::InIf);
    out.extend_from_slice(" → ".as_bytes());
    push_status(out, word(Field::ForwardingStatus));
    out.push(b'@');
    push_address_or_dash(out, flow, Field::SamplerAddress);
    out.extend_from_slice(" → ".as_bytes());
    push_interface(out, rows, flow, Field::DstIfDesc, Field::OutIf);
    out.extend_from_slice(b"], ");
    push_protocol(out, rows, flow);

    // A flow of one packet took no time, and still has a rate.
    let duration_s = end_s.saturating_sub(start_s).max(1);
    out.extend_from_slice(b", ");
    push_decimal(out, duration_s);
    out.extend_from_slice(b"s, ");
    push_si(out, word(Field::Bytes).saturating_mul(8) / duration_s);
    out.extend_from_slice(b"bps, ");
    push_si(out, word(Field::Packets) / duration_s);
    out.extend_from_slice(b"pps");
    if let Some(note) = rows.text(flow, Field::Note).filter(|note| !note.is_empty()) {
        out.extend_from_slice(b" - ");
        push_text(out, note);
    }
    out.push(b'\n');
}

fn push_time_of_day(out: &mut Vec<u8>, unix_s: u64) {
    let seconds = unix_s % 86_400;
    for (index, part) in [seconds / 3600, seconds / 60 % 60, seconds % 60].into_iter().enumerate() {
        if index > 0 {
            out.push(b':');
        }
        out.extend([b'0' + (part / 10) as u8, b'0' + (part % 10) as u8]);
    }
}

fn push_end(out: &mut Vec<u8>, flow: &Flow, address: Field, port: Field) {
    push_address_or_dash(out, flow, address);
    out.push(b':');
    push_decimal(out, flow.word_or_zero(port));
}

fn push_address_or_dash(out: &mut Vec<u8>, flow: &Flow, field: Field) {
    match flow.address(field) {
        Some(address) => push_address(out, address),
        None => out.push(b'-'),
    }
}

fn push_interface(out: &mut Vec<u8>, rows: &Rows, flow: &Flow, description: Field, index: Field) {
    match rows.text(flow, description).filter(|text| !text.is_empty()) {
        Some(text) => push_text(out, text),
        None => push_decimal(out, flow.word_or_zero(index)),
    }
}

/// Exporters' and users' words: a line stays a line, and a terminal is told nothing.
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }));
}

/// The upper two bits are the status, the lower six the reason (IE 89, RFC 7270). Plain forwarding
/// goes without saying.
fn push_status(out: &mut Vec<u8>, status: u64) {
    const FORWARDED: u64 = 64;
    if status == FORWARDED {
        return;
    }
    let name: &[u8] = match status >> 6 & 3 {
        0 => b"UNKNOWN/",
        1 => b"FORWARD/",
        2 => b"DROP/",
        _ => b"CONSUMED/",
    };
    out.extend_from_slice(name);
    push_decimal(out, status);
}

fn push_protocol(out: &mut Vec<u8>, rows: &Rows, flow: &Flow) {
    const ICMP: u64 = 1;
    let number = flow.word_or_zero(Field::Proto);
    let port = flow.word_or_zero(Field::DstPort);
    let (icmp_type, icmp_code) = match port {
        0 => (flow.word_or_zero(Field::IcmpType), flow.word_or_zero(Field::IcmpCode)),
        // Where routers put type and code.
        port => (port >> 8, port & 0xff),
    };
    let name = rows.text(flow, Field::ProtoName).filter(|name| !name.is_empty());
    if number == ICMP && (icmp_type, icmp_code) != (0, 0) {
        out.extend_from_slice(b"ICMP (type ");
        push_decimal(out, icmp_type);
        out.extend_from_slice(b", code ");
        push_decimal(out, icmp_code);
        out.push(b')');
    } else if let Some(name) = name {
        push_text(out, name);
    } else if let Some(name) = ip_protocol::name(number) {
        out.extend_from_slice(name.as_bytes());
    } else {
        push_decimal(out, number);
    }
}

/// A number with at most six decimals, a blank and an SI prefix.
fn push_si(out: &mut Vec<u8>, number: u64) {
    const PREFIXES: [u8; 6] = *b"kMGTPE";
    const MILLION: u128 = 1_000_000;
    let thousands = number.checked_ilog(1000).unwrap_or(0);
    let unit = 1000_u64.pow(thousands);
    let millionths = (u128::from(number) * MILLION + u128::from(unit) / 2) / u128::from(unit);
    push_decimal(out, (millionths / MILLION) as u64);
    let mut decimals = (millionths % MILLION) as u64;
    if decimals > 0 {
        out.push(b'.');
        let mut place = 100_000;
        while decimals > 0 {
            out.push(b'0' + (decimals / place) as u8);
            decimals %= place;
            place /= 10;
        }
    }
    out.push(b' ');
    if thousands > 0 {
        out.push(PREFIXES[thousands as usize - 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(rows: &Rows) -> String {
        let mut out = Vec::new();
        write(&mut out, rows, &rows.as_slice()[0]);
        String::from_utf8(out).expect("UTF-8")
    }

    fn tcp_flow() -> Rows {
        let mut rows = Rows::default();
        let flow = rows.push();
        flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
        flow.set_v4(Field::DstAddr, [198, 51, 100, 2]);
        flow.set_v4(Field::SamplerAddress, [203, 0, 113, 3]);
        for (field, value) in [
            (Field::TimeFlowStartNs, 1_700_000_000_900_000_000),
            (Field::TimeFlowEndNs, 1_700_000_004_100_000_000),
            (Field::SrcPort, 443),
            (Field::DstPort, 50_000),
            (Field::InIf, 501),
            (Field::OutIf, 7),
            (Field::ForwardingStatus, 64),
            (Field::Proto, 6),
            (Field::Bytes, 617_284),
            (Field::Packets, 4_000),
        ] {
            flow.set(field, value);
        }
        rows
    }

    #[test]
    fn a_forwarded_flow() {
        assert_eq!(
            line(&tcp_flow()),
            "22:13:24: 192.0.2.1:443 → 198.51.100.2:50000 [501 → @203.0.113.3 → 7], TCP, 4s, \
             1.234568 Mbps, 1 kpps\n"
        );
    }

    #[test]
    fn names_take_the_place_of_numbers() {
        let mut rows = tcp_flow();
        rows.set_text(0, Field::SrcIfDesc, b"uplink A");
        rows.set_text(0, Field::DstIfDesc, b"customer\n17\x1b[31m");
        rows.set_text(0, Field::ProtoName, b"tcp");
        rows.set_text(0, Field::Note, b"seen before");
        assert_eq!(
            line(&rows),
            "22:13:24: 192.0.2.1:443 → 198.51.100.2:50000 [uplink A → @203.0.113.3 → customer 17 \
             [31m], tcp, 4s, 1.234568 Mbps, 1 kpps - seen before\n"
        );
    }

    #[test]
    fn an_empty_row_is_a_line_too() {
        let mut rows = Rows::default();
        rows.push();
        assert_eq!(
            line(&rows),
            "00:00:00: -:0 → -:0 [0 → UNKNOWN/0@- → 0], HOPOPT, 1s, 0 bps, 0 pps\n"
        );
    }

    #[test]
    fn status_says_what_became_of_the_packets() {
        let cases = [
            (0, "UNKNOWN/0"),
            (63, "UNKNOWN/63"),
            (64, ""),
            (66, "FORWARD/66"),
            (130, "DROP/130"),
            (195, "CONSUMED/195"),
        ];
        for (status, text) in cases {
            let mut out = Vec::new();
            push_status(&mut out, status);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), text);
        }
    }

    #[test]
    fn icmp_says_type_and_code() {
        let mut rows = tcp_flow();
        let flow = &mut rows.as_mut_slice()[0];
        flow.set(Field::Proto, 1);
        flow.set(Field::DstPort, 0x0301);
        assert!(line(&rows).contains("], ICMP (type 3, code 1), 4s"));
        let flow = &mut rows.as_mut_slice()[0];
        flow.remove(Field::DstPort);
        flow.set(Field::IcmpType, 8);
        assert!(line(&rows).contains("], ICMP (type 8, code 0), 4s"));
        let flow = &mut rows.as_mut_slice()[0];
        flow.set(Field::IcmpType, 0);
        assert!(line(&rows).contains("], ICMP, 4s"));
    }

    #[test]
    fn unnamed_protocols_are_numbers() {
        let mut rows = tcp_flow();
        rows.as_mut_slice()[0].set(Field::Proto, 253);
        assert!(line(&rows).contains("], 253, 4s"));
    }

    #[test]
    fn rates_have_si_prefixes() {
        let cases = [
            (0, "0 "),
            (999, "999 "),
            (1_000, "1 k"),
            (1_001, "1.001 k"),
            (999_999, "999.999 k"),
            (1_234_567, "1.234567 M"),
            (1_234_567_890, "1.234568 G"),
            (1_000_000_400_000, "1 T"),
            (1_000_000_600_000, "1.000001 T"),
            (u64::MAX, "18.446744 E"),
        ];
        for (number, text) in cases {
            let mut out = Vec::new();
            push_si(&mut out, number);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), text, "{number}");
        }
    }
}
