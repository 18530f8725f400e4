//! Which partition a key belongs to: as Java's producers and librdkafka's `murmur2_random` choose,
//! so that whoever produces with the same key meets us there.

use neckar_proto::Batch;

/// The partition of a key among so many; 0 if there are none.
pub(crate) fn partition_of(key: &[u8], partitions: u32) -> i32 {
    // Java takes the sign off, not the absolute value.
    let positive = murmur2(key) & 0x7fff_ffff;
    positive.checked_rem(partitions).unwrap_or(0) as i32
}

/// Notes each flow at the partition of its key.
pub(crate) fn sort_by_key(
    batch: &Batch,
    flows: impl Iterator<Item = u32>,
    partitions: u32,
    places: &mut Vec<Vec<u32>>,
) {
    places.resize_with(partitions as usize, Vec::new);
    places.iter_mut().for_each(Vec::clear);
    for flow in flows {
        let place = partition_of(batch.key(flow as usize), partitions);
        places[place as usize].push(flow);
    }
}

/// Austin Appleby's MurmurHash2 with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MIX: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MIX);
        word = (word ^ word >> 24).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ word;
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(MIX);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(MIX);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java's `Utils.murmur2` answers.
    #[test]
    fn known_answers_of_java() {
        let cases: [(&[u8], i32); 4] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"abc", 479_470_107),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key) as i32, expected, "{key:?}");
        }
    }

    #[test]
    fn every_partition_has_its_share() {
        let mut counts = [0; 7];
        for key in 0..7000_u32 {
            counts[partition_of(&key.to_be_bytes(), 7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert_eq!(partition_of(b"any", 0), 0);
    }
}
