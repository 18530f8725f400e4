//! `/flowdata` in Prometheus' text format.

use std::fmt::Write as _;

use crate::tenants::{HOST_METRICS, PAIRS_SHOWN};
use crate::window::WINDOW_S;
use crate::{Config, METRICS, Traffic};

/// Targets that `traffic_bps` and `traffic_pps` show: the heaviest of the last whole minute.
const TARGETS_SHOWN: usize = 50;

/// Names, help and kinds of what is not a sum over label sets.
const HOST_HELP: [&str; 2] = [
    "Bytes between the heaviest pairs of hosts of each customer, as the records have them.",
    "Flows between them.",
];

/// A line with labels as long as they usually are.
const LINE_BYTES: usize = 200;

/// Bytes of the page at most, about.
pub(crate) fn bytes_max(config: &Config) -> usize {
    let series = METRICS.len() * (config.series_max + 1);
    let pairs = config.tenants_max * HOST_METRICS.len() * 2 * PAIRS_SHOWN;
    (series + pairs + 2 * TARGETS_SHOWN) * LINE_BYTES
}

/// The page.
pub(crate) fn render(traffic: &Traffic) -> String {
    let mut out = String::with_capacity(128 << 10);
    let mut last = "";
    traffic.each_sample(|sample| {
        if sample.metric != last {
            last = sample.metric;
            write_head(&mut out, last, help(last), "counter");
        }
        write_sample(&mut out, last, sample.labels, sample.value);
    });
    write_targets(&mut out, traffic);
    out
}

fn help(metric: &str) -> &'static str {
    let flowdata = METRICS.iter().map(|one| (one.name, one.help));
    let hosts = HOST_METRICS.iter().map(|(name, _)| *name).zip(HOST_HELP);
    flowdata.chain(hosts).find(|(name, _)| *name == metric).map_or("", |(_, help)| help)
}

/// Bits and packets a second towards the heaviest targets, by traffic class and forwarding status.
fn write_targets(out: &mut String, traffic: &Traffic) {
    let mut lines = Vec::new();
    traffic.talkers().each_target(TARGETS_SHOWN, |key, sums| {
        let (class, fate) = key.target();
        let address = key.parts().0.to_string();
        lines.push((address, class.name(), fate, *sums));
    });
    let rates: [(&str, &str, fn(&crate::Sums) -> f64); 2] = [
        (
            "traffic_bps",
            "Bits a second towards the heaviest targets, mean of the minute before this one.",
            |sums| sums.bytes * 8.0,
        ),
        ("traffic_pps", "Packets a second, the same.", |sums| sums.packets),
    ];
    for (name, help, rate) in rates {
        write_head(out, name, help, "gauge");
        for (address, class, fate, sums) in &lines {
            let labels =
                [("traffic_type", *class), ("address", address), ("forwarding_status", *fate)];
            write_sample(out, name, &labels, rate(sums) / WINDOW_S as f64);
        }
    }
    let name = "toptalkers_db_size";
    write_head(out, name, "Targets that are counted in this minute.", "gauge");
    write_sample(out, name, &[], traffic.talkers().targets());
}

fn write_head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A line, values of labels escaped.
fn write_sample(
    out: &mut String,
    name: &str,
    labels: &[(&str, &str)],
    value: impl std::fmt::Display,
) {
    out.push_str(name);
    for (at, (label, text)) in labels.iter().enumerate() {
        let _ = write!(out, "{}{label}=\"", if at == 0 { '{' } else { ',' });
        for letter in text.chars() {
            match letter {
                '"' | '\\' => out.extend(['\\', letter]),
                '\n' => out.push_str("\\n"),
                _ => out.push(letter),
            }
        }
        out.push('"');
    }
    let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routers_say_cannot_break_the_page() {
        let mut out = String::new();
        write_sample(&mut out, "x", &[("peer", "a\"b\\c\nd"), ("cid", "")], 7);
        write_sample(&mut out, "y", &[], 0.5);
        assert_eq!(out, "x{peer=\"a\\\"b\\\\c\\nd\",cid=\"\"} 7\ny 0.5\n");
    }
}
