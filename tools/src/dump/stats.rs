//! What was counted: `flows = printed + filtered + beyond` the count that was asked for.

/// Counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Records read.
    pub(super) records: u64,
    /// Flows in them.
    pub(super) flows: u64,
    /// Flows printed.
    pub(super) printed: u64,
    /// Flows that the filter does not match.
    pub(super) filtered: u64,
    /// Flows that match and stand in the record that filled `--count`.
    pub(super) beyond: u64,
    /// Records that are no flows.
    pub(super) malformed: u64,
    /// Where the first of those is: partition, offset, byte.
    first_malformed: Option<(i32, i64, usize)>,
}

impl Counts {
    pub(super) fn malformed(&mut self, partition: i32, offset: i64, byte: usize) {
        self.malformed += 1;
        self.first_malformed.get_or_insert((partition, offset, byte));
    }

    fn json(&self) -> String {
        let Self { records, flows, printed, filtered, beyond, malformed, .. } = self;
        format!(
            "{{\"records\":{records},\"flows\":{flows},\"printed\":{printed},\"filtered\":{filtered},\
             \"beyond\":{beyond},\"malformed\":{malformed}}}"
        )
    }
}

/// Tells of records that were passed over, and of everything if `all`.
pub(super) fn say(counts: &Counts, all: bool) {
    if let Some((partition, offset, byte)) = counts.first_malformed {
        eprintln!(
            "neckar: {} records are no flows; the first is partition {partition} offset {offset}, at byte {byte}",
            counts.malformed
        );
    }
    if all {
        eprintln!("{}", counts.json());
    }
}
