//! Random templates and records: the plan and its slow twin make equal rows of them.

use std::collections::BTreeMap;

use neckar_proto::{Field, Flow, Rows};
use proptest::prelude::*;

use crate::Bench;
use crate::twin::{Around, Item, Row, Value, rows as twin_rows};
use crate::wire::{HEADER, Header, Spec, VARIABLE, Wire, message, record, set, template};

/// Elements that decoding knows, and some that it does not.
const ELEMENTS: &[u16] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 23, 24, 27, 28, 29, 30,
    31, 32, 34, 50, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 70, 71, 72, 73, 74, 79, 80, 81,
    85, 86, 88, 89, 95, 128, 136, 138, 139, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160,
    176, 177, 178, 179, 180, 181, 182, 183, 192, 195, 197, 200, 210, 225, 226, 227, 228, 230, 231,
    232, 234, 235, 239, 243, 252, 253, 254, 256, 281, 282, 298, 299, 305, 306, 309, 310, 312, 371,
    1000, 32767,
];

/// The length an element usually has.
fn usual(element: u16) -> u16 {
    match element {
        8 | 12 | 15 | 18 | 225 | 226 => 4,
        27 | 28 | 62 | 63 | 281 | 282 => 16,
        7 | 11 | 32 | 58 | 59 | 88 | 139 | 180..=183 | 243 | 254 | 256 => 2,
        4 | 5 | 6 | 9 | 13 | 29 | 30 | 52 | 53 | 60 | 61 | 136 | 176..=179 | 192 | 195 | 200 => 1,
        56 | 57 | 80 | 81 => 6,
        70..=79 => 3,
        152..=157 | 160 => 8,
        371 => 12,
        _ => 4,
    }
}

fn specs(wire: Wire) -> impl Strategy<Value = Vec<Spec>> {
    let field = (proptest::sample::select(ELEMENTS), 0..20_u8, 0..10_u8, 0..18_u16);
    let field = field.prop_map(move |(element, how, owner, odd)| {
        let length = match how {
            0 => odd,
            1 => VARIABLE,
            _ => usual(element),
        };
        let enterprise = match owner {
            0 if wire == Wire::Ipfix => 29305,
            1 if wire == Wire::Ipfix => 6871,
            _ => 0,
        };
        Spec { element, enterprise, length }
    });
    let fields = proptest::collection::vec(field, 1..14);
    fields.prop_filter("records take bytes", |fields| fields.iter().any(|field| field.length != 0))
}

/// Values for one record: bytes biased towards all zero, and instants near the receive time.
fn values(fields: Vec<Spec>) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one: Vec<_> = fields
        .into_iter()
        .map(|field| {
            let length = if field.length == VARIABLE {
                0..10
            } else {
                usize::from(field.length)..usize::from(field.length) + 1
            };
            let random = proptest::collection::vec(any::<u8>(), length);
            (random, 0..6_u8).prop_map(move |(bytes, how)| match how {
                0 | 1 => vec![0; bytes.len()],
                2 if bytes.len() == 8 && (152..=160).contains(&field.element) => {
                    let micros = matches!(field.element, 154 | 155);
                    let ntp = (1_700_000_000_u64 + 2_208_988_800) << 32 | 0x8000_0001;
                    let near =
                        if micros { 1_700_000_000_123_456 } else { 1_700_000_000_123_456_789 };
                    (if bytes[0] % 2 == 0 { ntp } else { near }).to_be_bytes().to_vec()
                }
                3 if bytes.len() == 1 => vec![[1, 4, 6, 17, 58][usize::from(bytes[0] % 5)]],
                _ => bytes,
            })
        })
        .collect();
    one
}

#[derive(Clone, Debug)]
struct Case {
    wire: Wire,
    fields: Vec<Spec>,
    records: Vec<Vec<Vec<u8>>>,
    long: bool,
    padding: usize,
    header: Header,
}

