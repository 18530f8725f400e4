//! A disk that fails for a while, or for good: nothing is given up in haste, and what is given up is
//! counted exactly.

use std::io;
use std::os::unix::fs::symlink;

use super::super::writer::full_or_io;
use super::*;

/// Three batches of four flows in one segment, and one of a flow in the next.
fn filled(limits: Limits) -> (Scratch, Spool) {
    let scratch = Scratch::new();
    let (mut spool, _) = open(&scratch.0, limits);
    for id in 0..3 {
        spool.append(&batch(id, 4), 0).unwrap();
    }
    spool.close().unwrap();
    let (mut spool, _) = open(&scratch.0, limits);
    spool.append(&batch(9, 1), 0).unwrap();
    assert_eq!(scratch.segments().len(), 2);
    // The start has looked at it.
    spool.reader.close(spool.segments[0].number);
    (scratch, spool)
}

/// Puts a segment aside for as long as the answer lives.
struct Aside {
    segment: PathBuf,
    aside: PathBuf,
}

impl Aside {
    fn put(segment: &Path) -> Self {
        let aside = segment.with_extension("aside");
        fs::rename(segment, &aside).unwrap();
        Self { segment: segment.into(), aside }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.segment).or_else(|_| fs::remove_dir(&self.segment)));
        fs::rename(&self.aside, &self.segment).unwrap();
    }
}

#[track_caller]
fn fails(spool: &mut Spool, now_ms: u64) -> io::Error {
    let error = spool.next(&mut empty(), now_ms).unwrap_err();
    assert_law(spool);
    error
}

/// As when descriptors are short or the owner is a wrong one, which root cannot show.
#[test]
fn a_segment_that_cannot_be_opened_waits() {
    let (scratch, mut spool) = filled(LIMITS);
    let aside = Aside::put(&scratch.segments()[0]);
    symlink(&aside.segment, &aside.segment).unwrap();
    for round in 0..10 {
        fails(&mut spool, round * READ_PATIENCE_MS);
    }
    assert_eq!((spool.state().damaged_flows, spool.state().io_errors), (0, 10));
    assert_eq!(scratch.segments().len(), 2, "nothing is deleted");
    drop(aside);
    assert_eq!(drain(&mut spool), [0, 1, 2, 9]);
}

#[test]
fn a_segment_that_cannot_be_read_for_a_while_is_read_after_it() {
    let (scratch, mut spool) = filled(LIMITS);
    let aside = Aside::put(&scratch.segments()[0]);
    // It opens, and reading it fails.
    fs::create_dir(&aside.segment).unwrap();
    for now_ms in [0, 1, READ_PATIENCE_MS - 1] {
        fails(&mut spool, now_ms);
    }
    assert_eq!((spool.state().damaged_flows, spool.state().io_errors), (0, 3));
    drop(aside);
    assert_eq!(drain(&mut spool), [0, 1, 2, 9]);
}

#[test]
fn a_segment_that_can_never_be_read_is_given_up_in_the_end() {
    let (scratch, mut spool) = filled(LIMITS);
    let aside = Aside::put(&scratch.segments()[0]);
    fs::create_dir(&aside.segment).unwrap();
    fails(&mut spool, 5);
    let ticket = spool.next(&mut empty(), 5 + READ_PATIENCE_MS).unwrap().unwrap();
    assert_eq!(ticket.flows(), 1, "of the next segment");
    let state = spool.state();
    assert_eq!((state.damaged_flows, state.damaged_records), (12, 3));
    assert_law(&spool);
}

#[test]
fn a_record_that_can_never_be_read_costs_itself() {
    let (scratch, mut spool) = filled(LIMITS);
    let path = scratch.segments().remove(0);
    let file = File::options().write(true).open(&path).unwrap();
    let bytes = file.metadata().unwrap().len();
    // The last of its bytes are not to be had, as from a bad sector; its head is.
    file.set_len(bytes - 1).unwrap();
    let mut back = empty();
    for id in 0..2 {
        let ticket = next(&mut spool, &mut back).unwrap();
        assert_eq!(self::id(&back), id);
        spool.done(ticket);
    }
    fails(&mut spool, 7);
    let ticket = spool.next(&mut back, 7 + READ_PATIENCE_MS).unwrap().unwrap();
    assert_eq!(id(&back), 9);
    spool.done(ticket);
    let state = spool.state();
    assert_eq!((state.damaged_flows, state.damaged_records, state.spooled_flows), (4, 1, 0));
    assert_law(&spool);
}

#[test]
fn a_segment_that_is_gone_is_not_waited_for() {
    let (scratch, mut spool) = filled(LIMITS);
    fs::remove_file(&scratch.segments()[0]).unwrap();
    assert_eq!(drain(&mut spool), [9]);
    assert_eq!((spool.state().damaged_flows, spool.state().damaged_records), (12, 3));
}

#[test]
fn a_file_in_the_way_of_a_segment_costs_one_batch() {
    let scratch = Scratch::new();
    let (mut spool, _) = open(&scratch.0, LIMITS);
    fs::create_dir(segment::path(&scratch.0, spool.number_next)).unwrap();
    assert!(matches!(spool.append(&batch(1, 1), 0), Err(AppendError::Io(_))));
    assert!(spool.state().is_refusing && !spool.state().is_full);
    spool.append(&batch(2, 1), 0).unwrap();
    assert!(!spool.state().is_refusing);
    assert_eq!(drain(&mut spool), [2]);
    assert_eq!(spool.state().refused_flows, 1);
}

