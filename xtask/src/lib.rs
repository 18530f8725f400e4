//! Chores of the project, usable from tests: above all a real Kafka on loopback.

pub mod bench;
pub mod boards;
pub mod counts;
pub mod install;
pub mod kafka;
pub mod test;
