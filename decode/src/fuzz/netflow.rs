//! What must hold for any bytes that claim to be NetFlow or IPFIX: the bodies of the targets
//! `netflow5`, `netflow9`, `ipfix` and `stateful`.
//!
//! No panic, no endless loop, no unbounded memory, and the sums of the counters at every step.
//! Against wrong values the plan has a twin of its own (`tests/conformance/twin.rs`).

use std::sync::Arc;

use neckar_proto::Rows;

use crate::{Cause, Config, Counters, Datagram, Decoder, ROWS_MAX, Shared};

const START_NS: u64 = 1_700_000_000_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// Bounds so small that they are reached.
fn tight() -> Config {
    Config {
        exporters_max: 3,
        domains_max: 6,
        domains_per_exporter_max: 3,
        exporter_idle_ns: 60 * SECOND_NS,
        templates_max: 12,
        templates_per_exporter_max: 8,
        template_fields_max: 64,
        template_bytes_max: 64 << 10,
        template_lifetime_ns: 40 * SECOND_NS,
        hold_bytes: 2048,
        hold_total_bytes: 4096,
        hold_ns: 20 * SECOND_NS,
        ..Config::default()
    }
}

/// Decoders over one [`Shared`], and what they were given.
struct Bench {
    shared: Arc<Shared>,
    decoders: Vec<Decoder>,
    bytes: Vec<u64>,
    now_ns: u64,
}

impl Bench {
    fn new(config: Config, workers: usize) -> Self {
        let shared = Arc::new(Shared::new(config.clone()));
        let decoder = |_| Decoder::new(config.clone(), Arc::clone(&shared));
        let decoders = (0..workers).map(decoder).collect();
        Self { shared, decoders, bytes: vec![0; workers], now_ns: START_NS }
    }

    fn feed(&mut self, worker: usize, exporter: u8, bytes: &[u8]) {
        let exporter = [192, 0, 2, exporter].into();
        let datagram = Datagram { exporter, port: 2055, received_ns: self.now_ns, bytes };
        self.bytes[worker] += bytes.len() as u64;
        let decoder = &mut self.decoders[worker];
        let before = decoder.counters().flows;
        let mut flows = 0;
        decoder.decode(datagram, &mut |rows: &mut Rows| {
            assert!((1..=ROWS_MAX).contains(&rows.len()));
            flows += rows.len() as u64;
        });
        assert_eq!(
            decoder.counters().flows,
            before + flows,
            "every row that was lent, and no other"
        );
        hold(decoder.counters(), self.bytes[worker]);
    }

    fn expire(&mut self, worker: usize, now_ns: u64) {
        self.decoders[worker].expire(now_ns, &mut |rows: &mut Rows| {
            assert!((1..=ROWS_MAX).contains(&rows.len()));
        });
        hold(self.decoders[worker].counters(), self.bytes[worker]);
    }

    /// Gives up what is held; then nothing is in between any more.
    fn end(mut self) {
        for worker in 0..self.decoders.len() {
            self.expire(worker, u64::MAX);
            let counters = self.decoders[worker].counters();
            let given_up = counters.held - counters.released;
            assert!(counters.dropped(Cause::SetTemplateMissing) >= given_up, "{counters:?}");
        }
        let templates: usize = self
            .shared
            .exporters()
            .iter()
            .flat_map(|exporter| &exporter.domains)
            .map(|domain| domain.templates)
            .sum();
        assert_eq!(self.shared.template_count(), templates);
        // What is remembered can be remembered elsewhere.
        let kept = self.shared.export();
        let other = Shared::new(Config::default());
        let summary = other.import(&kept).expect("our own bytes");
        assert_eq!((summary.templates, summary.skipped), (templates, 0));
        assert_eq!(other.export(), kept);
    }
}

/// "`records + reverse_flows = flows + dropped records`, always"; and each record took at least one
/// byte.
fn hold(counters: &Counters, bytes: u64) {
    let dropped: u64 = Cause::ALL
        .iter()
        .filter(|cause| cause.name().starts_with("record_"))
        .map(|cause| counters.dropped(*cause))
        .sum();
    assert_eq!(counters.records + counters.reverse_flows, counters.flows + dropped, "{counters:?}");
    assert!(counters.flows <= 2 * bytes && counters.options_records <= bytes, "{counters:?}");
    assert!(counters.released <= counters.held);
    assert_eq!(counters.bytes, bytes);
}

/// `bytes` behind the version, twice: the second time what is in front of its template the first
/// time is not.
fn of_version(version: u16, bytes: &[u8]) {
    let mut whole = version.to_be_bytes().to_vec();
    whole.extend(bytes);
    for config in [Config::default(), tight()] {
        let mut bench = Bench::new(config, 1);
        bench.feed(0, 1, &whole);
        bench.feed(0, 1, &whole);
        bench.end();
    }
}

/// A datagram of NetFlow v5 from behind the version on.
pub fn netflow5(bytes: &[u8]) {
    of_version(5, bytes);
}

/// A datagram of NetFlow v9 from behind the version on.
pub fn netflow9(bytes: &[u8]) {
    of_version(9, bytes);
}

/// A message of IPFIX from behind the version on.
pub fn ipfix(bytes: &[u8]) {
    of_version(10, bytes);
}

/// A story: steps of an action, a length and so many bytes, played by two workers with tight
/// bounds.
///
/// Bits of the action: 0 worker, 1 and 2 exporter, 3 domain, 4 to 6 what to do: sets of v9, sets of
/// IPFIX, a bare datagram, time goes on, or a restart.
pub fn stateful(bytes: &[u8]) {
    let mut bench = Bench::new(tight(), 2);
    let mut rest = bytes;
    let mut sequence = 0_u32;
    while let [action, length, behind @ ..] = rest {
        let (body, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = behind;
        let (worker, exporter) = (usize::from(action & 1), action >> 1 & 3);
        let domain = action >> 3 & 1;
        sequence = sequence.wrapping_add(1);
        match action >> 4 & 7 {
            0 | 1 => bench.feed(worker, exporter, &message(9, domain, sequence, body)),
            2 | 3 => bench.feed(worker, exporter, &message(10, domain, sequence, body)),
            4 => bench.feed(worker, exporter, body),
            5 | 6 => {
                let seconds = body.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                bench.now_ns += seconds * SECOND_NS;
                bench.expire(worker, bench.now_ns);
            }
            _ => {
                let kept = bench.shared.export();
                bench = Bench { now_ns: bench.now_ns, ..Bench::new(tight(), 2) };
                let summary = bench.shared.import(&kept).expect("our own bytes");
                assert_eq!(summary.skipped, 0, "the bounds are the same");
            }
        }
    }
    bench.end();
}

/// A message with a header around `sets`.
fn message(version: u16, domain: u8, sequence: u32, sets: &[u8]) -> Vec<u8> {
    let mut whole = version.to_be_bytes().to_vec();
    if version == 10 {
        whole.extend((16 + sets.len() as u16).to_be_bytes());
    } else {
        whole.extend([0, 1]);
        whole.extend(3_600_000_u32.to_be_bytes());
    }
    whole.extend(1_700_000_000_u32.to_be_bytes());
    whole.extend(sequence.to_be_bytes());
    whole.extend([0, 0, 0, domain]);
    whole.extend(sets);
    whole
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]
mod tests;
