//! The splitter against librdkafka's mock cluster: who has a topic that nobody serves is alone with
//! it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use neckar_kafka::ProducerConfig;
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Field, Flow};
use rdkafka::mocking::MockCluster;

use super::*;

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
    SplitterParts { wishes: Vec::new(), packed_bytes: 1000, producer, topics: None, counts }
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
    // Room for three batches' flows of customer 9, which take their lengths with them to be judged.
    let one = batch();
    let his: usize = (0..10).map(|index| one.delimited(10 * index..10 * index + 1).len()).sum();
    let split = Split {
        cids: vec![1, 9],
        tenant_bytes_max: 3 * his,
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
