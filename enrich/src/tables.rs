//! The tables in force: built off the flow path, never changed, swapped whole.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashMap;
use neckar_proto::encode::{BWNETFLOW, LABELS_BYTES_MAX, Profile};
use neckar_proto::{Field, Presence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arena::{Arena, ArenaBuilder, Span};
use crate::error::LoadError;
use crate::exporters::{ExporterRule, ExporterRules};
use crate::flatten::flatten;
use crate::interfaces::{InterfaceTable, Interfaces};
use crate::remote::RemotePolicy;
use crate::sets::{Encoder, LabelSet};
use crate::sources::Source;
use crate::v4::V4;
use crate::v6::V6;
use crate::values::Text;

/// Sets of labels that a table may have: what bounds their memory (32 bytes each and about 100 of
/// texts).
pub const LABEL_SETS_MAX: usize = 16_000_000;

/// Where an AS number comes from if both the record and the tables have one. 0 in a record is "not
/// said" (RFC 7607 reserves it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AsOrder {
    /// The record's, else the table's.
    #[default]
    RecordFirst,
    /// The table's, else the record's.
    TableFirst,
    /// The record's.
    RecordOnly,
    /// The table's; without one the field is taken out.
    TableOnly,
}

/// What labelling does, sources apart.
#[derive(Clone, Copy)]
pub struct Settings {
    /// The numbers that labels are encoded with: those of the output.
    pub profile: &'static Profile,
    /// Write `ProtoName`.
    pub protocol_names: bool,
    /// Multiply Bytes and Packets by the sampling rate.
    pub normalize: bool,
    /// How the far end is told where no exporter rule says otherwise.
    pub remote: RemotePolicy,
    /// Preference for `SrcAS`.
    pub src_as: AsOrder,
    /// Preference for `DstAS`.
    pub dst_as: AsOrder,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: &BWNETFLOW,
            protocol_names: true,
            normalize: false,
            remote: RemotePolicy::Border,
            src_as: AsOrder::RecordFirst,
            dst_as: AsOrder::RecordFirst,
        }
    }
}

/// Everything that tables are built from. Cheap to keep and to change in part: sources are shared.
#[derive(Clone, Default)]
pub struct Sources {
    /// Prefix sources. Where several say the same kind of thing of an address, the first of them
    /// wins; list names add up.
    pub prefixes: Vec<Arc<Source>>,
    /// Names by AS number; they win over those that prefix sources bring along.
    pub as_names: HashMap<u32, String>,
    /// What is said of exporters.
    pub exporters: Vec<ExporterRule>,
    /// Interfaces.
    pub interfaces: Interfaces,
    /// What labelling does.
    pub settings: Settings,
}

/// Immutable tables. Shared by all workers, which load the current ones once per decoded chunk.
pub struct Tables {
    pub(crate) prefixes: Arc<PrefixTables>,
    pub(crate) interfaces: InterfaceTable,
    pub(crate) settings: Settings,
    /// The longest that the labels of a row can be, in bytes.
    pub(crate) row_bytes_max: usize,
}

/// All that is found by address or by number.
pub(crate) struct PrefixTables {
    pub(crate) v4: V4,
    pub(crate) v6: V6,
    pub(crate) sets: Vec<LabelSet>,
    pub(crate) as_names: HashMap<u32, AsName>,
    pub(crate) protocols: [Span; 256],
    pub(crate) exporters: ExporterRules,
    /// By number of the rule: `SamplerHostName` and `Tenant`.
    pub(crate) exporter_texts: Vec<Span>,
    pub(crate) arena: Arena,
    /// What labelling says or takes out.
    pub(crate) owned: Presence,
    row_bytes_max: usize,
}

/// The name of an AS as source, destination and next hop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsName {
    pub(crate) texts: [Span; 3],
}

impl Tables {
    /// Flattens the sources.
    ///
    /// # Errors
    /// They exceed a bound: [`LABEL_SETS_MAX`], or 4 GiB of texts.
    pub fn build(sources: &Sources) -> Result<Self, LoadError> {
        let prefixes = PrefixTables::build(sources).ok_or_else(|| {
            too_large(&format!("{LABEL_SETS_MAX} sets of labels or 4 GiB of texts"))
        })?;
        Self::assemble(Arc::new(prefixes), &sources.interfaces, sources.settings)
    }

    /// These tables with other interfaces, cheaply.
    ///
    /// # Errors
    /// The names exceed 4 GiB.
    pub fn with_interfaces(&self, interfaces: &Interfaces) -> Result<Self, LoadError> {
        Self::assemble(Arc::clone(&self.prefixes), interfaces, self.settings)
    }

    /// The customer number of an address; 0 if it is nobody's.
    #[must_use]
    pub fn cid(&self, address: IpAddr) -> u32 {
        self.prefixes.set(address).cid
    }

    /// The AS number that the tables know for an address; 0 if none.
    #[must_use]
    pub fn asn(&self, address: IpAddr) -> u32 {
        self.prefixes.set(address).asn
    }

    /// The label sets of IPv4 addresses, as numbers below [`label_sets`](Self::label_sets), into
    /// `sets`.
    ///
    /// # Panics
    /// If `sets` is shorter than `addresses`.
    pub fn find_v4(&self, addresses: &[u32], sets: &mut [u32]) {
        self.prefixes.v4.look_up_all(addresses, &mut sets[..addresses.len()]);
    }

    /// The label sets of IPv6 addresses, likewise.
    ///
    /// # Panics
    /// If `sets` is shorter than `addresses`.
    pub fn find_v6(&self, addresses: &[u128], sets: &mut [u32]) {
        self.prefixes.v6.look_up_all(addresses, &mut sets[..addresses.len()]);
    }

