//! Everything that the sources say of an address, as one entry: numbers to write into the row and
//! encoded texts to append.

use hashbrown::HashMap;
use neckar_proto::encode::{Profile, encode_text};
use neckar_proto::{Field, ip_protocol};

use crate::arena::{ArenaBuilder, Span};
use crate::exporters::ExporterRule;
use crate::tables::{AS_NAME_FIELDS, AsName};
use crate::values::{Text, Texts, Value};

/// One set of labels: half a cache line.
///
/// The texts of a side lie in one piece: `RemoteCountry`, then what the side always gets, then the
/// name of its AS. So "is it the far end" and "is the AS in the row the one of the table" only
/// choose where the piece begins and ends.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub(crate) struct LabelSet {
    pub(crate) cid: u32,
    pub(crate) asn: u32,
    /// Where the pieces begin, for the source and for the destination.
    sides: [u32; 2],
    /// `CidString`, for the side that is ours.
    cid_string: u32,
    cid_string_len: u16,
    core_len: u16,
    as_name_len: u16,
    remote_len: u16,
    pub(crate) is_customer: bool,
}

impl LabelSet {
    /// Of an address that nobody says anything of.
    pub(crate) const NONE: Self = Self {
        cid: 0,
        asn: 0,
        sides: [0; 2],
        cid_string: 0,
        cid_string_len: 0,
        core_len: 0,
        as_name_len: 0,
        remote_len: 0,
        is_customer: false,
    };

    /// The texts of side `side` (0 source, 1 destination).
    #[inline(always)]
    pub(crate) fn texts(&self, side: usize, remote: bool, as_name: bool) -> Span {
        let remote_len = u32::from(self.remote_len);
        let skipped = if remote { 0 } else { remote_len };
        let as_name_len = if as_name { u32::from(self.as_name_len) } else { 0 };
        Span {
            at: self.sides[side & 1] + skipped,
            len: remote_len - skipped + u32::from(self.core_len) + as_name_len,
        }
    }

    /// `CidString`.
    #[inline(always)]
    pub(crate) fn cid_string(&self) -> Span {
        Span { at: self.cid_string, len: self.cid_string_len.into() }
    }

    /// The longest that [`texts`](Self::texts) and [`cid_string`](Self::cid_string) can be.
    pub(crate) fn bytes_max(&self) -> usize {
        usize::from(self.remote_len)
            + usize::from(self.core_len)
            + usize::from(self.as_name_len)
            + usize::from(self.cid_string_len)
    }
}

/// Encodes values into an arena.
pub(crate) struct Encoder<'a> {
    pub(crate) profile: &'static Profile,
    pub(crate) texts: &'a Texts,
    /// Names by AS number, as numbers of `texts`.
    pub(crate) as_names: &'a HashMap<u32, u32>,
    pub(crate) arena: &'a mut ArenaBuilder,
}

impl Encoder<'_> {
    /// The set for `value`. `None` if the arena is full.
    pub(crate) fn encode(&mut self, value: &Value) -> Option<LabelSet> {
        let text = |text: Text| self.texts.text(value.texts[text as usize]);
        let mut cid_string = Vec::new();
        encode_text(self.profile, Field::CidString, text(Text::CidString), &mut cid_string);
        let mut set = LabelSet {
            cid: value.cid,
            asn: value.asn,
            is_customer: value.is_customer(),
            ..LabelSet::default()
        };
        let as_name = self.as_names.get(&value.asn).map_or("", |name| self.texts.text(*name));
        for (side, as_name_field) in AS_NAME_FIELDS.into_iter().take(2).enumerate() {
            let mut piece = Vec::new();
            encode_text(self.profile, Field::RemoteCountry, text(Text::Country), &mut piece);
            let remote_len = piece.len();
            for kind in Text::ALL.into_iter().filter(|kind| *kind != Text::AsName) {
                encode_text(self.profile, kind.fields()[side], text(kind), &mut piece);
            }
            let core_end = piece.len();
            encode_text(self.profile, as_name_field, as_name, &mut piece);
            set.remote_len = u16::try_from(remote_len).ok()?;
            set.core_len = u16::try_from(core_end - remote_len).ok()?;
            set.as_name_len = u16::try_from(piece.len() - core_end).ok()?;
            set.sides[side] = self.arena.put(&piece)?.at;
        }
        let span = self.arena.put(&cid_string)?;
        (set.cid_string, set.cid_string_len) = (span.at, u16::try_from(span.len).ok()?);
        Some(set)
    }

    /// An AS name for each place that an AS has in a flow.
    pub(crate) fn encode_as_name(&mut self, name: &str) -> Option<AsName> {
        let mut texts = [Span::default(); 3];
        for (span, field) in texts.iter_mut().zip(AS_NAME_FIELDS) {
            *span = self.put(&[(field, Some(name))])?;
        }
        Some(AsName { texts })
    }

    /// `ProtoName` by protocol; empty ones if not `wanted`.
    pub(crate) fn encode_protocols(&mut self, wanted: bool) -> Option<[Span; 256]> {
        let mut spans = [Span::default(); 256];
        for (number, span) in (0..=u8::MAX).zip(&mut spans) {
            let name = ip_protocol::name(number.into()).filter(|_| wanted);
            *span = self.put(&[(Field::ProtoName, name)])?;
        }
        Some(spans)
    }

    /// What a rule says of an exporter in texts.
    pub(crate) fn encode_rule(&mut self, rule: &ExporterRule) -> Option<Span> {
        self.put(&[
            (Field::SamplerHostName, rule.name.as_deref()),
            (Field::Tenant, rule.tenant.as_deref()),
        ])
    }

    fn put(&mut self, fields: &[(Field, Option<&str>)]) -> Option<Span> {
        let mut piece = Vec::new();
        for (field, text) in fields {
            encode_text(self.profile, *field, text.unwrap_or_default(), &mut piece);
        }
        self.arena.put(&piece)
    }
}
