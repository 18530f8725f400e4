//! The flows of the last minutes as they were encoded, for people who search: bounded in bytes. While they
//! fit, all of them are there; when more come, the older seconds are thinned, by chance and each once.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::random::Random;

/// The flows of one second of receipt.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// Unix seconds.
    pub at_s: u64,
    /// Flows that there were.
    pub seen: u64,
    /// Those of them that are here.
    pub kept: u64,
    /// Messages back to back, each behind its length: four bytes, little-endian. In pieces, so that a second
    /// that is not over is copied at the price of its last.
    pieces: Vec<Arc<Vec<u8>>>,
    last: Vec<u8>,
    /// Of all pieces, and what is used of the last.
    bytes: usize,
}

/// Bytes of a piece at most, unless a message alone has more.
const PIECE_BYTES: usize = 64 << 10;

/// The messages of a piece.
fn messages(mut piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, after) = piece.split_first_chunk::<4>()?;
        let (message, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        piece = after;
        Some(message)
    })
}

impl Second {
    /// The messages, the oldest first.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.pieces.iter().map(|piece| piece.as_slice());
        pieces.chain([self.last.as_slice()]).flat_map(messages)
    }

    /// One with about so many of its bytes left.
    fn thinned(&self, bytes: usize, random: &mut Random) -> Self {
        let share = bytes as f64 / self.bytes as f64;
        let mut thinned = Self { at_s: self.at_s, seen: self.seen, ..Self::default() };
        for message in self.messages() {
            if random.unit() < share {
                thinned.push(message);
            }
        }
        thinned.shrink();
        thinned
    }

    fn push(&mut self, message: &[u8]) {
        let len = message.len() + 4;
        if self.last.len() + len > self.last.capacity() {
            self.begin_piece(len);
        }
        self.kept += 1;
        self.bytes += len;
        self.last.extend_from_slice(&(message.len() as u32).to_le_bytes());
        self.last.extend_from_slice(message);
    }

    /// All of a piece at once: one that grows is copied, and the kernel clears pages for each of its sizes.
    #[cold]
    fn begin_piece(&mut self, len: usize) {
        let fresh = Vec::with_capacity(len.max(PIECE_BYTES));
        let full = std::mem::replace(&mut self.last, fresh);
        if !full.is_empty() {
            // What is left of it is nobody's, but it is there.
            self.bytes += full.capacity() - full.len();
            self.pieces.push(Arc::new(full));
        }
    }

    /// Takes no more memory than it has bytes: no message is to come.
    fn shrink(&mut self) {
        self.last.shrink_to_fit();
        self.pieces.shrink_to_fit();
    }
}

/// How long flows are kept at most.
pub const RECENT_S: u64 = 600;
/// Part of the whole that a single second may take, so that a burst does not drive all else out.
const BURST: usize = 20;
/// Part of the whole that all seconds would take if each of them were thinned.
const THINNED: usize = 2;

/// The flows of the last [`RECENT_S`] seconds, or as many of them as fit.
pub struct Recent {
    over: VecDeque<Arc<Second>>,
    /// So many of them, the oldest, have been looked at and are as thin as they should be.
    thin: usize,
    current: Second,
    /// Of the seconds that are over.
    bytes: usize,
    bytes_max: usize,
    random: Random,
    /// The probability that a flow is kept.
    share: f64,
}

