//! One topic per customer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One topic per customer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Customers whose flows also go to `<prefix>-<cid>`; empty for no splitting.
    pub cids: Vec<u32>,
    /// Start of the topics' names.
    pub topic_prefix: String,
    /// Batches that may wait for the splitter; beyond, the customers' copies are counted as lost,
    /// never the flows.
    pub queue_batches: usize,
}

impl Default for Split {
    fn default() -> Self {
        Self { cids: Vec::new(), topic_prefix: "flows".into(), queue_batches: 64 }
    }
}
