//! What to do about a broker's error code.

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};

use super::dial::name_of;

/// What is to become of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in the topic.
    Delivered,
    /// Send the same again, after a pause.
    Retry,
    /// Ask who leads the partition, and send the same there.
    Refresh,
    /// Too long: send less at a time, and give up what cannot be less.
    Split,
    /// The broker does not know our numbering any more, and has not taken it: number anew.
    Renumber,
    /// It will never be taken, for an error of this name.
    Drop(String),
}

/// Judges `code` of a Produce answer.
pub(super) fn of(code: i16) -> Verdict {
    use ResponseError as E;
    let Some(error) = code.err() else { return Verdict::Delivered };
    match error {
        // It is there already: the answer to an earlier try was lost.
        E::DuplicateSequenceNumber => Verdict::Delivered,
        E::NotLeaderOrFollower
        | E::UnknownTopicOrPartition
        | E::LeaderNotAvailable
        | E::BrokerNotAvailable
        | E::ReplicaNotAvailable
        | E::FencedLeaderEpoch
        | E::UnknownLeaderEpoch
        | E::UnknownTopicId
        | E::InconsistentTopicId
        | E::KafkaStorageError
        | E::NetworkException => Verdict::Refresh,
        // Whoever took our right to write may give it back: were its flows dropped, a minute of this
        // would empty the spool. The pool and the spool bound what waits.
        _ if refusal(code).is_some() => Verdict::Refresh,
        E::MessageTooLarge | E::RecordListTooLarge => Verdict::Split,
        E::OutOfOrderSequenceNumber
        | E::UnknownProducerId
        | E::InvalidProducerEpoch
        | E::InvalidProducerIdMapping
        | E::ProducerFenced => Verdict::Renumber,
        error if error.is_retriable() => Verdict::Retry,
        _ => Verdict::Drop(name_of(code)),
    }
}

/// The name of `code` if it says that brokers take nothing for a topic until somebody changes their
/// mind, which is worth a word.
pub(super) fn refusal(code: i16) -> Option<String> {
    use ResponseError as E;
    let is_refusal = matches!(
        code.err()?,
        E::TopicAuthorizationFailed | E::ClusterAuthorizationFailed | E::InvalidTopicException
    );
    is_refusal.then(|| name_of(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code that Kafka has, and some that it may have one day.
    #[test]
    fn every_code_has_its_verdict() {
        for code in -1..200 {
            let verdict = of(code);
            let expected = match code {
                0 | 46 => Verdict::Delivered,
                3 | 5 | 6 | 8 | 9 | 13 | 56 | 74 | 75 | 100 | 103 => Verdict::Refresh,
                17 | 29 | 31 => Verdict::Refresh,
                10 | 18 => Verdict::Split,
                45 | 47 | 49 | 59 | 90 => Verdict::Renumber,
                // Kafka's own list of what is worth another try.
                2 | 7 | 14 | 15 | 16 | 19 | 20 => Verdict::Retry,
                35 | 42 | 43 | 44 | 76 | 87 => Verdict::Drop(name_of(code)),
                // Of other requests: whatever they mean to us, no flow may hang on them for ever.
                _ => match verdict {
                    Verdict::Drop(_) | Verdict::Retry => continue,
                    other => panic!("{code}: {other:?}"),
                },
            };
            assert_eq!(verdict, expected, "{code}");
        }
        assert_eq!(of(44), Verdict::Drop("PolicyViolation".into()));
        assert_eq!(refusal(29).as_deref(), Some("TopicAuthorizationFailed"));
        assert_eq!(refusal(3), None, "it may be made");
        assert_eq!(of(199), Verdict::Drop("Unknown199".into()));
    }
}
