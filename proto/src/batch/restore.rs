//! A batch put together again from what [`Batch::delimited`], [`Batch::facts`] and [`Batch::key`] gave:
//! how a spool on disk hands back the very batch it was given.
//!
//! Where each flow ends is not stored, since every flow stands behind its length. The parts may
//! come from a damaged file, so nothing here trusts them. Costs a copy of the bytes and no
//! allocation once the batch is as large as the largest it takes.

use super::{
    Batch, Facts, HEADROOM_BYTES, Key, Keying, LENGTH_BYTES_MAX, Layout, Place, varint_bytes,
};

impl Batch {
    /// Forgets its flows and takes these: `bytes` as of [`Batch::delimited`], one of `facts` for each
    /// flow, and one of `keys` for each flow unless `keying` is [`Keying::None`], which the batch
    /// keeps from here on. It grows if it is smaller than they are.
    ///
    /// `false`, and the batch is empty, if the parts do not fit each other.
    #[must_use]
    pub fn restore<'key>(
        &mut self,
        keying: Keying,
        opened_ns: u64,
        bytes: &[u8],
        facts: impl Iterator<Item = Facts>,
        keys: impl Iterator<Item = &'key [u8]>,
    ) -> bool {
        self.clear();
        (self.layout, self.keying) = (Layout::Delimited, keying);
        self.facts.extend(facts);
        if keying != Keying::None {
            self.keys.extend(keys.map_while(stored_key));
        }
        let keys = if keying == Keying::None { 0 } else { self.facts.len() };
        if !self.restore_bytes(bytes)
            || self.places.len() != self.facts.len()
            || self.keys.len() != keys
        {
            self.clear();
            return false;
        }
        self.opened_ns = opened_ns;
        true
    }

    fn restore_bytes(&mut self, bytes: &[u8]) -> bool {
        if u32::try_from(bytes.len().saturating_add(HEADROOM_BYTES)).is_err() {
            return false;
        }
        if self.bytes.len() < bytes.len() {
            self.bytes = vec![0; bytes.len() + HEADROOM_BYTES];
        }
        let mut at = 0;
        while at < bytes.len() {
            let Some((length, length_bytes)) = length_at(&bytes[at..]) else { return false };
            let start = at + length_bytes;
            at = start + length;
            if at > bytes.len() {
                return false;
            }
            self.places.push(Place { start: start as u32, end: at as u32 });
        }
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.len = bytes.len();
        true
    }
}

fn stored_key(given: &[u8]) -> Option<Key> {
    let mut bytes = [0; 16];
    bytes.get_mut(..given.len())?.copy_from_slice(given);
    Some(Key { bytes, len: given.len() as u8 })
}

/// The length at the start and how many bytes it takes; only the shortest form is one of ours,
/// since where a flow begins is told from its own length.
fn length_at(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (varint_bytes(length) == index + 1).then_some((length, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::BWNETFLOW;
    use crate::field::Field;
    use crate::flow::Flow;

    fn filled(keying: Keying, flows: u64) -> Batch {
        let mut batch = Batch::with_capacity(64, 1 << 20).keyed(keying);
        batch.set_opened_ns(77);
        for index in 0..flows {
            let mut flow = Flow::default();
            flow.set(Field::Cid, index);
            flow.set(Field::Bytes, index << 40);
            // Labels of many lengths: lengths of one, two and three bytes.
            let label = vec![0; (index * index * 30) as usize];
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[&label]));
        }
        batch
    }

    fn restored(of: &Batch, bytes: &[u8]) -> Option<Batch> {
        let mut batch = Batch::with_capacity(1, 16);
        let keys = (0..of.len()).map(|index| of.key(index));
        let facts = of.facts().iter().copied();
        batch.restore(of.keying(), of.opened_ns(), bytes, facts, keys).then_some(batch)
    }

    #[test]
    fn a_batch_comes_back_as_it_was() {
        for keying in [Keying::None, Keying::Exporter, Keying::Flow, Keying::Customer] {
            let batch = filled(keying, 26);
            let back = restored(&batch, batch.bytes()).expect("its own parts fit");
            assert_eq!(back.bytes(), batch.bytes());
            assert_eq!(back.facts(), batch.facts());
            assert_eq!((back.opened_ns(), back.keying()), (77, keying));
            for index in 0..batch.len() {
                assert_eq!(back.flow(index), batch.flow(index));
                assert_eq!(back.key(index), batch.key(index));
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let batch = filled(Keying::Customer, 3);
        assert!(restored(&batch, &batch.bytes()[..batch.bytes().len() - 1]).is_none(), "cut");
        assert!(restored(&batch, &[]).is_none(), "more facts than flows");
        assert!(restored(&batch, &[0x80, 0x00, 0, 0]).is_none(), "a length with a needless byte");
        assert!(restored(&batch, &[0xff; 16]).is_none(), "a length without an end");
    }
}
