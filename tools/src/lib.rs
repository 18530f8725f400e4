//! Neckar's toolbox: the operator's command line as a library, with a thin `main` in front.
//!
//! ```text
//! cli, exit           the command line and how it ends
//! decode              files -> datagrams -> neckar_decode -> text, or counts
//! replay, generate    datagrams of files, or of synthetic routers -> outlet -> UDP
//!   pace              when each is due       outlet   sent, counted, never silently lost
//!   target            where to, and from which source address
//! dump                Kafka -> neckar_kafka -> neckar_filter -> text
//! doctor              /metrics of a running daemon -> where it loses flows, which knob
//! table, lookup       files of labels -> neckar_enrich -> what they hold, what an address gets
//! capture             files in, UDP datagrams out
//! progress, stop      a bar on a terminal, Ctrl-C
//! ```
//!
//! Deliberately absent: decoding and printing of flows (`neckar_decode`, `neckar_proto`), making
//! them up (`neckar_export`), and the daemon, which only `doctor` speaks to, over HTTP.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test"))]

pub mod capture;
pub mod cli;
pub mod decode;
pub mod doctor;
pub mod dump;
pub mod exit;
pub mod generate;
pub mod lookup;
mod outlet;
mod pace;
mod progress;
pub mod replay;
mod stop;
pub mod table;
mod target;

pub use exit::{Exit, Failure};
