//! How old flows are when they come: from the end of a flow to its receipt, as the router's clock has it.

use neckar_proto::FlowView;

/// Upper bounds of the classes, seconds; what is beyond the last is in one of its own.
const BOUNDS_S: [u64; 12] = [0, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];

/// Classes of lags as most are: a search guesses at every step.
const BY_SECOND: [u8; 128] = {
    let mut classes = [0; 128];
    let mut lag_s = 0;
    while lag_s < classes.len() {
        classes[lag_s] = class(lag_s as u64) as u8;
        lag_s += 1;
    }
    classes
};

const fn class(lag_s: u64) -> usize {
    let mut class = 0;
    while class < BOUNDS_S.len() && BOUNDS_S[class] < lag_s {
        class += 1;
    }
    class
}

/// A histogram.
#[derive(Clone, Debug, Default)]
pub struct Lag {
    classes: [u64; BOUNDS_S.len() + 1],
    sum_s: u64,
    /// Flows that end after they came: the router's clock is fast. They are in the first class, too.
    ahead: u64,
}

impl Lag {
    #[inline]
    pub(crate) fn add(&mut self, view: &FlowView<'_>) {
        if view.flow_end_s == 0 || view.received_s == 0 {
            return;
        }
        let lag_s = view.received_s.saturating_sub(view.flow_end_s);
        self.ahead += u64::from(view.flow_end_s > view.received_s);
        self.sum_s = self.sum_s.wrapping_add(lag_s);
        let class =
            BY_SECOND.get(lag_s as usize).copied().map_or_else(|| class(lag_s), usize::from);
        self.classes[class] += 1;
    }

    /// Upper bounds in seconds and how many flows are at or below each; `count` has all of them.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut below = 0;
        BOUNDS_S.iter().zip(self.classes).map(move |(bound, count)| {
            below += count;
            (*bound, below)
        })
    }

    /// Flows that tell their end.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// Seconds altogether.
    #[must_use]
    pub fn sum_s(&self) -> u64 {
        self.sum_s
    }

    /// Flows that ended after they came.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_cumulative() {
        let mut lag = Lag::default();
        for (received_s, flow_end_s) in [(100, 100), (100, 99), (100, 40), (9000, 100), (100, 105)]
        {
            lag.add(&FlowView { received_s, flow_end_s, ..FlowView::default() });
        }
        lag.add(&FlowView { received_s: 5, ..FlowView::default() });
        let found: Vec<(u64, u64)> = lag.cumulative().collect();
        assert_eq!(found[0], (0, 2), "one at once, one from a fast clock");
        assert_eq!(found[1], (1, 3));
        assert_eq!((found[6], found[11]), ((60, 4), (3600, 4)));
        assert_eq!((lag.count(), lag.sum_s(), lag.ahead()), (5, 1 + 60 + 8900, 1));
    }
}
