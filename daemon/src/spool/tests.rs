//! Tests of the spool: values of the format, a model twin, damage, and disks that refuse.

mod damage;
mod disk;
mod failing;
mod model;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Keying};

use super::record::{self, Count, Header};
use super::{
    AppendError, Appended, Found, Limits, OpenError, READ_PATIENCE_MS, Shed, Spool, State, Ticket,
    segment,
};

const LIMITS: Limits = Limits { bytes_max: 1 << 20, segment_bytes: 4096, shed: Shed::Newest };

/// A directory that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Relaxed);
            let name = format!("neckar-spool-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            // One that is there was left by another process of this number.
            if fs::create_dir(&path).is_ok() {
                return Self(path);
            }
            assert!(path.exists(), "no room for {}", path.display());
        }
    }

    fn segments(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "spool"))
            .collect();
        paths.sort();
        paths
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A batch that tells its `id` in every one of its flows.
fn batch(id: u64, flows: u64) -> Batch {
    let mut batch = Batch::with_capacity(64, 1 << 14).keyed(Keying::Customer);
    batch.set_opened_ns((id + 1) * 1_000_000);
    for index in 0..flows {
        let mut flow = Flow::default();
        flow.set(Field::Cid, id);
        flow.set(Field::Bytes, index);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    batch
}

fn empty() -> Batch {
    Batch::with_capacity(1, 16)
}

fn id(batch: &Batch) -> u64 {
    u64::from(batch.facts()[0].cid)
}

/// A child that another test is about to start has our locks too, for as long as it is no program of
/// its own yet.
fn open(directory: &Path, limits: Limits) -> (Spool, Found) {
    let started = Instant::now();
    let (spool, found) = loop {
        match Spool::open(directory, limits) {
            Err(OpenError::Locked(_)) if started.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => break opened.unwrap(),
        }
    };
    assert_law(&spool);
    (spool, found)
}

#[track_caller]
fn assert_law(spool: &Spool) {
    let state = spool.state();
    assert_eq!(
        state.carried_in_flows + state.written_flows,
        state.delivered_flows + state.shed_flows + state.damaged_flows + state.spooled_flows,
        "{state:?}"
    );
}

/// What comes next from a disk that is well.
#[track_caller]
fn next(spool: &mut Spool, batch: &mut Batch) -> Option<Ticket> {
    spool.next(batch, 0).unwrap()
}

/// The ids of all that comes, all of it delivered.
fn drain(spool: &mut Spool) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut batch = empty();
    while let Some(ticket) = next(spool, &mut batch) {
        assert_eq!(ticket.flows() as usize, batch.len());
        ids.push(id(&batch));
        spool.done(ticket);
        assert_law(spool);
    }
    ids
}

#[test]
fn a_batch_comes_back_as_it_was_after_a_restart() {
    let scratch = Scratch::new();
    let (mut spool, found) = open(&scratch.0, LIMITS);
    assert_eq!(found, Found::default());
    let given = batch(7, 3);
    assert_eq!(spool.append(&given, 5).unwrap(), Appended::default());
    spool.close().unwrap();

    let (mut spool, found) = open(&scratch.0, LIMITS);
    assert_eq!((found.flows, found.batches, found.damaged_flows), (3, 1, 0));
    let mut back = empty();
    let ticket = next(&mut spool, &mut back).unwrap();
    assert_eq!(back.bytes(), given.bytes());
    assert_eq!(back.facts(), given.facts());
    assert_eq!((back.key(2), back.keying()), (&[0, 0, 0, 7][..], Keying::Customer));
    assert_eq!(back.opened_ns(), 8_000_000);
    assert_eq!(spool.state().oldest_ms, Some(8));
    spool.done(ticket);
    assert_eq!(spool.state().delivered_flows, 3);
    spool.close().unwrap();
    assert_eq!(scratch.segments(), Vec::<PathBuf>::new(), "delivered is deleted");
    assert_eq!(open(&scratch.0, LIMITS).1, Found::default());
}

