//! Where labels come from: files read into [`Source`]s, one after the other, off the flow path.
//!
//! Each kind of file has its module, with a `parse` that takes bytes and a `read` that takes a
//! path. All or nothing: one bad row and the file does not load ([`LoadError`] names it), so that
//! the table in force stays. What a prefix that stands twice in a file means is the same
//! everywhere: the same thing said twice counts as a duplicate, two different things are an error.
//! Only a list may be empty.

pub mod asn;
pub mod customers;
pub mod interfaces;
mod kind;
pub mod list;
pub mod maxmind;
pub mod mrt;
pub mod networks;
mod open;
mod rows;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::error::LoadError;
use crate::ranges::{Address, Prefix};
use crate::values::{Texts, Value, Values};
pub use kind::{Content, SourceKind};
use open::read_file;
pub use rows::network;

/// Rows that a file may have: what bounds the memory of a load (about 100 bytes a prefix while it
/// runs).
pub const PREFIXES_MAX: usize = 20_000_000;

/// The prefixes of one file and what it says of them.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file, or the name of a source that is none.
    pub file: PathBuf,
    /// Sorted by start and length; no prefix twice.
    pub(crate) v4: Vec<Prefix<u32>>,
    /// Sorted by start and length; no prefix twice.
    pub(crate) v6: Vec<Prefix<u128>>,
    pub(crate) values: Values,
    pub(crate) texts: Texts,
    /// A longer prefix keeps what the ones around it say, where it says nothing itself.
    pub(crate) inherits: bool,
    /// Rows that said again what another row had said.
    pub duplicates: u64,
}

impl Source {
    /// How many prefixes of each family.
    #[must_use]
    pub fn prefixes(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }
}

/// A source under construction.
pub(crate) struct Builder {
    source: Source,
    /// The line that gave each prefix, in the order of arrival, for the message about a conflict.
    lines: (Vec<u32>, Vec<u32>),
}

impl Builder {
    pub(crate) fn new(file: &Path) -> Self {
        let source = Source { file: file.to_path_buf(), ..Source::default() };
        Self { source, lines: Default::default() }
    }

    pub(crate) fn text(&mut self, text: &str) -> u32 {
        self.source.texts.intern(text)
    }

    /// Lets longer prefixes keep what the ones around them say.
    pub(crate) fn inherits(&mut self) {
        self.source.inherits = true;
    }

    /// The number of `value`.
    pub(crate) fn value(&mut self, value: Value) -> u32 {
        self.source.values.intern(value)
    }

    /// Adds what `line` says of `network`.
    pub(crate) fn add(&mut self, network: IpNet, value: Value, line: u64) -> Result<(), LoadError> {
        let value = self.value(value);
        self.add_value(network, value, line)
    }

    /// Adds a value by its number. Bits behind the prefix are cut off, as everybody does.
    pub(crate) fn add_value(
        &mut self,
        network: IpNet,
        value: u32,
        line: u64,
    ) -> Result<(), LoadError> {
        if self.source.v4.len() + self.source.v6.len() >= PREFIXES_MAX {
            let expected = format!("at most {PREFIXES_MAX} prefixes were expected");
            return Err(LoadError::at(&self.source.file, line, &network.to_string(), expected));
        }
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        match unmapped(network) {
            IpNet::V4(net) => {
                let start = u32::from(net.network());
                self.source.v4.push(Prefix { start, len: net.prefix_len(), value });
                self.lines.0.push(line);
            }
            IpNet::V6(net) => {
                let start = u128::from(net.network());
                self.source.v6.push(Prefix { start, len: net.prefix_len(), value });
                self.lines.1.push(line);
            }
        }
        Ok(())
    }

    /// Sorts, and settles what stands there twice.
    pub(crate) fn finish(mut self) -> Result<Source, LoadError> {
        let (v4, v6) = (std::mem::take(&mut self.source.v4), std::mem::take(&mut self.source.v6));
        let (lines4, lines6) = std::mem::take(&mut self.lines);
        self.source.v4 = self.settle(v4, &lines4, |start| IpAddr::V4(start.into()))?;
        self.source.v6 = self.settle(v6, &lines6, |start| IpAddr::V6(start.into()))?;
        Ok(self.source)
    }

    /// As [`finish`](Self::finish), but without any prefix it is an error: an empty file is one
    /// that somebody has begun to write or has cut, and would take everybody's labels away.
    pub(crate) fn finish_filled(self) -> Result<Source, LoadError> {
        if self.source.prefixes() == (0, 0) {
            let expected = "at least one prefix was expected in it";
            return Err(LoadError::new(&self.source.file, expected));
        }
        self.finish()
    }

    fn settle<A: Address>(
        &mut self,
        prefixes: Vec<Prefix<A>>,
        lines: &[u32],
        show: impl Fn(A) -> IpAddr,
    ) -> Result<Vec<Prefix<A>>, LoadError> {
        let mut rows: Vec<(Prefix<A>, u32)> =
            prefixes.into_iter().zip(lines.iter().copied()).collect();
        // Stable: of the same prefix the earlier line comes first.
        rows.sort_by_key(|(prefix, _)| (prefix.start, prefix.len));
        let mut settled: Vec<Prefix<A>> = Vec::with_capacity(rows.len());
        let mut first_line = 0;
        for (prefix, line) in rows {
            match settled.last() {
                Some(last) if (last.start, last.len) == (prefix.start, prefix.len) => {
                    if last.value != prefix.value {
                        let text = format!("{}/{}", show(prefix.start), prefix.len);
                        let expected = format!(
                            "line {first_line} says something else of this prefix; remove one of them"
                        );
                        return Err(LoadError::at(&self.source.file, line.into(), &text, expected));
                    }
                    self.source.duplicates += 1;
                }
                _ => {
                    settled.push(prefix);
                    first_line = line;
                }
            }
        }
        Ok(settled)
    }
}

/// IPv4-mapped IPv6 prefixes (`::ffff:192.0.2.0/120`) are IPv4: a flow's addresses are.
fn unmapped(network: IpNet) -> IpNet {
    if let IpNet::V6(net) = network
        && net.prefix_len() >= 96
        && let Some(v4) = net.network().to_ipv4_mapped()
        && let Ok(net) = ipnet::Ipv4Net::new(v4, net.prefix_len() - 96)
    {
        return IpNet::V4(net);
    }
    network
}
