//! Counters of a test's own, and pushing them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use neckard::push::{Pusher, Sample, Source};

/// Text that means something to the line protocol.
pub const PEER: &str = "Köln, \"x=1\" a\\b \\,";

/// Metric, customer and peer.
type Key = (&'static str, &'static str, &'static str);

/// Each with its count and the second in which it began.
#[derive(Clone, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<Key, (u64, u64)>>>);

impl Counters {
    pub fn add(&self, metric: &'static str, cid: &'static str, peer: &'static str, count: u64) {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.0.lock().unwrap().entry((metric, cid, peer)).or_insert((0, now_s)).0 += count;
    }

    /// Of a customer, whatever the peer.
    pub fn sum(&self, metric: &str, cid: &str) -> u64 {
        let counters = self.0.lock().unwrap();
        let of = counters.iter().filter(|((own, whose, _), _)| *own == metric && *whose == cid);
        of.map(|(_, (count, _))| count).sum()
    }

    pub fn source(&self) -> Source {
        let counters = self.clone();
        Box::new(move |visit| {
            for ((metric, cid, peer), (value, since_s)) in counters.0.lock().unwrap().iter() {
                let labels = [("cid", *cid), ("peer", *peer)];
                visit(Sample { metric, labels: &labels, value: *value, since_s: *since_s });
            }
        })
    }
}

/// A file with a secret in the folder of the test.
pub fn secret(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("secret");
    std::fs::write(&file, format!("{text}\n")).unwrap();
    file
}

/// Has it push the last, and end.
pub fn stop(pusher: Pusher) {
    Pusher::stop_all(vec![pusher], Instant::now() + Duration::from_secs(30));
}
