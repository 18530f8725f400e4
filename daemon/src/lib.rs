//! neckard: the data plane.
//!
//! Pinned workers ([`worker`]) receive ([`ingest`]), decode, label, encode ([`stage`]) and hand
//! batches ([`pool`]) to the output ([`output`], [`sink`]) and, shared, to the aux thread
//! ([`splitter`]) and to the counting thread ([`traffic`]). Everything counts ([`board`], [`metrics`]) and the http thread ([`http`]) shows
//! it. [`pipeline`] starts and stops the whole; [`demo`] drives it for newcomers.
//!
//! This is the only crate with sockets, clocks and threads, and `ingest` its only `unsafe` room.
#![deny(unsafe_code)]

pub mod board;
pub mod budget;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cores;
pub mod demo;
pub mod effort;
mod exporter_rules;
pub mod handover;
pub mod http;
#[allow(unsafe_code, reason = "sockets and io_uring: the kernel writes into our memory")]
pub mod ingest;
pub mod journal;
pub mod metrics;
pub mod output;
pub mod panic;
pub mod pipeline;
pub mod pool;
pub mod push;
pub mod reverse_names;
pub mod run;
pub mod secret;
pub mod settings;
pub mod sink;
pub mod snmp;
pub mod splitter;
pub mod spool;
pub mod spooler;
pub mod stage;
pub mod state;
pub mod tables;
pub mod topic_maker;
pub mod traffic;
pub mod worker;
