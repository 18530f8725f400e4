//! InfluxDB's line protocol: `measurement,tag=value count=1i 1700000000`.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::Sample;

/// Writes measurement and tags of a sample: those of `tags` that it does not have itself, too.
/// Sorted, as the server wants them, and without empty ones, which it does not take.
pub(super) fn write_series(
    out: &mut Vec<u8>,
    sample: &Sample<'_>,
    tags: &BTreeMap<String, String>,
) {
    escape(out, sample.metric, b", ");
    let own = sample.labels.iter().copied();
    let has = |name: &str| sample.labels.iter().any(|label| label.0 == name);
    let others = tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all = own.chain(others.filter(|(name, _)| !has(name)));
    let mut all: Vec<(&str, &str)> = all.filter(|(_, value)| !value.is_empty()).collect();
    all.sort_unstable();
    for (name, value) in all {
        let start = out.len();
        out.push(b',');
        escape(out, name, b",= ");
        out.push(b'=');
        let value_start = out.len();
        escape(out, value, b",= ");
        // Nothing was left of it.
        if out.len() == value_start {
            out.truncate(start);
        }
    }
}

/// Ends a line that [`write_series`] has begun.
pub(super) fn write_count(out: &mut Vec<u8>, count: u64, at_s: u64) {
    // A vector takes everything.
    let _ = writeln!(out, " count={count}i {at_s}");
}

/// A backslash before each of `special`. A line break cannot be written, and a backslash at the end
/// would escape what follows: the one becomes a space, the other goes.
fn escape(out: &mut Vec<u8>, text: &str, special: &[u8]) {
    for byte in text.trim_end_matches('\\').bytes() {
        let byte = if byte.is_ascii_control() { b' ' } else { byte };
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    fn series(metric: &str, labels: &[(&str, &str)], tags: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        let tags = tags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let sample = Sample { metric, labels, value: 0, since_s: 0 };
        write_series(&mut out, &sample, &tags);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_has_sorted_tags_and_an_integer() {
        let mut out = series("flow_bytes", &[("peer", "x"), ("cid", "7")], &[]).into_bytes();
        write_count(&mut out, 12, 1_700_000_000);
        assert_eq!(out, b"flow_bytes,cid=7,peer=x count=12i 1700000000\n");
    }

    #[test]
    fn what_has_a_meaning_is_escaped() {
        assert_eq!(series("a,b c=d", &[], &[]), "a\\,b\\ c=d");
        assert_eq!(series("m", &[("a b", "c,d=e f\"g\\h")], &[]), "m,a\\ b=c\\,d\\=e\\ f\"g\\h");
        assert_eq!(series("m", &[("a", "b\nc\\")], &[]), "m,a=b\\ c");
        assert_eq!(series("m", &[("a", "Köln")], &[]), "m,a=Köln");
    }

    #[test]
    fn empty_tags_are_left_out_and_own_ones_win() {
        assert_eq!(series("m", &[("a", ""), ("b", "\\\\"), ("c", "1")], &[]), "m,c=1");
        let tags = [("a", "other"), ("host", "h")];
        assert_eq!(series("m", &[("a", "own")], &tags), "m,a=own,host=h");
        assert_eq!(series("m", &[("a", "")], &tags), "m,host=h", "a is its own, and empty");
    }
}
