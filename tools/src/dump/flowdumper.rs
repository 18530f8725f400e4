//! The object that the suite's `flowdumper` printed: its keys, in its order.

use std::net::IpAddr;

use neckar_proto::{Field, Flow, Rows, ip_protocol};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    ip_version: &'a str,
    #[serde(rename = "srcIP")]
    src_ip: String,
    #[serde(rename = "dstIP")]
    dst_ip: String,
    src_port: u64,
    dst_port: u64,
    proto: std::borrow::Cow<'a, str>,
    peer: std::borrow::Cow<'a, str>,
    bytes: u64,
    packets: u64,
}

/// Appends `flow`, one of `rows`, to `out`, with a newline. Absent numbers are 0 and absent
/// texts empty, as the suite had it.
pub(crate) fn write(out: &mut Vec<u8>, rows: &Rows, flow: &Flow) {
    let text = |field| String::from_utf8_lossy(rows.text(flow, field).unwrap_or_default());
    let address = |field| flow.ip(field).map(|ip| ip.to_string()).unwrap_or_default();
    let proto = match text(Field::ProtoName) {
        name if name.is_empty() => {
            ip_protocol::name(flow.word_or_zero(Field::Proto)).unwrap_or_default().into()
        }
        name => name,
    };
    // The far side's interface: where it came in, or where it went out.
    let peer = if flow.word_or_zero(Field::FlowDirection) == 0 {
        text(Field::SrcIfDesc)
    } else {
        text(Field::DstIfDesc)
    };
    let object = Object {
        ip_version: ip_version(flow),
        src_ip: address(Field::SrcAddr),
        dst_ip: address(Field::DstAddr),
        src_port: flow.word_or_zero(Field::SrcPort),
        dst_port: flow.word_or_zero(Field::DstPort),
        proto,
        peer,
        bytes: flow.word_or_zero(Field::Bytes),
        packets: flow.word_or_zero(Field::Packets),
    };
    serde_json::to_writer(&mut *out, &object).expect("texts and numbers into memory");
    out.push(b'\n');
}

fn ip_version(flow: &Flow) -> &'static str {
    const IPV4: u64 = 0x0800;
    const IPV6: u64 = 0x86dd;
    match (flow.word_or_zero(Field::Etype), flow.ip(Field::SrcAddr)) {
        (IPV4, _) | (0, Some(IpAddr::V4(_))) => "IPv4",
        (IPV6, _) | (0, Some(IpAddr::V6(_))) => "IPv6",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_the_suites() {
        let mut rows = Rows::default();
        let flow = rows.push();
        flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
        flow.set_v4(Field::DstAddr, [198, 51, 100, 2]);
        for (field, value) in [
            (Field::Etype, 0x0800),
            (Field::SrcPort, 443),
            (Field::DstPort, 50_000),
            (Field::Proto, 6),
            (Field::Bytes, 1500),
            (Field::Packets, 3),
        ] {
            flow.set(field, value);
        }
        rows.set_text(0, Field::SrcIfDesc, b"uplink \"A\"");
        rows.set_text(0, Field::DstIfDesc, b"customer");
        let shown = |rows: &Rows| {
            let mut out = Vec::new();
            write(&mut out, rows, &rows.as_slice()[0]);
            String::from_utf8(out).unwrap()
        };
        let expected = r#"{"ipVersion":"IPv4","srcIP":"192.0.2.1","dstIP":"198.51.100.2","srcPort":443,"dstPort":50000,"proto":"TCP","peer":"uplink \"A\"","bytes":1500,"packets":3}"#;
        assert_eq!(shown(&rows), format!("{expected}\n"));
        rows.as_mut_slice()[0].set(Field::FlowDirection, 1);
        assert!(shown(&rows).contains("\"peer\":\"customer\""));
        let mut rows = Rows::default();
        rows.push();
        let start = r#"{"ipVersion":"","srcIP":"","dstIP":"","srcPort":0,"dstPort":0,"proto":"#;
        assert!(shown(&rows).starts_with(start), "{}", shown(&rows));
        let end = ",\"peer\":\"\",\"bytes\":0,\"packets\":0}\n";
        assert!(shown(&rows).ends_with(end), "{}", shown(&rows));
    }
}
