//! `neckard demo`: the main job, live, with nothing to configure and no broker to install.
//!
//! Synthetic routers of all four protocols send over loopback to this very data plane, which
//! produces to librdkafka's embedded mock cluster; a consumer counts at the far end. At the end
//! everything that was sent is accounted for, or the exit code is 1.

mod far_end;
mod routers;

use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use rdkafka::mocking::MockCluster;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::board::Snapshot;
use crate::cli::{DemoArgs, Exit};
use crate::config::{Config, Http, Listen, OutputKind};
use crate::pipeline::Pipeline;
use far_end::FarEnd;
use routers::{Routers, Sent};

const TOPIC: &str = "flow-messages-enriched";
const PARTITIONS: i32 = 4;
const EXPORTERS: usize = 32;
/// Where the page is by custom; another port is taken if somebody has it.
const PAGE: &str = "127.0.0.1:8080";
/// How long the far end may take to read what was delivered.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the demo; [`Exit::Failed`] if anything sent is not accounted for.
#[must_use]
pub fn run(args: &DemoArgs) -> Exit {
    match show(args) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(what) => {
            eprintln!("neckard demo: {what}");
            Exit::Failed
        }
    }
}

fn show(args: &DemoArgs) -> Result<bool, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let cluster = MockCluster::new(1).map_err(|error| text(&error))?;
    cluster.create_topic(TOPIC, PARTITIONS, 1).map_err(|error| text(&error))?;
    let brokers = cluster.bootstrap_servers();
    let customers = Customers::write().map_err(|error| text(&error))?;
    let config = config(&brokers, &customers);
    let (events, _happened) = unbounded();
    let pipeline = Pipeline::start(&config, &events).map_err(|error| text(&error))?;
    let far_end = FarEnd::start(&brokers, TOPIC, PARTITIONS).map_err(|error| text(&error))?;
    let target = pipeline.listening()[0];
    introduce(&pipeline, target, &brokers);

    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|error| text(&error))?;
    }
    let routers = Routers::start(target, EXPORTERS, args.rate, Arc::clone(&stop))
        .map_err(|error| text(&error))?;
    watch(args.seconds, &stop, &pipeline, &routers, &far_end);
    let sent = routers.stop();
    let snapshot = pipeline.stop();
    let consumed = far_end.stop(snapshot.output.delivered, PATIENCE);
    if let Some(sample) = &consumed.sample {
        println!("\nA flow as it left Kafka:\n{sample}\n");
    }
    Ok(conclude(&sent, &snapshot, consumed.messages, consumed.bytes_sum))
}

/// The customer list of the synthetic routers' address plan, as a file for as long as the demo
/// runs.
struct Customers(std::path::PathBuf);

impl Customers {
    fn write() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("neckard-demo-{}.csv", std::process::id()));
        std::fs::write(&path, neckar_export::customers_csv())?;
        Ok(Self(path))
    }
}

impl Drop for Customers {
    fn drop(&mut self) {
        // A temporary file; the system clears what we could not.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn config(brokers: &str, customers: &Customers) -> Config {
    let http = match TcpListener::bind(PAGE) {
        Ok(_) => PAGE,
        Err(_) => "127.0.0.1:0",
    };
    let mut config = Config {
        listen: vec![Listen { address: "127.0.0.1:0".into() }],
        http: Http { address: http.into(), ..Http::default() },
        ..Config::default()
    };
    config.output.kind = OutputKind::Kafka;
    config.kafka.brokers = brokers.split(',').map(str::to_string).collect();
    config.kafka.topic = TOPIC.into();
    config.enrich.customers.clone_from(&customers.0);
    config.batch.memory_bytes = 128 << 20;
    config
}

fn introduce(pipeline: &Pipeline, target: SocketAddr, brokers: &str) {
    println!(
        "{EXPORTERS} routers (NetFlow v5, v9, IPFIX, sFlow)\n  \
         -> UDP {target}\n  \
         -> {} workers: receive, decode, label, encode, produce\n  \
         -> Kafka {brokers} (embedded), topic {TOPIC}, {PARTITIONS} partitions\n  \
         -> a consumer that counts",
        pipeline.board().workers.len(),
    );
    if let Some(address) = pipeline.http_address() {
        println!("Page: http://{address}/   metrics: http://{address}/metrics");
    }
    println!(
        "\n{:>4} {:>12} {:>12} {:>12} {:>12} {:>12} {:>8} {:>9}",
        "s", "sent", "decoded", "delivered", "consumed", "flows/s", "lost", "CPU"
    );
}

/// Prints a line a second until the time is up or somebody presses Ctrl-C.
fn watch(
    seconds: u64,
    stop: &AtomicBool,
    pipeline: &Pipeline,
    routers: &Routers,
    far_end: &FarEnd,
) {
    let started = Instant::now();
    let mut last = 0;
    for second in 1..=seconds {
        let until = started + Duration::from_secs(second);
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let snapshot = pipeline.board().snapshot();
        let totals = snapshot.totals();
        let lost = totals.kernel_drops + totals.dropped + totals.shed + snapshot.output.failed;
        println!(
            "{second:>4} {:>12} {:>12} {:>12} {:>12} {:>12} {lost:>8} {:>8.1}s",
            routers.flows_so_far(),
            totals.flows,
            snapshot.output.delivered,
            far_end.messages_so_far(),
            totals.flows - last,
            cpu_seconds(),
        );
        last = totals.flows;
        // A pipe wants to see the lines as they come, too.
        let _ = io::stdout().flush();
    }
    if io::stdout().is_terminal() {
        println!("…  routers stop, batches drain");
    }
}

/// Processor time of this process, user and system: routers, data plane, broker and consumer
/// together.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, counted after the command's closing parenthesis; in ticks of 10 ms.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|one| one.parse::<u64>().ok());
    ticks.sum::<u64>() as f64 / 100.0
}

/// Adds everything up.
fn conclude(sent: &Sent, snapshot: &Snapshot, consumed: u64, bytes_sum: u64) -> bool {
    let totals = snapshot.totals();
    let output = &snapshot.output;
    let unseen = sent.flows.saturating_sub(totals.records);
    // Each side of each line was counted by somebody else.
    let checks = [
        (
            "sent = decoded + not decoded + in datagrams the kernel dropped",
            sent.flows,
            totals.flows
                + (totals.records - totals.flows)
                + if totals.kernel_drops > 0 { unseen } else { 0 },
        ),
        ("decoded = encoded + shed", totals.flows, totals.encoded + totals.shed),
        (
            "encoded = delivered + failed + left",
            totals.encoded,
            output.delivered + output.failed + output.in_flight,
        ),
        ("delivered = consumed", output.delivered, consumed),
    ];
    println!("Conservation, in flows:");
    let mut sound = true;
    for (what, left, right) in checks {
        let holds = left == right;
        sound &= holds;
        println!("  {} {what}: {left} = {right}", if holds { "ok   " } else { "WRONG" });
    }
    if consumed == sent.flows {
        let holds = bytes_sum == sent.bytes;
        sound &= holds;
        let mark = if holds { "ok   " } else { "WRONG" };
        println!("  {mark} bytes that flows reported: {} sent = {bytes_sum} consumed", sent.bytes);
    }
    println!(
        "  lost: {} ({} datagrams dropped by the kernel, {} flows shed, {} failed)",
        sent.flows - consumed.min(sent.flows),
        totals.kernel_drops,
        totals.shed,
        output.failed,
    );
    sound
}
