//! `cargo xtask bench produce`: into a real Kafka; see benches/benches/produce.rs.
//!
//! `cargo xtask bench counting`, `flood`: what counting the traffic costs, and what a flood makes of its memory.
//!
//! `cargo xtask bench e2e`: from UDP into a real Kafka, the daemon and its peers, one load after
//! another.
//!
//! The load is `neckar generate` (NetFlow v9, 23 fields, 100 exporters) at rising rates. The daemon
//! labels each flow: customers, and AS and country from a full table of 1.45 M prefixes
//! (benches/src/bin/tables.rs); it does not count the traffic, which is a service beside. Of each collector: processor seconds per million flows that it took
//! in (user and system, from /proc), apart from those that its start took, and the share of flows
//! that did not arrive. The load and the broker run on the same cores; that
//! is why time on the wall says little here and is not reported.

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::install;
use crate::kafka::Broker;

mod counting;
mod curve;
pub mod flood;

pub use counting::counting;

/// Offered loads, in flows per second: from a tenth of what two shared cores get through to about twice that.
const RATES: [u64; 7] = [50_000, 100_000, 200_000, 400_000, 600_000, 800_000, 1_000_000];
/// Reading the tables takes seconds, more on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// The kernel's clock tick: the unit of /proc/PID/stat.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the daemon's messages are: framing and compression.
const WAYS: [(&str, &str); 4] =
    [("bare", "none"), ("bare", "lz4"), ("packed", "none"), ("packed", "lz4")];

/// What to measure.
pub struct Options {
    /// Flows per load.
    pub flows: u64,
    /// A broker that runs already, `host:port`.
    pub kafka: Option<String>,
    /// The goflow2 binary, if there is one.
    pub goflow2: Option<PathBuf>,
}

/// One collector under one load.
struct Run {
    collector: String,
    /// Flows per second that were really offered.
    offered: f64,
    sent: u64,
    /// Unknown of collectors that do not tell.
    arrived: Option<u64>,
    cpu_seconds: f64,
    /// Before the first flow: tables read, and the like.
    start_cpu_seconds: f64,
    latency_ms: Option<(f64, f64)>,
}

impl Run {
    fn cpu_per_million(&self) -> f64 {
        self.cpu_seconds / (self.sent as f64 / 1e6)
    }

    fn lost_percent(&self) -> Option<f64> {
        let lost = self.sent.saturating_sub(self.arrived?);
        Some(100.0 * lost as f64 / self.sent as f64)
    }
}

/// What `neckar generate` handed to the network.
struct Load {
    flows: u64,
    per_second: f64,
}

/// Runs the bench of the `kafka` room; it starts a Kafka of its own unless `NECKAR_KAFKA` names one.
///
/// # Errors
/// It failed; it has told why.
pub fn produce(word: Option<&str>) -> io::Result<()> {
    let mut bench = Command::new("cargo");
    bench.args(["bench", "-p", "neckar-benches", "--bench", "produce", "--"]).args(word);
    if bench.status()?.success() { Ok(()) } else { Err(io::Error::other("the bench failed")) }
}

/// Measures everything that is installed, prints the table and writes `target/bench/e2e.json` and
/// `e2e.svg`.
///
/// # Errors
/// What could not be started.
pub fn e2e(options: &Options) -> io::Result<()> {
    let own = if options.kafka.is_none() { Some(Broker::start()?) } else { None };
    let brokers = match (&options.kafka, &own) {
        (Some(given), _) => given.clone(),
        (None, Some(broker)) => broker.address().to_string(),
        (None, None) => unreachable!("one of both is there"),
    };
    build()?;
    let tables = tables()?;
    let mut runs = Vec::new();
    for way in WAYS {
        for rate in RATES {
            runs.push(neckard(&brokers, &tables, way, rate, options.flows)?);
            print_run(runs.last().expect("just pushed"));
        }
    }
    for rate in RATES {
        for run in peers(&brokers, rate, options)? {
            print_run(&run);
            runs.push(run);
        }
    }
    write_json(&runs)
}

