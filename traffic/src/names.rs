//! Texts of labels, each kept once and known by a number.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The number of a text.
pub(crate) type Name = u32;

/// The empty text.
pub(crate) const EMPTY: Name = 0;
/// What stands for texts and label sets beyond the bound.
pub(crate) const OTHER: Name = 1;

/// Bytes of a text at most: what is longer is cut. Labels of Prometheus are for people to read.
const NAME_BYTES_MAX: usize = 120;

/// A bounded set of texts.
pub(crate) struct Names {
    texts: Vec<Option<Box<str>>>,
    free: Vec<Name>,
    index: HashTable<Name>,
    hasher: DefaultHashBuilder,
    names_max: usize,
    unkept: u64,
}

impl Names {
    pub(crate) fn new(names_max: usize) -> Self {
        let mut names = Self {
            texts: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            names_max: names_max.max(2),
            unkept: 0,
        };
        names.number("");
        names.number("other");
        names
    }

    /// Bytes of memory at most, about.
    pub(crate) fn memory_bytes(names_max: usize) -> usize {
        // The text's place in a list and in a hash table, which grow by doubling.
        names_max * (NAME_BYTES_MAX + 48)
    }

    /// The text's number; [`OTHER`], counted, if it is new and there is no room.
    pub(crate) fn number(&mut self, text: &str) -> Name {
        let text = &text[..text.floor_char_boundary(NAME_BYTES_MAX)];
        let hash = self.hasher.hash_one(text);
        let texts = &self.texts;
        let same = |name: &Name| texts[*name as usize].as_deref() == Some(text);
        if let Some(name) = self.index.find(hash, same) {
            return *name;
        }
        if self.index.len() >= self.names_max {
            self.unkept += 1;
            return OTHER;
        }
        let name = self.free.pop().unwrap_or_else(|| {
            self.texts.push(None);
            self.texts.len() as Name - 1
        });
        self.texts[name as usize] = Some(text.into());
        let (texts, hasher) = (&self.texts, &self.hasher);
        let rehash = |name: &Name| hasher.hash_one(texts[*name as usize].as_deref().unwrap_or(""));
        self.index.insert_unique(hash, name, rehash);
        name
    }

    /// The text.
    #[must_use]
    pub(crate) fn text(&self, name: Name) -> &str {
        self.texts.get(name as usize).and_then(Option::as_deref).unwrap_or_default()
    }

    /// Are most of the numbers taken?
    pub(crate) fn is_crowded(&self) -> bool {
        self.index.len() > self.names_max / 2
    }

    /// How often a text found no room.
    pub(crate) fn unkept(&self) -> u64 {
        self.unkept
    }

    /// Forgets texts that are not among those `used`.
    pub(crate) fn retain(&mut self, used: impl Iterator<Item = Name>) {
        let mut is_used = vec![false; self.texts.len()];
        used.chain([EMPTY, OTHER]).for_each(|name| is_used[name as usize] = true);
        let (texts, free) = (&mut self.texts, &mut self.free);
        self.index.retain(|name| {
            let stays = is_used[*name as usize];
            if !stays {
                texts[*name as usize] = None;
                free.push(*name);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_come_free() {
        let mut names = Names::new(4);
        let (one, two) = (names.number("one"), names.number("two"));
        assert_eq!((names.number("one"), names.text(two)), (one, "two"));
        assert_eq!((names.number("three"), names.unkept()), (OTHER, 1), "four are taken");
        names.retain([two].into_iter());
        let three = names.number("three");
        assert_eq!((three, names.text(three), names.text(two)), (one, "three", "two"));
        assert_eq!((names.number(""), names.number("other")), (EMPTY, OTHER));
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let mut names = Names::new(9);
        let name = names.number(&"ä".repeat(100));
        assert_eq!(names.text(name), "ä".repeat(60));
    }
}
