//! What a customer wants otherwise: only some flows, only some fields, addresses made
//! unrecognisable. His flows are read back from the batch, one by one; customers without such
//! wishes do not come here.

use std::sync::Arc;

use neckar_enrich::anonymize::Anonymizer;
use neckar_filter::Filter;
use neckar_proto::decode::decode;
use neckar_proto::encode::{BWNETFLOW, ROW_BYTES_MAX};
use neckar_proto::{ADDRESSES, Batch, Field, Rows};

/// What anonymisation adds to a flow at most: for each of its addresses how it was treated and how
/// many bits are left, three bytes of number and two of value each.
const ADDED_BYTES_MAX: usize = ADDRESSES * 2 * 5;

/// A customer's wishes.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) filter: Option<Filter>,
    /// Fields to take out.
    pub(super) removed: Vec<Field>,
    pub(super) anonymizer: Option<Anonymizer>,
}

impl Shape {
    /// Are copies other bytes than the flows?
    fn changes(&self) -> bool {
        !self.removed.is_empty() || self.anonymizer.is_some()
    }

    /// Is there a wish at all?
    pub(super) fn is_plain(&self) -> bool {
        self.filter.is_none() && !self.changes()
    }

    /// Takes the flows out that are not wanted, and answers a batch of the others if they are to be
    /// other bytes: its flows are numbered from 0, and `flows` with them. `rows` is scratch.
    pub(super) fn apply(
        &self,
        batch: &Arc<Batch>,
        flows: &mut Vec<u32>,
        rows: &mut Rows,
    ) -> Option<Arc<Batch>> {
        rows.clear();
        flows.retain(|flow| self.read(batch.flow(*flow as usize), rows));
        if !self.changes() || flows.is_empty() {
            return None;
        }
        for flow in rows.as_mut_slice() {
            if let Some(anonymizer) = &self.anonymizer {
                anonymizer.anonymize(flow);
            }
            self.removed.iter().for_each(|field| flow.remove(*field));
        }
        let bytes: usize = flows.iter().map(|flow| batch.flow(*flow as usize).len()).sum();
        let bytes_max = bytes + rows.len() * ADDED_BYTES_MAX + ROW_BYTES_MAX;
        let mut shaped = Batch::with_capacity(rows.len(), bytes_max);
        shaped.set_opened_ns(batch.opened_ns());
        for flow in rows.as_slice() {
            let is_in = shaped.push(&BWNETFLOW, flow, rows.texts(), &[]);
            assert!(is_in, "there is room for all of them");
        }
        flows.clear();
        flows.extend(0..shaped.len() as u32);
        Some(Arc::new(shaped))
    }

    /// Reads a flow to the end of `rows`, if it is wanted.
    fn read(&self, message: &[u8], rows: &mut Rows) -> bool {
        decode(message, rows).expect("we have encoded it");
        let last = rows.len() - 1;
        let filter = self.filter.as_ref();
        let is_wanted = filter.is_none_or(|filter| filter.matches(&rows.as_slice()[last], rows));
        if !is_wanted {
            rows.truncate(last);
        }
        is_wanted
    }
}

#[cfg(test)]
mod tests {
    use neckar_filter::Options;
    use neckar_proto::Flow;

    use super::*;

    /// Ports 1 to 5, source 10.1.2.3, a customer.
    fn batch() -> Arc<Batch> {
        let mut batch = Batch::with_capacity(8, 1 << 12);
        for port in 1..=5 {
            let mut flow = Flow::default();
            flow.set(Field::SrcPort, port);
            flow.set(Field::Bytes, 100 * port);
            flow.set_v4(Field::SrcAddr, [10, 1, 2, 3]);
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
        }
        Arc::new(batch)
    }

    fn read(batch: &Batch) -> Rows {
        let mut rows = Rows::default();
        batch.flows().for_each(|flow| decode(flow, &mut rows).expect("our own bytes"));
        rows
    }

    fn filter(text: &str) -> Option<Filter> {
        Some(Filter::parse(text, &Options::MESSAGE).expect("a filter"))
    }

    #[test]
    fn a_filter_chooses_and_the_bytes_stay() {
        let shape = Shape { filter: filter("src port 2-4"), ..Shape::default() };
        let mut flows = vec![0, 1, 4];
        assert!(shape.apply(&batch(), &mut flows, &mut Rows::default()).is_none());
        assert_eq!(flows, [1], "port 2; 1 and 5 are not wanted, 3 and 4 are not his");
    }

    #[test]
    fn fields_go_and_addresses_are_cut() {
        let anonymize = neckar_enrich::config::Anonymize {
            method: Some(neckar_enrich::config::AnonymizeMethod::Truncate),
            ..Default::default()
        };
        let shape = Shape {
            filter: filter("src port >3"),
            removed: vec![Field::Bytes],
            anonymizer: anonymize.build().ok().flatten(),
        };
        let mut flows = vec![0, 3, 4];
        let shaped = shape.apply(&batch(), &mut flows, &mut Rows::default()).expect("other bytes");
        assert_eq!(flows, [0, 1]);
        let rows = read(&shaped);
        for (flow, port) in rows.as_slice().iter().zip([4, 5]) {
            assert_eq!(flow.word(Field::SrcPort), Some(port));
            assert_eq!(flow.word(Field::Bytes), None);
            assert_eq!(flow.address(Field::SrcAddr), Some(&[10, 1, 2, 0][..]));
        }
    }

    /// Anonymised flows are longer than they were: a full batch of the shortest has room all the same.
    #[test]
    fn a_full_batch_of_short_flows_grows() {
        let addresses = || Field::all().filter(|field| field.is_address());
        let mut batch = Batch::with_capacity(4096, 1 << 20);
        for _ in 0..4096 {
            let mut flow = Flow::default();
            addresses().for_each(|field| flow.set_v4(field, [10, 1, 2, 3]));
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
        }
        let batch = Arc::new(batch);
        let anonymize = neckar_enrich::config::Anonymize {
            method: Some(neckar_enrich::config::AnonymizeMethod::Truncate),
            ..Default::default()
        };
        let anonymizer = anonymize.build().ok().flatten();
        let shape = Shape { anonymizer, ..Shape::default() };
        let mut flows = (0..4096).collect();
        let shaped = shape.apply(&batch, &mut flows, &mut Rows::default()).expect("other bytes");
        assert_eq!(shaped.len(), 4096);
        assert!(shaped.bytes().len() > batch.bytes().len() + 4096, "that is why");
    }

    #[test]
    fn nothing_wanted_is_nothing_made() {
        let shape = Shape {
            filter: filter("src port 99"),
            removed: vec![Field::Bytes],
            ..Shape::default()
        };
        let mut flows = vec![0, 1];
        assert!(shape.apply(&batch(), &mut flows, &mut Rows::default()).is_none());
        assert!(flows.is_empty());
    }
}
