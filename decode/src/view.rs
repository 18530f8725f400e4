//! What people are shown: exporters with their accounts, and templates with what each field is for.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use neckar_proto::Field;

use crate::counters::Cause;
use crate::elements::{self, REVERSE_PEN, Use};
use crate::interfaces::ExporterNames;
use crate::shared::{DomainCell, ExporterCell, Shared, lock};
use crate::template::{FieldSpec, Protocol, Template, VARIABLE};
use crate::totals::Totals;

/// An exporter and its accounts, as last reported by the workers
/// ([`Decoder::expire`](crate::Decoder::expire)).
#[derive(Clone, Debug)]
pub struct ExporterView {
    /// Its address.
    pub exporter: IpAddr,
    /// Its port, where ports are part of the key; else 0.
    pub port: u16,
    /// By [`Cause`]: what of it did not become a flow.
    pub dropped: [u64; Cause::ALL.len()],
    /// Its domains.
    pub domains: Vec<DomainView>,
}

/// One observation domain (source id, engine, sub-agent).
#[derive(Clone, Debug)]
pub struct DomainView {
    /// The protocol it speaks.
    pub protocol: Protocol,
    /// Its number.
    pub domain: u32,
    /// Its accounts.
    pub totals: Totals,
    /// Templates known, options templates included.
    pub templates: usize,
    /// Sampling rates told by options records: sampler id, if one is named, and rate.
    pub rates: Vec<(Option<u64>, u64)>,
    /// Data sets given up because their template never came, by template id.
    pub missing: Vec<(u16, u64)>,
}

/// What is counted of an exporter, without what its templates say: for a look at many of them.
#[derive(Clone, Debug)]
pub struct ExporterAccount {
    /// Its address.
    pub exporter: IpAddr,
    /// Its port, where ports are part of the key; else 0.
    pub port: u16,
    /// By [`Cause`]: what of it did not become a flow.
    pub dropped: [u64; Cause::ALL.len()],
    /// Templates known, options templates included.
    pub templates: usize,
    /// By [`Protocol::ALL`]: its domains together; `None` where it has none.
    pub protocols: [Option<Totals>; Protocol::ALL.len()],
    /// The lowest and the highest sampling rate that its options records tell; `None` if they tell
    /// none.
    pub rates: Option<(u64, u64)>,
}

impl ExporterAccount {
    /// All protocols together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        self.protocols.iter().flatten().for_each(|totals| sum.add(totals));
        sum
    }
}

/// One template and what decoding makes of it.
#[derive(Clone, Debug)]
pub struct TemplateView {
    /// Whose it is.
    pub exporter: IpAddr,
    /// The protocol it came by.
    pub protocol: Protocol,
    /// Its observation domain.
    pub domain: u32,
    /// Its id.
    pub id: u16,
    /// An options template: its records are about the exporter and never become flows.
    pub options: bool,
    /// Fields that are scope; they come first.
    pub scope: usize,
    /// When it was last announced, Unix nanoseconds.
    pub refreshed_ns: u64,
    /// Its fields in wire order.
    pub fields: Vec<FieldView>,
}

/// One field of a template.
#[derive(Clone, Debug)]
pub struct FieldView {
    /// Information element.
    pub element: u16,
    /// Enterprise number; 0 for IANA's own.
    pub enterprise: u32,
    /// The element's name, if decoding has a use for it.
    pub name: Option<&'static str>,
    /// Bytes; `None` if each record tells.
    pub length: Option<u16>,
    /// The fields of the flow that it can fill.
    pub fills: Vec<Field>,
    /// It is read for something else than a field of the flow: "sampling rate", "sampled packet",
    /// ...
    pub serves: Option<&'static str>,
    /// It fills the second flow of the record (RFC 5103).
    pub reverse: bool,
}

impl FieldView {
    /// Is it passed over by its length?
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.fills.is_empty() && self.serves.is_none()
    }
}

impl Shared {
    /// All exporters, by address.
    #[must_use]
    pub fn exporters(&self) -> Vec<ExporterView> {
        let cells = self.cells().into_iter();
        cells
            .map(|(exporter, domains)| ExporterView {
                exporter: exporter.key.address(),
                port: exporter.key.port(),
                dropped: *lock(&exporter.dropped),
                domains: domains
                    .iter()
                    .map(|domain| {
                        let state = lock(&domain.state);
                        DomainView {
                            protocol: domain.key.protocol,
                            domain: domain.key.domain,
                            totals: state.totals,
                            templates: state.templates.len(),
                            rates: state.rates.rows().collect(),
                            missing: state.missing.iter().map(|(id, sets)| (*id, *sets)).collect(),
                        }
                    })
                    .collect(),
            })
            .collect()
    }

    /// What is counted of the exporters that have sent most, at most `most` of them, busiest first;
    /// of two that sent as much the lower address first. Each lock is held for as long as it takes
    /// to copy one domain's counts.
    #[must_use]
    pub fn busiest(&self, most: usize) -> Vec<ExporterAccount> {
        let sent = |domain: &DomainCell| lock(&domain.state).totals.datagrams;
        let mut cells: Vec<_> = self
            .cells()
            .into_iter()
            .map(|(exporter, domains)| {
                let sent: u64 = domains.iter().map(|domain| sent(domain)).sum();
                (Reverse(sent), exporter, domains)
            })
            .collect();
        // Stable, so that addresses stay in order.
        cells.sort_by_key(|(sent, ..)| *sent);
        cells.truncate(most);
        cells.iter().map(|(_, exporter, domains)| account(exporter, domains)).collect()
    }

