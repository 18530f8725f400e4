//! What was counted, as `--stats` and `--verbose` show it.

use std::fmt::Write;

use neckar_decode::{Cause, Counters};

use crate::exit::Failure;

/// The object that `--stats` prints. Keys never change; every cause is there, dropped or not, so
/// that scripts need no defaults.
pub(super) fn json(counters: &Counters, exporters: usize) -> String {
    let fields = [
        ("datagrams", counters.datagrams),
        ("bytes", counters.bytes),
        ("records", counters.records),
        ("reverse_flows", counters.reverse_flows),
        ("flows", counters.flows),
        ("templates", counters.templates),
        ("options_templates", counters.options_templates),
        ("options_records", counters.options_records),
        ("counter_samples", counters.counter_samples),
        ("held", counters.held),
        ("exporters", exporters as u64),
        ("missed", counters.missed.saturating_sub(counters.recovered)),
    ];
    let causes = Cause::ALL.iter().map(|cause| (cause.name(), counters.dropped(*cause)));
    let mut out = object(fields);
    out.pop();
    // Writing to a String cannot fail.
    let _ = write!(out, ",\"dropped\":{}}}", object(causes));
    out
}

/// Names are ours: nothing in them needs to be escaped.
fn object(fields: impl IntoIterator<Item = (&'static str, u64)>) -> String {
    let pairs: Vec<String> =
        fields.into_iter().map(|(name, count)| format!("\"{name}\":{count}")).collect();
    format!("{{{}}}", pairs.join(","))
}

/// Records that did not become flows: "each cause says in its name whether it counts datagrams,
/// sets or records" (interface.md).
fn dropped_records(counters: &Counters) -> u64 {
    let causes = Cause::ALL.iter().filter(|cause| cause.name().starts_with("record_"));
    causes.map(|cause| counters.dropped(*cause)).sum()
}

/// Does it all add up?
///
/// # Errors
/// It does not, and we are wrong somewhere.
pub(super) fn check(counters: &Counters) -> Result<(), Failure> {
    let came = counters.records + counters.reverse_flows;
    let went = counters.flows + dropped_records(counters);
    if came == went {
        return Ok(());
    }
    Err(Failure::running(format!(
        "the counts do not add up ({came} records and reverse flows, {went} flows and drops): this is a bug in neckar, \
         please report it with the file"
    )))
}

/// Counts that are nobody's loss but say something about the exporter.
pub(super) fn say_oddities(counters: &Counters) {
    let lines = [
        (counters.released, "data sets decoded when their template came"),
        (counters.reordered, "datagrams behind a later one"),
        (counters.resets, "sequences started anew: the exporter restarted"),
        (counters.discard_samples, "sFlow notifications of discarded packets"),
        (counters.rate_unknown, "flows without a sampling rate"),
        (counters.values_cut, "integers cut to the width of their field"),
        (counters.times_unix, "IPFIX times taken as Unix where RFC 7011 says NTP"),
    ];
    for (count, what) in lines.iter().filter(|(count, _)| *count > 0) {
        eprintln!("{count} {what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_the_documented_one() {
        let mut counters = Counters { datagrams: 3, bytes: 99, flows: 7, ..Counters::default() };
        counters.drop(Cause::SetTemplateMissing, 2);
        let text = json(&counters, 4);
        let start =
            r#"{"datagrams":3,"bytes":99,"records":0,"reverse_flows":0,"flows":7,"templates":0,"#;
        assert!(text.starts_with(start), "{text}");
        let middle = r#""options_templates":0,"options_records":0,"counter_samples":0,"held":0,"exporters":4,"missed":0,"dropped":{"datagram_truncated":0,"#;
        assert!(text[start.len()..].starts_with(middle), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["dropped"]["set_template_missing"], 2);
        assert_eq!(value["dropped"].as_object().unwrap().len(), Cause::ALL.len());
    }

    #[test]
    fn sums_that_do_not_hold_are_told() {
        let mut counters =
            Counters { records: 10, reverse_flows: 2, flows: 11, ..Counters::default() };
        assert!(check(&counters).is_err());
        counters.drop(Cause::RecordTruncated, 1);
        assert_eq!(check(&counters), Ok(()));
        counters.drop(Cause::SetTruncated, 1);
        assert_eq!(check(&counters), Ok(()), "sets are no records");
    }
}
