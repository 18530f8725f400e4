//! The crate's encoder writes, we read.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataResponse, ProduceResponse,
    ProducerId, SaslAuthenticateResponse, SaslHandshakeResponse, TopicName,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;

use super::super::request::{
    API_VERSIONS, INIT_PRODUCER_ID, METADATA, PRODUCE, SASL_AUTHENTICATE, SASL_HANDSHAKE,
};
use super::*;

fn encoded(api: Api, response: &impl Encodable) -> BytesMut {
    let mut bytes = BytesMut::new();
    response.encode(&mut bytes, api.numbers().1).expect("it encodes");
    bytes
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.into())
}

#[test]
fn what_a_broker_lacks_is_named() {
    let versions = |key: Api, from, to| {
        ApiVersion::default()
            .with_api_key(key.numbers().0)
            .with_min_version(from)
            .with_max_version(to)
    };
    let response = ApiVersionsResponse::default().with_api_keys(vec![
        versions(PRODUCE, 3, 12),
        versions(METADATA, 9, 13),
        versions(INIT_PRODUCER_ID, 0, 5),
    ]);
    let bytes = encoded(API_VERSIONS, &response);
    let read = |needed: &[Api]| api_versions(&mut Reader(&bytes), needed);
    assert_eq!(read(&[PRODUCE, INIT_PRODUCER_ID]), Ok(Ok(None)));
    assert_eq!(read(&[PRODUCE, METADATA]), Ok(Ok(Some(METADATA))));
    assert_eq!(read(&[SASL_HANDSHAKE]), Ok(Ok(Some(SASL_HANDSHAKE))));
    let refused = encoded(API_VERSIONS, &response.with_error_code(35));
    assert_eq!(api_versions(&mut Reader(&refused), &[PRODUCE]), Ok(Err(35)));
}

fn partition(index: i32, leader: i32, error: i16) -> MetadataResponsePartition {
    MetadataResponsePartition::default()
        .with_partition_index(index)
        .with_leader_id(BrokerId(leader))
        .with_error_code(error)
        .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
        .with_isr_nodes(vec![BrokerId(1)])
        .with_offline_replicas(vec![BrokerId(2)])
}

#[test]
fn brokers_and_leaders_are_read() {
    let topic =
        |name: &str| MetadataResponseTopic::default().with_name(Some(TopicName(text(name))));
    let broker = |id: i32, host: &str| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(text(host))
            .with_port(9092)
            .with_rack(Some(text("r1")))
    };
    let response = MetadataResponse::default()
        .with_throttle_time_ms(12)
        .with_brokers(vec![broker(1, "one"), broker(2, "two")])
        .with_cluster_id(Some(text("cluster")))
        .with_topics(vec![
            topic("flows").with_partitions(vec![partition(1, 2, 0), partition(0, 1, 5)]),
            topic("none").with_error_code(3),
        ]);
    let bytes = encoded(METADATA, &response);
    let (mut brokers, mut topics) = (Vec::new(), Vec::new());
    let mut reader = Reader(&bytes);
    let throttle = metadata(
        &mut reader,
        |id, host, port| brokers.push((id, host.to_owned(), port)),
        |told| topics.push((told.error, told.name.to_owned(), told.partitions)),
    );
    assert_eq!((throttle, reader.0.len()), (Ok(12), 0));
    assert_eq!(brokers, [(1, "one".to_owned(), 9092), (2, "two".to_owned(), 9092)]);
    let flows = (0, "flows".to_owned(), vec![(1, 2), (0, -1)]);
    assert_eq!(topics, [flows, (3, "none".to_owned(), vec![])]);
}

