//! Numbers of texts by what they are written from, so that a flow's labels are numbers at once.
//!
//! Only a short cut: whatever is not here is written again and looked up among the texts.

use std::hash::{BuildHasher as _, Hash};

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::flowdata::{KINDS, LABELS, Label};
use crate::label_set::LabelSet;
use crate::names::Name;

/// Texts of each kind that are remembered; more, and all of the kind are forgotten.
const WRITTEN_MAX: usize = 1 << 15;

/// What has been written.
pub(crate) struct Written {
    routers: HashMap<u128, Name>,
    /// By a hash of the text under a key of ours.
    peers: HashMap<u64, Name>,
    hasher: DefaultHashBuilder,
    kinds: [Option<LabelSet>; KINDS],
    /// By label.
    numbers: [ByNumber; LABELS],
}

impl Default for Written {
    fn default() -> Self {
        Self {
            routers: HashMap::new(),
            peers: HashMap::new(),
            hasher: DefaultHashBuilder::default(),
            kinds: [None; KINDS],
            numbers: std::array::from_fn(|_| ByNumber::default()),
        }
    }
}

impl Written {
    /// Bytes of memory at most, about.
    pub(crate) const MEMORY_BYTES: usize = {
        let of_numbers = WRITTEN_MAX * size_of::<(u32, Name)>() + SMALL * size_of::<Name>();
        let of_others = size_of::<(u128, Name)>() + size_of::<(u64, Name)>();
        2 * (WRITTEN_MAX * of_others + LABELS * of_numbers)
    };

    /// The number of a router's text; `write` tells it if it is new.
    #[inline]
    pub(crate) fn router(&mut self, address: u128, write: impl FnOnce() -> Name) -> Name {
        remembered(&mut self.routers, address, write)
    }

    /// The same of a peer's text.
    #[inline]
    pub(crate) fn peer(&mut self, peer: &[u8], write: impl FnOnce() -> Name) -> Name {
        remembered(&mut self.peers, self.hasher.hash_one(peer), write)
    }

    /// The labels of a kind of flows.
    #[inline]
    pub(crate) fn kind(&mut self, kind: usize, write: impl FnOnce() -> LabelSet) -> LabelSet {
        *self.kinds[kind].get_or_insert_with(write)
    }

    /// The same of a label that is written from a number.
    #[inline]
    pub(crate) fn number(
        &mut self,
        label: Label,
        number: u32,
        write: impl FnOnce() -> Name,
    ) -> Name {
        self.numbers[label as usize].get(number, write)
    }
}

#[inline]
fn remembered<K: Eq + Hash>(
    known: &mut HashMap<K, Name>,
    key: K,
    write: impl FnOnce() -> Name,
) -> Name {
    if known.len() >= WRITTEN_MAX {
        known.clear();
    }
    *known.entry(key).or_insert_with(write)
}

/// Numbers below this have a place of their own: all protocols and countries, many customers.
const SMALL: usize = 1024;
/// No text has this number.
const UNWRITTEN: Name = Name::MAX;

struct ByNumber {
    small: Box<[Name; SMALL]>,
    others: HashMap<u32, Name>,
}

impl Default for ByNumber {
    fn default() -> Self {
        Self { small: Box::new([UNWRITTEN; SMALL]), others: HashMap::new() }
    }
}

impl ByNumber {
    #[inline]
    fn get(&mut self, number: u32, write: impl FnOnce() -> Name) -> Name {
        let Some(small) = self.small.get_mut(number as usize) else {
            return remembered(&mut self.others, number, write);
        };
        if *small == UNWRITTEN {
            *small = write();
        }
        *small
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_written_again() {
        let mut written = Written::default();
        for number in [0, 7, 1023, 1024, u32::MAX] {
            assert_eq!(written.number(Label::Cid, number, || 5), 5);
            assert_eq!(written.number(Label::Cid, number, || unreachable!("{number}")), 5);
            assert_eq!(written.number(Label::RemoteAs, number, || 6), 6, "another label");
        }
        assert_eq!((written.router(1, || 2), written.router(1, || 3)), (2, 2));
        assert_eq!((written.peer(b"x", || 2), written.peer(b"y", || 3)), (2, 3));
    }

    #[test]
    fn memory_is_bounded() {
        let mut written = Written::default();
        for number in 0..3 * WRITTEN_MAX as u32 {
            written.number(Label::RemoteAs, number, || number);
        }
        assert!(written.numbers[Label::RemoteAs as usize].others.len() <= WRITTEN_MAX);
    }
}
