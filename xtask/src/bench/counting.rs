//! `cargo xtask bench counting`: one load, with counting and without, turn by turn: processor time of the workers
//! and of the counting thread, as the daemon's own `/metrics` has them.

use std::collections::BTreeMap;
use std::io;
use std::process::Command;
use std::time::Duration;

use super::{Daemon, build, generate, stop, tables};
use crate::kafka::Broker;

const ROUNDS: usize = 5;

/// Nanoseconds a flow.
struct Cost {
    workers: f64,
    counting: f64,
    missed: u64,
}

/// Prints what each costs, the median of some rounds.
///
/// # Errors
/// What could not be started.
pub fn counting(flows: u64, rate: u64) -> io::Result<()> {
    let broker = Broker::start()?;
    build()?;
    let tables = tables()?;
    let mut costs: [Vec<Cost>; 2] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (counts, costs) in [false, true].into_iter().zip(&mut costs) {
            let topic = format!("bench-counting-{counts}-{round}-{}", std::process::id());
            let settings = [format!("traffic.enabled={counts}"), "kafka.compression=none".into()];
            let mut daemon = Daemon::start(&broker.address(), &tables, &topic, &settings)?;
            let before = threads(daemon.http)?;
            let load = generate(daemon.port, rate, flows)?;
            std::thread::sleep(Duration::from_secs(2));
            let after = threads(daemon.http)?;
            stop(&mut daemon.child)?;
            let ns = |name: &str| {
                let of = |page: &BTreeMap<String, f64>| -> f64 {
                    let threads = page.iter().filter(|(thread, _)| thread.starts_with(name));
                    threads.map(|(_, cpu_s)| cpu_s).sum()
                };
                (of(&after) - of(&before)) * 1e9 / load.flows as f64
            };
            let missed = after.get("missed").copied().unwrap_or(0.0) as u64;
            costs.push(Cost { workers: ns("worker"), counting: ns("traffic"), missed });
        }
    }
    let [without, with] = costs.map(|costs| median(&costs));
    println!(
        "workers: {:.1} ns a flow without counting, {:.1} with it: {:+.1} %\ncounting thread: {:.1} ns a flow; {} flows missed",
        without.workers,
        with.workers,
        100.0 * (with.workers / without.workers - 1.0),
        with.counting,
        with.missed,
    );
    Ok(())
}

fn median(costs: &[Cost]) -> Cost {
    let of = |value: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Cost {
        workers: of(|cost| cost.workers),
        counting: of(|cost| cost.counting),
        missed: costs.iter().map(|cost| cost.missed).sum(),
    }
}

/// Processor seconds of each thread, and the flows not counted.
fn threads(http: u16) -> io::Result<BTreeMap<String, f64>> {
    let address = format!("http://127.0.0.1:{http}/metrics");
    let page = Command::new("curl").args(["-s", &address]).output()?.stdout;
    let mut found = BTreeMap::new();
    for line in String::from_utf8_lossy(&page).lines() {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        if let Some(rest) = series.strip_prefix("neckar_thread_cpu_seconds_total{thread=\"") {
            found.insert(rest.trim_end_matches("\"}").to_string(), value);
        } else if series.starts_with("neckar_traffic_missed_total") {
            *found.entry("missed".to_string()).or_default() += value;
        }
    }
    Ok(found)
}
