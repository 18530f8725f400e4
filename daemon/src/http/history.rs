//! The last hour, second by second, in a ring of fixed size; shown coarser where that is longer than
//! a curve has points.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::measures::{LEVELS, RATES, Row, losses};

/// Samples kept: an hour of seconds.
const SAMPLES_MAX: usize = 3600;
/// Points of a curve at most: more than a screen has room for would only cost time.
const POINTS_MAX: usize = 360;

/// Bytes that the history takes at most.
pub const HISTORY_BYTES: usize = SAMPLES_MAX * size_of::<Sample>();
/// What docs/page.md says.
const _: () = assert!(HISTORY_BYTES <= 2 << 20);

/// What came in one span of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Its end, Unix milliseconds.
    pub(super) end_ms: u64,
    /// Its length in milliseconds.
    pub(super) span_ms: u64,
    /// What came in it.
    pub(super) row: Row,
}

impl Sample {
    /// So many a second, to a tenth.
    pub(super) fn per_second(&self, count: u64) -> f64 {
        let rate = count as f64 * 1000.0 / self.span_ms.max(1) as f64;
        (rate * 10.0).round() / 10.0
    }

    fn join(&mut self, next: &Self) {
        self.end_ms = next.end_ms;
        self.span_ms += next.span_ms;
        self.row.join(&next.row);
    }
}

/// The ring.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
}

impl History {
    /// Takes in the latest; the oldest goes when there is no room.
    pub(super) fn push(&mut self, sample: Sample) {
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The last `minutes`, in at most [`POINTS_MAX`] steps of equal length, as columns: `at_ms`
    /// (ends of the steps), `rates` a second, highest `levels`, and those `losses` that there were,
    /// each with its count.
    pub(super) fn to_json(&self, minutes: u64) -> Value {
        let points = self.points(minutes);
        let column = |value: &dyn Fn(&Sample) -> Value| -> Value {
            points.iter().map(value).collect::<Vec<_>>().into()
        };
        let rates = RATES.iter().enumerate().map(|(index, measure)| {
            let rate = |point: &Sample| point.per_second(point.row.rates[index]).into();
            (measure.name.to_string(), column(&rate))
        });
        let levels = LEVELS.iter().enumerate().map(|(index, measure)| {
            (measure.name.to_string(), column(&|point| point.row.levels[index].into()))
        });
        let losses = losses().enumerate().filter_map(|(index, loss)| {
            let count: u64 = points.iter().map(|point| point.row.losses[index]).sum();
            let rate = |point: &Sample| point.per_second(point.row.losses[index]).into();
            let told = json!({
                "cause": loss.cause, "place": loss.place, "unit": loss.unit,
                "count": count, "rate": column(&rate),
            });
            (count > 0).then_some(told)
        });
        json!({
            "at_ms": column(&|point| point.end_ms.into()),
            "span_ms": column(&|point| point.span_ms.into()),
            "rates": Value::Object(rates.collect::<Map<_, _>>()),
            "levels": Value::Object(levels.collect::<Map<_, _>>()),
            "losses": losses.collect::<Vec<_>>(),
        })
    }

    fn points(&self, minutes: u64) -> Vec<Sample> {
        let wanted = usize::try_from(minutes.saturating_mul(60)).unwrap_or(SAMPLES_MAX);
        let taken = wanted.clamp(1, SAMPLES_MAX).min(self.samples.len());
        let step = taken.div_ceil(POINTS_MAX).max(1);
        let mut points: Vec<Sample> = Vec::with_capacity(POINTS_MAX);
        // From the latest backwards, so that the last step is a whole one.
        for (index, sample) in self.samples.iter().rev().take(taken).enumerate() {
            if index % step == 0 {
                points.push(*sample);
            } else if let Some(point) = points.last_mut() {
                let mut joined = *sample;
                joined.join(point);
                *point = joined;
            }
        }
        points.reverse();
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour() -> History {
        let mut history = History::default();
        for second in 1..=4000_u64 {
            let mut row = Row::default();
            row.rates[3] = second;
            row.levels[0] = second % 7;
            row.losses[2] = u64::from(second > 3900);
            history.push(Sample { end_ms: second * 1000, span_ms: 1000, row });
        }
        history
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let history = hour();
        assert_eq!(history.samples.len(), SAMPLES_MAX);
        assert_eq!(history.samples.front().map(|sample| sample.end_ms), Some(401_000));
        let told = history.to_json(60);
        assert_eq!(told["at_ms"].as_array().map(Vec::len), Some(POINTS_MAX));
        // Ten seconds a step: the last one is 3991 to 4000.
        assert_eq!(told["span_ms"][359], 10_000);
        assert_eq!(told["at_ms"][359], 4_000_000);
        assert_eq!(told["rates"]["flows"][359], 3995.5);
        assert_eq!(told["levels"]["batches_lent"][359], 6);
        let losses = told["losses"].as_array().map(Vec::as_slice);
        let [loss] = losses.unwrap_or_default() else { panic!("one loss: {losses:?}") };
        assert_eq!((&loss["cause"], &loss["count"]), (&json!("shed"), &json!(100)));
    }

    #[test]
    fn minutes_are_seconds() {
        let told = hour().to_json(5);
        assert_eq!(told["at_ms"].as_array().map(Vec::len), Some(300));
        assert_eq!((&told["span_ms"][0], &told["at_ms"][0]), (&json!(1000), &json!(3_701_000)));
        assert_eq!(History::default().to_json(5)["at_ms"], json!([]));
    }
}
