//! Numbers that have names by convention, as static tables.

mod protocol;

pub use protocol::protocol;
