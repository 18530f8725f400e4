//! Who gets which flows of a batch.
//!
//! What a batch costs depends on its flows and on the customers they belong to, never on how many
//! customers there are.

use hashbrown::HashMap;
use neckar_proto::Facts;

use super::counts::SplitterCounts;
use crate::config::SplitBy;

/// Where in the list the topic of everybody else's flows stands, if there is one.
pub(super) const DEFAULT: u32 = 0;

/// One entry of the list: a customer, or everybody else.
#[derive(Debug)]
pub(super) struct Place<T> {
    /// 0 is everybody else.
    pub(super) cid: u32,
    /// Made with the first flow: most of many customers are quiet.
    pub(super) tenant: Option<T>,
}

/// A flow of one of several batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FlowAt {
    pub(super) batch: u32,
    pub(super) flow: u32,
}

/// Customers with what belongs to each.
#[derive(Debug)]
pub(super) struct Tenants<T> {
    places: HashMap<u32, u32>,
    pub(super) list: Vec<Place<T>>,
    by: SplitBy,
    has_default: bool,
    wildcard: bool,
    tenants_max: usize,
    shares: Shares,
}

/// Scratch: flows as they come, and then customer by customer, so that a customer's memory, cold as it
/// is with many of them, is met once for all of his flows.
#[derive(Debug, Default)]
struct Shares {
    /// Each flow with the place of whom it is for.
    noted: Vec<(u32, FlowAt)>,
    /// Places of those who get any, as they were met.
    touched: Vec<u32>,
    /// By place: how many flows, then where among `sorted` the next one goes. 0 between two rounds.
    cursors: Vec<u32>,
    sorted: Vec<FlowAt>,
}

impl Shares {
    fn put(&mut self, place: u32, at: FlowAt) {
        let count = &mut self.cursors[place as usize];
        if *count == 0 {
            self.touched.push(place);
        }
        *count += 1;
        self.noted.push((place, at));
    }

    /// By counting; what is one customer's stays in its order.
    fn sort(&mut self) {
        let mut begin = 0;
        for place in &self.touched {
            let cursor = &mut self.cursors[*place as usize];
            (*cursor, begin) = (begin, begin + *cursor);
        }
        self.sorted.resize(self.noted.len(), FlowAt::default());
        for (place, at) in self.noted.drain(..) {
            let cursor = &mut self.cursors[place as usize];
            self.sorted[*cursor as usize] = at;
            *cursor += 1;
        }
    }

    /// Every place with its flows, and empties it all.
    fn drain(&mut self) -> impl Iterator<Item = (u32, &[FlowAt])> {
        let Self { touched, cursors, sorted, .. } = self;
        let (sorted, mut begin) = (&*sorted, 0);
        touched.drain(..).map(move |place| {
            let end = std::mem::take(&mut cursors[place as usize]) as usize;
            let share = &sorted[begin..end];
            begin = end;
            (place, share)
        })
    }
}

impl<T> Tenants<T> {
    pub(super) fn new(
        cids: impl Iterator<Item = u32>,
        by: SplitBy,
        has_default: bool,
        (wildcard, tenants_max): (bool, usize),
    ) -> Self {
        let mut tenants = Self {
            places: HashMap::new(),
            list: Vec::new(),
            by,
            has_default,
            wildcard,
            tenants_max,
            shares: Shares::default(),
        };
        tenants.list_next(0);
        // 0 is "no customer", even if someone configures it.
        for cid in cids.filter(|cid| *cid != 0) {
            tenants.add(cid);
        }
        tenants
    }

    /// One named twice is one customer.
    fn add(&mut self, cid: u32) -> u32 {
        match self.places.get(&cid) {
            Some(place) => *place,
            None => {
                let place = self.list_next(cid);
                self.places.insert(cid, place);
                place
            }
        }
    }

    fn list_next(&mut self, cid: u32) -> u32 {
        self.list.push(Place { cid, tenant: None });
        self.shares.cursors.push(0);
        (self.list.len() - 1) as u32
    }

