//! Sampled counters scaled up, once.
//!
//! The old enricher multiplied on every pass, and by 32 where the rate was unknown. Here
//! `Normalized` guards the counters, and an unknown rate leaves them as they are unless the
//! operator has stated one for the exporter.

use neckar_proto::{Field, Flow};

/// What became of a flow's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalization {
    /// Multiplied now.
    Done,
    /// Multiplied before; left alone.
    Already,
    /// Neither the flow nor the operator says the rate; left alone.
    RateUnknown,
}

/// Multiplies Bytes and Packets by the sampling rate of the flow, or else by `fallback`, which then
/// becomes its rate. Saturates.
#[inline]
pub fn normalize(flow: &mut Flow, fallback: Option<u64>) -> Normalization {
    if flow.word(Field::Normalized).is_some_and(|normalized| normalized != 0) {
        return Normalization::Already;
    }
    // A rate of 0 means "not said" (semantics, section 4).
    let rate = match flow.word(Field::SamplingRate).filter(|rate| *rate != 0) {
        Some(rate) => rate,
        None => match fallback {
            Some(rate) => {
                flow.set(Field::SamplingRate, rate);
                rate
            }
            None => return Normalization::RateUnknown,
        },
    };
    for field in [Field::Bytes, Field::Packets] {
        if let Some(count) = flow.word(field) {
            flow.set(field, count.saturating_mul(rate));
        }
    }
    flow.set(Field::Normalized, 1);
    Normalization::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(rate: Option<u64>) -> Flow {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, 1500);
        flow.set(Field::Packets, 2);
        if let Some(rate) = rate {
            flow.set(Field::SamplingRate, rate);
        }
        flow
    }

    fn counts(flow: &Flow) -> [Option<u64>; 4] {
        [Field::Bytes, Field::Packets, Field::SamplingRate, Field::Normalized]
            .map(|field| flow.word(field))
    }

    #[test]
    fn multiplies_once_however_often_it_runs() {
        let mut flow = flow(Some(100));
        assert_eq!(normalize(&mut flow, Some(7)), Normalization::Done);
        assert_eq!(normalize(&mut flow, Some(7)), Normalization::Already);
        assert_eq!(counts(&flow), [Some(150_000), Some(200), Some(100), Some(1)]);
    }

    #[test]
    fn an_unknown_rate_is_the_operators_or_none() {
        let mut stated = flow(None);
        assert_eq!(normalize(&mut stated, Some(32)), Normalization::Done);
        assert_eq!(counts(&stated), [Some(48_000), Some(64), Some(32), Some(1)]);
        let mut unknown = flow(Some(0));
        assert_eq!(normalize(&mut unknown, None), Normalization::RateUnknown);
        assert_eq!(counts(&unknown), [Some(1500), Some(2), Some(0), None]);
    }

    #[test]
    fn saturates_and_leaves_absent_counters_absent() {
        let mut flow = flow(Some(u64::MAX));
        flow.remove(Field::Packets);
        assert_eq!(normalize(&mut flow, None), Normalization::Done);
        assert_eq!(counts(&flow), [Some(u64::MAX), None, Some(u64::MAX), Some(1)]);
    }
}
