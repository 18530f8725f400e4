//! The heaviest of each minute of the last hour: by dimension, direction and measure, with the error of
//! each figure.
//!
//! Minutes are of event time, the end of a flow, and close by the clock, traffic or none. Two are open:
//! routers tell of a long flow once a minute at least, by their own active timeout. What ended before
//! them counts in the older one.

use std::collections::VecDeque;

use hashbrown::HashMap;
use neckar_proto::FlowView;

use crate::key::{DIMENSIONS, Dimension, Direction, FlowKey, Key};
use crate::names::{Name, Names};
use crate::prefixes;
use crate::sampling::Sampler;
use crate::tenants::Tenants;
use crate::window::{Minute, Top, WINDOW_S, Window, minutes_memory_bytes};
use crate::{Config, Sums};

/// Closed windows that are kept: with the open ones an hour.
const MINUTES: usize = 58;
/// Texts of AS, protocols and interfaces that are kept.
const NAMES_MAX: usize = 1 << 15;
/// Means before anything came.
const MEANS: Sums = Sums { bytes: 1000.0, packets: 4.0, flows: 1.0 };
/// A prefix is shown if it has this share beside what longer ones explain.
const PREFIX_SHARE: f64 = 0.01;

/// What the heaviest are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Measure {
    Bytes,
    Packets,
    Flows,
}

impl Measure {
    /// Its value.
    #[must_use]
    pub fn of(self, sums: &Sums) -> f64 {
        match self {
            Self::Bytes => sums.bytes,
            Self::Packets => sums.packets,
            Self::Flows => sums.flows,
        }
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The heaviest what.
    pub dimension: Dimension,
    /// By what.
    pub measure: Measure,
    /// Which way; `None` for both.
    pub direction: Option<Direction>,
    /// Whose; `None` for everybody's.
    pub tenant: Option<u32>,
    /// Of how many minutes, 1 to 60, the one that is not over included. A customer's are of the last
    /// five to ten minutes, whatever is asked.
    pub minutes: u64,
    /// Rows at most.
    pub rows_max: usize,
}

/// The answer.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Report {
    /// From when, Unix seconds.
    pub from_s: u64,
    /// Until when, Unix seconds: the end of the minute that is not over.
    pub to_s: u64,
    /// Of all flows, exact; a customer's are as sampled as his rows.
    pub totals: Sums,
    /// The heaviest first.
    pub rows: Vec<Row>,
    /// What a key that is not among the kept may have had, at most.
    pub absent: Sums,
    /// How the figures were sampled.
    pub sampling: Sampling,
}

/// One of the heaviest.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// As people read it.
    pub key: String,
    /// What it is called, if it is.
    pub name: String,
    /// At least this, the chance of sampling apart.
    pub sums: Sums,
    /// And at most that much more.
    pub error: Sums,
    /// Of a prefix: without what the longer ones shown have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Sums>,
}

/// How flows were sampled: 1 if all of them were taken.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Sampling {
    /// The smallest flows stood for so many at most; larger ones for fewer.
    pub one_in: f64,
    /// The standard deviation of a figure `x` is at most the square root of this times `x`; 0 if all
    /// flows were taken.
    pub variance_per_unit: Sums,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { one_in: 1.0, variance_per_unit: Sums::default() }
    }
}

impl Sampling {
    pub(crate) fn raise_to(&mut self, (k, variance): &(f64, Sums)) {
        self.one_in = self.one_in.max(*k);
        self.variance_per_unit.raise_to(variance);
    }
}

/// Where a flow counts.
pub(crate) struct WindowAt {
    pub(crate) index: usize,
    pub(crate) is_late: bool,
}

/// The minutes.
pub struct Talkers {
    /// The older first.
    open: [Window; 2],
    closed: VecDeque<Minute>,
    names: Names,
    sampler: Sampler,
    entries_max: usize,
    now_s: u64,
}

impl Talkers {
    pub(crate) fn new(config: &Config, now_s: u64) -> Self {
        Self {
            open: open_windows(minute_of(now_s), MEANS, config.talkers_max),
            closed: VecDeque::with_capacity(MINUTES),
            names: Names::new(NAMES_MAX),
            sampler: Sampler::new(config.sketched_per_s),
            entries_max: config.talkers_max,
            now_s,
        }
    }

    pub(crate) fn memory_bytes(config: &Config) -> usize {
        let sketches = crate::heavy::Heaviest::memory_bytes(config.talkers_max);
        2 * DIMENSIONS * 2 * sketches
            + minutes_memory_bytes(MINUTES)
            + Names::memory_bytes(NAMES_MAX)
    }

    /// Closes minutes whose time is over.
    pub(crate) fn advance(&mut self, now_s: u64) {
        self.now_s = now_s;
        let minute_s = minute_of(now_s);
        if minute_s < self.open[0].start_s {
            self.begin_again(minute_s);
        }
        let newest_s = self.open[1].start_s;
        let behind = minute_s.saturating_sub(newest_s) / WINDOW_S;
        // More than an hour ahead: nothing of before is left, so nothing is to be closed one by one.
        let skipped = behind.saturating_sub(MINUTES as u64 + 2);
        let first_s = newest_s + (skipped + 1) * WINDOW_S;
        for start_s in (first_s..=minute_s).step_by(WINDOW_S as usize) {
            self.open_next(start_s);
        }
    }

