//! What becomes, at the stop, of flows that Kafka has not acknowledged.

use std::path::PathBuf;

use neckar_proto::Flow;
use neckar_proto::encode::BWNETFLOW;

use super::*;
use crate::config::{Config, OutputKind};
use crate::output::{Output, OutputCounts};
use crate::sink::Route;
use crate::spool::{Limits, Shed};

const FLOWS: u64 = 50;

fn batch() -> Arc<Batch> {
    let mut batch = Batch::with_capacity(FLOWS as usize, 16 << 10);
    for _ in 0..FLOWS {
        assert!(batch.push(&BWNETFLOW, &Flow::default(), &[], &[]));
    }
    Arc::new(batch)
}

fn scratch(subject: &str) -> PathBuf {
    let name = format!("neckar-spooler-{subject}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Two batches under way to a Kafka that is not there, and a disk that takes so many bytes.
fn stopped(subject: &str, bytes_max: u64) -> OutputCounts {
    let folder = scratch(subject);
    let mut config = Config::default();
    config.output.kind = OutputKind::Kafka;
    config.kafka.brokers = vec!["127.0.0.1:1".into()];
    config.spool.directory.clone_from(&folder);
    let output = Output::start(&config, || ()).unwrap();
    let (topic, counts) = output.spool().unwrap();
    let limits = Limits { bytes_max, segment_bytes: bytes_max, shed: Shed::Newest };
    let (spool, _) = Spool::open(&folder, limits).unwrap();
    let parts = SpoolerParts { spool, topic, splitter: None, window: Vec::new() };
    let spooler = Spooler::start(parts, counts).unwrap();
    let mut sink = output.sink(Some(spooler.detour()));
    let batches = [batch(), batch()];
    for batch in &batches {
        assert_eq!(sink.submit(Arc::clone(batch), false), Route::Output);
    }
    sink.finish(Instant::now());
    let deadline = Instant::now() + Duration::from_secs(20);
    batches.into_iter().for_each(|batch| sink.keep(batch, deadline));
    drop(sink);
    spooler.stop(Instant::now());
    output.finish(Instant::now());
    std::fs::remove_dir_all(folder).unwrap();
    output.counts()
}

#[test]
fn what_the_disk_takes_is_left_there_and_what_it_does_not_has_failed() {
    let bytes = batch().bytes().len() as u64 + FLOWS * 12 + 100;
    for (room, kept) in [("both", 2), ("one", 1), ("none", 0)] {
        let counts = stopped(room, 10 + bytes * kept);
        let lost = FLOWS * (2 - kept);
        assert_eq!((counts.purged, counts.failed), (FLOWS * kept, lost), "{room}");
        assert_eq!(counts.errors.values().sum::<u64>(), lost, "{room}: {:?}", counts.errors);
        assert_eq!((counts.in_flight, counts.doubles()), (0, 0), "{room}");
    }
}

#[test]
fn what_finds_no_way_to_the_disk_in_time_is_not_kept() {
    let counts = Arc::new(SpoolerCounts::default());
    let (sender, _receiver) = bounded(1);
    let detour = Detour { sender, counts: Arc::clone(&counts) };
    for _ in 0..3 {
        detour.keep(batch(), Instant::now());
    }
    assert_eq!(counts.view().not_kept_flows, 2 * FLOWS, "the queue has room for one");
    assert!(!detour.is_through());
}
