//! What is known of addresses: a bounded table in shards, each behind a lock that workers only try.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use hashbrown::{DefaultHashBuilder, HashMap};

/// Shards: a worker meets the writer in one of so many.
const SHARDS: usize = 64;
/// A name is at most so long (RFC 1035 section 2.3.4).
pub(super) const NAME_BYTES_MAX: usize = 255;
/// Entries looked at to find one that may go.
const TRIED: usize = 8;
/// A name that could not be asked for again is good for so long beyond its time (RFC 8767, section
/// 5): a name server that is away takes no names away.
const STALE_S: u64 = 24 * 3600;

/// What a look says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The name was handed to the caller.
    Named,
    /// It has none, or is being asked for the first time.
    Nameless,
    /// Nobody has asked, or it was long ago; the name from then was handed to the caller.
    Unknown,
    /// Somebody is writing: not now.
    Busy,
}

#[derive(Debug, Default)]
struct Entry {
    /// Empty if there is none.
    name: Box<str>,
    /// Then it is to be asked for again.
    until_s: u64,
    /// So long the name may be shown.
    stale_s: u64,
}

/// The table. Entries at most: those it was made for, rounded up to a multiple of the shards.
#[derive(Debug)]
pub(super) struct Table {
    shards: Vec<RwLock<HashMap<IpAddr, Entry>>>,
    hasher: DefaultHashBuilder,
    shard_max: usize,
}

impl Table {
    pub(super) fn new(names_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: DefaultHashBuilder::default(),
            shard_max: names_max.div_ceil(SHARDS).max(1),
        }
    }

    /// Looks without waiting; a name goes to `named`.
    pub(super) fn look(&self, address: IpAddr, now_s: u64, named: impl FnOnce(&str)) -> Look {
        let Ok(shard) = self.shard(address).try_read() else { return Look::Busy };
        let Some(entry) = shard.get(&address) else { return Look::Unknown };
        let is_named = !entry.name.is_empty() && now_s < entry.stale_s;
        if is_named {
            named(&entry.name);
        }
        match (now_s < entry.until_s, is_named) {
            (false, _) => Look::Unknown,
            (true, true) => Look::Named,
            (true, false) => Look::Nameless,
        }
    }

    /// Notes what an address is called, nothing if `name` is empty; answers how many others had to
    /// go for it.
    pub(super) fn note(&self, address: IpAddr, name: &str, now_s: u64, until_s: u64) -> u64 {
        let name = name[..name.floor_char_boundary(NAME_BYTES_MAX)].into();
        self.change(address, now_s, |entry| {
            *entry = Entry { name, until_s, stale_s: until_s + STALE_S };
        })
    }

    /// Leaves an address alone until then: it keeps the name that it has, if it has one. Answers as
    /// [`note`](Self::note).
    pub(super) fn put_off(&self, address: IpAddr, now_s: u64, until_s: u64) -> u64 {
        self.change(address, now_s, |entry| entry.until_s = until_s)
    }

    fn change(&self, address: IpAddr, now_s: u64, change: impl FnOnce(&mut Entry)) -> u64 {
        let shard = self.shard(address);
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = shard.len() >= self.shard_max && !shard.contains_key(&address);
        let evicted = if is_full { make_room(&mut shard, now_s) } else { 0 };
        change(shard.entry(address).or_default());
        evicted
    }

    /// Entries, those out of date included.
    pub(super) fn len(&self) -> usize {
        let lens = self
            .shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len());
        lens.sum()
    }

    fn shard(&self, address: IpAddr) -> &RwLock<HashMap<IpAddr, Entry>> {
        &self.shards[self.hasher.hash_one(address) as usize % SHARDS]
    }
}

/// Of some entries that come first, the one that is nearest to its end goes.
fn make_room(shard: &mut HashMap<IpAddr, Entry>, now_s: u64) -> u64 {
    let oldest = shard.iter().take(TRIED).min_by_key(|(_, entry)| entry.until_s);
    let Some((address, entry)) = oldest.map(|(address, entry)| (*address, entry.until_s)) else {
        return 0;
    };
    shard.remove(&address);
    u64::from(entry > now_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(table: &Table, address: IpAddr, now_s: u64) -> (Look, String) {
        let mut found = String::new();
        let look = table.look(address, now_s, |name| found = name.into());
        (look, found)
    }

    #[test]
    fn what_was_noted_is_there_until_its_time() {
        let table = Table::new(100);
        let [one, other, third] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        table.note(one, "host.example", 10, 20);
        table.note(other, "", 10, 15);
        assert_eq!(look(&table, one, 19), (Look::Named, "host.example".into()));
        assert_eq!(look(&table, one, 20), (Look::Unknown, "host.example".into()), "stale");
        assert_eq!(look(&table, other, 14).0, Look::Nameless);
        assert_eq!(look(&table, third, 14).0, Look::Unknown);
        let long = "ü".repeat(200);
        table.note(one, &long, 10, 20);
        assert_eq!(look(&table, one, 11).1, "ü".repeat(127), "cut between characters");
    }

    #[test]
    fn a_name_outlives_what_goes_wrong_for_a_day() {
        let table = Table::new(100);
        let [one, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        table.note(one, "host.example", 10, 20);
        // Asked again, without an answer, and again later.
        for now_s in (20..20 + STALE_S).step_by(30) {
            table.put_off(one, now_s, now_s + 30);
            assert_eq!(look(&table, one, now_s), (Look::Named, "host.example".into()));
        }
        assert_eq!(look(&table, one, 19 + STALE_S).1, "host.example");
        assert_eq!(look(&table, one, 20 + STALE_S), (Look::Unknown, String::new()));
        table.note(one, "", 30, 40);
        assert_eq!(look(&table, one, 31), (Look::Nameless, String::new()), "it has none now");
        table.put_off(other, 10, 12);
        assert_eq!(look(&table, other, 11), (Look::Nameless, String::new()));
        assert_eq!(look(&table, other, 12), (Look::Unknown, String::new()));
    }

    #[test]
    fn two_million_addresses_take_no_more_room_than_there_is() {
        let table = Table::new(10_000);
        let mut evicted = 0;
        for index in 0..2_000_000_u32 {
            let address = IpAddr::from(index.to_be_bytes());
            evicted += table.note(address, "host.example", 10, 20);
            assert!(index % 100_000 != 0 || table.len() <= 10_000 + SHARDS);
        }
        assert!(table.len() <= 10_000 + SHARDS, "{}", table.len());
        assert_eq!(evicted + table.len() as u64, 2_000_000);
        let last = IpAddr::from(1_999_999_u32.to_be_bytes());
        assert_eq!(look(&table, last, 11).0, Look::Named, "what comes finds room");
    }

    #[test]
    fn a_writer_makes_nobody_wait() {
        let table = Table::new(100);
        let address = IpAddr::from([192, 0, 2, 1]);
        let guard = table.shard(address).write();
        assert_eq!(look(&table, address, 1).0, Look::Busy);
        drop(guard);
        assert_eq!(look(&table, address, 1).0, Look::Unknown);
    }
}
