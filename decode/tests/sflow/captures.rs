//! Real agents' datagrams: counts as the captures' README has them, and values where a capture is
//! about them.

use std::path::Path;

use neckar_decode::Config;

use crate::{decode, pcap, shared_folder};

const AKVORADO: &str = "akvorado-akvorado/outlet/flow/decoder/sflow/testdata";

/// Folder, file, datagrams, flow samples, counter samples, and what must stand in a row of it.
type Capture = (&'static str, &'static str, usize, u64, u64, &'static [&'static str]);

const CAPTURES: [Capture; 17] = [
    (
        AKVORADO,
        "data-1140.pcap",
        1,
        5,
        0,
        &[
            "SrcVlan=100 DstVlan=100",
            "NextHopAS=203698 SrcAS=39421 DstAS=26615 SrcNet=27 DstNet=17",
            "ASPath=203698,6762,26615",
            // A route of the router's own AS has no path; the destination is in it.
            "SrcAS=13335 DstAS=39421 SrcNet=20 DstNet=27",
        ],
    ),
    // 964 bytes follow the last sample.
    (
        AKVORADO,
        "data-discard-interface.pcap",
        1,
        1,
        0,
        &["InIf=27 Proto=6", "ForwardingStatus=128"],
    ),
    (AKVORADO, "data-local-interface.pcap", 1, 1, 0, &["InIf=27 Proto=6"]),
    (AKVORADO, "data-multiple-interfaces.pcap", 1, 1, 0, &["InIf=27 Proto=6"]),
    (
        AKVORADO,
        "data-icmpv4.pcap",
        1,
        1,
        0,
        &["IcmpType=8 IcmpCode=0", "Packets=1 SamplerAddress=127.0.0.1 Proto=1"],
    ),
    (AKVORADO, "data-icmpv6.pcap", 1, 1, 0, &["IcmpType=135 IcmpCode=0"]),
    (
        AKVORADO,
        "data-qinq.pcap",
        1,
        1,
        0,
        &["VlanId=1493", "OuterVlanId=1062", "InIf=369098852 OutIf=369098851"],
    ),
    (
        AKVORADO,
        "data-sflow-expanded-sample.pcap",
        1,
        1,
        0,
        &["ASPath=8218,29605,203361", "InIf=29001 OutIf=1285816721", "VlanId=809"],
    ),
    // Raw header, Ethernet and IPv4 records of one packet: the frame's length.
    (
        AKVORADO,
        "data-sflow-ipv4-data.pcap",
        1,
        1,
        0,
        &["Bytes=1390", "InIf=0 OutIf=182", "SrcVlan=0 DstVlan=3001"],
    ),
    (AKVORADO, "data-sflow-raw-ipv4.pcap", 1, 2, 0, &["Bytes=50", "IcmpType=0", "Proto=1 IPTos=8"]),
    ("Cistern-sflow/_test", "counter_sample.dump", 1, 0, 1, &[]),
    ("Cistern-sflow/_test", "flow_sample.dump", 1, 1, 0, &["SrcPort=51413 DstPort=9728"]),
    (
        "Cistern-sflow/_test",
        "flow_sample_3.dump",
        1,
        3,
        0,
        &["SrcPort=59716", "SrcPort=80", "SrcPort=41058"],
    ),
    ("Cistern-sflow/_test", "flow_samples_2.dump", 1, 2, 0, &["SrcPort=80", "SrcPort=22"]),
    ("Cistern-sflow/_test", "host_sample.dump", 1, 0, 1, &[]),
    ("ntop-nDPI/tests/cfgs/default/pcap", "sflow.pcap", 9, 1, 8, &["VlanId=32"]),
    (
        "influxdata-telegraf/plugins/inputs/netflow/testcases/sflow_v5_example",
        "sflow_v5.bin",
        1,
        0,
        1,
        &[],
    ),
];

fn payloads(path: &Path) -> Vec<Vec<u8>> {
    match path.extension().is_some_and(|extension| extension == "pcap") {
        true => pcap::payloads(path),
        false => vec![std::fs::read(path).unwrap()],
    }
}

/// The datagrams of all captures.
pub(crate) fn datagrams(captures: &Path) -> Vec<Vec<u8>> {
    CAPTURES.iter().flat_map(|case| payloads(&captures.join(case.0).join(case.1))).collect()
}

#[test]
fn captures_hold_what_their_readme_says() {
    let Some(captures) = shared_folder("captures") else { return };
    for (folder, name, count, flow_samples, counter_samples, said) in CAPTURES {
        let datagrams = payloads(&captures.join(folder).join(name));
        assert_eq!(datagrams.len(), count, "{name}");
        let (rows, counters) = decode(Config::default(), datagrams.iter().map(|bytes| &bytes[..]));
        assert_eq!(counters.records, flow_samples, "{name}");
        assert_eq!(rows.len() as u64, flow_samples, "{name}");
        assert_eq!(counters.counter_samples, counter_samples, "{name}");
        assert_eq!(counters.dropped.iter().sum::<u64>(), 0, "{name}");
        assert_eq!((counters.parts_malformed, counters.unknown_samples), (0, 0), "{name}");
        for said in said {
            assert!(rows.iter().any(|row| row.contains(said)), "{name}: {said} in {rows:#?}");
        }
    }
}

/// An interface is written only where the wire says one index.
#[test]
fn interfaces_that_are_none() {
    let Some(captures) = shared_folder("captures") else { return };
    for name in ["discard-interface", "local-interface", "multiple-interfaces"] {
        let path = captures.join(AKVORADO).join(format!("data-{name}.pcap"));
        let (rows, _) = decode(Config::default(), [&payloads(&path)[0][..]]);
        assert!(!rows[0].contains("OutIf"), "{rows:?}");
        assert_eq!(rows[0].contains("ForwardingStatus"), name == "discard-interface");
    }
}
