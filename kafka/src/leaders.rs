//! What the brokers say of topics' partitions, noted by a transport's thread and read by those who
//! submit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::counts::lock;

/// What the brokers say of a topic's partitions; nothing while not known.
#[derive(Debug, Default)]
pub(crate) struct Leaders {
    /// Those that have a leader.
    led: Mutex<Vec<i32>>,
    /// How many there are.
    partitions: AtomicU32,
    /// Of the last record that is known to be in a partition.
    offsets: Mutex<BTreeMap<i32, i64>>,
}

impl Leaders {
    /// The partition whose turn it is.
    pub(crate) fn pick(&self, turn: usize) -> Option<i32> {
        let led = lock(&self.led);
        led.get(turn.checked_rem(led.len())?).copied()
    }

    /// Notes what the brokers say.
    pub(crate) fn set(&self, led: &[i32], partitions: u32) {
        led.clone_into(&mut lock(&self.led));
        self.partitions.store(partitions, Ordering::Relaxed);
    }

    /// Notes the offset of a record that is in a partition now, the last of its batch.
    pub(crate) fn note_offset(&self, partition: i32, offset: i64) {
        lock(&self.offsets).insert(partition, offset);
    }

    /// How many partitions there are, with a leader or without: a key's partition does not depend on
    /// who is up. 0 while not known.
    pub(crate) fn partitions(&self) -> u32 {
        self.partitions.load(Ordering::Relaxed)
    }
}

/// The topics in use, by name.
#[derive(Debug, Default)]
pub(crate) struct Topics(Mutex<BTreeMap<String, Arc<Leaders>>>);

impl Topics {
    /// The entry of a topic, shared by all that produce to it.
    pub(crate) fn of(&self, name: &str) -> Arc<Leaders> {
        Arc::clone(lock(&self.0).entry(name.into()).or_default())
    }

    /// The offsets that were noted, by partition.
    pub(crate) fn offsets(&self, name: &str) -> BTreeMap<i32, i64> {
        let leaders = lock(&self.0).get(name).cloned();
        leaders.map(|leaders| lock(&leaders.offsets).clone()).unwrap_or_default()
    }

    /// Notes what the brokers say.
    pub(crate) fn set(&self, name: &str, led: &[i32], partitions: u32) {
        if let Some(leaders) = lock(&self.0).get(name) {
            leaders.set(led, partitions);
        }
    }

    /// Forgets those that nobody uses; answers how many there are and how many are not known.
    pub(crate) fn tidy(&self) -> (usize, usize) {
        let mut topics = lock(&self.0);
        topics.retain(|_, leaders| Arc::strong_count(leaders) > 1);
        (topics.len(), topics.values().filter(|leaders| leaders.pick(0).is_none()).count())
    }
}
