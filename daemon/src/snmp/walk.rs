//! One walk of one device: ifName, ifAlias and ifHighSpeed of all its interfaces (IF-MIB, RFC 2863),
//! and where a device lacks names or speeds, or has empty names, ifDescr and ifSpeed (RFC 1213).
//!
//! Column by column with GETBULK: for 1000 interfaces about 120 requests. What a device says is
//! bounded in rows and bytes, whatever it says.

use std::collections::BTreeMap;
use std::time::Duration;

use async_snmp::{Client, ErrorKind, Oid, Retry, Value, WalkOptions};
use neckar_enrich::Interface;
use regex::Regex;

use super::access::Access;
use super::counts::Failure;
use crate::config::Snmp;

const IF_DESCR: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
const IF_SPEED: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 5];
const IF_NAME: [u32; 11] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
const IF_HIGH_SPEED: [u32; 11] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15];
const IF_ALIAS: [u32; 11] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18];

/// The longest text taken: DisplayString's own bound (RFC 2579).
const TEXT_BYTES_MAX: usize = 255;

/// How devices are asked.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    timeout: Duration,
    retries: u32,
    walk: Duration,
    repetitions: u32,
    interfaces_max: usize,
    description: Option<Regex>,
}

/// What a device said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// By ifIndex, in its order.
    pub(super) interfaces: Vec<(u32, Interface)>,
    /// It had more of them than we take.
    pub(super) cut: bool,
}

/// What is known of an interface so far.
#[derive(Debug, Default)]
struct Row {
    name: Option<String>,
    alias: Option<String>,
    speed_mbps: Option<u32>,
}

/// Rows by ifIndex, with their bound.
#[derive(Debug)]
struct Rows {
    rows: BTreeMap<u32, Row>,
    most: usize,
    cut: bool,
}

impl Manner {
    /// Validated, so the regular expression is one.
    pub(super) fn new(config: &Snmp) -> Self {
        let written = config.description_regex.as_str();
        Self {
            timeout: Duration::from_millis(config.timeout_ms),
            retries: config.retries,
            walk: Duration::from_secs(config.walk_s),
            repetitions: config.repetitions,
            interfaces_max: config.interfaces_per_exporter_max,
            description: Some(written)
                .filter(|one| !one.is_empty())
                .and_then(|one| Regex::new(one).ok()),
        }
    }

    /// Asks a device for all of its interfaces.
    ///
    /// # Errors
    /// It did not answer, or not to our liking; with the reason for people.
    pub(super) async fn walk(&self, access: Access) -> Result<Said, (Failure, String)> {
        match tokio::time::timeout(self.walk, self.walk_all(access)).await {
            Ok(result) => result,
            Err(_) => Err((Failure::Timeout, format!("not done within {} s", self.walk.as_secs()))),
        }
    }

    async fn walk_all(&self, access: Access) -> Result<Said, (Failure, String)> {
        // No pause before a repeated request: the timeout was one.
        let retry = Retry::fixed(self.retries, Duration::ZERO).unwrap_or_else(|_| Retry::none());
        let options = WalkOptions { max_repetitions: self.repetitions, ..WalkOptions::default() };
        let builder = Client::builder(access.address, access.auth)
            .request_timeout(self.timeout)
            .retry(retry)
            .walk_options(options);
        let client = builder.connect().await.map_err(|error| told(&error))?;
        let mut rows = Rows { rows: BTreeMap::new(), most: self.interfaces_max, cut: false };
        column(&client, &IF_NAME, &mut rows, |row, value| row.name = name(value)).await?;
        column(&client, &IF_ALIAS, &mut rows, |row, value| row.alias = text(value)).await?;
        column(&client, &IF_HIGH_SPEED, &mut rows, |row, value| row.speed_mbps = value.as_u32())
            .await?;
        if rows.lack(|row| row.name.is_none()) {
            column(&client, &IF_DESCR, &mut rows, |row, value| {
                row.name = row.name.take().or_else(|| name(value));
            })
            .await?;
        }
        if rows.lack(|row| row.speed_mbps.is_none()) {
            column(&client, &IF_SPEED, &mut rows, |row, value| {
                row.speed_mbps = row.speed_mbps.or_else(|| mbps(value));
            })
            .await?;
        }
        self.conclude(rows)
    }

    fn conclude(&self, rows: Rows) -> Result<Said, (Failure, String)> {
        if rows.rows.is_empty() {
            let why = "it answers, but shows no interfaces (is IF-MIB in its view?)";
            return Err((Failure::Empty, why.into()));
        }
        let interfaces = rows.rows.into_iter().map(|(if_index, row)| {
            let description = self.describe(row.alias.unwrap_or_default());
            let name = row.name.unwrap_or_default();
            let speed_mbps = row.speed_mbps.unwrap_or_default();
            (if_index, Interface { name, description, speed_mbps })
        });
        Ok(Said { interfaces: interfaces.collect(), cut: rows.cut })
    }

    /// Group 1 of the regular expression, where it matches; else the alias as it is.
    fn describe(&self, alias: String) -> String {
        let matched = self.description.as_ref().and_then(|one| one.captures(&alias));
        match matched.and_then(|groups| groups.get(1)) {
            Some(group) => group.as_str().to_string(),
            None => alias,
        }
    }
}

impl Rows {
    /// The row to write to, a new one if there is room.
    fn row(&mut self, if_index: u32) -> Option<&mut Row> {
        if self.rows.len() >= self.most && !self.rows.contains_key(&if_index) {
            self.cut = true;
            return None;
        }
        Some(self.rows.entry(if_index).or_default())
    }

