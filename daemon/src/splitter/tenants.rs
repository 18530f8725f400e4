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
    /// This batch's flows, in rising order.
    pub(super) flows: Vec<u32>,
    /// Made with the first flow: most of many customers are quiet.
    pub(super) tenant: Option<T>,
}

/// Customers with what belongs to each.
#[derive(Debug)]
pub(super) struct Tenants<T> {
    places: HashMap<u32, u32>,
    pub(super) list: Vec<Place<T>>,
    /// Places of those that this batch has flows of.
    pub(super) touched: Vec<u32>,
    by: SplitBy,
    has_default: bool,
    wildcard: bool,
    tenants_max: usize,
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
            touched: Vec::new(),
            by,
            has_default,
            wildcard,
            tenants_max,
        };
        tenants.list.push(Place { cid: 0, flows: Vec::new(), tenant: None });
        // 0 is "no customer", even if someone configures it.
        for cid in cids.filter(|cid| *cid != 0) {
            tenants.add(cid);
        }
        tenants
    }

    /// One named twice is one customer.
    fn add(&mut self, cid: u32) -> u32 {
        *self.places.entry(cid).or_insert_with(|| {
            self.list.push(Place { cid, flows: Vec::new(), tenant: None });
            (self.list.len() - 1) as u32
        })
    }

    /// Notes each flow at its customers; once where both sides are the same.
    pub(super) fn sort(&mut self, facts: &[Facts], counts: &SplitterCounts) {
        self.touched.clear();
        for (index, facts) in facts.iter().enumerate() {
            let Facts { cid, src_cid, dst_cid } = *facts;
            let index = index as u32;
            let is_served = match self.by {
                SplitBy::Cid => self.note(cid, index, counts),
                SplitBy::Src => self.note(src_cid, index, counts),
                SplitBy::Dst => self.note(dst_cid, index, counts),
                SplitBy::Both => {
                    let mut is_served = self.note(cid, index, counts);
                    if src_cid != cid {
                        is_served |= self.note(src_cid, index, counts);
                    }
                    if dst_cid != cid && dst_cid != src_cid {
                        is_served |= self.note(dst_cid, index, counts);
                    }
                    is_served
                }
            };
            if self.has_default && !is_served {
                self.put(DEFAULT, index);
            }
        }
    }

    fn note(&mut self, cid: u32, index: u32, counts: &SplitterCounts) -> bool {
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
        self.put(place, index);
        true
    }

    fn put(&mut self, place: u32, index: u32) {
        let flows = &mut self.list[place as usize].flows;
        if flows.is_empty() {
            self.touched.push(place);
        }
        flows.push(index);
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_flow_between_two_customers_goes_to_both_and_once_to_one() {
        let mut tenants = tenants(&[7, 8, 7, 0], SplitBy::Both);
        assert_eq!(tenants.list.len(), 3, "everybody else, 7 who is named twice, 8");
        let between = Facts { cid: 7, src_cid: 7, dst_cid: 8 };
        let within = Facts { cid: 8, src_cid: 8, dst_cid: 8 };
        let others = Facts { cid: 9, ..Facts::default() };
        tenants.sort(&[between, within, others], &SplitterCounts::default());
        assert_eq!(tenants.list[1].flows, [0]);
        assert_eq!(tenants.list[2].flows, [0, 1]);
        assert_eq!(tenants.list[0].flows, [2]);
        assert_eq!(tenants.touched, [1, 2, 0]);
    }

    #[test]
    fn a_wildcard_finds_customers_up_to_the_bound() {
        let mut tenants: Tenants<()> =
            Tenants::new([1].into_iter(), SplitBy::Src, false, (true, 2));
        let flow = |src_cid| Facts { src_cid, ..Facts::default() };
        let counts = SplitterCounts::default();
        tenants.sort(&[flow(5), flow(6), flow(1), flow(0), flow(5)], &counts);
        let found: Vec<_> =
            tenants.list.iter().map(|place| (place.cid, place.flows.clone())).collect();
        assert_eq!(found, [(0, vec![]), (1, vec![2]), (5, vec![0, 4])]);
        assert_eq!(counts.view().unserved, 1, "customer 6");
    }

    proptest! {
        #[test]
        fn flows_are_sorted_as_the_slow_twin_does(
            facts in prop::collection::vec(facts(), 0..50),
            cids in prop::collection::vec(1..8u32, 0..6),
            by in prop::sample::select(vec![SplitBy::Cid, SplitBy::Src, SplitBy::Dst, SplitBy::Both]),
        ) {
            let mut tenants = tenants(&cids, by);
            tenants.sort(&facts, &SplitterCounts::default());
            let mut served: Vec<u32> = Vec::new();
            for (place, tenant) in tenants.list.iter().enumerate() {
                let touched = tenants.touched.iter().filter(|at| **at as usize == place).count();
                prop_assert_eq!(touched, usize::from(!tenant.flows.is_empty()));
                if tenant.cid != 0 {
                    prop_assert_eq!(&tenant.flows, &flows_of(tenant.cid, by, &facts));
                    served.extend(&tenant.flows);
                }
            }
            let others = (0..facts.len() as u32).filter(|index| !served.contains(index));
            prop_assert_eq!(&tenants.list[0].flows, &others.collect::<Vec<_>>());
        }
    }
}
