//! Which flows go where, told without brokers.

use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Keying};

use super::super::compress::Compression;
use super::super::framer::Framer;
use super::super::queue::Submission;
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
        self.cluster.submit(KEY, piece);
    }

    /// Leaders of partitions 0, 1, … as a broker says at this second.
    fn told(&mut self, error: i16, leaders: &[i32], second: u64) {
        let partitions = (0..).zip(leaders.iter().copied()).collect();
        let told = TopicTold { error, name: "flows", partitions };
        self.cluster.told(&told, self.now + Duration::from_secs(second));
    }

    /// Flows that a partition has, taken out.
    fn take(&mut self, at: usize) -> usize {
        self.cluster.partition(at).take_all().iter().map(|piece| piece.flows.len()).sum()
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
