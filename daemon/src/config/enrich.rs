//! Labels.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Labels.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Enrich {
    /// Customer list, CSV of `prefix,cid`; empty for none.
    pub customers: PathBuf,
    /// Write the protocol's name to every flow.
    pub protocol_names: bool,
}

impl Default for Enrich {
    fn default() -> Self {
        Self { customers: PathBuf::new(), protocol_names: true }
    }
}
