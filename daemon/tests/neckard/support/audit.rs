//! What is in a topic, flow by flow: what came twice, what is missing by the routers' own sequence
//! numbers, what overtook what.
//!
//! For NetFlow v5, whose sequence numbers count flows and nothing else: the number in a flow is that of
//! its datagram, and the next datagram's is higher by the flows of this one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use neckar_proto::Message;
use prost::Message as _;

use super::topic;

/// What a topic holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Messages, a flow each.
    pub messages: u64,
    /// Different ones.
    pub distinct: u64,
    /// Flows missing between the first and the last of each router.
    pub missing: u64,
    /// Flows of a router behind later ones of the same router in the same partition.
    pub overtaken: u64,
}

impl Audit {
    /// Copies beyond the first of each flow.
    pub fn duplicates(&self) -> u64 {
        self.messages - self.distinct
    }
}

/// Reads the whole topic.
pub fn audit(brokers: &str, topic: &str) -> Audit {
    let mut audit = Audit::default();
    let mut seen = HashSet::new();
    let mut last: HashMap<(i32, Vec<u8>), u32> = HashMap::new();
    let mut routers: HashMap<Vec<u8>, BTreeMap<u32, u64>> = HashMap::new();
    topic::visit(brokers, topic, |partition, payload| {
        let flow = Message::decode(payload).expect("one bare message per record");
        audit.messages += 1;
        if !seen.insert(fingerprint(payload)) {
            return;
        }
        audit.distinct += 1;
        *routers
            .entry(flow.sampler_address.clone())
            .or_default()
            .entry(flow.sequence_num)
            .or_default() += 1;
        let latest = last.entry((partition, flow.sampler_address)).or_insert(flow.sequence_num);
        audit.overtaken += u64::from(flow.sequence_num < *latest);
        *latest = flow.sequence_num.max(*latest);
    });
    audit.missing = routers.values().map(missing).sum();
    audit
}

/// Flows that the sequence numbers count and nobody has seen.
fn missing(messages: &BTreeMap<u32, u64>) -> u64 {
    let next = messages.keys().skip(1);
    let pairs = messages.iter().zip(next);
    pairs.map(|((number, flows), next)| u64::from(next - number) - flows).sum()
}

/// 128 bits: among a million flows no two are the same by accident.
fn fingerprint(payload: &[u8]) -> [u64; 2] {
    [0, 1].map(|salt| {
        let mut hasher = DefaultHasher::new();
        (salt, payload).hash(&mut hasher);
        hasher.finish()
    })
}
