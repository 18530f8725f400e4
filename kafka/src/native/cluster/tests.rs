//! Which flows go where, told without brokers.

use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Keying};

use super::super::compress::Compression;
use super::super::framer::Framer;
use super::super::queue::Submission;
use super::super::record_batch::Identity;
use super::super::verdict::Verdict;
use super::*;
use crate::account::Account;
use crate::counts::{Counts, ENDED};
use crate::topic::TopicOptions;

const KEY: usize = 7;
const LIMITS: Limits = Limits { bytes: 1_000_000, flows: 100_000 };

struct Room {
    cluster: Cluster,
    counts: Arc<Counts>,
    account: Arc<Account>,
    now: Instant,
}

impl Room {
    fn new() -> Self {
        let now = Instant::now();
        let mut cluster = Cluster::new(LIMITS, Duration::from_secs(60));
        cluster.register(KEY, "flows", Arc::default(), now);
        Self { cluster, counts: Arc::default(), account: Arc::default(), now }
    }

    fn submit(&mut self, flows: u32, keying: Keying) {
        let mut batch = Batch::with_capacity(flows as usize, 1 << 16).keyed(keying);
        for port in 0..flows {
            let mut flow = Flow::default();
            flow.set(Field::SrcPort, u64::from(port));
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
        }
        let options = TopicOptions { keyed: true, ..TopicOptions::default() };
        let books = (Arc::clone(&self.account), Arc::clone(&self.counts));
        let of = Submission::new(Arc::new(batch), options, books, 0, (u64::from(flows), 0));
        let piece = Piece { of: Arc::new(of), flows: Flows::all(0..flows) };
        self.cluster.submit(KEY, piece, self.now);
    }

    /// Leaders of partitions 0, 1, … as a broker says at this second.
    fn told(&mut self, error: i16, leaders: &[i32], second: u64) {
        let partitions = (0..).zip(leaders.iter().copied()).collect();
        let told = TopicTold { error, name: "flows", partitions };
        self.cluster.told(&told, self.now + Duration::from_secs(second));
    }

    /// Sends the next batch of a partition, or the same once more; answers its number.
    fn send(&mut self, at: usize) -> Option<Identity> {
        let partition = self.cluster.partition(at);
        let mut framer = Framer::new(Compression::default());
        partition.batch(&mut framer, LIMITS, Some((4711, 0))).expect("it has flows");
        partition.send(self.now);
        partition.identity()
    }

    /// Flows that a partition has, taken out.
    fn take(&mut self, at: usize) -> usize {
        let (pieces, _) = self.cluster.partition(at).take_all(true);
        pieces.iter().map(|piece| piece.flows.len()).sum()
    }
}

/// Flows at partition 0, which has nobody to lead it from second 10 on, and at partition 1, as they are
/// when that is told once more.
fn told_once_more_at(second: u64) -> (usize, usize) {
    let mut room = Room::new();
    room.told(0, &[1, 2], 0);
    for _ in 0..6 {
        room.submit(10, Keying::None);
    }
    // Half of them are under way in a batch that nobody answers.
    let at = room.cluster.next_ready(1).expect("it has flows");
    let partition = room.cluster.partition(at);
    let batch = partition.batch(&mut Framer::new(Compression::default()), LIMITS, Some((4711, 0)));
    assert!(batch.is_some() && partition.records() == 30);
    partition.state = State::Sent;
    for _ in 0..6 {
        room.submit(10, Keying::None);
    }
    room.submit(100, Keying::Flow);
    room.cluster.partition(at).settle(&Verdict::Refresh, Duration::ZERO);
    room.told(0, &[-1, 2], 10);
    room.told(0, &[-1, 2], second);
    assert_eq!(room.counts.view().failed, 0);
    (room.take(at), room.take(1 - at))
}

#[test]
fn flows_leave_a_partition_that_nobody_leads_if_no_key_and_no_batch_holds_them() {
    let (before, after) = (told_once_more_at(11), told_once_more_at(12));
    assert_eq!((before.0 + before.1, after.0 + after.1), (220, 220));
    assert_eq!(before.0 - after.0, 30, "three calls' flows, once an election would be over");
    assert!(after.0 > 30, "those with keys stay, and those of the batch that was sent");
}

#[test]
fn flows_of_a_topic_that_is_refused_wait() {
    const REFUSED: i16 = 29;
    let mut room = Room::new();
    room.told(0, &[1], 0);
    room.submit(10, Keying::None);
    room.told(REFUSED, &[], 1);
    room.submit(10, Keying::None);
    assert_eq!(room.cluster.missing().as_deref(), Some("topic flows: TopicAuthorizationFailed"));
    assert_eq!(room.counts.view().failed, 0);
    room.told(0, &[1], 60);
    assert_eq!(room.take(0), 20);
    assert_eq!(room.cluster.missing(), None, "nothing waits");
}

