use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

#[path = "../../../tests/conformance/wire.rs"]
#[allow(dead_code, reason = "shared with the conformance tests, which use more of it")]
mod wire;
use wire::{
    Spec, VARIABLE, Wire, message as whole, options, record, reverse, set, spec, template,
    withdrawal,
};

type Body = fn(&[u8]);
const TARGETS: [(&str, Body); 4] =
    [("netflow5", netflow5), ("netflow9", netflow9), ("ipfix", ipfix), ("stateful", stateful)];

/// Layouts that reach every step of the plan.
fn layouts() -> Vec<Vec<Spec>> {
    vec![
        vec![spec(8, 4), spec(12, 4), spec(7, 2), spec(11, 2), spec(4, 1), spec(1, 4), spec(2, 8)],
        vec![spec(8, 4), spec(27, 16), spec(28, 16), spec(12, 4), spec(9, 1), spec(30, 1)],
        vec![spec(371, VARIABLE), spec(12, 4), spec(236, 9), spec(95, VARIABLE)],
        vec![spec(1, 4), spec(23, 8), spec(85, 4), spec(231, 4), spec(232, 4), spec(299, 1)],
        vec![
            spec(8, 4),
            spec(12, 4),
            spec(2, 4),
            reverse(2, 4),
            reverse(1, VARIABLE),
            reverse(6, 1),
        ],
        vec![spec(22, 4), spec(21, 4), spec(160, 8), spec(154, 8), spec(157, 8), spec(158, 4)],
        vec![spec(70, 3), spec(71, 3), spec(79, 4), spec(312, 2), spec(315, VARIABLE)],
        vec![spec(104, 60), spec(34, 4), spec(48, 2), spec(305, 4), spec(306, 4)],
        vec![spec(7, VARIABLE), spec(182, 2), spec(60, 1), spec(256, 2), spec(10, 0)],
        vec![spec(82, VARIABLE)],
        vec![spec(8, 0), spec(12, 0)],
    ]
}

/// The sets of a message: templates, then data of each.
fn sets(wire: Wire) -> Vec<Vec<u8>> {
    let mut sets = Vec::new();
    for (id, fields) in (300..).zip(layouts()) {
        let plain: Vec<Spec> = match wire {
            Wire::Ipfix => fields,
            Wire::V9 => fields.into_iter().filter(|field| field.enterprise == 0).collect(),
        };
        sets.push(template(wire, id, &plain));
        let values = |seed: u8| -> Vec<Vec<u8>> {
            let length = |field: &Spec| {
                if field.length == VARIABLE { seed.into() } else { field.length.into() }
            };
            plain.iter().map(|field| vec![seed; length(field)]).collect()
        };
        let records: Vec<u8> =
            (0..4).flat_map(|seed| record(&plain, &values(seed), seed == 3)).collect();
        sets.push(set(id, &records));
    }
    sets.push(options(
        wire,
        400,
        &[spec(if wire == Wire::V9 { 1 } else { 149 }, 4)],
        &[spec(34, 4)],
    ));
    sets.push(set(400, &[0, 0, 0, 1, 0, 0, 1, 0]));
    sets.push(options(wire, 401, &[spec(302, 1)], &[spec(335, VARIABLE), spec(50, 3)]));
    sets.push(set(401, &[7, 1, b'x', 0, 1, 0]));
    if wire == Wire::Ipfix {
        sets.extend([withdrawal(2, 300), withdrawal(3, 3), withdrawal(2, 2)]);
    }
    sets
}

fn v5(count: u8, records: usize) -> Vec<u8> {
    let mut bytes = vec![0, count];
    bytes.resize(22, 3);
    bytes.extend((0..48 * records).map(|at| at as u8));
    bytes
}

/// A step of a story.
fn step(action: u8, body: &[u8]) -> Vec<u8> {
    let mut step = vec![action, body.len().min(255) as u8];
    step.extend(&body[..body.len().min(255)]);
    step
}

