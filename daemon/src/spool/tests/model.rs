//! The spool beside a queue in memory, under any order of calls, restarts and crashes.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Next,
    Done(usize),
    Tend,
    Close,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..9).prop_map(Step::Append),
        5 => Just(Step::Next),
        4 => any::<usize>().prop_map(Step::Done),
        1 => Just(Step::Tend),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
    ]
}

/// A queue that does the same, slowly and in the open.
#[derive(Default)]
struct Twin {
    /// Id and flows of what waits, by id.
    waiting: VecDeque<(u64, u64)>,
    out: Vec<(Ticket, (u64, u64))>,
    /// Since the cursor was kept, which a crash may bring again.
    delivered: BTreeMap<u64, u64>,
}

impl Twin {
    fn put_back(&mut self, entry: (u64, u64)) {
        let at = self.waiting.partition_point(|waiting| waiting.0 < entry.0);
        self.waiting.insert(at, entry);
    }

    fn flows(&self) -> u64 {
        let out = self.out.iter().map(|(_, entry)| entry);
        self.waiting.iter().chain(out).map(|(_, flows)| flows).sum()
    }

    /// All that is out waits again; of what was delivered, the youngest run may too.
    fn restart(&mut self, found: &Found) {
        for (_, entry) in std::mem::take(&mut self.out) {
            self.put_back(entry);
        }
        let delivered: Vec<(u64, u64)> = std::mem::take(&mut self.delivered).into_iter().collect();
        for entry in delivered.into_iter().rev() {
            if self.flows() >= found.flows {
                break;
            }
            self.put_back(entry);
        }
        assert_eq!(self.flows(), found.flows, "only delivered batches come again, none is lost");
    }
}

fn run(steps: &[Step]) {
    let scratch = Scratch::new();
    let limits = Limits { segment_bytes: 700, ..LIMITS };
    let (mut spool, _) = open(&scratch.0, limits);
    let (mut twin, mut back, mut now_ms, mut id_next) = (Twin::default(), empty(), 0, 0);
    for step in steps {
        match step {
            Step::Append(flows) => {
                spool.append(&batch(id_next, *flows), now_ms).unwrap();
                twin.waiting.push_back((id_next, *flows));
                id_next += 1;
            }
            Step::Next => {
                let ticket = next(&mut spool, &mut back);
                assert_eq!(ticket.is_some(), !twin.waiting.is_empty());
                if let (Some(ticket), Some(entry)) = (ticket, twin.waiting.pop_front()) {
                    assert_eq!(back.bytes(), batch(entry.0, entry.1).bytes());
                    twin.out.push((ticket, entry));
                }
            }
            Step::Done(at) if !twin.out.is_empty() => {
                let (ticket, entry) = twin.out.remove(at % twin.out.len());
                spool.done(ticket);
                twin.delivered.insert(entry.0, entry.1);
            }
            Step::Tend => {
                now_ms += 2000;
                spool.tend(now_ms).unwrap();
            }
            Step::Close | Step::Crash => {
                if matches!(step, Step::Close) {
                    spool.close().unwrap();
                } else {
                    drop(spool);
                }
                let found;
                (spool, found) = open(&scratch.0, limits);
                assert_eq!((found.damaged_flows, found.damaged_records), (0, 0));
                twin.restart(&found);
            }
            Step::Done(_) => {}
        }
        assert_law(&spool);
        assert_eq!(spool.state().spooled_flows, twin.flows(), "after {step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_does_what_a_queue_does(steps in prop::collection::vec(step(), 1..80)) {
        run(&steps);
    }
}