fn build() -> io::Result<()> {
    // The whole workspace, as tests and users build it: for some packages alone features differ.
    let status =
        Command::new("cargo").args(["build", "--release", "--workspace", "--bins"]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("the build failed")) }
}

/// Makes the tables of labels and answers the configuration that names them.
fn tables() -> io::Result<PathBuf> {
    let folder = Path::new("target/bench/tables");
    let status = Command::new(release("tables")).arg(folder).status()?;
    if !status.success() {
        return Err(io::Error::other("the tables of labels could not be made"));
    }
    Ok(folder.join("neckard.toml"))
}

fn release(name: &str) -> PathBuf {
    Path::new("target/release").join(name)
}

fn neckard(
    brokers: &str,
    tables: &Path,
    (framing, compression): (&str, &str),
    rate: u64,
    flows: u64,
) -> io::Result<Run> {
    let topic = format!("bench-{framing}-{compression}-{rate}-{}", std::process::id());
    let settings = [
        // What collectors do, and no more: counting has a bench of its own.
        "traffic.enabled=false".to_string(),
        format!("kafka.compression={compression}"),
        format!("kafka.framing={framing}"),
    ];
    let mut daemon = Daemon::start(brokers, tables, &topic, &settings)?;
    let start_cpu_seconds = cpu_seconds(daemon.child.id());
    let load = generate(daemon.port, rate, flows)?;
    std::thread::sleep(Duration::from_secs(3));
    let cpu_seconds = cpu_seconds(daemon.child.id()) - start_cpu_seconds;
    let (latency_ms, acknowledged) = status(daemon.http);
    stop(&mut daemon.child)?;
    let arrived = match framing {
        "bare" => Some(crate::kafka::end_offsets(brokers, &topic)?.iter().sum()),
        // Messages are not flows: the daemon's own word, which the tests hold to what is there.
        _ => acknowledged,
    };
    let (sent, offered) = (load.flows, load.per_second);
    let collector = match framing {
        "bare" => format!("neckard {compression}"),
        _ => format!("neckard {framing} {compression}"),
    };
    Ok(Run { collector, offered, sent, arrived, cpu_seconds, start_cpu_seconds, latency_ms })
}

/// A running neckard, its ports for flows and for its pages.
struct Daemon {
    child: Child,
    port: u16,
    http: u16,
}

