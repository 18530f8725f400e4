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

/// Two batches for a Kafka that is not there, whose producer takes so many flows, and a disk that takes so
/// many bytes. The second batch has another reader who is slow.
fn stopped(subject: &str, flows_max: u64, bytes_max: u64) -> OutputCounts {
    let folder = scratch(subject);
    let mut config = Config::default();
    config.output.kind = OutputKind::Kafka;
    config.kafka.brokers = vec!["127.0.0.1:1".into()];
    let queue = ("queue.buffering.max.messages".into(), flows_max.to_string());
    config.kafka.properties.extend([queue]);
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
    let keep_until = Instant::now() + Duration::from_secs(20);
    sink.finish(Instant::now(), keep_until);
    batches.into_iter().for_each(|batch| sink.keep(batch, keep_until));
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
        let counts = stopped(room, 1000, 10 + bytes * kept);
        let lost = FLOWS * (2 - kept);
        assert_eq!((counts.purged, counts.failed), (FLOWS * kept, lost), "{room}");
        assert_eq!(counts.errors.values().sum::<u64>(), lost, "{room}: {:?}", counts.errors);
        assert_eq!((counts.in_flight, counts.doubles()), (0, 0), "{room}");
        let disk = counts.spool.unwrap().state;
        assert_eq!((disk.written_flows, disk.refused_flows), (FLOWS * kept, 0), "{room}");
    }
}

/// The producer has room for one batch, or for one and a part of the next.
#[test]
fn what_the_producer_has_no_room_for_goes_to_disk_once() {
    for waiting in [FLOWS, 20] {
        let counts = stopped(&format!("waiting-{waiting}"), 2 * FLOWS - waiting, 1 << 20);
        let asked = 2 * FLOWS - waiting;
        assert_eq!((counts.submitted, counts.purged, counts.failed), (asked, asked, 0));
        assert_eq!((counts.in_flight, counts.doubles()), (0, 0), "{waiting}");
        let disk = counts.spool.unwrap().state;
        assert_eq!((disk.written_flows, disk.spooled_flows), (2 * FLOWS, 2 * FLOWS), "{waiting}");
    }
}

/// The disk refuses what was under way and what waited: each is lost by one cause.
#[test]
fn what_neither_the_producer_nor_the_disk_has_room_for_is_lost_once() {
    for waiting in [FLOWS, 20] {
        let counts = stopped(&format!("lost-{waiting}"), 2 * FLOWS - waiting, 10);
        let disk = counts.spool.unwrap().state;
        assert_eq!((counts.failed, counts.purged), (2 * FLOWS - waiting, 0));
        assert_eq!((disk.refused_flows, disk.written_flows), (waiting, 0));
    }
}

#[test]
fn keeping_takes_as_long_as_there_is_to_keep_and_systemd_waits() {
    let seconds = [1 << 20, 512 << 20, 64 << 30].map(|bytes| keep_time(bytes).as_secs());
    assert_eq!(seconds, [5, 11, 20]);
    let unit = include_str!("../../../systemd/neckard.service");
    let patience = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    // The producer takes five seconds at most to give up.
    let longest = Config::default().stop.deadline_s + KEEP_MAX.as_secs() + 5;
    assert!(patience.parse::<u64>().unwrap() >= longest, "{patience} < {longest}");
}

#[test]
fn what_finds_no_way_to_the_disk_in_time_is_not_kept() {
    let counts = Arc::new(SpoolerCounts::default());
    let (sender, _receiver) = bounded(1);
    let detour = Detour { sender, counts: Arc::clone(&counts) };
    let kept = [20, 30, 40].map(|asked| detour.keep(batch(), asked, Instant::now()).is_ok());
    assert_eq!(kept, [true, false, false]);
    assert_eq!(counts.view().not_kept_flows, 70, "the queue has room for one");
    assert!(!detour.is_through());
}
