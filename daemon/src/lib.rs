//! neckard: the data plane.
//!
//! Pinned workers ([`worker`]) receive ([`ingest`]), decode, label, encode ([`stage`]) and hand batches ([`pool`]) to the
//! output ([`output`], [`sink`]) and, shared, to the aux thread ([`splitter`]). Everything counts ([`board`], [`metrics`])
//! and the http thread ([`http`]) shows it. [`pipeline`] starts and stops the whole; [`demo`] drives it for newcomers.
//!
//! This is the only crate with sockets, clocks and threads, and `ingest` its only `unsafe` room.
#![deny(unsafe_code)]

pub mod clock;
pub mod config;
pub mod cores;
#[allow(unsafe_code, reason = "sockets and io_uring: the kernel writes into our memory")]
pub mod ingest;
