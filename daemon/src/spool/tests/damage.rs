//! Files cut and corrupted at random: nothing panics, nothing comes twice, losses are exact.

use proptest::prelude::*;

use super::*;

const BATCHES: u64 = 30;

/// Thirty batches of known sizes over several segments, closed well.
fn filled() -> Scratch {
    let scratch = Scratch::new();
    let (mut spool, _) = open(&scratch.0, Limits { segment_bytes: 1500, ..LIMITS });
    for id in 0..BATCHES {
        spool.append(&batch(id, id % 5 + 1), 0).unwrap();
    }
    spool.close().unwrap();
    assert!(scratch.segments().len() > 3);
    scratch
}

fn flows(ids: impl IntoIterator<Item = u64>) -> u64 {
    ids.into_iter().map(|id| id % 5 + 1).sum()
}

/// Opens what is left, takes all of it, and holds the counts to what came.
#[track_caller]
fn assert_exact(scratch: &Scratch) -> Vec<u64> {
    let (mut spool, _) = open(&scratch.0, LIMITS);
    let ids = drain(&mut spool);
    assert!(ids.is_sorted_by(|before, after| before < after), "in order, none twice: {ids:?}");
    let state = spool.state();
    assert_eq!(state.carried_in_flows, flows(0..BATCHES));
    assert_eq!(state.delivered_flows, flows(ids.iter().copied()));
    assert_eq!(state.damaged_flows, flows(0..BATCHES) - state.delivered_flows);
    assert_eq!(state.damaged_records, BATCHES - ids.len() as u64);
    assert_eq!((state.spooled_flows, state.batches), (0, 0));
    ids
}

#[test]
fn a_damaged_body_or_head_costs_its_record() {
    for offset in [48 + 10, 48 + 48 + 10] {
        let scratch = filled();
        let path = &scratch.segments()[1];
        let mut bytes = fs::read(path).unwrap();
        bytes[offset] ^= 1;
        fs::write(path, bytes).unwrap();
        assert_eq!(assert_exact(&scratch).len() as u64, BATCHES - 1);
    }
}

#[test]
fn a_damaged_segment_header_costs_nothing() {
    let scratch = filled();
    for path in scratch.segments() {
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(assert_exact(&scratch).len() as u64, BATCHES);
}

#[test]
fn a_missing_segment_costs_what_was_in_it() {
    for index in 0..4 {
        let scratch = filled();
        fs::remove_file(&scratch.segments()[index]).unwrap();
        assert!((assert_exact(&scratch).len() as u64) < BATCHES);
    }
    let scratch = filled();
    scratch.segments().iter().for_each(|path| fs::remove_file(path).unwrap());
    assert_eq!(assert_exact(&scratch), [0_u64; 0]);
}

#[test]
fn a_torn_tail_costs_the_torn_record() {
    let scratch = Scratch::new();
    let (mut spool, _) = open(&scratch.0, LIMITS);
    for id in 0..3 {
        spool.append(&batch(id, 4), 0).unwrap();
    }
    drop(spool);
    let path = scratch.segments().remove(0);
    let bytes = fs::read(&path).unwrap();
    // Its head is there, so its flows are known.
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (mut spool, found) = open(&scratch.0, LIMITS);
    assert_eq!((found.flows, found.damaged_flows, found.damaged_records), (8, 4, 1));
    spool.append(&batch(9, 1), 0).unwrap();
    drop(spool);
    let (mut spool, found) = open(&scratch.0, LIMITS);
    assert_eq!((found.flows, found.damaged_flows), (9, 0), "damage counts once");
    assert_eq!(drain(&mut spool), [0, 1, 9]);
}

#[test]
fn a_record_within_a_flow_is_none() {
    let mut inner = Vec::new();
    record::write(&mut inner, &batch(66, 1), 7, Count { flows: 1, records: 1 });
    let mut outer = batch(1, 1);
    assert!(outer.push(&BWNETFLOW, &Flow::default(), &[], &[&inner]));
    let scratch = Scratch::new();
    let (mut spool, _) = open(&scratch.0, LIMITS);
    spool.append(&outer, 0).unwrap();
    spool.append(&batch(2, 1), 0).unwrap();
    drop(spool);
    let path = scratch.segments().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[48] = 0;
    fs::write(&path, bytes).unwrap();
    let (mut spool, _) = open(&scratch.0, LIMITS);
    assert_eq!(drain(&mut spool), [2], "written for another segment");
    assert_eq!(spool.state().damaged_flows, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_cut_and_any_corruption_is_counted_exactly(
        cuts in prop::collection::vec((any::<usize>(), any::<usize>()), 0..3),
        flips in prop::collection::vec((any::<usize>(), any::<usize>(), 1_u8..), 0..12),
    ) {
        let scratch = filled();
        let paths = scratch.segments();
        for (segment, at, bits) in flips {
            let path = &paths[segment % paths.len()];
            let mut bytes = fs::read(path).unwrap();
            let at = at % bytes.len();
            // A version that is none of ours is refused as such, which is another test's.
            if !(8..12).contains(&at) {
                bytes[at] ^= bits;
            }
            fs::write(path, bytes).unwrap();
        }
        for (segment, at) in cuts {
            let path = &paths[segment % paths.len()];
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..at % (bytes.len() + 1)]).unwrap();
        }
        assert_exact(&scratch);
    }

    #[test]
    fn a_damaged_cursor_never_loses_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        let scratch = filled();
        fs::write(scratch.0.join("cursor"), bytes).unwrap();
        let (mut spool, _) = open(&scratch.0, LIMITS);
        prop_assert_eq!(drain(&mut spool), (0..BATCHES).collect::<Vec<u64>>());
    }
}