impl Daemon {
    fn start(brokers: &str, tables: &Path, topic: &str, settings: &[String]) -> io::Result<Self> {
        create_topic(brokers, topic)?;
        let (port, http) = (free_port()?, free_port()?);
        let mut command = Command::new(release("neckard"));
        command
            .args(["run", "--set", "output.kind=kafka", "--config"])
            .arg(tables)
            .args(["--set", &format!("listen=[{{address = \"127.0.0.1:{port}\"}}]")])
            .args(["--set", &format!("http.address=127.0.0.1:{http}")])
            .args(["--set", &format!("kafka.brokers=[\"{brokers}\"]")])
            .args(["--set", &format!("kafka.topic={topic}")]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        wait_until_up(http, &mut child)?;
        Ok(Self { child, port, http })
    }
}

/// The page is there once the tables are read and the sockets bound; what starts beside gets two
/// seconds more.
fn wait_until_up(http: u16, child: &mut Child) -> io::Result<()> {
    let started = Instant::now();
    while status(http).1.is_none() {
        if child.try_wait()?.is_some() || started.elapsed() > START_PATIENCE {
            return Err(io::Error::other("neckard did not start; run it by hand to hear why"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

/// Median and 99th percentile from receipt to acknowledgement, in milliseconds, as the daemon's own
/// histogram has them, and the flows acknowledged.
fn status(http: u16) -> (Option<(f64, f64)>, Option<u64>) {
    let address = format!("http://127.0.0.1:{http}/status.json");
    let output = Command::new("curl").args(["-s", &address]).output();
    let body = output.map(|output| output.stdout).unwrap_or_default();
    let status: Value = serde_json::from_slice(&body).unwrap_or_default();
    let of = |name: &str| status["output"][name].as_f64();
    let latency_ms = of("latency_p50_ms").zip(of("latency_p99_ms"));
    (latency_ms, status["output"]["delivered"].as_u64())
}

/// Collectors that are installed here, each in its own usual way of working.
fn peers(brokers: &str, rate: u64, options: &Options) -> io::Result<Vec<Run>> {
    let mut runs = Vec::new();
    let folder = Path::new("target/bench/peers");
    drop(fs::remove_dir_all(folder));
    fs::create_dir_all(folder)?;
    if install::has("nfcapd") {
        let port = free_port()?;
        let mut command = Command::new("nfcapd");
        command
            .args(["-p", &port.to_string(), "-b", "127.0.0.1", "-B", "4194304", "-l"])
            .arg(folder);
        let arrived = || nfcapd_flows(folder);
        runs.push(peer("nfcapd (files)", command, port, rate, options.flows, arrived)?);
    }
    if install::has("nfacctd") {
        let port = free_port()?;
        let topic = format!("bench-nfacctd-{rate}-{}", std::process::id());
        create_topic(brokers, &topic)?;
        let config = folder.join("nfacctd.conf");
        fs::write(&config, nfacctd_config(port, brokers, &topic))?;
        let mut command = Command::new("nfacctd");
        command.arg("-f").arg(&config);
        runs.push(peer("nfacctd (JSON)", command, port, rate, options.flows, || None)?);
    }
    if let Some(goflow2) = &options.goflow2 {
        let port = free_port()?;
        let topic = format!("bench-goflow2-{rate}-{}", std::process::id());
        create_topic(brokers, &topic)?;
        let mut command = Command::new(goflow2);
        command
            .args(["-listen", &format!("netflow://127.0.0.1:{port}"), "-transport", "kafka"])
            .args(["-format", "bin", "-transport.kafka.brokers", brokers])
            .args(["-transport.kafka.topic", &topic, "-addr", "127.0.0.1:0"]);
        let arrived =
            || crate::kafka::end_offsets(brokers, &topic).ok().map(|ends| ends.iter().sum());
        runs.push(peer("goflow2 (bin)", command, port, rate, options.flows, arrived)?);
    }
    Ok(runs)
}

/// All flow fields as the key of the aggregate: as near to a stream of flows as nfacctd comes.
fn nfacctd_config(port: u16, brokers: &str, topic: &str) -> String {
    let (host, broker_port) = brokers.rsplit_once(':').unwrap_or((brokers, "9092"));
    format!(
        "nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_pipe_size: 4194304\nplugins: kafka\n\
         plugin_pipe_size: 268435456\nplugin_buffer_size: 1048576\n\
         aggregate: src_host, dst_host, src_port, dst_port, proto, tos, src_as, dst_as, in_iface, out_iface, \
         tcpflags, timestamp_start, timestamp_end, peer_src_ip\n\
         kafka_broker_host: {host}\nkafka_broker_port: {broker_port}\nkafka_topic: {topic}\n\
         kafka_refresh_time: 5\nkafka_cache_entries: 2000003\nkafka_output: json\n"
    )
}

fn peer(
    name: &str,
    mut command: Command,
    port: u16,
    rate: u64,
    flows: u64,
    arrived: impl Fn() -> Option<u64>,
) -> io::Result<Run> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    std::thread::sleep(Duration::from_secs(2));
    let start_cpu_seconds = tree_cpu_seconds(child.id());
    let load = generate(port, rate, flows)?;
    // nfacctd writes at its refresh time, in processes that it waits for.
    std::thread::sleep(Duration::from_secs(12));
    let cpu_seconds = tree_cpu_seconds(child.id()) - start_cpu_seconds;
    stop(&mut child)?;
    // Only now all its files are closed.
    let arrived = arrived();
    let (sent, offered) = (load.flows, load.per_second);
    let collector = name.into();
    Ok(Run { collector, offered, sent, arrived, cpu_seconds, start_cpu_seconds, latency_ms: None })
}

/// Flows in nfcapd's files, as nfdump sums them up.
fn nfcapd_flows(folder: &Path) -> Option<u64> {
    let output = Command::new("nfdump").arg("-R").arg(folder).arg("-I").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("Flows: ")?.trim().parse().ok())
}

/// Sends the load and answers what it was.
fn generate(port: u16, rate: u64, flows: u64) -> io::Result<Load> {
    let output = Command::new(release("neckar"))
        .args(["generate", "--to", &format!("127.0.0.1:{port}"), "--protocol", "v9"])
        .args(["--exporters", "100", "--rate", &rate.to_string()])
        .args(["--flows", &flows.to_string(), "--json"])
        .stderr(Stdio::inherit())
        .output()?;
    let summary: Value = serde_json::from_slice(&output.stdout).map_err(io::Error::other)?;
    match (summary["flows"].as_u64(), summary["flows_per_second"].as_f64()) {
        (Some(flows), Some(per_second)) => Ok(Load { flows, per_second }),
        _ => Err(io::Error::other("neckar generate gave no count")),
    }
}

fn create_topic(brokers: &str, topic: &str) -> io::Result<()> {
    crate::kafka::create_topic(brokers, topic, 4)
}

fn free_port() -> io::Result<u16> {
    UdpSocket::bind("127.0.0.1:0")?.local_addr().map(|address| address.port())
}

/// Processor time of a process: user and system, fields 14 and 15 of its stat.
fn cpu_seconds(id: u32) -> f64 {
    stat_ticks(id, 2) / TICKS_PER_SECOND
}

/// The same with children that have ended (fields 16, 17) and those that run.
fn tree_cpu_seconds(id: u32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let running: f64 =
        children.split_whitespace().filter_map(|id| id.parse().ok()).map(tree_cpu_seconds).sum();
    stat_ticks(id, 4) / TICKS_PER_SECOND + running
}

fn stat_ticks(id: u32, fields: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The command may hold blanks; counting starts behind its closing parenthesis.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().skip(11).take(fields).filter_map(|one| one.parse::<f64>().ok()).sum()
}

fn stop(child: &mut Child) -> io::Result<()> {
    Command::new("kill").arg(child.id().to_string()).status()?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > Duration::from_secs(40) {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn print_run(run: &Run) {
    let per_million = run.cpu_per_million();
    let lost = run.lost_percent().map_or("      -".into(), |lost| format!("{lost:6.2}%"));
    let latency = match run.latency_ms {
        Some((p50, p99)) => format!("{p50:8.1} {p99:8.1}"),
        None => String::new(),
    };
    println!(
        "{:<20} {:>8.0} flows/s  {:>9} sent  {per_million:6.2} CPU s/Mflow  \
         {:5.2} CPU s of start  {lost} lost  {latency}",
        run.collector, run.offered, run.sent, run.start_cpu_seconds
    );
}

fn write_json(runs: &[Run]) -> io::Result<()> {
    let rows: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "collector": run.collector, "offered": run.offered, "sent": run.sent, "arrived": run.arrived,
                "cpu_seconds": run.cpu_seconds,
                "cpu_seconds_per_million": run.cpu_per_million(),
                "start_cpu_seconds": run.start_cpu_seconds,
                "lost_percent": run.lost_percent(),
                "latency_ms": run.latency_ms,
            })
        })
        .collect();
    fs::create_dir_all("target/bench")?;
    fs::write("target/bench/e2e.json", serde_json::to_string_pretty(&rows)?)?;
    curve::draw(runs, Path::new("target/bench/e2e.svg"))?;
    println!("written: target/bench/e2e.json and e2e.svg");
    Ok(())
}
