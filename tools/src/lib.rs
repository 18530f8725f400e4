//! Neckar's toolbox.
#![forbid(unsafe_code)]
pub mod capture;