#[test]
fn a_segment_that_cannot_be_deleted_is_no_room() {
    let scratch = Scratch::new();
    let limits = Limits { bytes_max: 2000, segment_bytes: 1000, shed: Shed::Oldest };
    let (mut spool, _) = open(&scratch.0, limits);
    let mut ids = 0..;
    let mut append = |spool: &mut Spool| {
        let appended = spool.append(&batch(ids.next().unwrap(), 4), 0);
        assert_law(spool);
        appended
    };
    while append(&mut spool).unwrap().shed_flows == 0 {}
    let aside = Aside::put(&scratch.segments()[0]);
    fs::create_dir(&aside.segment).unwrap();
    let before = spool.state();
    let mut taken = 0;
    while append(&mut spool).is_ok() {
        taken += 4;
    }
    assert!(matches!(append(&mut spool), Err(AppendError::Full)), "and the next one");
    let after = spool.state();
    assert_eq!(after.shed_flows, before.shed_flows);
    assert_eq!(after.spooled_flows, before.spooled_flows + taken);
    assert_eq!((after.refused_flows, after.io_errors), (8, 2));
    assert!(after.bytes > 1000, "it is still in the sum");
    drop(aside);
    assert!(append(&mut spool).unwrap().shed_flows > 0, "and now it goes");
    let left = spool.state().spooled_flows;
    assert_eq!(drain(&mut spool).len() as u64, left / 4);
}

#[test]
fn what_is_delivered_and_cannot_be_deleted_stays_in_the_sum() {
    let (scratch, mut spool) = filled(LIMITS);
    let ticket = next(&mut spool, &mut empty()).unwrap();
    let bytes = spool.state().bytes;
    let aside = Aside::put(&scratch.segments()[0]);
    // The reader has the file; its name is another's.
    fs::create_dir(&aside.segment).unwrap();
    spool.done(ticket);
    assert_eq!(drain(&mut spool), [1, 2, 9]);
    assert_eq!(spool.state().bytes, bytes);
    drop(aside);
    spool.tend(5000).unwrap();
    assert_eq!((spool.state().bytes, scratch.segments().len()), (0, 0));
}

#[test]
fn a_batch_that_can_never_fit_costs_nobody_elses_room() {
    let scratch = Scratch::new();
    let limits = Limits { bytes_max: 2000, segment_bytes: 1000, shed: Shed::Oldest };
    let (mut spool, _) = open(&scratch.0, limits);
    spool.append(&batch(1, 4), 0).unwrap();
    assert!(matches!(spool.append(&batch(2, 60), 0), Err(AppendError::Full)));
    assert_eq!((spool.state().shed_flows, spool.state().refused_flows), (0, 60));
    assert_eq!(drain(&mut spool), [1]);
}

#[test]
fn a_quota_is_a_full_disk_and_a_failing_one_is_not() {
    let why = |number| full_or_io(io::Error::from_raw_os_error(number));
    assert!(matches!(why(libc::EDQUOT), AppendError::Full));
    assert!(matches!(why(libc::ENOSPC), AppendError::Full));
    assert!(matches!(why(libc::EIO), AppendError::Io(_)));
}

#[test]
fn a_segment_that_cannot_be_opened_at_the_start_is_set_aside() {
    for index in 0..2 {
        let (scratch, spool) = filled(LIMITS);
        spool.close().unwrap();
        let path = &scratch.segments()[index];
        fs::rename(path, scratch.0.join("away")).unwrap();
        symlink(path, path).unwrap();
        let (mut spool, found) = open(&scratch.0, LIMITS);
        assert_eq!((found.segments_aside, found.flows + found.damaged_flows), (1, 13));
        assert_eq!(drain(&mut spool).len(), [1, 3][index]);
        assert_eq!(spool.state().damaged_flows, [12, 1][index]);
        // Another start does not meet it again.
        drop(spool);
        assert_eq!(open(&scratch.0, LIMITS).1.segments_aside, 0);
        assert!(path.with_extension("unreadable").symlink_metadata().is_ok());
    }
}

#[test]
fn a_last_segment_that_cannot_be_read_at_the_start_is_tried_again() {
    let (scratch, spool) = filled(LIMITS);
    spool.close().unwrap();
    let found = segment::list(&scratch.0).unwrap().0;
    let (mut spool, _) = open(&scratch.0, LIMITS);
    // As at the start, when nothing is open yet.
    spool.segments.clear();
    spool.reader.close(found[1].number);
    let aside = Aside::put(&scratch.segments()[1]);
    fs::create_dir(&aside.segment).unwrap();
    spool.take_in(found).unwrap();
    assert_eq!(spool.take_up().flows, 13, "as the cursor tells");
    drop(aside);
    assert_eq!(drain(&mut spool), [0, 1, 2, 9]);
    assert_law(&spool);
}

#[test]
fn what_cannot_be_deleted_or_kept_at_the_start_is_counted() {
    let (scratch, mut spool) = filled(LIMITS);
    assert_eq!(drain(&mut spool), [0, 1, 2, 9]);
    spool.close().unwrap();
    fs::create_dir(segment::path(&scratch.0, 1)).unwrap();
    let cursor = fs::read(scratch.0.join("cursor")).unwrap();
    let (spool, found) = open(&scratch.0, LIMITS);
    assert_eq!((found.flows, found.damaged_flows), (0, 0));
    assert!(spool.state().io_errors > 0);
    assert_eq!(fs::read(scratch.0.join("cursor")).unwrap().len(), cursor.len());
}