    /// The clock was set back. What lies ahead of it goes, or the minutes to come would wait until the clock
    /// is there again.
    #[cold]
    fn begin_again(&mut self, minute_s: u64) {
        let means = self.open[1].next_means();
        self.open = open_windows(minute_s, means, self.entries_max);
        let first_s = self.open[0].start_s;
        self.closed.retain(|minute| minute.start_s < first_s);
    }

    fn open_next(&mut self, start_s: u64) {
        let means = self.open[1].next_means();
        let fresh = Window::new(start_s, means, DIMENSIONS, self.entries_max);
        self.open.rotate_left(1);
        let over = std::mem::replace(&mut self.open[1], fresh);
        if self.closed.len() == MINUTES {
            self.closed.pop_front();
        }
        self.closed.push_back(over.close());
        if self.names.is_crowded() {
            self.forget_names();
        }
    }

    fn forget_names(&mut self) {
        let closed = self.closed.iter().flat_map(|minute| minute.tops.iter().flatten());
        let open = self.open.iter().flat_map(Window::sketches);
        let used = closed.flat_map(|top| top.rows.iter().map(|row| row.name));
        self.names.retain(used.chain(open.flat_map(|sketch| sketch.iter().map(|one| one.name))));
    }

    pub(crate) fn adapt(&mut self, now_s: u64) {
        self.sampler.adapt(now_s);
    }

    /// Which of the open windows a flow belongs to.
    #[inline]
    pub(crate) fn window_of(&self, view: &FlowView<'_>) -> WindowAt {
        let end_s = if view.flow_end_s == 0 { view.received_s } else { view.flow_end_s };
        WindowAt {
            index: usize::from(end_s >= self.open[1].start_s),
            is_late: end_s < self.open[0].start_s,
        }
    }

    /// Counts a flow in the totals; answers for how many it stands, `None` if it is left to others.
    #[inline]
    pub(crate) fn admit(&mut self, index: usize, view: &FlowView<'_>, sums: &Sums) -> Option<f64> {
        let Self { open, sampler, .. } = self;
        let window = &mut open[index];
        window.totals[Direction::of(view) as usize].add(sums, 1.0);
        let times = sampler.admit(sums);
        // Of a flow that is left to others, too: the window has been sampled, whoever stands for it.
        if times != Some(1.0) {
            window.note_sampling(&sampler.spread());
        }
        times
    }

    /// Counts a flow that stands for so many by its keys.
    pub(crate) fn add(
        &mut self,
        index: usize,
        direction: Direction,
        keys: &[FlowKey<'_>],
        sums: &Sums,
        times: f64,
    ) {
        let Self { open, names, now_s, .. } = self;
        let window = &mut open[index];
        let weighed = sums.weighed(times, &window.means);
        for FlowKey { dimension, key, text } in keys {
            let name =
                || if text.is_empty() { 0 } else { names.number(&String::from_utf8_lossy(text)) };
            window.add(*dimension as usize, direction, *key, &weighed, *now_s, name);
        }
    }

    /// How windows that flows of this time may have counted in were sampled.
    pub(crate) fn sampling(&self, from_s: u64, to_s: u64) -> Sampling {
        let closed = self.closed.iter().map(|minute| (minute.start_s, &minute.spread));
        let open = self.open.iter().map(|window| (window.start_s, &window.spread));
        let mut sampling = Sampling::default();
        for (start_s, spread) in closed.chain(open) {
            // What came at `from_s` may have ended in the minute before.
            if start_s + WINDOW_S >= from_s && start_s < to_s {
                sampling.raise_to(spread);
            }
        }
        sampling
    }

    /// The heaviest.
    #[must_use]
    pub fn report(&self, question: &Question) -> Report {
        let from_s = (self.open[1].start_s + WINDOW_S)
            .saturating_sub(question.minutes.clamp(1, MINUTES as u64 + 2) * WINDOW_S);
        let dimension = question.dimension as usize;
        let mut merged = Merged::new(question);
        for minute in self.closed.iter().filter(|minute| minute.start_s >= from_s) {
            merged.count(&minute.totals, &minute.spread);
            merged.add(&minute.tops[dimension]);
        }
        for window in self.open.iter().filter(|window| window.start_s >= from_s) {
            merged.add_window(window, dimension);
        }
        merged.report(&self.names, from_s, self.open[1].start_s + WINDOW_S)
    }

    /// The targets of the newest minute that is likely whole, the heaviest first: address, class, fate and
    /// sums of a minute.
    pub(crate) fn each_target(&self, rows_max: usize, mut visit: impl FnMut(&Key, &Sums)) {
        let window = &self.open[0];
        let tops = [Direction::Incoming, Direction::Outgoing]
            .map(|direction| window.top(window.sketch(Dimension::Target as usize, direction)));
        let mut sums: HashMap<Key, Sums> = HashMap::new();
        for row in tops.iter().flat_map(|top| &top.rows) {
            sums.entry(row.key).or_default().add(&row.sums, 1.0);
        }
        let mut rows: Vec<(Key, Sums)> = sums.into_iter().collect();
        rows.sort_by(|one, other| other.1.bytes.total_cmp(&one.1.bytes).then(one.0.cmp(&other.0)));
        rows.iter().take(rows_max).for_each(|(key, sums)| visit(key, sums));
    }

    /// How many targets are counted in the newest minute.
    pub(crate) fn targets(&self) -> usize {
        let of = |direction| self.open[1].sketch(Dimension::Target as usize, direction).len();
        of(Direction::Incoming) + of(Direction::Outgoing)
    }
}

/// Windows added up.
pub(crate) struct Merged<'a> {
    question: &'a Question,
    keys: HashMap<Key, Whole>,
    totals: Sums,
    absent: Sums,
    sampling: Sampling,
}

