//! Values with stable indices.

/// Values with stable indices; freed slots are used again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn add(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = Some(value);
                at
            }
            None => {
                self.slots.push(Some(value));
                self.slots.len() as u32 - 1
            }
        }
    }

    /// The value at an index that [`add`](Self::add) gave and that was not taken.
    #[inline]
    pub(crate) fn at(&mut self, at: u32) -> &mut T {
        self.slots[at as usize].as_mut().expect("indices are kept only as long as what they name")
    }

    pub(crate) fn get(&mut self, at: u32) -> Option<&mut T> {
        self.slots.get_mut(at as usize)?.as_mut()
    }

    pub(crate) fn take(&mut self, at: u32) -> Option<T> {
        let value = self.slots.get_mut(at as usize)?.take()?;
        self.free.push(at);
        Some(value)
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.slots).filter(|(_, slot)| slot.is_some()).map(|(at, _)| at)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_slots_are_used_again_and_others_keep_their_index() {
        let mut slab = Slab::default();
        let (a, b) = (slab.add('a'), slab.add('b'));
        assert_eq!((slab.take(a), slab.take(a)), (Some('a'), None));
        assert_eq!(slab.get(a), None);
        assert_eq!(slab.add('c'), a);
        assert_eq!((*slab.at(a), *slab.at(b)), ('c', 'b'));
        assert_eq!(slab.indices().collect::<Vec<_>>(), [a, b]);
        assert_eq!(slab.iter_mut().map(|value| *value).collect::<String>(), "cb");
    }
}
