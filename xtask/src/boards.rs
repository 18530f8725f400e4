//! `cargo xtask boards`: Grafana's boards in `deploy/grafana/`, made from the descriptions here.
//!
//! In: boards as rows of panels with queries ([`pipeline`], [`network`], [`suite`]). Out: the JSON that
//! Grafana imports ([`grafana`]). One source, because a board's JSON is two thousand lines of which
//! two hundred say something; nobody reviews those. Deliberately absent: alerts, which are
//! Prometheus' own (`deploy/prometheus/rules`), and plugins that Grafana does not bring along.

use std::io;
use std::path::{Path, PathBuf};

mod collector;
mod exporters;
pub mod grafana;
mod network;
mod pipeline;
pub mod promql;
mod suite;

/// What `@here` stands for in queries of `/metrics`: the daemons that are chosen.
const HERE: &str = r#"instance=~"$instance""#;
/// What `@process` stands for: series that every program has are ours by their job, too.
const PROCESS: &str = r#"job="neckar", instance=~"$instance""#;
/// What `@exporter` stands for: the exporters that are chosen, of these daemons.
const EXPORTER: &str = r#"instance=~"$instance", exporter=~"$exporter""#;
/// What `@path` stands for: labels of `flow_bits`, each with its variable, as the suite's boards have
/// them.
const PATH: &str = r#"peer=~"$peer", direction=~"$direction", ipversion=~"$ipversion", protoname=~"$protoname", application=~"$application", router=~"$router", remoteas=~"$remoteas", remotecountry=~"$remotecountry""#;
/// What `@customer` stands for: labels of the series that know customers.
const CUSTOMER: &str = r#"instance=~"$instance", cid=~"$cid", peer=~"$peer", direction=~"$direction", ipversion=~"$ipversion", protoname=~"$protoname", application=~"$application""#;

/// What values are, for axes and tooltips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bits per second.
    Bits,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    ByteRate,
    /// Events per second.
    Rate,
    /// Packets per second.
    Packets,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// A share between 0 and 1.
    Share,
    /// A number.
    Count,
    /// 1 is well, 0 is not.
    Up,
    /// Megabits per second: the suite's map counts in these.
    Megabits,
}

/// How a panel shows its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Lines over time.
    Lines,
    /// Areas over time, one upon the other: parts of a whole.
    Stack,
    /// The newest value, large.
    Stat,
    /// The newest values, as shares of a circle.
    Pie,
    /// The newest values, as bars.
    Bars,
    /// The newest values, as rows.
    Table,
    /// The newest values by country code, on a map; the label is `remotecountry`.
    Map,
    /// Counts by bucket over time, of a histogram.
    Heat,
}

impl Look {
    /// Does it show one moment, not a span of time?
    #[must_use]
    pub const fn is_instant(self) -> bool {
        matches!(self, Self::Pie | Self::Bars | Self::Table | Self::Map | Self::Stat)
    }
}

/// What is asked of Prometheus.
#[derive(Clone, Debug)]
pub struct Query {
    /// PromQL with Grafana's variables.
    pub expr: String,
    /// What a series is called: text with `{{label}}`.
    pub legend: String,
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// What it means and what to do about it, for the (i) in its corner.
    pub about: String,
    /// How it shows it.
    pub look: Look,
    /// What the values are.
    pub unit: Unit,
    /// What it shows.
    pub queries: Vec<Query>,
    /// Columns of 24.
    pub width: u32,
    /// Lines of 30 pixels.
    pub height: u32,
    /// Is every value above 0 bad news?
    pub is_loss: bool,
}

impl Panel {
    /// A panel without queries yet.
    #[must_use]
    pub fn new(look: Look, unit: Unit, title: &str, about: &str) -> Self {
        let (width, height) = match look {
            Look::Stat => (4, 4),
            Look::Map => (24, 18),
            Look::Lines | Look::Stack | Look::Pie | Look::Bars | Look::Table | Look::Heat => (8, 8),
        };
        let (title, about, queries) = (title.to_string(), about.to_string(), Vec::new());
        Self { title, about, look, unit, queries, width, height, is_loss: false }
    }

