//! tshark as the independent witness of what datagrams say.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A flow as both sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub source: IpAddr,
    pub target: IpAddr,
    pub source_port: u64,
    pub target_port: u64,
    pub protocol: u64,
    pub bytes: u64,
    pub packets: u64,
}

/// Every flow that tshark finds in the datagrams to `port`, sorted.
pub fn tshark(capture: &Path, port: u16) -> Vec<Seen> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(["-d", &format!("udp.port=={port},cflow"), "-T", "json", "--no-duplicate-keys"])
        .output()
        .expect("tshark is installed; see cargo xtask test");
    let packets: Value = serde_json::from_slice(&output.stdout).expect("tshark writes JSON");
    let mut flows = Vec::new();
    collect(&packets, &mut flows);
    flows.sort();
    flows
}

/// A flow is any object that has a source address of its own.
fn collect(value: &Value, flows: &mut Vec<Seen>) {
    match value {
        Value::Object(object) => {
            flows.extend(flow(value));
            object.values().for_each(|inner| collect(inner, flows));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, flows)),
        _ => {}
    }
}

fn flow(object: &Value) -> Option<Seen> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let number = |key: &str| text(key).and_then(|text| text.parse().ok()).unwrap_or(0);
    let address = |v4: &str, v6: &str| text(v4).or_else(|| text(v6))?.parse().ok();
    Some(Seen {
        source: address("cflow.srcaddr", "cflow.srcaddrv6")?,
        target: address("cflow.dstaddr", "cflow.dstaddrv6")?,
        source_port: number("cflow.srcport"),
        target_port: number("cflow.dstport"),
        protocol: number("cflow.protocol"),
        bytes: number("cflow.octets"),
        packets: number("cflow.packets"),
    })
}
