//! Bodies of the fuzz targets in `fuzz/`: what must hold for any bytes. Tests replay generated corpora through them.

pub use crate::packet::fuzz::packet;
pub use crate::sflow::fuzz::sflow;