#[test]
fn a_topic_whose_batches_are_refused_is_told_until_one_comes_through() {
    let mut room = Room::new();
    room.told(0, &[1], 0);
    room.submit(10, Keying::None);
    room.cluster.note_refusal(0, "TopicAuthorizationFailed".into());
    // Whoever may look at it is told of its leaders.
    room.told(0, &[1], 1);
    assert_eq!(room.cluster.missing().as_deref(), Some("topic flows: TopicAuthorizationFailed"));
    let partition = room.cluster.partition(0);
    assert!(partition.batch(&mut Framer::new(Compression::default()), LIMITS, None).is_some());
    // From the last number that there is: any may stand in an answer.
    room.cluster.note_offset(0, i64::MAX);
    assert_eq!(room.cluster.missing(), None);
}

#[test]
fn what_is_dropped_is_counted() {
    let mut room = Room::new();
    room.account.submit(20);
    room.submit(10, Keying::None);
    room.told(0, &[1], 0);
    room.submit(10, Keying::None);
    drop(room.cluster);
    let counts = room.counts.view();
    assert_eq!(counts.errors, BTreeMap::from([(ENDED.into(), 20)]));
    let books = room.account.counts();
    assert_eq!((books.failed, books.in_flight, books.bytes_in_flight), (20, 0, 0));
}

/// Partitions 0 and 1, a batch of sixty flows of each under way since second 0.
fn both_under_way() -> Room {
    let mut room = Room::new();
    room.told(0, &[1, 2], 0);
    for _ in 0..12 {
        room.submit(10, Keying::None);
    }
    for at in [0, 1] {
        room.send(at);
    }
    room
}

/// Order in a partition outlasts an election; what takes longer than any gives up on it.
#[test]
fn a_partition_that_does_not_get_rid_of_its_batch_gets_no_more_and_then_keeps_none() {
    let mut room = both_under_way();
    for _ in 0..4 {
        room.submit(10, Keying::None);
    }
    room.cluster.partition(1).settle(&Verdict::Delivered, Duration::ZERO);
    room.cluster.partition(0).settle(&Verdict::Retry, Duration::ZERO);
    room.now += Duration::from_secs(1);
    // It may just be slow.
    room.submit(10, Keying::None);
    room.submit(10, Keying::None);
    room.now += Duration::from_secs(1);
    for _ in 0..4 {
        room.submit(10, Keying::None);
    }
    room.cluster.relieve_one(0, room.now);
    assert!(!room.cluster.is_stalled(0, room.now), "the other one takes them");
    let waiting = |room: &mut Room| {
        let (pieces, _) = room.cluster.partition(0).take_all(false);
        let flows: usize = pieces.iter().map(|piece| piece.flows.len()).sum();
        pieces.into_iter().for_each(|piece| room.cluster.partition(0).push(piece));
        flows
    };
    assert_eq!(waiting(&mut room), 20 + 10, "those from before, and they stay");
    room.now += Duration::from_secs(28);
    room.cluster.relieve_one(0, room.now);
    assert_eq!(waiting(&mut room), 0);
    assert_eq!((room.take(0), room.take(1)), (60, 100), "but the batch that was sent");
}

#[test]
fn flows_stay_in_turn_where_no_partition_gets_rid_of_them() {
    let mut room = both_under_way();
    room.now += Duration::from_secs(2);
    for at in [0, 1] {
        room.cluster.partition(at).settle(&Verdict::Retry, Duration::ZERO);
        room.cluster.relieve_one(at, room.now);
    }
    assert!(room.cluster.is_stalled(0, room.now));
    for _ in 0..4 {
        room.submit(10, Keying::None);
    }
    assert_eq!((room.take(0), room.take(1)), (80, 80));
}

/// A broker that is behind the others does not know of a partition yet: its batch may be there.
#[test]
fn a_batch_that_was_sent_stays_with_a_partition_that_a_broker_does_not_name() {
    let mut room = both_under_way();
    for at in [0, 1] {
        room.cluster.partition(at).settle(&Verdict::Refresh, Duration::ZERO);
    }
    room.told(0, &[1], 1);
    assert!(!room.cluster.take_hole());
    room.told(0, &[1, 2], 2);
    let identity = room.send(1);
    assert_eq!(identity.map(|identity| identity.sequence), Some(0), "the same batch once more");
    room.cluster.partition(1).settle(&Verdict::Refresh, Duration::ZERO);
    room.told(0, &[1], 3);
    room.told(0, &[1], 40);
    assert!(room.cluster.take_hole(), "its numbers are not given again");
    assert_eq!((room.take(0), room.take(1)), (120, 0), "it is no more");
}
