//! The splitter against librdkafka's mock cluster: who has a topic that nobody serves is alone with
//! it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use arc_swap::ArcSwap;
use neckar_decode::RowSink as _;
use neckar_enrich::{Sources, Tables};
use neckar_kafka::ProducerConfig;
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Field, Flow, Presence};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::*;
use crate::pool::Pool;
use crate::sink::{Route, Sink};
use crate::stage::{Stage, StageCounts, StageParts};

const FLOWS: usize = 100;

/// Flows of customer 1, and of customer 9 every tenth.
fn batch() -> Arc<Batch> {
    let mut batch = Batch::with_capacity(FLOWS, 64 << 10);
    for index in 0..FLOWS as u64 {
        let mut flow = Flow::default();
        flow.set(Field::SrcCid, if index.is_multiple_of(10) { 9 } else { 1 });
        flow.set(Field::Bytes, 1 + index);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

fn parts(producer: &Arc<Producer>, counts: &Arc<SplitterCounts>) -> SplitterParts {
    let (producer, counts) = (Arc::clone(producer), Arc::clone(counts));
    let (wishes, batches, topics) = (Vec::new(), 4000, None);
    SplitterParts { wishes, batches, packed_bytes: 1000, producer, topics, counts }
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_silent_topic_holds_no_batch_and_takes_nothing_from_others() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("flows-1", 2, 1).unwrap();
    cluster.create_topic("flows-9", 1, 1).unwrap();
    cluster.partition_leader("flows-9", 0, None).unwrap();
    let brokers = vec![cluster.bootstrap_servers()];
    let settings = ProducerConfig { brokers, ..ProducerConfig::default() };
    let producer = Arc::new(Producer::new(&settings).unwrap());
    let counts = Arc::new(SplitterCounts::default());
    // Room for three batches' flows of customer 9, as they are gathered.
    let mut his = Batch::growing(0).laid_out(Layout::Records);
    (0..10).for_each(|index| his.append(&batch(), 10 * index));
    let split = Split {
        cids: vec![1, 9],
        tenant_bytes_max: 3 * his.bytes().len(),
        linger_ms: 10,
        queue_batches: 1000,
        ..Split::default()
    };
    let splitter = Splitter::start(&split, parts(&producer, &counts));
    let splitter = splitter.unwrap();
    let tenant = |topic: &str| counts.view().tenants.get(topic).copied().unwrap_or_default();
    let send = |batch: &Arc<Batch>| splitter.sender().send(Arc::clone(batch)).unwrap();

    let first = batch();
    send(&first);
    wait_until("customer 1 has his", || tenant("flows-1").topic.delivered == 90);
    wait_until("those of 9 are under way", || tenant("flows-9").topic.in_flight == 10);
    wait_until("nobody holds the batch", || Arc::strong_count(&first) == 1);
    std::thread::sleep(SILENT_AND_MORE);

    // One by one, so that each is gathered alone.
    let reported = |topic: &str| tenant(topic).topic.in_flight + tenant(topic).refused;
    for sent in 1..=5 {
        let later = batch();
        send(&later);
        wait_until("something is said of 9's", || reported("flows-9") == 10 + 10 * sent);
        wait_until("nobody holds it", || Arc::strong_count(&later) == 1);
    }
    wait_until("customer 1 has all of his", || tenant("flows-1").topic.delivered == 6 * 90);
    let nine = tenant("flows-9");
    assert_eq!((nine.topic.in_flight, nine.refused), (30, 30), "three batches' worth fit");
    assert_eq!((tenant("flows-1").refused, counts.view().total.flows), (0, 600));

    // He is served again: what was under way arrives, and he is whole.
    cluster.partition_leader("flows-9", 0, Some(1)).unwrap();
    wait_until("his arrive", || tenant("flows-9").topic.delivered == 30);
    let last = batch();
    send(&last);
    wait_until("his arrive again", || tenant("flows-9").topic.delivered == 40);
    splitter.stop();
    assert_eq!(tenant("flows-9").refused, 30);
}

const SILENT_AND_MORE: Duration = Duration::from_millis(1200);

/// Batches that somebody other than the test holds.
fn held(batches: &[Arc<Batch>]) -> usize {
    batches.iter().filter(|batch| Arc::strong_count(batch) > 1).count()
}

/// A flow of each of these customers.
fn batch_of(cids: impl Iterator<Item = u64>) -> Arc<Batch> {
    let cids: Vec<u64> = cids.collect();
    let mut batch = Batch::with_capacity(cids.len(), 32 * cids.len() + (64 << 10));
    for (index, cid) in cids.into_iter().enumerate() {
        let mut flow = Flow::default();
        flow.set(Field::SrcCid, cid);
        flow.set(Field::Bytes, index as u64);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

/// A cluster with these topics, those of the second kind without a leader.
fn cluster(
    led: &[&str],
    leaderless: &[&str],
) -> (MockCluster<'static, DefaultProducerContext>, Arc<Producer>) {
    let cluster = MockCluster::new(1).unwrap();
    for topic in led.iter().chain(leaderless) {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    for topic in leaderless {
        cluster.partition_leader(topic, 0, None).unwrap();
    }
    let brokers = vec![cluster.bootstrap_servers()];
    let settings = ProducerConfig { brokers, ..ProducerConfig::default() };
    let producer = Arc::new(Producer::new(&settings).unwrap());
    (cluster, producer)
}

/// Customer 1 has the topic of all the others, by his prefix; customer 2 as he wishes.
#[test]
fn customers_who_share_a_topic_share_its_counts() {
    let (_cluster, producer) = cluster(&["flows-1"], &[]);
    let counts = Arc::new(SplitterCounts::default());
    let tenant = config::Tenant { cid: 2, topic: "flows-1".into(), ..config::Tenant::default() };
    let split = Split {
        cids: vec![1],
        default_topic: "flows-1".into(),
        tenant: vec![tenant],
        linger_ms: 1,
        ..Split::default()
    };
    let wishes = Wishes::read(&split, config::ProfileName::Bwnetflow).unwrap();
    let parts = SplitterParts { wishes, ..parts(&producer, &counts) };
    let splitter = Splitter::start(&split, parts).unwrap();
    for _ in 0..2 {
        splitter.sender().send(batch_of([1, 1, 1, 2, 2, 9].into_iter())).unwrap();
    }
    wait_until("all are delivered", || counts.view().total.topic.delivered == 12);
    splitter.stop();
    let view = counts.view();
    let topics: Vec<_> = view.tenants.keys().map(String::as_str).collect();
    assert_eq!((topics, view.total.flows), (vec!["flows-1"], 12));
    assert_eq!(view.tenants["flows-1"], view.total);
}

#[test]
fn many_silent_topics_leave_half_of_the_room_to_others() {
    let silent: Vec<String> = (11..19).map(|cid| format!("flows-{cid}")).collect();
    let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
    let (_cluster, producer) = cluster(&["flows-1"], &silent);
    let counts = Arc::new(SplitterCounts::default());
    let bytes_max = 16 << 10;
    let cids = (11..19).chain([1]).collect();
    let split = Split { cids, bytes_max, linger_ms: 1, ..Split::default() };
    let splitter = Splitter::start(&split, parts(&producer, &counts)).unwrap();
    let one = || counts.view().tenants.get("flows-1").copied().unwrap_or_default();
    for sent in 1..=100 {
        let batch = batch_of((0..90).map(|index| if index < 10 { 1 } else { 11 + index % 8 }));
        splitter.sender().send(batch).unwrap();
        wait_until("customer 1 has his", || one().topic.delivered + one().refused == 10 * sent);
    }
    assert_eq!(one().refused, 0);
    let total = counts.view().total;
    assert!(total.refused > 0 && total.topic.in_flight > 0, "{total:?}");
    let bytes = (total.topic.bytes_in_flight - one().topic.bytes_in_flight) as usize;
    assert!(bytes > bytes_max / 4 && bytes <= bytes_max / 2, "{bytes}");
}

#[test]
fn a_topic_without_a_leader_holds_no_batch_at_all() {
    let (_cluster, producer) = cluster(&[], &["flows-1"]);
    let counts = Arc::new(SplitterCounts::default());
    let split = Split { cids: vec![1], linger_ms: 1, ..Split::default() };
    let splitter = Splitter::start(&split, parts(&producer, &counts)).unwrap();
    let batch = batch_of(std::iter::repeat_n(1, 2 * 256));
    splitter.sender().send(Arc::clone(&batch)).unwrap();
    wait_until("they are under way", || counts.view().total.topic.in_flight == 512);
    wait_until("nobody holds the batch", || Arc::strong_count(&batch) == 1);
}

#[test]
fn a_topic_that_loses_its_leader_holds_what_was_under_way() {
    let (cluster, producer) = cluster(&["flows-1"], &[]);
    let counts = Arc::new(SplitterCounts::default());
    let split = Split { cids: vec![1], linger_ms: 1, ..Split::default() };
    let splitter = Splitter::start(&split, parts(&producer, &counts)).unwrap();
    let send = |batch: &Arc<Batch>| splitter.sender().send(Arc::clone(batch)).unwrap();
    send(&batch_of(std::iter::repeat_n(1, 10)));
    wait_until("it flows", || counts.view().total.topic.delivered == 10);
    cluster.partition_leader("flows-1", 0, None).unwrap();
    // Each of more than DIRECT_BYTES.
    let batches: Vec<_> = (0..4).map(|_| batch_of(std::iter::repeat_n(1, 250_000))).collect();
    batches.iter().for_each(send);
    wait_until("all are looked at", || counts.view().total.flows == 1_000_010);
    splitter.stop();
    assert!(batches[0].bytes().len() as u64 > 1 << 20);
    wait_until("one is held at most", || held(&batches) <= 1);
}

#[test]
fn ten_thousand_customers_are_served_by_one() {
    let all = 10_000;
    let (_cluster, producer) = cluster(&[], &[]);
    let counts = Arc::new(SplitterCounts::default());
    let split = Split { wildcard: true, tenants_max: all, linger_ms: 1, ..Split::default() };
    let splitter = Splitter::start(&split, parts(&producer, &counts)).unwrap();
    let batches: Vec<_> =
        (0..10).map(|part| batch_of((1 + part * 1000)..=(part + 1) * 1000)).collect();
    for batch in &batches {
        splitter.sender().send(Arc::clone(batch)).unwrap();
    }
    splitter.sender().send(batch_of(20_001..=20_003)).unwrap();
    splitter.stop();
    let view = counts.view();
    assert_eq!((view.tenants.len(), view.total.flows, view.unserved), (all, all as u64, 3));
    assert!(view.tenants.values().all(|tenant| tenant.flows == 1));
    let topic = view.total.topic;
    assert_eq!((view.total.refused, topic.submitted), (0, all as u64));
    assert_eq!(held(&batches), 0);
}

/// A hundred customers, each with a flow in every batch, whose copies wait for others.
fn hundred(queue_batches: usize) -> Split {
    Split { cids: (1..=100).collect(), linger_ms: 3_600_000, queue_batches, ..Split::default() }
}

/// Half of the spool's window, which never waits then, or half of the queue.
#[test]
fn batches_are_held_until_customers_get_several_flows_each() {
    let (_cluster, producer) = cluster(&[], &[]);
    for (queue_batches, at_once) in [(200, WINDOW_BATCHES / 2), (8, 4), (1, 1)] {
        let counts = Arc::new(SplitterCounts::default());
        let split = hundred(queue_batches);
        let parts = parts(&producer, &counts);
        let mut splitting = Splitting::new(&split, parts, held_max(queue_batches));
        let batches: Vec<_> = (0..=at_once).map(|_| batch_of(1..=101)).collect();
        for (index, batch) in batches.iter().enumerate() {
            splitting.hold(Arc::clone(batch));
            assert_eq!(held(&batches), (index + 1) % at_once, "{queue_batches}");
        }
        assert_eq!(counts.view().total.flows, 0, "copies wait for others");
        splitting.send_all();
        assert_eq!(held(&batches), 0);
        let tenants = counts.view().tenants;
        let flows = batches.len() as u64;
        assert!(tenants.len() == 100 && tenants.values().all(|tenant| tenant.flows == flows));
    }
}

#[test]
fn a_batch_after_which_none_comes_is_let_go() {
    let (_cluster, producer) = cluster(&[], &[]);
    let counts = Arc::new(SplitterCounts::default());
    let splitter = Splitter::start(&hundred(200), parts(&producer, &counts)).unwrap();
    let batch = batch_of(1..=100);
    splitter.sender().send(Arc::clone(&batch)).unwrap();
    wait_until("nobody holds it", || Arc::strong_count(&batch) == 1);
    assert_eq!(counts.view().total.flows, 0, "its copies wait for others");
    splitter.stop();
    assert_eq!(counts.view().total.flows, 100);
}

/// Lets go of every batch at once.
struct Nowhere;

impl Sink for Nowhere {
    fn submit(&mut self, _batch: Arc<Batch>, _is_short: bool) -> Route {
        Route::Output
    }
    fn tend(&mut self) {}
    fn backlog(&self) -> usize {
        0
    }
    fn finish(&mut self, _deadline: Instant, _keep_until: Instant) {}
}

/// What a worker counts of 1000 times 50 flows in batches of 100, eight of them.
fn worked(splitter: Option<Sender<Arc<Batch>>>) -> StageCounts {
    let tables = Tables::build(&Sources::default()).unwrap();
    let mut stage = Stage::new(StageParts {
        tables: Arc::new(ArcSwap::from_pointee(tables)),
        names: None,
        anonymizer: None,
        profile: &BWNETFLOW,
        pool: Pool::new(8, 100, 64 << 10),
        sink: Box::new(Nowhere),
        splitter,
        traffic: None,
        linger: Duration::from_millis(100),
        stall: Duration::from_secs(5),
        keep: Duration::ZERO,
    });
    let mut rows = Rows::with_capacity(50);
    for round in 0..1000 {
        stage.set_now(1 + round);
        rows.clear();
        rows.extend(50, Presence::default());
        stage.rows(&mut rows);
    }
    stage.finish(Instant::now());
    stage.counts().clone()
}

/// A splitter that stands holds the batches that its queue has room for, and not a moment of a worker's.
#[test]
fn a_worker_does_not_wait_for_a_splitter_that_stands() {
    let queue = Split { queue_batches: 64, ..Split::default() }.queue(8);
    let (sender, _stands) = bounded(queue);
    let (without, with) = (worked(None), worked(Some(sender)));
    assert_eq!((with.encoded, with.batches), (without.encoded, without.batches));
    assert_eq!((with.encoded, with.shed, with.stalls, with.stalled_ns), (50_000, 0, 0, 0));
    assert_eq!(with.splitter_missed, 50_000 - 100 * queue as u64);
    assert_eq!(with.batches_lent, queue as u64);
}