    /// Bytes of memory that the tables take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.prefixes.memory_bytes() + self.interfaces.memory_bytes()
    }

    /// How many interfaces have labels.
    #[must_use]
    pub fn interfaces(&self) -> usize {
        self.interfaces.len()
    }

    /// How many different sets of labels the addresses have.
    #[must_use]
    pub fn label_sets(&self) -> usize {
        self.prefixes.sets.len()
    }

    fn assemble(
        prefixes: Arc<PrefixTables>,
        interfaces: &Interfaces,
        settings: Settings,
    ) -> Result<Self, LoadError> {
        let interfaces = InterfaceTable::new(interfaces, settings.profile)
            .ok_or_else(|| too_large("4 GiB of interface names"))?;
        let row_bytes_max = prefixes.row_bytes_max + 2 * interfaces.bytes_max;
        // A batch has room for this much behind a row: each text is cut as it is encoded.
        assert!(row_bytes_max <= LABELS_BYTES_MAX, "{row_bytes_max} bytes of labels for one row");
        Ok(Self { prefixes, interfaces, settings, row_bytes_max })
    }
}

fn too_large(bound: &str) -> LoadError {
    LoadError::new(
        Path::new("tables"),
        format!("at most {bound} were expected of all sources together"),
    )
}

impl PrefixTables {
    /// `None` if a bound is exceeded.
    fn build(sources: &Sources) -> Option<Self> {
        let flat = flatten(&sources.prefixes)?;
        let (values, mut texts, mut as_names) = (flat.values, flat.texts, flat.as_names);
        let given = sources.as_names.iter().filter(|(asn, _)| **asn != 0);
        as_names.extend(given.map(|(asn, name)| (*asn, texts.intern(name))));
        let mut arena = ArenaBuilder::default();
        let mut encoder = Encoder {
            profile: sources.settings.profile,
            texts: &texts,
            as_names: &as_names,
            arena: &mut arena,
        };
        let sets: Vec<LabelSet> =
            values.iter().map(|value| encoder.encode(value)).collect::<Option<_>>()?;
        let names: HashMap<u32, AsName> = as_names
            .iter()
            .map(|(asn, name)| Some((*asn, encoder.encode_as_name(texts.text(*name))?)))
            .collect::<Option<_>>()?;
        let protocols = encoder.encode_protocols(sources.settings.protocol_names)?;
        let exporters = ExporterRules::new(&sources.exporters);
        let exporter_texts: Vec<Span> = exporters
            .resolved
            .iter()
            .map(|rule| encoder.encode_rule(rule))
            .collect::<Option<_>>()?;

        let longest = |spans: &mut dyn Iterator<Item = Span>| {
            spans.map(|span| span.len as usize).max().unwrap_or(0)
        };
        let row_bytes_max = 2 * sets.iter().map(LabelSet::bytes_max).max().unwrap_or(0)
            + 3 * longest(&mut names.values().flat_map(|name| name.texts))
            + longest(&mut protocols.iter().copied())
            + longest(&mut exporter_texts.iter().copied());
        Some(Self {
            v4: V4::build(&flat.v4)?,
            v6: V6::build(&flat.v6)?,
            owned: owned(&sources.prefixes, sources.settings.protocol_names, !names.is_empty()),
            sets,
            as_names: names,
            protocols,
            exporters,
            exporter_texts,
            arena: arena.finish(),
            row_bytes_max,
        })
    }

    /// What the tables say of `address`.
    pub(crate) fn set(&self, address: IpAddr) -> &LabelSet {
        let set = match address.to_canonical() {
            IpAddr::V4(address) => self.v4.look_up(address.into()),
            IpAddr::V6(address) => self.v6.look_up(address.into()),
        };
        &self.sets[set as usize]
    }

    fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes()
            + self.v6.memory_bytes()
            + size_of_val(&self.sets[..])
            // A slot of hashbrown is the entry and one control byte.
            + self.as_names.capacity() * (size_of::<(u32, AsName)>() + 1)
            + size_of_val(&self.exporter_texts[..])
            + self.arena.memory_bytes()
    }
}

/// The fields that labelling says or takes out: a flow that was labelled before keeps nothing that
/// the tables do not say.
fn owned(sources: &[Arc<Source>], protocol_names: bool, as_names: bool) -> Presence {
    let mut owned = Presence::default();
    owned.insert(Field::RemoteAddr);
    if protocol_names {
        owned.insert(Field::ProtoName);
    }
    if as_names {
        AS_NAME_FIELDS.into_iter().for_each(|field| owned.insert(field));
    }
    for value in sources.iter().flat_map(|source| source.values.as_slice()) {
        let said = Text::ALL.into_iter().filter(|text| *text != Text::AsName);
        let said = said.filter(|text| value.texts[*text as usize] != 0);
        said.flat_map(Text::fields).for_each(|field| owned.insert(field));
        if value.texts[Text::Country as usize] != 0 {
            owned.insert(Field::RemoteCountry);
        }
        if value.is_customer() {
            CUSTOMER_FIELDS.into_iter().for_each(|field| owned.insert(field));
        }
    }
    owned
}

/// The places that an AS name has in a flow: source, destination, next hop.
pub(crate) const AS_NAME_FIELDS: [Field; 3] =
    [Field::SrcASName, Field::DstASName, Field::NextHopASName];

const CUSTOMER_FIELDS: [Field; 6] = [
    Field::Cid,
    Field::SrcCid,
    Field::DstCid,
    Field::CidString,
    Field::SrcCidString,
    Field::DstCidString,
];
