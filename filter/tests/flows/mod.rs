//! Flows written as text: `Proto=6; SrcAddr=192.0.2.1; TimeFlowEndNs=10s; SrcIfName=xe-0/0/0;
//! ASPath=1 2 3`.

use neckar_proto::{Field, Kind, Rows};

/// One row with these fields and no others.
pub(crate) fn rows_of(spec: &str) -> Rows {
    let mut rows = Rows::default();
    rows.push();
    for item in spec.split(';').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, value) = item.split_once('=').unwrap_or_else(|| panic!("{item}: no value"));
        let field = Field::named(name).unwrap_or_else(|| panic!("{name}: no field"));
        match field.info().kind {
            Kind::Address => {
                let address = value.parse().unwrap_or_else(|_| panic!("{item}: no address"));
                rows.as_mut_slice()[0].set_ip(field, address);
            }
            Kind::U32List => {
                let numbers = value.split_whitespace().map(|item| number(item) as u32);
                let list: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
                rows.set_text(0, field, &list);
            }
            Kind::Text | Kind::Bytes => rows.set_text(0, field, value.as_bytes()),
            _ => rows.as_mut_slice()[0].set(field, number(value)),
        }
    }
    rows
}

/// Decimal, `0x`, or seconds as nanoseconds: `10s`.
fn number(text: &str) -> u64 {
    let parsed = match (text.strip_prefix("0x"), text.strip_suffix('s')) {
        (Some(digits), _) => u64::from_str_radix(digits, 16),
        (_, Some(seconds)) => seconds.parse().map(|seconds: u64| seconds * 1_000_000_000),
        _ => text.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("{text}: no number"))
}
