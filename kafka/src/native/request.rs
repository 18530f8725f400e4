//! Requests to a broker.
//!
//! The `kafka-protocol` crate writes them, Produce apart: it would copy the records once more. Where
//! they go they stand between pieces of the request, so that the socket gathers them. All are of the
//! last version before Kafka's compact encoding (KIP-482), which brokers 2.8 to 4.x take.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, InitProducerIdRequest, MetadataRequest, RequestHeader,
    SaslAuthenticateRequest, SaslHandshakeRequest, TopicName,
};
use kafka_protocol::protocol::{
    Encodable, HeaderVersion, StrBytes, encode_request_header_into_buffer,
};

use super::record_batch::Sealed;

/// What is asked of a broker, and in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Api {
    key: ApiKey,
    version: i16,
}

pub(super) const API_VERSIONS: Api = Api { key: ApiKey::ApiVersions, version: 2 };
pub(super) const METADATA: Api = Api { key: ApiKey::Metadata, version: 8 };
pub(super) const PRODUCE: Api = Api { key: ApiKey::Produce, version: 8 };
pub(super) const INIT_PRODUCER_ID: Api = Api { key: ApiKey::InitProducerId, version: 1 };
pub(super) const SASL_HANDSHAKE: Api = Api { key: ApiKey::SaslHandshake, version: 1 };
pub(super) const SASL_AUTHENTICATE: Api = Api { key: ApiKey::SaslAuthenticate, version: 1 };

impl Api {
    /// The numbers by which brokers know it.
    pub(super) fn numbers(self) -> (i16, i16) {
        (self.key as i16, self.version)
    }

    pub(super) fn name(self) -> String {
        format!("{:?} v{}", self.key, self.version)
    }
}

/// What every request begins with.
pub(super) struct Head<'a> {
    pub(super) client_id: &'a str,
    /// By which the answer is known.
    pub(super) correlation: i32,
}

