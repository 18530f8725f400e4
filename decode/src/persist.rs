//! Templates and sampling tables as bytes, so that the first data packet after a restart decodes.
//!
//! The bytes are versioned and end in a checksum. Whoever stores them does the I/O. Bytes that we
//! did not write give an error and change nothing; definitions are parsed as if they had come over
//! the wire.
//!
//! ```text
//! "NKTS" version:u16 exporters:u32 { address:16B port:u16 domains:u32 { protocol:u8 domain:u32 boot_ms:u64
//!   rates:u32 { named:u8 id:u64 rate:u64 } templates:u32 { id:u16 options:u8 refreshed_ns:u64 length:u32 definition } } } crc32:u32
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::sampling::Fact;
use crate::shared::{DomainCell, DomainKey, ExporterKey, Shared, lock};
use crate::template::{Protocol, Record, Template, TemplateSet};

const MAGIC: &[u8; 4] = b"NKTS";
const VERSION: u16 = 1;
const CHECKSUM_BYTES: usize = 4;
const PROTOCOLS: [Protocol; 2] = [Protocol::NetflowV9, Protocol::Ipfix];

/// What an import brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Exporters that have something to remember.
    pub exporters: usize,
    /// Templates taken in.
    pub templates: usize,
    /// Sampling rates taken in.
    pub rates: usize,
    /// Templates that the bounds leave no room for, or that are not accepted any more.
    pub skipped: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exporters, templates, rates, skipped } = self;
        write!(out, "{templates} templates and {rates} sampling rates of {exporters} exporters")?;
        if *skipped > 0 {
            write!(out, "; {skipped} left out")?;
        }
        Ok(())
    }
}

/// Why bytes were not imported. Nothing was changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// They are something else.
    NotOurs,
    /// A version that this program does not know.
    Version(u16),
    /// They were changed or cut since they were written.
    Damaged,
}

impl fmt::Display for ImportError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => out.write_str("not a template file of neckar"),
            Self::Version(version) => {
                write!(out, "template file of version {version}, this program reads {VERSION}")
            }
            Self::Damaged => out.write_str("template file is damaged"),
        }
    }
}

impl std::error::Error for ImportError {}

impl Shared {
    /// All templates and sampling tables.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_be_bytes());
        // Only who has something to remember: most exporters of v5 and sFlow have not.
        let mut exporters = 0_u32;
        let count_at = out.len();
        out.extend(exporters.to_be_bytes());
        for (exporter, domains) in self.cells() {
            let known: Vec<_> = domains.iter().filter(|domain| is_worth_keeping(domain)).collect();
            if known.is_empty() {
                continue;
            }
            exporters += 1;
            let address = match exporter.key.address() {
                IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                IpAddr::V6(v6) => v6,
            };
            out.extend(address.octets());
            out.extend(exporter.key.port().to_be_bytes());
            out.extend((known.len() as u32).to_be_bytes());
            for domain in known {
                write_domain(domain, &mut out);
            }
        }
        out[count_at..count_at + size_of::<u32>()].copy_from_slice(&exporters.to_be_bytes());
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out
    }

    /// Takes in what [`export`](Self::export) wrote. Meant for the start, before any datagram.
    ///
    /// # Errors
    /// [`ImportError`] if the bytes are not ours, of another version or damaged.
    pub fn import(&self, bytes: &[u8]) -> Result<Summary, ImportError> {
        if bytes.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(ImportError::NotOurs);
        }
        let mut reader = Reader { rest: &bytes[MAGIC.len()..] };
        let version = reader.u16()?;
        if version != VERSION {
            return Err(ImportError::Version(version));
        }
        let (content, checksum) = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .and_then(|at| bytes.split_at_checked(at))
            .ok_or(ImportError::Damaged)?;
        if crc32fast::hash(content).to_be_bytes() != checksum {
            return Err(ImportError::Damaged);
        }
        // Read in full first: a damaged end must not leave half of it behind.
        reader.rest = &content[MAGIC.len() + size_of::<u16>()..];
        let domains = reader.domains()?;
        Ok(self.restore(&domains))
    }

    fn restore(&self, domains: &[SavedDomain<'_>]) -> Summary {
        let mut summary = Summary::default();
        let mut last = None;
        for saved in domains {
            let newest_ns = saved.templates.iter().map(|one| one.refreshed_ns).max().unwrap_or(0);
            let Ok((exporter, domain)) = self.admit(saved.key, newest_ns) else {
                summary.skipped += saved.templates.len();
                continue;
            };
            if last != Some(saved.key.exporter) {
                last = Some(saved.key.exporter);
                summary.exporters += 1;
            }
            self.learn(&exporter, &domain, &saved.facts);
            summary.rates += saved.facts.iter().filter(|fact| fact.rate != 0).count();
            for one in &saved.templates {
                let template = one.compile(saved.key.protocol, self);
                let installed = template.is_some_and(|template| {
                    self.install(&exporter, &domain, &std::sync::Arc::new(template)).is_some()
                });
                *(if installed { &mut summary.templates } else { &mut summary.skipped }) += 1;
            }
        }
        summary
    }
}

