//! Addresses made unrecognisable: Crypto-PAn, truncation, or both.
//!
//! Crypto-PAn (Xu, Fan, Ammar, Moon 2002) maps addresses one to one under a key so that two
//! addresses that share their first n bits still share exactly n. Each bit is flipped or not by a
//! bit of AES over the bits before it; the flips of the first 16 bits are worked out at start (128
//! KiB, shared by both families, since the blocks are the same), the rest of an address is
//! encrypted as one batch. Measured figures: `benches/README.md`.
//!
//! Runs on rows, after labelling, which needs the real addresses. Texts in the row that spell an
//! address or name its host go; MAC addresses, user names and the operator's own names of exporters
//! and networks are not addresses and stay. One of them goes from a tenant's copy all the same: the
//! name that a rule gives an exporter (`SamplerHostName`) stands beside the row in the output, which
//! is the operator's, but in the row when a copy is made, which is somebody else's.

use std::fmt;
use std::net::IpAddr;

use neckar_proto::{Field, Flow};

mod crypto_pan;
mod key;

pub use crypto_pan::CryptoPan;
pub use key::{Key, KeyError};

/// How many leading bits truncation keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Of IPv4 addresses, 0 to 32.
    pub v4: u8,
    /// Of IPv6 addresses, 0 to 128.
    pub v6: u8,
}

/// What is done to addresses.
#[derive(Clone, Debug)]
pub enum Method {
    /// Every bit under a key.
    CryptoPan(Key),
    /// Trailing bits become 0.
    Truncate(Kept),
    /// Both: what is left after truncation is under the key.
    Both(Key, Kept),
}

/// An address field with what goes along with it.
struct Target {
    field: Field,
    /// What was done, and how many bits of the original prefix length are left, where the message
    /// has fields for it.
    flags: Option<(Field, Field)>,
    /// Texts that give the address away.
    texts: &'static [Field],
}

/// Every address that a flow has.
const TARGETS: [Target; 7] = [
    Target {
        field: Field::SrcAddr,
        flags: Some((Field::SrcAddrAnon, Field::SrcAddrPreservedLen)),
        texts: &[Field::SourceIP, Field::SrcHostName],
    },
    Target {
        field: Field::DstAddr,
        flags: Some((Field::DstAddrAnon, Field::DstAddrPreservedLen)),
        texts: &[Field::DestinationIP, Field::DstHostName],
    },
    Target {
        field: Field::SamplerAddress,
        flags: Some((Field::SamplerAddrAnon, Field::SamplerAddrAnonPreservedPrefixLen)),
        texts: &[Field::SamplerIP, Field::SamplerHostName],
    },
    Target {
        field: Field::NextHop,
        flags: None,
        texts: &[Field::NextHopIP, Field::NextHopHostName],
    },
    Target { field: Field::BgpNextHop, flags: None, texts: &[] },
    Target { field: Field::PostNatSrcAddr, flags: None, texts: &[] },
    Target { field: Field::PostNatDstAddr, flags: None, texts: &[] },
];

/// Makes the addresses of flows unrecognisable.
pub struct Anonymizer {
    pan: Option<CryptoPan>,
    kept: Option<Kept>,
    targets: Vec<&'static Target>,
}

/// Why there is no anonymiser. Nothing must be written then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnonymizeError {
    /// No address field has this name.
    UnknownField(String),
    /// No field was named: nothing would be anonymised.
    NoField,
    /// More bits to keep than an address has.
    KeptTooLong(Kept),
}

impl fmt::Display for AnonymizeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField(name) => {
                write!(out, "`{name}` is no address field; there are")?;
                TARGETS.iter().try_for_each(|target| write!(out, " {}", target.field.name()))
            }
            Self::NoField => out.write_str("no field to anonymise was named"),
            Self::KeptTooLong(kept) => {
                write!(out, "at most 32 and 128 bits can be kept, not {} and {}", kept.v4, kept.v6)
            }
        }
    }
}

impl std::error::Error for AnonymizeError {}

impl Anonymizer {
    /// Anonymises every address field.
    ///
    /// # Errors
    /// [`AnonymizeError::KeptTooLong`].
    pub fn new(method: Method) -> Result<Self, AnonymizeError> {
        Self::for_fields(method, TARGETS.iter().map(|target| target.field.name()))
    }

    /// Anonymises the address fields of these names and no others.
    ///
    /// # Errors
    /// A name that is no address field, no name at all, or too many bits to keep.
    pub fn for_fields<'n>(
        method: Method,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Self, AnonymizeError> {
        let targets = names.into_iter().map(|name| {
            let target = TARGETS.iter().find(|target| target.field.name() == name);
            target.ok_or_else(|| AnonymizeError::UnknownField(name.to_owned()))
        });
        let targets: Vec<_> = targets.collect::<Result<_, _>>()?;
        if targets.is_empty() {
            return Err(AnonymizeError::NoField);
        }
        let (pan, kept) = match method {
            Method::CryptoPan(key) => (Some(CryptoPan::new(&key)), None),
            Method::Truncate(kept) => (None, Some(kept)),
            Method::Both(key, kept) => (Some(CryptoPan::new(&key)), Some(kept)),
        };
        match kept {
            Some(kept) if kept.v4 > 32 || kept.v6 > 128 => Err(AnonymizeError::KeptTooLong(kept)),
            _ => Ok(Self { pan, kept, targets }),
        }
    }

    /// The address that stands for `address`.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> IpAddr {
        let mut address = address;
        if let Some(pan) = &self.pan {
            address = pan.address(address);
        }
        if let Some(kept) = self.kept {
            address = truncated(address, kept);
        }
        address
    }

    /// Replaces the flow's addresses, says so where the message has fields for it, and takes out
    /// the texts that would give them away. What was done to the flow before, by an output's method
    /// or an earlier stage's, is still said.
    pub fn anonymize(&self, flow: &mut Flow) {
        for target in &self.targets {
            target.texts.iter().for_each(|text| flow.remove(*text));
            let Some(address) = flow.ip(target.field) else { continue };
            flow.set_ip(target.field, self.address(address));
            if let Some(flags) = target.flags {
                self.tell(flow, flags, address.is_ipv4());
            }
        }
    }

    fn tell(&self, flow: &mut Flow, (kind, preserved): (Field, Field), is_v4: bool) {
        let before = flow.word_or_zero(kind);
        // A length that nobody has truncated to says nothing.
        let kept_before = flow.word(preserved).filter(|_| before & TRUNCATED != 0);
        let kept = self.kept.map(|kept| if is_v4 { kept.v4.into() } else { kept.v6.into() });
        flow.set(kind, before | self.kind());
        match kept_before.into_iter().chain(kept).min() {
            Some(bits) => flow.set(preserved, bits),
            None => flow.remove(preserved),
        }
    }

    /// The value of `AnonymizedType`.
    const fn kind(&self) -> u64 {
        match (&self.pan, &self.kept) {
            (Some(_), None) => CRYPTO_PAN,
            (None, _) => TRUNCATED,
            (Some(_), Some(_)) => CRYPTO_PAN | TRUNCATED,
        }
    }
}

/// The values of `AnonymizedType` are bits: 3 is both.
const CRYPTO_PAN: u64 = 1;
const TRUNCATED: u64 = 2;

fn truncated(address: IpAddr, kept: Kept) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = !u32::MAX.checked_shr(kept.v4.into()).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = !u128::MAX.checked_shr(kept.v6.into()).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests;