/// The bytes of a record, written by hand from the layout.
#[test]
fn a_record_is_laid_out_as_documented() {
    let mut given = Batch::with_capacity(1, 64);
    given.set_opened_ns(0x0102);
    let mut flow = Flow::default();
    flow.set(Field::Cid, 9);
    assert!(given.push(&BWNETFLOW, &flow, &[], &[]));
    let mut bytes = Vec::new();
    record::write(&mut bytes, &given, 3, Count { flows: 0x11, records: 0x22 });

    let flows = given.bytes();
    let mut body = vec![9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    body.extend_from_slice(flows);
    let seed = crc32c::crc32c(&[3, 0, 0, 0, 0, 0, 0, 0]);
    let mut rest = vec![body.len() as u8, 0, 0, 0];
    rest.extend(crc32c::crc32c_append(seed, &body).to_le_bytes());
    rest.extend([0x22, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0, 0, 0]);
    rest.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
    let mut expected = b"NKRB".to_vec();
    expected.extend(crc32c::crc32c_append(seed, &rest).to_le_bytes());
    expected.extend(rest);
    expected.extend(body);
    assert_eq!(bytes, expected);
}

#[test]
fn a_header_is_laid_out_as_documented() {
    let before = Count { flows: 4, records: 5 };
    let bytes = Header { number: 2, opened_ms: 3, before }.to_bytes();
    let mut rest = Vec::new();
    for number in [2_u64, 3, 4, 5] {
        rest.extend(number.to_le_bytes());
    }
    let mut expected = b"NECKARSP\x01\0\0\0".to_vec();
    expected.extend(crc32c::crc32c(&rest).to_le_bytes());
    expected.extend(rest);
    assert_eq!(bytes.to_vec(), expected);
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283, "the check value of CRC-32C");
}

#[test]
fn a_full_spool_gives_up_the_oldest_segment_or_the_newest_batch() {
    let scratch = Scratch::new();
    let limits = Limits { bytes_max: 4000, segment_bytes: 1000, shed: Shed::Oldest };
    let (mut spool, _) = open(&scratch.0, limits);
    let mut shed = 0;
    for id in 0..40 {
        shed += spool.append(&batch(id, 4), 0).unwrap().shed_flows;
        assert_law(&spool);
        assert!(spool.state().bytes <= 4000);
    }
    assert!(shed > 0 && shed == spool.state().shed_flows);
    let ids = drain(&mut spool);
    assert_eq!(ids, (shed / 4..40).collect::<Vec<u64>>(), "the youngest, in order");

    let scratch = Scratch::new();
    let (mut spool, _) = open(&scratch.0, Limits { shed: Shed::Newest, ..limits });
    let taken = (0..40).filter(|id| spool.append(&batch(*id, 4), 0).is_ok()).count() as u64;
    assert!(taken < 40);
    assert_eq!(spool.state().refused_flows, (40 - taken) * 4);
    assert_eq!(drain(&mut spool), (0..taken).collect::<Vec<u64>>());
    spool.append(&batch(99, 4), 0).unwrap();
    assert_eq!(drain(&mut spool), [99], "delivered makes room");
}

#[test]
fn what_is_out_when_its_segment_is_shed_may_yet_be_delivered() {
    let scratch = Scratch::new();
    let limits = Limits { bytes_max: 2000, segment_bytes: 1000, shed: Shed::Oldest };
    let (mut spool, _) = open(&scratch.0, limits);
    for id in 0..2 {
        spool.append(&batch(id, 4), 0).unwrap();
    }
    let mut back = empty();
    let [delivered, lost] = [0, 1].map(|_| next(&mut spool, &mut back).unwrap());
    for id in 2..30 {
        spool.append(&batch(id, 4), 0).unwrap();
        assert_law(&spool);
    }
    let before = spool.state();
    spool.done(delivered);
    let after = spool.state();
    assert_eq!(after.delivered_flows, 4);
    assert_eq!(
        (after.shed_flows, after.spooled_flows),
        (before.shed_flows, before.spooled_flows - 4)
    );
    assert_law(&spool);
    drop((lost, spool));
    let (mut spool, _) = open(&scratch.0, limits);
    assert!(!drain(&mut spool).contains(&1), "gone");
}

#[test]
fn the_disk_is_given_back_when_all_is_delivered() {
    let scratch = Scratch::new();
    let (mut spool, _) = open(&scratch.0, LIMITS);
    spool.append(&batch(1, 1), 0).unwrap();
    assert_eq!(drain(&mut spool), [1]);
    assert_eq!(scratch.segments().len(), 1, "more may come");
    spool.tend(5000).unwrap();
    assert_eq!((scratch.segments().len(), spool.state().bytes), (0, 0));
    spool.append(&batch(2, 1), 0).unwrap();
    assert_eq!(drain(&mut spool), [2]);
    let state = State { oldest_read_ms: 0, ..spool.state() };
    assert_eq!((state.batches, state.spooled_flows, state.oldest_ms), (0, 0, None));
}
