//! What a found flow carries, in a word beside its protocol: the application by port, what an ICMP
//! message says, or the EtherType of what is not IP.

use neckar_enrich::names;
use serde_json::Value;

/// The word for a flow in `flow.proto`'s JSON; empty if its numbers have no name.
pub(super) fn meaning(flow: &Value) -> String {
    let number = |name: &str| flow[name].as_u64().unwrap_or(0);
    let [kind, code] = ["IcmpType", "IcmpCode"].map(|name| number(name) as u8);
    match number("Proto") {
        // An echo reply, or an exporter that says nothing: encoded flows have no zeros.
        1 | 58 if (kind, code) == (0, 0) => String::new(),
        1 => icmp(names::icmp(kind), names::icmp_code(kind, code)),
        58 => icmp(names::icmp6(kind), names::icmp6_code(kind, code)),
        6 | 17 => {
            let [source, destination] = ["SrcPort", "DstPort"].map(|name| number(name) as u16);
            names::application(source, destination).to_owned()
        }
        0 => match number("Etype") as u16 {
            0x0800 | 0x86dd => String::new(),
            etype => names::ethertype(etype).unwrap_or_default().to_owned(),
        },
        _ => String::new(),
    }
}

fn icmp(kind: Option<&str>, code: Option<&str>) -> String {
    [kind, code].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_get_their_names() {
        for (flow, expected) in [
            (json!({"Proto": 6, "SrcPort": 50_000, "DstPort": 443}), "https"),
            (json!({"Proto": 17, "SrcPort": 53, "DstPort": 80}), "dns"),
            (json!({"Proto": 17, "SrcPort": 5000, "DstPort": 5001}), ""),
            (json!({"Proto": 1, "IcmpType": 3, "IcmpCode": 3}), "unreachable port"),
            (json!({"Proto": 1}), ""),
            (json!({"Proto": 58, "IcmpType": 128}), "echo"),
            (json!({"Proto": 47}), ""),
            (json!({"Etype": 0x0806}), "ARP"),
            (json!({"Etype": 0x0800}), ""),
            (json!({}), ""),
        ] {
            assert_eq!(meaning(&flow), expected, "{flow}");
        }
    }
}
