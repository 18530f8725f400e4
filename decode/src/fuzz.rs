//! Bodies of the fuzz targets in `fuzz/`: what must hold for any bytes. Tests replay generated
//! corpora through them.

mod netflow;

pub use crate::packet::fuzz::packet;
pub use crate::sflow::fuzz::sflow;
pub use netflow::{ipfix, netflow5, netflow9, stateful};