    /// Hands each customer his flows of these batches, in their order; once where both sides are his.
    /// `serve` is told where he stands in the list, too.
    pub(super) fn share<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a [Facts]>,
        counts: &SplitterCounts,
        mut serve: impl FnMut(u32, &mut Place<T>, &[FlowAt]),
    ) {
        for (batch, facts) in batches.enumerate() {
            for (flow, facts) in facts.iter().enumerate() {
                let at = FlowAt { batch: batch as u32, flow: flow as u32 };
                let is_served = self.note_sides(*facts, at, counts);
                if self.has_default && !is_served {
                    self.shares.put(DEFAULT, at);
                }
            }
        }
        self.shares.sort();
        for (place, flows) in self.shares.drain() {
            serve(place, &mut self.list[place as usize], flows);
        }
    }

    fn note_sides(&mut self, facts: Facts, at: FlowAt, counts: &SplitterCounts) -> bool {
        let Facts { cid, src_cid, dst_cid } = facts;
        match self.by {
            SplitBy::Cid => self.note(cid, at, counts),
            SplitBy::Src => self.note(src_cid, at, counts),
            SplitBy::Dst => self.note(dst_cid, at, counts),
            SplitBy::Both => {
                let mut is_served = self.note(cid, at, counts);
                if src_cid != cid {
                    is_served |= self.note(src_cid, at, counts);
                }
                if dst_cid != cid && dst_cid != src_cid {
                    is_served |= self.note(dst_cid, at, counts);
                }
                is_served
            }
        }
    }

    fn note(&mut self, cid: u32, at: FlowAt, counts: &SplitterCounts) -> bool {
        if cid == 0 {
            return false;
        }
        let place = match self.places.get(&cid) {
            Some(place) => *place,
            // The place of everybody else is one of the list.
            None if self.wildcard && self.list.len() <= self.tenants_max => self.add(cid),
            None => {
                if self.wildcard {
                    counts.unserved();
                }
                return false;
            }
        };
        self.shares.put(place, at);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn tenants(cids: &[u32], by: SplitBy) -> Tenants<()> {
        Tenants::new(cids.iter().copied(), by, true, (false, 100))
    }

    /// The slow twin: every customer asks every flow.
    fn flows_of(cid: u32, by: SplitBy, facts: &[Facts]) -> Vec<u32> {
        let belongs = |facts: &Facts| match by {
            SplitBy::Cid => facts.cid == cid,
            SplitBy::Src => facts.src_cid == cid,
            SplitBy::Dst => facts.dst_cid == cid,
            SplitBy::Both => [facts.cid, facts.src_cid, facts.dst_cid].contains(&cid),
        };
        (0..facts.len() as u32).filter(|index| belongs(&facts[*index as usize])).collect()
    }

    fn facts() -> impl Strategy<Value = Facts> {
        (0..6u32, 0..6u32, 0..6u32).prop_map(|(cid, src_cid, dst_cid)| Facts {
            cid,
            src_cid,
            dst_cid,
        })
    }

    /// Who gets what, by customer; everybody else is 0.
    fn shared(tenants: &mut Tenants<()>, batches: &[&[Facts]]) -> Vec<(u32, Vec<FlowAt>)> {
        let mut shares = Vec::new();
        let serve = |_, place: &mut Place<()>, flows: &[FlowAt]| {
            shares.push((place.cid, flows.to_vec()));
        };
        tenants.share(batches.iter().copied(), &SplitterCounts::default(), serve);
        shares
    }

    fn at(batch: u32, flow: u32) -> FlowAt {
        FlowAt { batch, flow }
    }

    #[test]
    fn a_flow_between_two_customers_goes_to_both_and_once_to_one() {
        let mut tenants = tenants(&[7, 8, 7, 0], SplitBy::Both);
        assert_eq!(tenants.list.len(), 3, "everybody else, 7 who is named twice, 8");
        let between = Facts { cid: 7, src_cid: 7, dst_cid: 8 };
        let within = Facts { cid: 8, src_cid: 8, dst_cid: 8 };
        let others = Facts { cid: 9, ..Facts::default() };
        for _ in 0..2 {
            let shares = shared(&mut tenants, &[&[between, within], &[others, within]]);
            let expected =
                [(7, vec![at(0, 0)]), (8, vec![at(0, 0), at(0, 1), at(1, 1)]), (0, vec![at(1, 0)])];
            assert_eq!(shares, expected);
        }
    }

    #[test]
    fn a_wildcard_finds_customers_up_to_the_bound() {
        let mut tenants: Tenants<()> =
            Tenants::new([1].into_iter(), SplitBy::Src, false, (true, 2));
        let flow = |src_cid| Facts { src_cid, ..Facts::default() };
        let counts = SplitterCounts::default();
        let flows = [flow(5), flow(6), flow(1), flow(0), flow(5)];
        let mut found = Vec::new();
        tenants.share([&flows[..]].into_iter(), &counts, |place, _, flows| {
            found.push((place, flows.iter().map(|at| at.flow).collect::<Vec<_>>()));
        });
        assert_eq!(found, [(2, vec![0, 4]), (1, vec![2])]);
        assert_eq!(tenants.list.iter().map(|place| place.cid).collect::<Vec<_>>(), [0, 1, 5]);
        assert_eq!(counts.view().unserved, 1, "customer 6");
    }

    proptest! {
        #[test]
        fn flows_are_shared_as_the_slow_twin_does(
            batches in prop::collection::vec(prop::collection::vec(facts(), 0..20), 0..5),
            cids in prop::collection::vec(1..8u32, 0..6),
            by in prop::sample::select(vec![SplitBy::Cid, SplitBy::Src, SplitBy::Dst, SplitBy::Both]),
        ) {
            let mut tenants = tenants(&cids, by);
            let slices: Vec<&[Facts]> = batches.iter().map(Vec::as_slice).collect();
            let mut shares = shared(&mut tenants, &slices);
            shares.sort_by_key(|(cid, _)| *cid);
            let of = |cid: u32| -> Vec<FlowAt> {
                let flows = slices.iter().enumerate();
                let flows = flows.flat_map(|(batch, facts)| {
                    flows_of(cid, by, facts).into_iter().map(move |flow| at(batch as u32, flow))
                });
                flows.collect()
            };
            let customers: BTreeSet<u32> = cids.into_iter().collect();
            let served: Vec<FlowAt> = customers.iter().flat_map(|cid| of(*cid)).collect();
            let all = slices.iter().enumerate().flat_map(|(batch, facts)| {
                (0..facts.len() as u32).map(move |flow| at(batch as u32, flow))
            });
            let others: Vec<FlowAt> = all.filter(|at| !served.contains(at)).collect();
            let customers = customers.into_iter().map(|cid| (cid, of(cid)));
            let expected = [(0, others)].into_iter().chain(customers);
            let expected: Vec<_> = expected.filter(|(_, flows)| !flows.is_empty()).collect();
            prop_assert_eq!(shares, expected);
        }
    }
}
