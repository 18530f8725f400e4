//! What sources say of addresses, deduplicated: texts and sets of labels, each kept once and named
//! by a number.

use hashbrown::HashMap;
use neckar_proto::{Field, TEXT_BYTES_MAX};

/// A kind of text that an address can get, and the fields of its two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
#[repr(u8)]
pub enum Text {
    Country,
    City,
    AsName,
    CidString,
    NetName,
    NetRole,
    NetSite,
    NetRegion,
    NetTenant,
    List,
}

impl Text {
    /// All of them, by number.
    pub const ALL: [Self; 10] = [
        Self::Country,
        Self::City,
        Self::AsName,
        Self::CidString,
        Self::NetName,
        Self::NetRole,
        Self::NetSite,
        Self::NetRegion,
        Self::NetTenant,
        Self::List,
    ];

    /// The fields it fills, of the source's side and of the destination's.
    #[must_use]
    pub const fn fields(self) -> [Field; 2] {
        match self {
            Self::Country => [Field::SrcCountry, Field::DstCountry],
            Self::City => [Field::SrcCity, Field::DstCity],
            Self::AsName => [Field::SrcASName, Field::DstASName],
            Self::CidString => [Field::SrcCidString, Field::DstCidString],
            Self::NetName => [Field::SrcNetName, Field::DstNetName],
            Self::NetRole => [Field::SrcNetRole, Field::DstNetRole],
            Self::NetSite => [Field::SrcNetSite, Field::DstNetSite],
            Self::NetRegion => [Field::SrcNetRegion, Field::DstNetRegion],
            Self::NetTenant => [Field::SrcNetTenant, Field::DstNetTenant],
            Self::List => [Field::SrcList, Field::DstList],
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::City => "city",
            Self::AsName => "AS name",
            Self::CidString => "customer",
            Self::NetName => "network",
            Self::NetRole => "role",
            Self::NetSite => "site",
            Self::NetRegion => "region",
            Self::NetTenant => "tenant",
            Self::List => "list",
        }
    }
}

/// What one source, or all of them together, say of an address. 0 is "nothing said", for numbers
/// and for texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Value {
    /// Customer number.
    pub(crate) cid: u32,
    /// AS number (0 is reserved, RFC 7607).
    pub(crate) asn: u32,
    /// Texts by [`Text`], as numbers of a [`Texts`].
    pub(crate) texts: [u32; Text::ALL.len()],
}

impl Value {
    /// With one text more.
    pub(crate) const fn with(mut self, text: Text, number: u32) -> Self {
        self.texts[text as usize] = number;
        self
    }

    /// This value where it says something, `outer` where it does not.
    pub(crate) fn over(mut self, outer: &Self) -> Self {
        let or = |own: u32, outer: u32| if own == 0 { outer } else { own };
        self.cid = or(self.cid, outer.cid);
        self.asn = or(self.asn, outer.asn);
        for (own, outer) in self.texts.iter_mut().zip(outer.texts) {
            *own = or(*own, outer);
        }
        self
    }

    /// Is the address a customer's, by number or by name?
    pub(crate) const fn is_customer(&self) -> bool {
        self.cid != 0 || self.texts[Text::CidString as usize] != 0
    }
}

/// Texts, each once. Number 0 is the empty one.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { texts: vec!["".into()], numbers: HashMap::from([("".into(), 0)]) }
    }
}

impl Texts {
    /// The number of `text`, which is cut to [`TEXT_BYTES_MAX`] bytes between characters.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).expect("4 G texts do not fit into memory");
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    /// The text of a number that this table gave.
    pub(crate) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}

/// Values, each once. Number 0 says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    values: Vec<Value>,
    numbers: HashMap<Value, u32>,
}

impl Default for Values {
    fn default() -> Self {
        Self { values: vec![Value::default()], numbers: HashMap::from([(Value::default(), 0)]) }
    }
}

impl Values {
    /// The number of `value`.
    pub(crate) fn intern(&mut self, value: Value) -> u32 {
        let next = u32::try_from(self.values.len()).expect("4 G values do not fit into memory");
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        number
    }

    /// The values by number.
    pub(crate) fn as_slice(&self) -> &[Value] {
        &self.values
    }

    /// The values by number.
    pub(crate) fn into_vec(self) -> Vec<Value> {
        self.values
    }
}