impl Recent {
    /// In `bytes_max` bytes; 0 keeps nothing.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            over: VecDeque::new(),
            thin: 0,
            current: Second::default(),
            bytes: 0,
            bytes_max,
            random: Random::new(0x2545_f491_4f6c_dd1d),
            share: 1.0,
        }
    }

    /// Bytes of memory at most, about.
    pub(crate) fn memory_bytes(bytes_max: usize) -> usize {
        // A search of two seconds holds what has been forgotten since it began.
        let held = 3 * (bytes_max / BURST);
        let seconds = RECENT_S as usize * size_of::<Second>();
        bytes_max + held + seconds + 2 * PIECE_BYTES
    }

    /// Begins a new second if it is one.
    pub(crate) fn advance(&mut self, now_s: u64) {
        if now_s == self.current.at_s {
            return;
        }
        let mut over =
            std::mem::replace(&mut self.current, Second { at_s: now_s, ..Second::default() });
        self.share = self.next_share(&over);
        if over.seen > 0 {
            over.shrink();
            self.bytes += over.bytes;
            self.over.push_back(Arc::new(over));
        }
        // Either way: what lies so far ahead of a clock that was set back would never be old.
        while self.over.front().is_some_and(|oldest| oldest.at_s.abs_diff(now_s) >= RECENT_S) {
            self.forget_oldest();
        }
        while self.bytes > self.bytes_max - self.bytes_max / BURST {
            if self.thin < self.over.len() {
                self.thin_next();
            } else {
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.over.pop_front() {
            self.bytes -= oldest.bytes;
            self.thin = self.thin.saturating_sub(1);
        }
    }

    fn thin_next(&mut self) {
        let bytes_max = self.bytes_max / THINNED / RECENT_S as usize;
        let second = &mut self.over[self.thin];
        self.thin += 1;
        if second.bytes > bytes_max {
            self.bytes -= second.bytes;
            *second = Arc::new(second.thinned(bytes_max, &mut self.random));
            self.bytes += second.bytes;
        }
    }

    /// As many as a second may have, if the next is like this one: evenly over it, not the first ones.
    fn next_share(&self, over: &Second) -> f64 {
        if over.kept == 0 {
            return 1.0;
        }
        let whole = over.bytes as f64 / over.kept as f64 * over.seen as f64;
        (self.bytes_max as f64 / BURST as f64 / whole * 0.9).min(1.0)
    }

    #[inline]
    pub(crate) fn add(&mut self, message: &[u8]) {
        self.current.seen += 1;
        let is_wanted = self.share >= 1.0 || self.random.unit() < self.share;
        let room = self.bytes_max / BURST;
        if is_wanted && self.current.bytes + message.len() + 4 <= room {
            self.current.push(message);
        }
    }

    /// The seconds from `since_s` on, the newest first.
    #[must_use]
    pub fn since(&self, since_s: u64) -> Vec<Arc<Second>> {
        let current = Arc::new(self.current.clone());
        let over = self.over.iter().rev().cloned();
        let seconds = std::iter::once(current).filter(|second| second.seen > 0).chain(over);
        seconds.take_while(|second| second.at_s >= since_s).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u32) -> Vec<u8> {
        vec![number as u8; 96]
    }

    #[test]
    fn what_fits_is_all_there() {
        let mut recent = Recent::new(1 << 20);
        for second in 100..110 {
            recent.advance(second);
            (0..10).for_each(|number| recent.add(&message(number)));
        }
        let seconds = recent.since(105);
        assert_eq!(
            seconds.iter().map(|one| one.at_s).collect::<Vec<_>>(),
            [109, 108, 107, 106, 105]
        );
        for second in &seconds {
            assert_eq!((second.seen, second.kept), (10, 10));
            let messages: Vec<Vec<u8>> = second.messages().map(<[u8]>::to_vec).collect();
            assert_eq!(messages, (0..10).map(message).collect::<Vec<_>>());
        }
        recent.advance(109 + RECENT_S);
        assert_eq!(recent.since(0).len(), 0, "too old, all of them");
    }

    #[test]
    fn what_lies_ahead_of_a_clock_that_was_set_back_goes() {
        let mut recent = Recent::new(1 << 20);
        for second in [9000, 9001, 1800, 1801] {
            recent.advance(second);
            recent.add(&message(1));
        }
        let found = recent.since(0);
        assert_eq!(found.iter().map(|one| one.at_s).collect::<Vec<_>>(), [1801, 1800]);
    }

    /// A hundred times more than fits: the bytes hold, what is old is thin, what is new is whole.
    #[test]
    fn what_does_not_fit_is_thinned() {
        let bytes_max = 600_000;
        let mut recent = Recent::new(bytes_max);
        for second in 1..=2000 {
            recent.advance(second);
            (0..1000).for_each(|number| recent.add(&message(number)));
        }
        let seconds = recent.since(0);
        let kept: u64 = seconds.iter().map(|second| second.kept).sum();
        let bytes: usize = seconds.iter().map(|second| second.bytes).sum();
        assert!(bytes <= bytes_max && kept > 4000, "{kept} flows in {bytes} bytes");
        assert!(seconds.len() > 450, "{} seconds", seconds.len());
        assert!(seconds.iter().all(|second| second.seen == 1000));
        let (newest, older) = seconds.split_first().expect("some");
        assert!(
            (200..=300).contains(&newest.kept),
            "as many as a second may have: {}",
            newest.kept
        );
        assert!(older.iter().skip(20).all(|second| second.kept < 20));
    }

    /// What is over, and what is thinned, has no room to spare that is not counted.
    #[test]
    fn what_is_kept_takes_no_more_memory_than_it_has_bytes() {
        let mut recent = Recent::new(20_000_000);
        recent.advance(1);
        (0..5000).for_each(|number| recent.add(&message(number)));
        let current = recent.since(0).remove(0);
        assert!(current.pieces.len() > 5, "what is copied of it is the last piece");
        assert!(Arc::ptr_eq(&current.pieces[0], &recent.current.pieces[0]));
        assert_eq!(current.messages().count(), 5000);
        recent.advance(2);
        recent.thin_next();
        for second in [&current.thinned(1000, &mut Random::new(1)), &*recent.over[0]] {
            let pieces = second.pieces.iter().map(|piece| &**piece).chain([&second.last]);
            let room: usize = pieces.map(Vec::capacity).sum();
            assert_eq!((room, second.pieces.capacity()), (second.bytes, second.pieces.len()));
            assert_eq!(second.messages().count() as u64, second.kept);
        }
    }

    #[test]
    fn a_burst_is_cut() {
        let mut recent = Recent::new(100_000);
        recent.advance(1);
        (0..10_000).for_each(|number| recent.add(&message(number)));
        let seconds = recent.since(0);
        assert_eq!((seconds[0].seen, seconds[0].kept), (10_000, 50));
    }
}