#[derive(Clone, Copy, Default)]
struct Whole {
    name: Name,
    sums: Sums,
    error: Sums,
    /// What it could have had in the windows that have it, had it been absent: not to be added.
    present: Sums,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(question: &'a Question) -> Self {
        Self {
            question,
            keys: HashMap::new(),
            totals: Sums::default(),
            absent: Sums::default(),
            sampling: Sampling::default(),
        }
    }

    fn directions(&self) -> impl Iterator<Item = usize> + use<> {
        let asked = self.question.direction;
        (0..2).filter(move |direction| asked.is_none_or(|asked| asked as usize == *direction))
    }

    fn count(&mut self, totals: &[Sums; 2], spread: &(f64, Sums)) {
        for direction in self.directions() {
            self.totals.add(&totals[direction], 1.0);
        }
        self.sampling.raise_to(spread);
    }

    fn add(&mut self, tops: &[Top; 2]) {
        for direction in self.directions() {
            let Top { rows, absent } = &tops[direction];
            self.absent.add(absent, 1.0);
            for row in rows {
                let whole = self.keys.entry(row.key).or_default();
                whole.name = row.name;
                whole.sums.add(&row.sums, 1.0);
                whole.error.add(&row.error, 1.0);
                whole.present.add(absent, 1.0);
            }
        }
    }

    pub(crate) fn add_window(&mut self, window: &Window, dimension: usize) {
        self.count(&window.totals, &window.spread);
        let tops = [Direction::Incoming, Direction::Outgoing]
            .map(|direction| window.top(window.sketch(dimension, direction)));
        self.add(&tops);
    }

    pub(crate) fn report(self, names: &Names, from_s: u64, to_s: u64) -> Report {
        let Self { question, keys, totals, absent, sampling } = self;
        let (dimension, measure) = (question.dimension, question.measure);
        let value = |sums: &Sums| measure.of(sums);
        let wholes: Vec<(Key, Whole)> = keys.into_iter().collect();
        let is_prefix = matches!(dimension, Dimension::SrcPrefix | Dimension::DstPrefix);
        let mut rows: Vec<((Key, Whole), Option<Sums>)> = if is_prefix {
            let floor = (PREFIX_SHARE * value(&totals)).max(f64::MIN_POSITIVE);
            let found = prefixes::hierarchical(wholes, |one| one.0, |one| one.1.sums, value, floor);
            found.into_iter().map(|(one, own)| (one, Some(own))).collect()
        } else {
            wholes.into_iter().map(|one| (one, None)).collect()
        };
        rows.sort_by(|((one_key, one), _), ((other_key, other), _)| {
            value(&other.sums).total_cmp(&value(&one.sums)).then(one_key.cmp(other_key))
        });
        rows.truncate(question.rows_max);
        let row = |((key, whole), own): ((Key, Whole), Option<Sums>)| {
            let mut error = whole.error;
            error.add(&absent, 1.0);
            error.add(&whole.present, -1.0);
            let name = names.text(whole.name).to_string();
            Row { key: key.text(dimension), name, sums: whole.sums, error, own }
        };
        let rows = rows.into_iter().map(row).collect();
        Report { from_s, to_s, totals, rows, absent, sampling }
    }
}

/// The minute that begins at `start_s`, and the one before.
fn open_windows(start_s: u64, means: Sums, entries_max: usize) -> [Window; 2] {
    [start_s.saturating_sub(WINDOW_S), start_s]
        .map(|start_s| Window::new(start_s, means, DIMENSIONS, entries_max))
}

fn minute_of(now_s: u64) -> u64 {
    now_s / WINDOW_S * WINDOW_S
}

impl Tenants {
    /// The heaviest of a customer in the last five to ten minutes.
    #[must_use]
    pub fn report(&self, tenant: u32, question: &Question) -> Report {
        let place = Dimension::OF_TENANTS.iter().position(|one| *one == question.dimension);
        let (Some(windows), Some(dimension)) = (self.windows(tenant), place) else {
            return Report::default();
        };
        let mut merged = Merged::new(question);
        windows.iter().for_each(|window| merged.add_window(window, dimension));
        let to_s = windows[1].start_s + crate::tenants::TENANT_WINDOW_S;
        merged.report(&Names::new(0), windows[0].start_s, to_s)
    }
}