    /// Asks this, too. `@here`, `@exporter`, `@path` and `@customer` are the boards' filters, `$w` is
    /// the window that fits the zoom.
    #[must_use]
    pub fn query(mut self, expr: &str, legend: &str) -> Self {
        let filters = [
            ("@here", HERE),
            ("@process", PROCESS),
            ("@exporter", EXPORTER),
            ("@path", PATH),
            ("@customer", CUSTOMER),
        ];
        let expr = filters
            .iter()
            .fold(expr.to_string(), |expr, (mark, filter)| expr.replace(mark, filter));
        let expr = expr.replace("$w]", "$__rate_interval]");
        self.queries.push(Query { expr, legend: legend.to_string() });
        self
    }

    /// As wide as this many of 24 columns.
    #[must_use]
    pub fn wide(mut self, width: u32) -> Self {
        self.width = width;
        self
    }

    /// As high as this many lines.
    #[must_use]
    pub fn high(mut self, height: u32) -> Self {
        self.height = height;
        self
    }

    /// Red as soon as it is not 0.
    #[must_use]
    pub fn loss(mut self) -> Self {
        self.is_loss = true;
        self
    }
}

/// Panels under a heading.
#[derive(Clone, Debug)]
pub struct Row {
    /// The heading.
    pub title: String,
    /// Left to right, wrapped at 24 columns.
    pub panels: Vec<Panel>,
    /// Only the heading shows at first, and nothing is asked for.
    pub is_closed: bool,
}

impl Row {
    fn new(title: &str, panels: Vec<Panel>) -> Self {
        Self { title: title.to_string(), panels, is_closed: false }
    }

    /// Shows its heading only, until somebody opens it.
    fn closed(mut self) -> Self {
        self.is_closed = true;
        self
    }
}

/// A choice at the top of a board: the values that a label has.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// The label, which is its name too.
    pub label: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The metric whose labels these are.
    pub metric: &'static str,
}

/// A board.
#[derive(Clone, Debug)]
pub struct Board {
    /// File name without `.json`, and with `neckar-` in front Grafana's uid.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// How often it asks anew, in Grafana's words.
    pub refresh: &'static str,
    /// What it shows at first: the last so much.
    pub last: &'static str,
    /// Documents that help with it, of `docs/`.
    pub documents: &'static [&'static str],
    /// Choices at the top.
    pub variables: Vec<Variable>,
    /// What it shows.
    pub rows: Vec<Row>,
}

impl Board {
    /// Every panel, in order.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        folder().join(format!("{}.json", self.name))
    }
}

/// Every board.
#[must_use]
pub fn all() -> Vec<Board> {
    let mut boards = vec![pipeline::board(), exporters::board(), network::board()];
    boards.extend(suite::boards());
    boards.push(collector::board());
    boards
}

/// Where the boards are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana")
}

/// Writes every board.
///
/// # Errors
/// A file cannot be written.
pub fn write() -> io::Result<()> {
    std::fs::create_dir_all(folder())?;
    for board in all() {
        let mut text = serde_json::to_string_pretty(&grafana::json(&board))?;
        text.push('\n');
        std::fs::write(board.path(), text)?;
        println!("{}: {} panels", board.path().display(), board.panels().count());
    }
    Ok(())
}

/// Metrics of the suite, flowpipeline and GoFlow that Neckar keeps under their names, since boards out
/// there ask for them. Ours are in `docs/metrics.md`.
pub const INHERITED: &[&str] = &[
    "flow_bits",
    "flow_bytes",
    "flow_packets",
    "flow_number_total",
    "host_bytes",
    "host_connections_total",
    "traffic_bps",
    "traffic_pps",
    "toptalkers_db_size",
    "kafka_messages_total",
    "kafka_offset_current",
    "udp_traffic_bytes",
    "udp_traffic_packets",
    "flow_traffic_bytes",
    "flow_traffic_packets",
    "flow_decoder_count",
    "flow_summary_decoding_time_us",
    "flow_summary_processing_time_us",
    "flow_process_nf_flowset_records_sum",
    "flow_process_nf_errors_count",
    "flow_process_nf_templates_count",
    "flow_process_nf_delay_summary_seconds",
    "flow_process_sf_samples_sum",
    "flow_process_sf_samples_records_sum",
    "flow_process_nf_count",
    "flow_process_nf_flowset_sum",
    "flow_process_sf_count",
    "flow_process_sf_errors_count",
    "flow_traffic_summary_size_bytes",
];

/// Metrics of our own that `/flowdata` has, beside those of the suite.
pub const FLOWDATA: &[&str] =
    &["neckar_traffic_flows_total", "neckar_traffic_bytes_total", "neckar_traffic_packets_total"];
