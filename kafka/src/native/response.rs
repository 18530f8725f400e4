//! Brokers' answers.
//!
//! Read by our own hand: the `kafka-protocol` crate reserves the memory that a count claims before it
//! has seen the bytes, so four bytes of garbage could ask for terabytes. Here nothing is reserved beyond
//! what is there. Its encoder is the twin in the tests.

use super::request::Api;

/// More brokers, and more partitions of a topic, no cluster has: an answer that has is not believed,
/// since each costs memory for as long as we run.
const BROKERS_MAX: usize = 10_000;
const PARTITIONS_MAX: usize = 100_000;

/// An answer that ends too early, or says what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The answer's bytes, taken from the front.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (first, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(first)
    }

    fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.take::<1>()?[0] != 0)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        self.take().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.take().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.take().map(i64::from_be_bytes)
    }

    /// Empty stands for null, too.
    fn text(&mut self) -> Result<&'a str, Malformed> {
        let len = self.i16()?;
        let bytes = self.bytes(usize::try_from(len).unwrap_or(0))?;
        str::from_utf8(bytes).map_err(|_| Malformed)
    }

    /// As many as the count says, each of at least one byte; null is none.
    fn each(
        &mut self,
        visit: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.each_of(usize::MAX, visit)
    }

    /// The same, of at most so many.
    fn each_of(
        &mut self,
        max: usize,
        mut visit: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let count = usize::try_from(self.i32()?).unwrap_or(0);
        if count > max.min(self.0.len()) {
            return Err(Malformed);
        }
        (0..count).try_for_each(|_| visit(self))
    }

    fn skip_numbers(&mut self) -> Result<(), Malformed> {
        self.each(|reader| reader.i32().map(drop))
    }
}

/// Which versions of what a broker speaks; the first it lacks of those that are `needed`, if any.
///
/// # Errors
/// The broker's code, as `Ok(Err(code))`.
pub(super) fn api_versions(
    reader: &mut Reader<'_>,
    needed: &[Api],
) -> Result<Result<Option<Api>, i16>, Malformed> {
    let error = reader.i16()?;
    let mut missing = needed.to_vec();
    reader.each(|reader| {
        let (key, from, to) = (reader.i16()?, reader.i16()?, reader.i16()?);
        missing.retain(|api| {
            let (needed, version) = api.numbers();
            needed != key || !(from..=to).contains(&version)
        });
        Ok(())
    })?;
    Ok(if error == 0 { Ok(missing.first().copied()) } else { Err(error) })
}

/// What is told of one topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TopicTold<'a> {
    pub(super) error: i16,
    pub(super) name: &'a str,
    /// Numbers and leaders; -1 is no leader.
    pub(super) partitions: Vec<(i32, i32)>,
}

/// Brokers (number, host, port) to the one visitor, topics to the other; answers for how many
/// milliseconds the broker wants to be left alone.
pub(super) fn metadata(
    reader: &mut Reader<'_>,
    mut broker: impl FnMut(i32, &str, i32),
    mut topic: impl FnMut(TopicTold<'_>),
) -> Result<i32, Malformed> {
    let throttle_ms = reader.i32()?;
    reader.each_of(BROKERS_MAX, |reader| {
        let (id, host, port) = (reader.i32()?, reader.text()?, reader.i32()?);
        let _rack = reader.text()?;
        broker(id, host, port);
        Ok(())
    })?;
    let _cluster = reader.text()?;
    let _controller = reader.i32()?;
    reader.each(|reader| {
        let (error, name, _internal) = (reader.i16()?, reader.text()?, reader.bool()?);
        let mut told = TopicTold { error, name, partitions: Vec::new() };
        reader.each_of(PARTITIONS_MAX, |reader| {
            let error = reader.i16()?;
            let (index, leader, _epoch) = (reader.i32()?, reader.i32()?, reader.i32()?);
            for _ in ["replicas", "in sync", "offline"] {
                reader.skip_numbers()?;
            }
            // 5, leader not available: the number beside it may be an old one.
            told.partitions.push((index, if error == 5 { -1 } else { leader }));
            Ok(())
        })?;
        let _operations = reader.i32()?;
        topic(told);
        Ok(())
    })?;
    let _operations = reader.i32()?;
    Ok(throttle_ms)
}

/// Each partition's topic, number, error code and the offset of the first record; answers for how many
/// milliseconds the broker wants to be left alone.
pub(super) fn produce(
    reader: &mut Reader<'_>,
    mut partition: impl FnMut(&str, i32, i16, i64),
) -> Result<i32, Malformed> {
    reader.each(|reader| {
        let topic = reader.text()?;
        reader.each(|reader| {
            let (index, error) = (reader.i32()?, reader.i16()?);
            let (offset, _time, _log_start) = (reader.i64()?, reader.i64()?, reader.i64()?);
            reader.each(|reader| {
                let (_record, _words) = (reader.i32()?, reader.text()?);
                Ok(())
            })?;
            let _words = reader.text()?;
            partition(topic, index, error, offset);
            Ok(())
        })
    })?;
    reader.i32()
}

/// Error code, producer's number and epoch.
pub(super) fn init_producer_id(reader: &mut Reader<'_>) -> Result<(i16, i64, i16), Malformed> {
    let _throttle_ms = reader.i32()?;
    Ok((reader.i16()?, reader.i64()?, reader.i16()?))
}

/// Error code, and the mechanisms that the broker has.
pub(super) fn sasl_handshake(reader: &mut Reader<'_>) -> Result<(i16, Vec<String>), Malformed> {
    let error = reader.i16()?;
    let mut mechanisms = Vec::new();
    reader.each(|reader| {
        mechanisms.push(reader.text()?.to_owned());
        Ok(())
    })?;
    Ok((error, mechanisms))
}

/// What a broker says to our words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SaslTold<'a> {
    pub(super) error: i16,
    pub(super) words: &'a str,
    pub(super) bytes: &'a [u8],
    /// So long it believes us; 0 for ever.
    pub(super) lifetime_ms: i64,
}

pub(super) fn sasl_authenticate<'a>(reader: &mut Reader<'a>) -> Result<SaslTold<'a>, Malformed> {
    let (error, words) = (reader.i16()?, reader.text()?);
    let len = usize::try_from(reader.i32()?).map_err(|_| Malformed)?;
    Ok(SaslTold { error, words, bytes: reader.bytes(len)?, lifetime_ms: reader.i64()? })
}

/// Feeds any bytes to every parser: none may panic or reserve what is not there.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = api_versions(&mut Reader(bytes), &[super::request::PRODUCE]);
    let _ = metadata(&mut Reader(bytes), |_, _, _| {}, |_| {});
    let _ = produce(&mut Reader(bytes), |_, _, _, _| {});
    let _ = init_producer_id(&mut Reader(bytes));
    let _ = sasl_handshake(&mut Reader(bytes));
    let _ = sasl_authenticate(&mut Reader(bytes));
}

#[cfg(test)]
mod tests;
