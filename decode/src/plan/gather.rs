//! Records of one length on processors with AVX-512 (Ice Lake and Zen 4 on): one permutation takes the
//! bytes of eight numbers, or of four addresses, from where the template has them to where the row
//! has them, turning big-endian into little-endian on the way.
//!
//! Only what steps do without looking at the value: whole bytes of a field's only or first source.
//! The others follow as they would have. [`Step`] by step is the twin.
#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, unused, reason = "no processor can: there is no token")
)]

use archmage::prelude::*;
use neckar_proto::{Field, Flow};

use super::{Fixed, Layout as _, Op, Shape, Step};

/// Bytes of a record that can be permuted: two registers.
const RECORD_BYTES_MAX: usize = 128;
/// Bytes of a register.
const REGISTER: usize = 64;
/// Groups of eight words that a row has.
const GROUPS: usize = 16;
/// Those of them that have what all rows of a set have in common (`stamp` in `run.rs`).
const COMMON_GROUPS: usize = 2;
const _: () = assert!(
    Field::Type.slot() < 8 * COMMON_GROUPS
        && Field::TimeReceivedNs.slot() < 8 * COMMON_GROUPS
        && Field::TimeFlowStartNs.slot() < 8 * COMMON_GROUPS
        && Field::TimeFlowEndNs.slot() < 8 * COMMON_GROUPS
        && Field::SequenceNum.slot() < 8 * COMMON_GROUPS
        && Field::ObservationDomainID.slot() < 8 * COMMON_GROUPS
        && Field::SamplingRate.slot() < 8 * COMMON_GROUPS
        && Field::Etype.slot() < 8 * COMMON_GROUPS
        && Field::SamplerAddress.slot() < ADDRESSES
);
/// Addresses that lie together at the front of a row's.
const ADDRESSES: usize = 4;

/// The permutations of a template.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    /// Proof that the processor can.
    token: X64V4xToken,
    /// Groups of eight words.
    words: Box<[(usize, Pick)]>,
    addresses: Pick,
    /// Of the addresses picked, by slot; 0 for others.
    address_lens: [u8; 16],
    /// What is left to do step by step.
    pub(crate) rest: Box<[Step]>,
}

/// Which byte of the record each byte of the result is.
#[derive(Clone, Debug)]
struct Pick {
    from: [u8; REGISTER],
    /// Those that are one at all.
    picked: u64,
}

impl Pick {
    const NOTHING: Self = Self { from: [0; REGISTER], picked: 0 };

    fn set(&mut self, to: usize, from: usize) {
        self.from[to] = from as u8;
        self.picked |= 1 << to;
    }
}

impl Gather {
    /// What of `steps` can be done so, if the processor can and records are short enough.
    pub(crate) fn of(shape: &Shape, steps: &[Step]) -> Option<Self> {
        let token = X64V4xToken::summon()?;
        if !shape.is_fixed() || shape.min > RECORD_BYTES_MAX {
            return None;
        }
        let (mut groups, mut addresses) = (vec![Pick::NOTHING; GROUPS], Pick::NOTHING);
        let (mut address_lens, mut rest) = ([0; 16], Vec::new());
        for step in steps {
            let (slot, start) = (step.field.slot(), step.place.offset as usize);
            match step.op {
                Op::Word if is_whole_bytes(step) => {
                    let end = start + usize::from(step.place.width);
                    for byte in 0..step.mask.count_ones() as usize / 8 {
                        groups[slot / 8].set(slot % 8 * 8 + byte, end - 1 - byte);
                    }
                }
                Op::Address if !step.merge && slot < ADDRESSES => {
                    for byte in 0..usize::from(step.place.width) {
                        addresses.set(slot * 16 + byte, start + byte);
                    }
                    address_lens[slot] = step.place.width as u8;
                }
                _ => rest.push(*step),
            }
        }
        let used = |(group, pick): &(usize, Pick)| *group < COMMON_GROUPS || pick.picked != 0;
        let words = groups.into_iter().enumerate().filter(used).collect();
        Some(Self { token, words, addresses, address_lens, rest: rest.into() })
    }

    /// Heap bytes, about.
    pub(crate) fn cost_bytes(&self) -> usize {
        size_of::<Self>() + self.words.len() * size_of::<(usize, Pick)>() + size_of_val(&*self.rest)
    }

    /// Fills `rows` from the records at `layout`; `common` is what they have in common.
    pub(crate) fn fill(&self, common: &mut Flow, bytes: &[u8], layout: Fixed, rows: &mut [Flow]) {
        #[cfg(target_arch = "x86_64")]
        fill(self.token, self, common, bytes, layout, rows);
    }
}

/// Does the step carry whole bytes, the last ones of its place, whatever they are?
fn is_whole_bytes(step: &Step) -> bool {
    let bits = step.mask.count_ones();
    !step.merge
        && step.shift == 0
        && step.place.width <= 8
        && bits.is_multiple_of(8)
        && bits == step.mask.trailing_ones()
        && bits <= u32::from(step.place.width) * 8
}

