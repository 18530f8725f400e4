//! Labels onto the row: customers, countries, AS numbers and names, networks, lists, the far end,
//! protocol and interface names.
//!
//! * [`sources`] reads files into [`sources::Source`]s: the only I/O here, and off the flow path.
//! * [`Tables::build`] flattens all sources into one immutable table per address family, whose
//!   entry is a set of labels: an address costs one lookup however many labels it gets. The texts
//!   of a set are encoded protobuf, so that labelling a flow is a copy.
//! * [`Tables::label`] labels the rows of a decoded chunk; [`Labels::of`] is what the encoder
//!   appends to each.
//!
//! Deliberately absent: clocks, threads, swapping (the daemon holds the tables in an `ArcSwap`),
//! SNMP, DNS.
#![forbid(unsafe_code)]

pub mod anonymize;
mod arena;
mod block;
pub mod config;
mod error;
mod explain;
mod exporters;
mod flatten;
mod interfaces;
mod label;
mod labels;
pub mod names;
mod normalize;
mod ranges;
mod remote;
mod sets;
pub mod sources;
pub mod synthetic;
mod tables;
#[cfg(test)]
mod twin;
mod v4;
mod v6;
mod values;

pub use error::LoadError;
pub use explain::{Explanation, Summary};
pub use exporters::ExporterRule;
pub use interfaces::{Interface, Interfaces};
pub use labels::{LabelCounts, Labels, PARTS};
pub use normalize::{Normalization, normalize};
pub use remote::{RemotePolicy, Side};
pub use tables::{AsOrder, LABEL_SETS_MAX, Settings, Sources, Tables};
pub use values::Text;