/// Seeds made by us, for a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let behind_version = |wire| -> Vec<Vec<u8>> {
        let sets = sets(wire);
        let pairs = sets.chunks(2).map(|pair| whole(wire, wire::HEADER, pair)[2..].to_vec());
        // The data first, and everything at once.
        let swapped = sets.chunks(2).map(|pair| {
            let mut pair = pair.to_vec();
            pair.reverse();
            whole(wire, wire::HEADER, &pair)[2..].to_vec()
        });
        let all = whole(wire, wire::HEADER, &sets)[2..].to_vec();
        pairs.chain(swapped).chain([all]).collect()
    };
    match target {
        "netflow5" => vec![v5(0, 0), v5(1, 1), v5(3, 1), v5(30, 30), v5(200, 2), v5(1, 0)],
        "netflow9" => behind_version(Wire::V9),
        "ipfix" => behind_version(Wire::Ipfix),
        _ => stories(),
    }
}

fn stories() -> Vec<Vec<u8>> {
    let (v9, ipfix) = (sets(Wire::V9), sets(Wire::Ipfix));
    let mut stories = Vec::new();
    for (action, sets) in [(0x00, &v9), (0x20, &ipfix)] {
        // Data, time, template on the other worker, time, data; each exporter and domain.
        for (index, pair) in sets.chunks(2).filter(|pair| pair.len() == 2).enumerate() {
            let who = action | (index as u8 & 3) << 1 | (index as u8 & 1) << 3;
            stories.push(
                [
                    step(who, &pair[1]),
                    step(0x50, &[5]),
                    step(who | 1, &pair[0]),
                    step(0x50, &[1]),
                    step(who, &pair[1]),
                    step(0x70, &[]),
                    step(who | 1, &pair[1]),
                    step(0x50, &[200]),
                    step(who, &pair[1]),
                ]
                .concat(),
            );
        }
    }
    stories.push(stories.concat());
    stories
}

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

/// Writes the seeds where the fuzzer looks for them: `cargo test -p neckar-decode -- --ignored
/// seeds`.
#[test]
#[ignore = "writes files; only when the seeds changed"]
fn write_the_seeds() {
    for (target, _) in TARGETS {
        std::fs::create_dir_all(corpus(target)).unwrap();
        for (index, seed) in seeds(target).iter().enumerate() {
            std::fs::write(corpus(target).join(format!("seed-{index:02}")), seed).unwrap();
        }
    }
}

#[test]
fn the_corpus_holds() {
    for (target, body) in TARGETS {
        let files: Vec<_> =
            std::fs::read_dir(corpus(target)).unwrap().map(Result::unwrap).collect();
        assert!(files.len() >= seeds(target).len(), "{target}: run write_the_seeds");
        // Miri takes seconds for what takes microseconds.
        let taken = if cfg!(miri) { 2 } else { usize::MAX };
        for file in files.into_iter().take(taken) {
            body(&std::fs::read(file.path()).unwrap());
        }
    }
}

/// The seeds reach what they are for.
#[test]
fn the_seeds_decode() {
    for (version, target) in [(9, "netflow9"), (10, "ipfix")] {
        let mut bench = Bench::new(Config::default(), 1);
        let all = seeds(target).pop().unwrap();
        let whole = [&[0, version][..], &all].concat();
        bench.feed(0, 1, &whole);
        let counters = bench.decoders[0].counters();
        assert!(counters.flows > 30 && counters.reverse_flows > 2, "{counters:?}");
        assert!(counters.options_records == 2 && counters.templates > 9, "{counters:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_hold(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for (_, body) in TARGETS {
            body(&bytes);
        }
    }

    /// Seeds with a few bytes changed, cut or doubled: nearly right is the hardest.
    #[test]
    fn changed_seeds_hold(
        target in 0..4_usize,
        seed in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let (name, body) = TARGETS[target];
        let seeds = seeds(name);
        let mut bytes = seed.get(&seeds).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        body(&bytes);
    }
}