fn is_worth_keeping(domain: &DomainCell) -> bool {
    let state = lock(&domain.state);
    PROTOCOLS.contains(&domain.key.protocol)
        && !(state.templates.is_empty() && state.rates.is_empty())
}

fn write_domain(domain: &DomainCell, out: &mut Vec<u8>) {
    let state = lock(&domain.state);
    let protocol = u8::from(domain.key.protocol == Protocol::Ipfix);
    out.push(protocol);
    out.extend(domain.key.domain.to_be_bytes());
    out.extend(state.rates.boot_ms().unwrap_or(0).to_be_bytes());
    out.extend((state.rates.rows().count() as u32).to_be_bytes());
    for (sampler, rate) in state.rates.rows() {
        out.push(u8::from(sampler.is_some()));
        out.extend(sampler.unwrap_or(0).to_be_bytes());
        out.extend(rate.to_be_bytes());
    }
    out.extend((state.templates.len() as u32).to_be_bytes());
    for (id, template) in &state.templates {
        out.extend(id.to_be_bytes());
        out.push(u8::from(template.design.options));
        out.extend(template.refreshed_ns().to_be_bytes());
        out.extend((template.design.definition.len() as u32).to_be_bytes());
        out.extend(&*template.design.definition);
    }
}

/// A domain as it was written.
struct SavedDomain<'a> {
    key: DomainKey,
    facts: Vec<Fact>,
    templates: Vec<SavedTemplate<'a>>,
}

struct SavedTemplate<'a> {
    id: u16,
    options: bool,
    refreshed_ns: u64,
    definition: &'a [u8],
}

impl SavedTemplate<'_> {
    fn compile(&self, protocol: Protocol, shared: &Shared) -> Option<Template> {
        let mut wire = self.id.to_be_bytes().to_vec();
        wire.extend(self.definition);
        let mut records = TemplateSet::new(protocol, self.options, &wire);
        match records.next() {
            Ok(Some(Record::Template(id, definition)))
                if definition.bytes.len() == self.definition.len()
                    && definition.fields <= shared.config.template_fields_max =>
            {
                shared.template(id, &definition, self.refreshed_ns)
            }
            _ => None,
        }
    }
}

/// Reads what [`Shared::export`] writes; everything short is [`ImportError::Damaged`].
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], ImportError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ImportError::Damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        self.bytes(N)?.try_into().map_err(|_| ImportError::Damaged)
    }

    fn u8(&mut self) -> Result<u8, ImportError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, ImportError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, ImportError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, ImportError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn domains(&mut self) -> Result<Vec<SavedDomain<'a>>, ImportError> {
        let mut domains = Vec::new();
        for _ in 0..self.u32()? {
            let address = Ipv6Addr::from(self.array::<16>()?).to_canonical();
            let exporter = ExporterKey::new(address, self.u16()?);
            for _ in 0..self.u32()? {
                domains.push(self.domain(exporter)?);
            }
        }
        if self.rest.is_empty() { Ok(domains) } else { Err(ImportError::Damaged) }
    }

    fn domain(&mut self, exporter: ExporterKey) -> Result<SavedDomain<'a>, ImportError> {
        let protocol = *PROTOCOLS.get(usize::from(self.u8()?)).ok_or(ImportError::Damaged)?;
        let key = DomainKey { exporter, protocol, domain: self.u32()? };
        let boot_ms = Some(self.u64()?).filter(|boot| *boot != 0);
        let mut facts = vec![Fact { sampler: None, rate: 0, boot_ms }];
        for _ in 0..self.u32()? {
            let named = self.u8()? != 0;
            let id = self.u64()?;
            facts.push(Fact { sampler: named.then_some(id), rate: self.u64()?, boot_ms: None });
        }
        let mut templates = Vec::new();
        for _ in 0..self.u32()? {
            let (id, options, refreshed_ns) = (self.u16()?, self.u8()? != 0, self.u64()?);
            let length = self.u32()? as usize;
            templates.push(SavedTemplate {
                id,
                options,
                refreshed_ns,
                definition: self.bytes(length)?,
            });
        }
        Ok(SavedDomain { key, facts, templates })
    }
}

#[cfg(test)]
mod tests;