#[test]
fn each_partitions_fate_is_read() {
    let of = |index, error| {
        let words = BatchIndexAndErrorMessage::default()
            .with_batch_index(7)
            .with_batch_index_error_message(Some(text("no")));
        PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(error)
            .with_base_offset(1000 + i64::from(index))
            .with_record_errors(vec![words])
            .with_error_message(Some(text("words")))
    };
    let topic = |name: &str, partitions| {
        TopicProduceResponse::default()
            .with_name(TopicName(text(name)))
            .with_partition_responses(partitions)
    };
    let response = ProduceResponse::default()
        .with_responses(vec![topic("a", vec![of(0, 0), of(4, 6)]), topic("b", vec![of(1, 10)])])
        .with_throttle_time_ms(99);
    let bytes = encoded(PRODUCE, &response);
    let mut read = Vec::new();
    let mut reader = Reader(&bytes);
    let visit = |topic: &str, index, error, offset| {
        assert_eq!(offset, 1000 + i64::from(index));
        read.push((topic.to_owned(), index, error));
    };
    assert_eq!(produce(&mut reader, visit), Ok(99));
    assert!(reader.0.is_empty());
    let expected = [("a", 0, 0), ("a", 4, 6), ("b", 1, 10)];
    assert_eq!(read, expected.map(|(topic, index, error)| (topic.to_owned(), index, error)));
}

#[test]
fn the_small_ones_are_read() {
    let response = InitProducerIdResponse::default()
        .with_error_code(0)
        .with_producer_id(ProducerId(4711))
        .with_producer_epoch(3);
    let bytes = encoded(INIT_PRODUCER_ID, &response);
    assert_eq!(init_producer_id(&mut Reader(&bytes)), Ok((0, 4711, 3)));

    let response =
        SaslHandshakeResponse::default().with_error_code(33).with_mechanisms(vec![text("PLAIN")]);
    let bytes = encoded(SASL_HANDSHAKE, &response);
    assert_eq!(sasl_handshake(&mut Reader(&bytes)), Ok((33, vec!["PLAIN".to_owned()])));

    let response = SaslAuthenticateResponse::default()
        .with_error_code(58)
        .with_error_message(Some(text("who?")))
        .with_auth_bytes(Bytes::from_static(b"abc"))
        .with_session_lifetime_ms(3_600_000);
    let bytes = encoded(SASL_AUTHENTICATE, &response);
    let told = SaslTold { error: 58, words: "who?", bytes: b"abc", lifetime_ms: 3_600_000 };
    assert_eq!(sasl_authenticate(&mut Reader(&bytes)), Ok(told));
}

/// The crate's decoder would reserve memory for two thousand million topics here.
#[test]
fn a_count_is_not_believed() {
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend_from_slice(&i32::MAX.to_be_bytes());
    assert_eq!(metadata(&mut Reader(&bytes), |_, _, _| {}, |_| {}), Err(Malformed));
}

/// Each partition and each broker is remembered as long as we run.
#[test]
fn more_than_any_cluster_has_is_not_believed() {
    let read = |brokers: usize, partitions: usize| {
        let brokers = vec![MetadataResponseBroker::default(); brokers];
        let partitions = (0..partitions as i32).map(|index| partition(index, 1, 0)).collect();
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(text("flows"))))
            .with_partitions(partitions);
        let response = MetadataResponse::default().with_brokers(brokers).with_topics(vec![topic]);
        let bytes = encoded(METADATA, &response);
        let mut seen = 0;
        let throttle =
            metadata(&mut Reader(&bytes), |_, _, _| {}, |told| seen = told.partitions.len());
        (throttle, seen)
    };
    assert_eq!(read(BROKERS_MAX, PARTITIONS_MAX), (Ok(0), PARTITIONS_MAX));
    assert_eq!(read(BROKERS_MAX + 1, 1), (Err(Malformed), 0));
    assert_eq!(read(1, PARTITIONS_MAX + 1), (Err(Malformed), 0));
}

#[test]
fn the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/kafka");
    let inputs: Vec<_> = std::fs::read_dir(folder).expect("it is in the repository").collect();
    assert!(inputs.len() > 50, "{} inputs", inputs.len());
    for input in inputs {
        let path = input.expect("it can be read").path();
        fuzz(&std::fs::read(path).expect("it can be read"));
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz(&bytes);
    }
}
