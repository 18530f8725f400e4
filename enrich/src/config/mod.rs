//! The sections `[enrich]` and `[anonymize]` of a configuration, as written, and how they become
//! [`Sources`] and an [`Anonymizer`](crate::anonymize::Anonymizer).
//!
//! Here and not in the daemon because the toolbox reads the same sections: what `neckar lookup`
//! shows is what the daemon would say. Every key's doc comment is its documentation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::remote::RemotePolicy;
use crate::sources::{Source, asn, customers, maxmind, mrt, networks};
use crate::tables::AsOrder;

mod anonymize;
mod loader;

pub use anonymize::{Anonymize, AnonymizeMethod};
pub use loader::{Loader, SourceError, Stamp};

/// Labels, and the files that they come from. Where several say the same kind of thing of an
/// address, the first of them wins, in the order of the keys here; names of lists add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Enrich {
    /// Customer list, CSV of `prefix,cid`, `cid,prefix` or `cid,v4,v6`, or as a header says; empty
    /// for none. Fills `Cid`, `SrcCid`, `DstCid`, or their string twins where a cid is no number.
    pub customers: PathBuf,
    /// CSV files of your own networks, with a header of `prefix` and any of `name`, `role`,
    /// `site`, `region`, `tenant`, `country` (two letters), `city`, `asn`, `cid`; networks nest.
    pub networks: Vec<PathBuf>,
    /// Lists by name, files of one prefix or address a line: blacklists, command-and-control
    /// servers. The name is the label.
    pub lists: BTreeMap<String, PathBuf>,
    /// Label addresses that have no business on the Internet (RFC 6890) with the list name
    /// `bogons`.
    pub bogons: bool,
    /// CSV files of `prefix,asn[,name]`.
    pub as_prefixes: Vec<PathBuf>,
    /// MRT dumps of a routing table (RFC 6396, TABLE_DUMP_V2), plain, gzip or bzip2: origin AS by
    /// prefix.
    pub ribs: Vec<PathBuf>,
    /// Databases in MaxMind's format, of MaxMind, DB-IP, IPinfo: country, city, AS.
    pub maxmind: Vec<PathBuf>,
    /// CSV of `asn,name`; these names win over those that the sources above bring along.
    pub as_names: PathBuf,
    /// CSV of `exporter,ifindex,name,description,speed`, the speed in Mbit/s; a header may put the
    /// columns in another order.
    pub interfaces: PathBuf,
    /// Where `SrcAS` comes from: `record-first` (the record's, else the tables'), `table-first`,
    /// `record-only` or `table-only`.
    pub src_as: AsOrder,
    /// Where `DstAS` comes from, likewise.
    pub dst_as: AsOrder,
    /// Which end of a flow is the far one, where no exporter's rule says otherwise: `border` (what
    /// comes in comes from far away), `user` (what comes in comes from our users), `customers`
    /// (the end that is no customer's) or `clear` (neither). Without a direction in the record,
    /// the first two do as `customers`.
    pub remote: RemotePolicy,
    /// Write the protocol's name to every flow.
    pub protocol_names: bool,
    /// Multiply `Bytes` and `Packets` by the sampling rate, once, and say so in `Normalized`.
    pub normalize: bool,
    /// Watch these files and take a changed one in by itself; a broken one leaves the old in
    /// force.
    pub watch: bool,
}

impl Default for Enrich {
    fn default() -> Self {
        Self {
            customers: PathBuf::new(),
            networks: Vec::new(),
            lists: BTreeMap::new(),
            bogons: false,
            as_prefixes: Vec::new(),
            ribs: Vec::new(),
            maxmind: Vec::new(),
            as_names: PathBuf::new(),
            interfaces: PathBuf::new(),
            src_as: AsOrder::default(),
            dst_as: AsOrder::default(),
            remote: RemotePolicy::default(),
            protocol_names: true,
            normalize: false,
            watch: true,
        }
    }
}

/// A file that the section names.
#[derive(Clone, Debug)]
struct Named<'c> {
    /// The key, for messages: `enrich.lists.blacklist`.
    key: String,
    path: &'c Path,
    content: Content<'c>,
}

type Read = fn(&Path) -> Result<Source, LoadError>;

/// What is in a file, and who reads it.
#[derive(Clone, Copy, Debug)]
enum Content<'c> {
    Prefixes(Read),
    /// A list of this name.
    List(&'c str),
    AsNames,
    Interfaces,
}

impl Enrich {
    /// Every file that is named, for whoever watches them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.named().into_iter().map(|named| named.path)
    }

    /// In the order in which they are asked.
    fn named(&self) -> Vec<Named<'_>> {
        let lists = self.lists.iter();
        let lists =
            lists.map(|(name, path)| named(&format!("lists.{name}"), path, Content::List(name)));
        let mut all = vec![named("customers", &self.customers, Content::Prefixes(customers::read))];
        all.extend(each("networks", &self.networks, networks::read));
        all.extend(lists);
        all.extend(each("as_prefixes", &self.as_prefixes, asn::read));
        all.extend(each("ribs", &self.ribs, mrt::read));
        all.extend(each("maxmind", &self.maxmind, maxmind::read));
        all.push(named("as_names", &self.as_names, Content::AsNames));
        all.push(named("interfaces", &self.interfaces, Content::Interfaces));
        all.retain(|named| !named.path.as_os_str().is_empty());
        all
    }
}

fn each<'c>(key: &str, paths: &'c [PathBuf], read: Read) -> impl Iterator<Item = Named<'c>> {
    paths.iter().map(move |path| named(key, path, Content::Prefixes(read)))
}

fn named<'c>(key: &str, path: &'c Path, content: Content<'c>) -> Named<'c> {
    Named { key: format!("enrich.{key}"), path, content }
}
