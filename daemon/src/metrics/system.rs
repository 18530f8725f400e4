//! What the kernel says of this process, read when the page is asked for; the names are those that
//! every Prometheus client has.

use std::collections::BTreeMap;

use procfs::process::{LimitValue, Process};

use super::View;
use super::page::Kind::{Counter, Gauge};
use super::page::{Label, Metric, Page};

/// Threads of different names that are shown.
const THREADS_MAX: usize = 64;
const THREAD: Label = Label { name: "thread", bound: "64, the busiest first" };

/// What was read. What could not be is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct System {
    /// Processor seconds by the thread's name.
    threads: Vec<(String, f64)>,
    thread_count: u64,
    cpu_s: f64,
    start_s: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_fds: u64,
    max_fds: u64,
}

const INTEGERS: &[Metric<System>] = &[
    Metric {
        name: "process_resident_memory_bytes",
        kind: Gauge,
        help: "Memory that is in use.",
        value: |system| system.resident_bytes,
    },
    Metric {
        name: "process_virtual_memory_bytes",
        kind: Gauge,
        help: "Address space that is reserved; receive rings take much of it and fill little.",
        value: |system| system.virtual_bytes,
    },
    Metric {
        name: "process_open_fds",
        kind: Gauge,
        help: "Open file descriptors.",
        value: |system| system.open_fds,
    },
    Metric {
        name: "process_max_fds",
        kind: Gauge,
        help: "File descriptors that may be open; 0 for no limit.",
        value: |system| system.max_fds,
    },
    Metric {
        name: "process_threads",
        kind: Gauge,
        help: "Threads that run.",
        value: |system| system.thread_count,
    },
];

const DECIMALS: &[Metric<System, f64>] = &[
    Metric {
        name: "process_cpu_seconds_total",
        kind: Counter,
        help: "Processor time of the whole process.",
        value: |system| system.cpu_s,
    },
    Metric {
        name: "process_start_time_seconds",
        kind: Gauge,
        help: "When the process started, Unix time.",
        value: |system| system.start_s,
    },
];

impl System {
    pub(super) fn read() -> Self {
        let Ok(process) = Process::myself() else { return Self::default() };
        let ticks = procfs::ticks_per_second() as f64;
        let mut system = Self { threads: threads(&process, ticks), ..Self::default() };
        if let Ok(stat) = process.stat() {
            let boot_s = procfs::boot_time_secs().unwrap_or(0) as f64;
            system.thread_count = u64::try_from(stat.num_threads).unwrap_or(0);
            system.cpu_s = (stat.utime + stat.stime) as f64 / ticks;
            system.start_s = boot_s + stat.starttime as f64 / ticks;
            system.resident_bytes = stat.rss * procfs::page_size();
            system.virtual_bytes = stat.vsize;
        }
        system.open_fds = process.fd_count().map_or(0, |count| count as u64);
        if let Ok(limits) = process.limits()
            && let LimitValue::Value(most) = limits.max_open_files.soft_limit
        {
            system.max_fds = most;
        }
        system
    }

    pub(super) fn write(&self, page: &mut Page, view: &View<'_>) {
        let name = ("neckar_thread_cpu_seconds_total", Counter);
        let help = "Processor time of a thread, of several with one name together.";
        let mut samples = page.family(name, &[THREAD], help);
        for (thread, cpu_s) in &self.threads {
            samples.add([thread], cpu_s);
        }
        let help = "Seconds since the start.";
        let mut samples = page.family(("neckar_uptime_seconds", Gauge), &[], help);
        samples.add([], view.snapshot.uptime.as_secs());
        page.table(DECIMALS, &[], &[([], self)]);
        page.table(INTEGERS, &[], &[([], self)]);
    }
}

fn threads(process: &Process, ticks: f64) -> Vec<(String, f64)> {
    let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
    let tasks = process.tasks().into_iter().flatten();
    // A thread may end while we look.
    for stat in tasks.filter_map(|task| task.ok()?.stat().ok()) {
        *by_name.entry(stat.comm).or_default() += stat.utime + stat.stime;
    }
    let mut threads: Vec<_> = by_name.into_iter().collect();
    threads.sort_by_key(|(_, used)| std::cmp::Reverse(*used));
    threads.truncate(THREADS_MAX);
    threads.into_iter().map(|(name, used)| (name, used as f64 / ticks)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found() {
        let system = System::read();
        assert!(system.resident_bytes > 0 && system.virtual_bytes > system.resident_bytes);
        assert!(system.thread_count > 0 && !system.threads.is_empty());
        // After 2001, and not in the future by more than rounding.
        assert!(system.start_s > 1e9 && system.open_fds > 2);
    }
}
