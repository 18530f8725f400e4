//! Sampled packets inside records (104, 313, 314, 315), parsed like an sFlow header.

use super::{Frame, Layout, Out};

/// Merges what the packet in `frame` says into the rows from `from` on.
pub(crate) fn merge<L: Layout>(
    _frame: &Frame,
    _decapsulate: bool,
    _bytes: &[u8],
    _layout: L,
    _from: usize,
    _out: &mut Out<'_>,
) {
}