impl Head<'_> {
    pub(super) fn api_versions(&self) -> Bytes {
        self.request(API_VERSIONS, &ApiVersionsRequest::default())
    }

    /// About these topics; those that are not there are made, if the broker is set so.
    pub(super) fn metadata<'a>(&self, topics: impl Iterator<Item = &'a str>) -> Bytes {
        let topic =
            |name: &str| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        let topics = topics.map(topic).collect();
        let request = MetadataRequest::default()
            .with_topics(Some(topics))
            .with_allow_auto_topic_creation(true);
        self.request(METADATA, &request)
    }

    pub(super) fn init_producer_id(&self) -> Bytes {
        // The time-out is of transactions, which we have none of.
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(i32::MAX);
        self.request(INIT_PRODUCER_ID, &request)
    }

    pub(super) fn sasl_handshake(&self, mechanism: &str) -> Bytes {
        let request = SaslHandshakeRequest::default().with_mechanism(text(mechanism));
        self.request(SASL_HANDSHAKE, &request)
    }

    pub(super) fn sasl_authenticate(&self, words: Vec<u8>) -> Bytes {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(words));
        self.request(SASL_AUTHENTICATE, &request)
    }

    fn request<R: Encodable + HeaderVersion>(&self, api: Api, request: &R) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_i32(0);
        self.put(api, &mut bytes);
        // Only what does not fit its fields fails, such as a name longer than 32 KiB, which the
        // configuration's check refuses.
        request.encode(&mut bytes, api.version).expect("a request of ours fits its fields");
        let len = bytes.len() as i32 - 4;
        bytes[..4].copy_from_slice(&len.to_be_bytes());
        bytes.freeze()
    }

    fn put(&self, api: Api, bytes: &mut BytesMut) {
        let header = RequestHeader::default()
            .with_request_api_key(api.key as i16)
            .with_request_api_version(api.version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text(self.client_id)));
        encode_request_header_into_buffer(bytes, &header)
            .expect("a header of ours fits its fields");
    }

    /// Batches for partitions, those of one topic side by side. Answers the pieces in the order in
    /// which they are to be sent: long records as they are, short ones copied together, since a piece
    /// costs the system more than so many bytes.
    pub(super) fn produce<'a>(
        &self,
        acks: i16,
        timeout_ms: i32,
        batches: &[(&'a str, i32, &Sealed)],
    ) -> Vec<Bytes> {
        const SHORT_BYTES: usize = 8 << 10;
        let of_topic =
            |one: &(&'a str, i32, &Sealed), other: &(&'a str, i32, &Sealed)| one.0 == other.0;
        let topics = || batches.chunk_by(of_topic);
        let mut open = BytesMut::new();
        open.put_i32(0);
        self.put(PRODUCE, &mut open);
        // No transaction.
        open.put_i16(-1);
        open.put_i16(acks);
        open.put_i32(timeout_ms);
        open.put_i32(topics().count() as i32);
        let of_topics: usize = topics().map(|topic| 2 + topic[0].0.len() + 4).sum();
        let of_batches: usize = batches.iter().map(|(_, _, batch)| 4 + 4 + batch.len()).sum();
        let len = open.len() + of_topics + of_batches - 4;
        open[..4].copy_from_slice(&(len as i32).to_be_bytes());
        let mut pieces = Vec::new();
        for topic in topics() {
            let name = topic[0].0;
            open.put_i16(name.len() as i16);
            open.put_slice(name.as_bytes());
            open.put_i32(topic.len() as i32);
            for (_, partition, batch) in topic {
                open.put_i32(*partition);
                open.put_i32(batch.len() as i32);
                open.put_slice(&batch.header);
                for piece in &batch.records {
                    if piece.len() <= SHORT_BYTES {
                        open.put_slice(piece);
                    } else {
                        pieces.push(open.split().freeze());
                        pieces.push(piece.clone());
                    }
                }
            }
        }
        if !open.is_empty() {
            pieces.push(open.freeze());
        }
        pieces
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ProduceRequest, RequestHeader};
    use kafka_protocol::protocol::Decodable;

    use super::*;
    use crate::native::record_batch::HEADER_BYTES;

    /// The twin is the crate's own decoder.
    #[test]
    fn a_produce_request_is_what_the_crate_reads() {
        let head = Head { client_id: "neckard", correlation: 77 };
        let batch = |records: Vec<Bytes>| Sealed { header: [0x40; HEADER_BYTES], records };
        let short = |text: &'static [u8]| Bytes::from_static(text);
        let long = || Bytes::from(vec![7; 20_000]);
        let of = [
            ("a", 3, batch(vec![short(b"one")])),
            ("a", 0, batch(vec![long()])),
            ("b-1", 1, batch(vec![short(b"three"), long(), short(b"four")])),
        ];
        let batches = of.each_ref().map(|(topic, index, batch)| (*topic, *index, batch));
        let pieces = head.produce(-1, 30_000, &batches);
        assert_eq!(pieces.len(), 5, "short ones are copied, long ones are not");
        let mut bytes = Bytes::from(pieces.concat());
        assert_eq!(bytes.split_to(4).as_ref(), (bytes.len() as i32).to_be_bytes());
        let header = RequestHeader::decode(&mut bytes, 1).expect("a header");
        assert_eq!((header.request_api_key, header.request_api_version), PRODUCE.numbers());
        assert_eq!(header.correlation_id, 77);
        let request = ProduceRequest::decode(&mut bytes, PRODUCE.version).expect("a request");
        assert!(bytes.is_empty());
        assert_eq!(
            (request.acks, request.timeout_ms, request.transactional_id),
            (-1, 30_000, None)
        );
        let mut read = Vec::new();
        for topic in request.topic_data {
            for one in topic.partition_data {
                read.push((topic.name.to_string(), one.index, one.records.unwrap_or_default()));
            }
        }
        let sent = batches.map(|(topic, index, batch)| {
            let bytes = [&batch.header[..], &batch.records.concat()].concat();
            (topic.to_owned(), index, Bytes::from(bytes))
        });
        assert_eq!(read, sent);
    }
}