#[cfg(target_arch = "x86_64")]
#[arcane(import_intrinsics)]
fn fill(
    _: X64V4xToken,
    gather: &Gather,
    common: &mut Flow,
    bytes: &[u8],
    layout: Fixed,
    rows: &mut [Flow],
) {
    // What is not picked from the record is what all have in common, and is put where the index
    // would be.
    let index = |pick: &Pick, common: __m512i| {
        _mm512_mask_blend_epi8(pick.picked, common, _mm512_loadu_si512(&pick.from))
    };
    let mut indices = [_mm512_setzero_si512(); GROUPS];
    for (index_of, (group, pick)) in indices.iter_mut().zip(&gather.words) {
        *index_of = index(pick, _mm512_loadu_si512(common.words_mut(*group)));
    }
    let (addresses, lens) = common.addresses_mut();
    let of_addresses = index(&gather.addresses, _mm512_loadu_si512(addresses));
    let lens: [u8; 16] = std::array::from_fn(|slot| lens[slot].max(gather.address_lens[slot]));
    for (number, row) in rows.iter_mut().enumerate() {
        let [front, back] = *record(bytes, layout.start(number, 0), &mut [0; RECORD_BYTES_MAX]);
        let (front, back) = (_mm512_loadu_si512(&front), _mm512_loadu_si512(&back));
        for ((group, pick), index) in gather.words.iter().zip(&indices) {
            let words = _mm512_mask2_permutex2var_epi8(front, *index, pick.picked, back);
            _mm512_storeu_si512(row.words_mut(*group), words);
        }
        let picked = gather.addresses.picked;
        let addresses = _mm512_mask2_permutex2var_epi8(front, of_addresses, picked, back);
        let (into, address_lens) = row.addresses_mut();
        _mm512_storeu_si512(into, addresses);
        *address_lens = lens;
    }
}

/// A record, and what lies behind it; in `room` if that is not enough bytes: the last ones of a
/// datagram.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn record<'a>(
    bytes: &'a [u8],
    start: usize,
    room: &'a mut [u8; RECORD_BYTES_MAX],
) -> &'a [[u8; REGISTER]; 2] {
    let bytes = bytes.get(start..).unwrap_or_default();
    let record = match bytes.first_chunk() {
        Some(record) => record,
        None => {
            room[..bytes.len()].copy_from_slice(bytes);
            room
        }
    };
    record.as_chunks().0.first_chunk().expect("two registers")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use archmage::{SimdToken as _, X64V4xToken};
    use neckar_proto::{Field, Rows};
    use proptest::prelude::*;

    use crate::counters::Counters;
    use crate::elements::ELEMENTS;
    use crate::message::Message;
    use crate::plan::{Anchors, Compiled, Context, Out, Plan, compile, run};
    use crate::sampling::Rates;
    use crate::template::{FieldSpec, Protocol};

    /// Any elements that say something, of any length.
    fn any_template() -> impl Strategy<Value = Vec<FieldSpec>> {
        let spec = (0..ELEMENTS.len(), prop_oneof![Just(4), Just(16), 1..20_u16]).prop_map(
            |(element, length)| FieldSpec { element: ELEMENTS[element].id, enterprise: 0, length },
        );
        proptest::collection::vec(spec, 1..20)
    }

    /// What the rows are that `plan` makes of `bytes` from `start` on, and what it counts.
    fn rows_of(plan: &Plan, bytes: &[u8], start: usize) -> (Vec<String>, Counters) {
        let header = [0, 9, 0, 1, 0, 0, 7, 0, 0x67, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6];
        let exporter = [192, 0, 2, 1].into();
        let datagram = crate::Datagram { exporter, port: 1, received_ns: 77, bytes: &header };
        let message = Message::v9(&datagram).unwrap();
        let (mut found, mut counters) = (Vec::new(), Counters::default());
        let mut note = |rows: &mut Rows| {
            for row in rows.as_slice() {
                let has = Field::all().filter(|field| row.has(*field));
                let told = has.map(|field| match field {
                    _ if field.is_word() => format!("{field:?} {:?}", row.word(field)),
                    _ if field.is_address() => format!("{field:?} {:?}", row.address(field)),
                    _ => format!("{field:?} {:?}", rows.text(row, field)),
                });
                found.push(told.collect::<Vec<_>>().join(", "));
            }
        };
        let mut out = Out {
            rows: &mut Rows::default(),
            counters: &mut counters,
            anchors: &mut Anchors::default(),
            frame: &mut neckar_proto::Flow::default(),
            common: &mut neckar_proto::Flow::default(),
            sink: &mut note,
        };
        let rates = &Rates::new(0, 100);
        let context = Context { message: &message, rates, decapsulate: false };
        run(plan, context, bytes, (start, bytes.len()), &mut out);
        out.flush();
        (found, counters)
    }

    proptest! {
        #[test]
        fn the_same_rows_as_step_by_step(
            template in any_template(),
            bytes in proptest::collection::vec(any::<u8>(), 20..900),
        ) {
            let compiled = compile(Protocol::NetflowV9, &template, false, 0);
            let Compiled::Flows(mut plan) = compiled else { return Ok(()) };
            if X64V4xToken::summon().is_none() {
                let _ = writeln!(std::io::stderr(), "SKIPPED: this processor has no AVX-512");
                return Ok(());
            }
            let together = rows_of(&plan, &bytes, 20);
            plan.gather = None;
            let (rows, counters) = rows_of(&plan, &bytes, 20);
            prop_assert_eq!(&together.0, &rows);
            prop_assert_eq!(format!("{:?}", together.1), format!("{counters:?}"));
        }
    }
}