    /// Is there none, or one that lacks something?
    fn lack(&self, lacks: impl Fn(&Row) -> bool) -> bool {
        self.rows.is_empty() || self.rows.values().any(lacks)
    }
}

/// Walks one column of a table into `rows`. An interface beyond the bound ends it: agents answer in
/// the order of ifIndex, so what follows is beyond it too.
async fn column(
    client: &Client,
    column: &[u32],
    rows: &mut Rows,
    mut fill: impl FnMut(&mut Row, &Value),
) -> Result<(), (Failure, String)> {
    let mut walk = client.walk(Oid::from_slice(column)).map_err(|error| told(&error))?;
    while let Some(binding) = walk.next().await {
        let binding = binding.map_err(|error| told(&error))?;
        // ifTable and ifXTable have one index.
        let Some([if_index]) = binding.oid.arcs().strip_prefix(column) else { continue };
        match rows.row(*if_index) {
            Some(row) => fill(row, &binding.value),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// A text as labels want it: valid UTF-8 of bounded length without control characters.
fn text(value: &Value) -> Option<String> {
    let bytes = value.as_bytes()?;
    // A little more, so that the last character is whole; then cut between two of them.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES_MAX + 4)]);
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let shown: String = text.chars().filter(|one| !one.is_control()).collect();
    Some(shown.trim().to_string())
}

/// A name: an empty one is none, and another column may have one.
fn name(value: &Value) -> Option<String> {
    text(value).filter(|name| !name.is_empty())
}

/// ifSpeed in Mbit/s, rounded as RFC 2863 rounds ifHighSpeed. Its largest value means "more than I
/// can say".
fn mbps(value: &Value) -> Option<u32> {
    let bits = value.as_u32().filter(|bits| *bits != u32::MAX)?;
    Some((u64::from(bits) + 500_000).div_euclid(1_000_000) as u32)
}

fn told(error: &async_snmp::Error) -> (Failure, String) {
    let failure = match error.kind() {
        ErrorKind::Timeout | ErrorKind::ConstructionTimeout => Failure::Timeout,
        ErrorKind::Network | ErrorKind::Closed => Failure::Unreachable,
        ErrorKind::Snmp | ErrorKind::Auth | ErrorKind::Report => Failure::Refused,
        _ => Failure::Garbled,
    };
    (failure, error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    fn octets(bytes: &'static [u8]) -> Value {
        Value::OctetString(bytes.into())
    }

    #[test]
    fn texts_are_bounded_and_printable() {
        assert_eq!(text(&octets(b" ge-0/0/1\0\r\n")).unwrap(), "ge-0/0/1");
        assert_eq!(text(&octets("Z\u{fc}rich".as_bytes())).unwrap(), "Z\u{fc}rich");
        assert_eq!(text(&octets(b"Z\xfcrich")).unwrap(), "Z\u{fffd}rich");
        assert_eq!(text(&octets(&[b'a'; 300])).unwrap().len(), TEXT_BYTES_MAX);
        let long = format!("{}\u{fc}", "a".repeat(254));
        assert_eq!(text(&Value::OctetString(long.into_bytes().into())).unwrap(), "a".repeat(254));
        let full = "\u{1f409}".repeat(64);
        assert_eq!(
            text(&Value::OctetString(full.clone().into_bytes().into())).unwrap(),
            full[..252]
        );
        assert_eq!(text(&Value::Integer(1)), None);
        assert_eq!(text(&Value::NoSuchInstance), None);
    }

    #[test]
    fn an_empty_name_is_none() {
        assert_eq!(name(&octets(b" \0")), None);
        assert_eq!(name(&octets(b"lo0")).as_deref(), Some("lo0"));
    }

    #[test]
    fn speeds_are_rounded_to_megabits() {
        for (bits, expected) in [
            (0, Some(0)),
            (499_999, Some(0)),
            (500_000, Some(1)),
            (10_000_000, Some(10)),
            (1_000_000_000, Some(1000)),
            (u32::MAX - 1, Some(4295)),
            (u32::MAX, None),
        ] {
            assert_eq!(mbps(&Value::Gauge32(bits)), expected, "{bits}");
        }
    }

    #[test]
    fn group_one_describes_where_it_matches() {
        let regex = "^[A-Z]+: (.*?)( #.*)?$".to_string();
        let manner = Manner::new(&Snmp { description_regex: regex, ..Snmp::default() });
        assert_eq!(manner.describe("PEER: Example Net #4711".into()), "Example Net");
        assert_eq!(manner.describe("to the roof".into()), "to the roof");
        let whole = Manner::new(&Snmp::default());
        assert_eq!(whole.describe("PEER: Example Net #4711".into()), "PEER: Example Net #4711");
        // A group that takes no part leaves the whole, not nothing.
        let optional = Snmp { description_regex: "^x(y)?".into(), ..Snmp::default() };
        assert_eq!(Manner::new(&optional).describe("xz".into()), "xz");
    }

    #[test]
    fn rows_are_bounded() {
        let mut rows = Rows { rows: BTreeMap::new(), most: 2, cut: false };
        assert!(rows.row(7).is_some() && rows.row(9).is_some() && rows.row(7).is_some());
        assert!(!rows.cut);
        assert!(rows.row(10).is_none());
        assert!(rows.cut);
    }
}
