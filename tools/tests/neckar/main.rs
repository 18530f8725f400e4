//! Tests of the toolbox from outside: captures written here byte by byte, and the built program run
//! on them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod capture;
mod conformance;
mod decode;
mod dump;
mod frames;
mod generate;
mod labels;
mod program;
mod readme;
mod receiver;
mod replay;
mod robustness;
mod scratch;
mod shared;
