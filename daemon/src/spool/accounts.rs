//! What a spool counts.

/// Counts since the spool was opened, and what it holds now. Always
/// `carried_in + written = delivered + shed + damaged + spooled`, and what was given to
/// [`super::Spool::append`] is `written + refused`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Bytes of the segments on disk.
    pub bytes: u64,
    /// Less than a segment is free: full, or as good as.
    pub is_full: bool,
    /// The last batch found no room, or only at the cost of older ones: the disk is full or fails,
    /// however much it may hold.
    pub is_refusing: bool,
    /// Batches that wait or are out.
    pub batches: u64,
    /// Flows that wait or are out.
    pub spooled_flows: u64,
    /// When the first flow of the oldest batch came, Unix ms; if none is out, not later than this
    /// by more than a segment took to fill. `None` if nothing waits.
    pub oldest_ms: Option<u64>,
    /// Flows an earlier process left, those included that its end has damaged.
    pub carried_in_flows: u64,
    /// Flows appended.
    pub written_flows: u64,
    /// Flows given to append and not written: full, or the disk failed.
    pub refused_flows: u64,
    /// Flows done.
    pub delivered_flows: u64,
    /// Flows given up to make room.
    pub shed_flows: u64,
    /// Flows that cannot be read any more.
    pub damaged_flows: u64,
    /// Records that cannot be read any more.
    pub damaged_records: u64,
    /// Calls of the operating system that failed where the spool went on.
    pub io_errors: u64,
    /// Segments that could not be read at all at the start and were set aside.
    pub segments_aside: u64,
    /// When the first flow of the batch read last came.
    pub(super) oldest_read_ms: u64,
}
