//! Labelling allocates nothing once its buffers have grown.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use std::path::Path;
use std::sync::Arc;

use neckar_enrich::sources::{customers, interfaces};
use neckar_enrich::{Labels, Settings, Sources, Tables};
use neckar_proto::{Field, Rows};

#[test]
fn a_warm_worker_does_not_allocate() {
    let list =
        customers::parse(Path::new("c"), b"10.0.0.0/8,1\n10.1.0.0/16,uni\n2001:db8::/32,3\n");
    let sources = Sources {
        prefixes: vec![Arc::new(list.unwrap())],
        as_names: [(553, "BelWue".to_owned())].into_iter().collect(),
        interfaces: interfaces::parse(Path::new("i"), b"192.0.2.1,1,xe-1,Transit,1000\n").unwrap(),
        settings: Settings { normalize: true, ..Settings::default() },
        ..Sources::default()
    };
    let tables = Tables::build(&sources).unwrap();
    let mut rows = Rows::with_capacity(200);
    for number in 0..200_u8 {
        let flow = rows.push();
        flow.set_v4(Field::SrcAddr, [10, number & 1, 0, number]);
        flow.set_v6(Field::DstAddr, [0x20; 16]);
        flow.set_v4(Field::SamplerAddress, [192, 0, 2, number & 1]);
        flow.set(Field::SrcAS, 553);
        flow.set(Field::InIf, 1);
        flow.set(Field::Proto, 6);
    }
    let mut labels = Labels::default();
    tables.label(&mut rows, &mut labels);
    let info = allocation_counter::measure(|| {
        tables.label(&mut rows, &mut labels);
        let bytes: usize = (0..200).map(|row| labels.of(row)[0].len()).sum();
        assert!(bytes > 200 * 10, "{bytes}");
    });
    assert_eq!(info.count_total, 0);
}
