//! Encoded labels one behind the other, each once, copied out in steps of fixed size.

use hashbrown::HashMap;

/// Bytes copied at a time, whatever counts of them: two moves of a vector register instead of a
/// call.
pub(crate) const STEP: usize = 32;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Where a label lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

/// The bytes. Behind the last label lies a step of zeros.
#[derive(Debug)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    /// Appends `span` to `out` at `at`; returns where the next goes. `out` has a [`STEP`] of room
    /// behind it.
    #[inline(always)]
    pub(crate) fn copy(&self, span: Span, out: &mut [u8], at: usize) -> usize {
        let (from, len) = (span.at as usize, span.len as usize);
        let mut done = 0;
        while done < len {
            out[at + done..at + done + STEP]
                .copy_from_slice(&self.bytes[from + done..from + done + STEP]);
            done += STEP;
        }
        at + len
    }

    /// Loads the first and the last byte of `span`: most spans lie in two cache lines at most.
    #[inline(always)]
    pub(crate) fn touch(&self, span: Span) -> u8 {
        let last = (span.at + span.len) as usize;
        self.bytes[span.at as usize] ^ self.bytes[last.saturating_sub(1)]
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len()
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        &self.bytes[span.at as usize..][..span.len as usize]
    }
}

/// An arena that is being filled.
#[derive(Debug, Default)]
pub(crate) struct ArenaBuilder {
    bytes: Vec<u8>,
    known: HashMap<Box<[u8]>, u32>,
}

impl ArenaBuilder {
    /// Puts `label` in, if it is not there yet. `None` if 4 GiB are full.
    pub(crate) fn put(&mut self, label: &[u8]) -> Option<Span> {
        let len = u32::try_from(label.len()).ok()?;
        if let Some(at) = self.known.get(label) {
            return Some(Span { at: *at, len });
        }
        let at = u32::try_from(self.place_for(label.len())).ok()?;
        at.checked_add(len)?;
        self.bytes.resize(at as usize, 0);
        self.bytes.extend_from_slice(label);
        self.known.insert(label.into(), at);
        Some(Span { at, len })
    }

    /// Behind the others, or where the next cache line begins, if it would else lie in two and one will
    /// do: most labels are met out of the caches, and each line is waited for.
    fn place_for(&self, len: usize) -> usize {
        let at = self.bytes.len();
        let is_across = at % LINE + len > LINE;
        if is_across && len <= LINE { at.next_multiple_of(LINE) } else { at }
    }

    pub(crate) fn finish(mut self) -> Arena {
        self.bytes.resize(self.bytes.len() + STEP, 0);
        self.bytes.shrink_to_fit();
        Arena { bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_out_as_they_went_in() {
        let mut builder = ArenaBuilder::default();
        let labels: Vec<Vec<u8>> =
            [0, 1, 31, 32, 33, 64, 100].map(|len| vec![len; len.into()]).into();
        let spans: Vec<Span> =
            labels.iter().map(|label| builder.put(label).expect("small")).collect();
        assert_eq!(builder.put(&labels[3]), Some(spans[3]));
        // 0 and 1 bytes, then 31 and 32, lie in one line each; longer ones begin behind what is there.
        let places: Vec<u32> = spans.iter().map(|span| span.at).collect();
        assert_eq!(places, [0, 0, 1, 32, 64, 128, 192]);
        let arena = builder.finish();
        let mut out = vec![0xee; 300 + STEP];
        let mut at = 0;
        for (label, span) in labels.iter().zip(&spans) {
            let start = at;
            at = arena.copy(*span, &mut out, at);
            assert_eq!(&out[start..at], label);
            assert_eq!(arena.bytes(*span), label);
        }
    }
}