fn cases() -> impl Strategy<Value = Case> {
    let wire = prop_oneof![Just(Wire::V9), Just(Wire::Ipfix)];
    wire.prop_flat_map(|wire| (Just(wire), specs(wire)))
        .prop_flat_map(|(wire, fields)| {
            let records = proptest::collection::vec(values(fields.clone()), 1..80);
            (Just(wire), Just(fields), records, any::<bool>(), 0..4_usize, any::<u32>())
        })
        .prop_map(|(wire, fields, records, long, padding, uptime_ms)| {
            let header = Header { uptime_ms, ..HEADER };
            Case { wire, fields, records, long, padding, header }
        })
}

impl Case {
    fn data(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for values in &self.records {
            body.extend(record(&self.fields, values, self.long));
        }
        // Padding that could be a record would be one.
        let shortest: usize = self
            .fields
            .iter()
            .map(|field| if field.length == VARIABLE { 1 } else { usize::from(field.length) })
            .sum();
        body.resize(body.len() + self.padding.min(shortest - 1), 0);
        message(self.wire, self.header, &[set(300, &body)])
    }

    /// Do the records of all-variable templates end in what must pass for padding?
    fn ends_in_doubt(&self) -> bool {
        self.fields.iter().any(|field| field.length == VARIABLE) && {
            let last = record(&self.fields, self.records.last().unwrap(), self.long);
            last.iter().all(|byte| *byte == 0)
        }
    }
}

/// A row of the decoder in the words of the twin.
pub(crate) fn said(rows: &Rows, flow: &Flow) -> Row {
    let header = [
        Field::Type,
        Field::TimeReceivedNs,
        Field::SequenceNum,
        Field::SamplerAddress,
        Field::ObservationDomainID,
    ];
    let mut row = BTreeMap::new();
    for field in Field::all().filter(|field| flow.has(*field) && !header.contains(field)) {
        let value = if field.is_word() {
            Value::Number(flow.word(field).unwrap())
        } else if field.is_address() {
            Value::Bytes(flow.address(field).unwrap().to_vec())
        } else {
            Value::Bytes(rows.text(flow, field).unwrap().to_vec())
        };
        row.insert(field, value);
    }
    row
}

/// Bytes of texts that are no UTF-8 become U+FFFD.
fn printable(mut row: Row) -> Row {
    if let Some(Value::Bytes(bytes)) = row.get_mut(&Field::UserName) {
        let pieces = bytes.utf8_chunks();
        let clean = pieces.map(|piece| {
            format!("{}{}", piece.valid(), if piece.invalid().is_empty() { "" } else { "\u{fffd}" })
        });
        *bytes = clean.collect::<String>().into_bytes();
    }
    row
}

proptest! {
    #![proptest_config(ProptestConfig { ..ProptestConfig::default() })]

    #[test]
    fn the_plan_and_its_twin_make_equal_rows(case in cases()) {
        prop_assume!(!case.ends_in_doubt());
        let mut bench = Bench::new();
        let templates = message(case.wire, case.header, &[template(case.wire, 300, &case.fields)]);
        prop_assert!(bench.feed(&templates).is_empty());
        let mut rows = Vec::new();
        bench.feed_rows(&case.data(), &mut |lent: &mut Rows| {
            assert!(!lent.is_empty() && lent.len() <= neckar_decode::ROWS_MAX);
            rows.extend(lent.as_slice().iter().map(|flow| said(lent, flow)));
        });
        let around = Around { wire: case.wire, header: case.header, received_ns: bench.received_ns };
        let expected: Vec<Row> = case
            .records
            .iter()
            .flat_map(|values| {
                let items: Vec<Item> = case
                    .fields
                    .iter()
                    .zip(values)
                    .map(|(spec, bytes)| Item { spec: *spec, bytes: bytes.clone() })
                    .collect();
                twin_rows(&items, around)
            })
            .map(printable)
            .collect();
        prop_assert_eq!(rows, expected);
        prop_assert_eq!(bench.counters().records, case.records.len() as u64);
    }
}