    /// The addresses of all exporters, each once; cheaper than [`exporters`](Self::exporters).
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        lock(&self.table).exporters.keys().map(|key| key.address()).collect()
    }

    /// All templates, by exporter, domain and id.
    #[must_use]
    pub fn templates(&self) -> Vec<TemplateView> {
        let mut views = Vec::new();
        for (exporter, domains) in self.cells() {
            for domain in domains {
                let state = lock(&domain.state);
                views.extend(state.templates.values().map(|template| {
                    view(exporter.key.address(), domain.key.protocol, domain.key.domain, template)
                }));
            }
        }
        views
    }

    /// What exporters say of their interfaces in options data (IE 82, 83), by exporter and ifIndex.
    /// Bounded per exporter and in total.
    #[must_use]
    pub fn interface_names(&self) -> ExporterNames {
        self.interfaces.all()
    }

    /// Changes whenever [`interface_names`](Self::interface_names) would say something else.
    #[must_use]
    pub fn interface_revision(&self) -> u64 {
        self.interfaces.revision()
    }

    /// How many templates are known now.
    #[must_use]
    pub fn template_count(&self) -> usize {
        self.templates.load(Ordering::Relaxed)
    }

    /// Bytes that templates take now, as far as they are counted.
    #[must_use]
    pub fn template_bytes(&self) -> usize {
        self.template_bytes.load(Ordering::Relaxed)
    }

    /// How many exporters are known now.
    #[must_use]
    pub fn exporter_count(&self) -> usize {
        lock(&self.table).exporters.len()
    }
}

fn account(exporter: &ExporterCell, domains: &[Arc<DomainCell>]) -> ExporterAccount {
    let mut account = ExporterAccount {
        exporter: exporter.key.address(),
        port: exporter.key.port(),
        dropped: *lock(&exporter.dropped),
        templates: exporter.templates.load(Ordering::Relaxed),
        protocols: [None; Protocol::ALL.len()],
        rates: None,
    };
    for domain in domains {
        let state = lock(&domain.state);
        let protocol = &mut account.protocols[domain.key.protocol as usize];
        protocol.get_or_insert_default().add(&state.totals);
        for (_, rate) in state.rates.rows() {
            let (low, high) = account.rates.unwrap_or((rate, rate));
            account.rates = Some((low.min(rate), high.max(rate)));
        }
    }
    account
}

fn view(exporter: IpAddr, protocol: Protocol, domain: u32, template: &Template) -> TemplateView {
    let scope = usize::from(template.design.scope);
    let specs = template.design.definition(protocol);
    let fields = specs
        .specs()
        .enumerate()
        .map(|(index, spec)| {
            let options = template.design.options;
            field_view(spec, protocol, options, options && index < scope)
        })
        .collect();
    TemplateView {
        exporter,
        protocol,
        domain,
        id: template.id,
        options: template.design.options,
        scope,
        refreshed_ns: template.refreshed_ns(),
        fields,
    }
}

fn field_view(spec: FieldSpec, protocol: Protocol, options: bool, scope: bool) -> FieldView {
    let FieldSpec { element, enterprise, length } = spec;
    let v9_scope = scope && protocol == Protocol::NetflowV9;
    let line = elements::element(element)
        .filter(|_| matches!(enterprise, 0 | REVERSE_PEN) && !v9_scope)
        .filter(|line| !line.v9_only || protocol == Protocol::NetflowV9);
    let uses = line.map_or(&[][..], |line| line.uses);
    let fills = uses.iter().flat_map(|one| filled(*one));
    let serves = uses.iter().find_map(|one| served(*one));
    FieldView {
        element,
        enterprise,
        name: line.map(|line| line.name),
        length: (length != VARIABLE).then_some(length),
        fills: if options { Vec::new() } else { fills.collect() },
        serves,
        reverse: enterprise == REVERSE_PEN
            || uses.iter().any(|one| matches!(one, Use::FillReverse { .. })),
    }
}

/// The fields that one use fills.
pub(crate) fn filled(one: Use) -> Vec<Field> {
    let label = |slot| vec![Field::HasMPLS, Field::MPLSCount, slot];
    match one {
        Use::Fill { field, .. } | Use::FillReverse { field, .. } => vec![field],
        Use::Label(0) => label(Field::MPLS1Label),
        Use::Label(1) => label(Field::MPLS2Label),
        Use::Label(2) => label(Field::MPLS3Label),
        Use::Label(_) => label(Field::MPLSLastLabel),
        Use::VrfName => vec![Field::IngressVrfName, Field::EgressVrfName],
        Use::Rate(_) | Use::Sampler => vec![Field::SamplingRate],
        Use::Boot => vec![Field::TimeFlowStartNs, Field::TimeFlowEndNs],
        Use::Frame(_) | Use::InterfaceName => Vec::new(),
    }
}

/// What an element is read for, if not only to be copied to a field.
fn served(one: Use) -> Option<&'static str> {
    match one {
        Use::Fill { .. } | Use::FillReverse { .. } | Use::Label(_) | Use::VrfName => None,
        Use::Rate(_) => Some("sampling rate"),
        Use::Sampler => Some("sampler"),
        Use::Boot => Some("exporter start"),
        Use::InterfaceName => Some("name of an interface, in options data"),
        Use::Frame(_) => Some("sampled packet"),
    }
}

#[cfg(test)]
mod tests;
