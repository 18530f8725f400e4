//! One topic per customer.

use neckar_enrich::config::Anonymize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Framing, Problem};

/// One topic per customer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Customers whose flows also go to `<prefix>-<cid>`, beside those of `[[split.tenant]]`; empty
    /// for no splitting.
    pub cids: Vec<u32>,
    /// Give every customer that a flow names a topic, known or not.
    pub wildcard: bool,
    /// Whose a flow is: `cid` (the local side's), `src`, `dst`, or `both` (all three: a flow between
    /// two customers goes to both).
    pub by: SplitBy,
    /// Topic of the flows that belong to no customer who has one; empty for none.
    pub default_topic: String,
    /// Start of the topics' names.
    pub topic_prefix: String,
    /// Customers at most; further ones that `wildcard` finds are not served.
    pub tenants_max: usize,
    /// Batches that may wait for the splitter, a quarter of all (`batch.memory_bytes`) at most; beyond,
    /// the customers' copies are counted as lost, never the flows. Half of them, 8 at most, may wait to
    /// be shared out together.
    pub queue_batches: usize,
    /// Milliseconds that a customer's flows wait for others, so that few large requests go to Kafka
    /// and not many small ones.
    pub linger_ms: u64,
    /// Bytes under way for one customer whose topic has not acknowledged anything for a second;
    /// beyond, his copies are counted as lost.
    pub tenant_bytes_max: usize,
    /// The same for all customers together; those whose topics take nothing have half of it at most.
    pub bytes_max: usize,
    /// What single customers want otherwise.
    pub tenant: Vec<Tenant>,
}

/// What one customer wants otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// The customer.
    pub cid: u32,
    /// His topic; empty for `<prefix>-<cid>`.
    pub topic: String,
    /// Only flows that match, in the filter language (`neckar dump --help`); empty for all. It is asked
    /// of the encoded flow, which has no zeros: `incoming` matches flows without a direction, too.
    pub filter: String,
    /// Only these fields, by their names in `flow.proto`; empty for all.
    pub fields: Vec<String>,
    /// Addresses made unrecognisable in his copies.
    pub anonymize: Anonymize,
    /// What a message is, as `kafka.framing`.
    pub framing: Framing,
}

/// See [`Split::by`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum SplitBy {
    Cid,
    Src,
    Dst,
    #[default]
    Both,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            cids: Vec::new(),
            wildcard: false,
            by: SplitBy::Both,
            default_topic: String::new(),
            topic_prefix: "flows".into(),
            tenants_max: 10_000,
            queue_batches: 64,
            linger_ms: 1000,
            tenant_bytes_max: 4 << 20,
            bytes_max: 256 << 20,
            tenant: Vec::new(),
        }
    }
}

impl Split {
    /// Does anybody get a copy?
    #[must_use]
    pub fn is_on(&self) -> bool {
        let names = !self.cids.is_empty() || !self.tenant.is_empty();
        names || self.wildcard || !self.default_topic.is_empty()
    }

    /// Batches that may wait, of all `batches` that the workers have: a quarter, so that a splitter
    /// that falls behind never keeps a worker from a free batch.
    #[must_use]
    pub fn queue(&self, batches: usize) -> usize {
        self.queue_batches.min(batches / 4).max(1)
    }

    /// The topics whose names are known before any flow.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        let usual = |cid: &u32| format!("{}-{cid}", self.topic_prefix);
        let special = |tenant: &Tenant| match tenant.topic.as_str() {
            "" => usual(&tenant.cid),
            topic => topic.to_string(),
        };
        let wishes = self.tenant.iter().map(|tenant| tenant.cid);
        let wishes: std::collections::BTreeSet<u32> = wishes.collect();
        let plain = self.cids.iter().filter(|cid| !wishes.contains(cid)).map(usual);
        let rest = Some(&self.default_topic).filter(|topic| !topic.is_empty()).cloned();
        plain.chain(self.tenant.iter().map(special)).chain(rest).collect()
    }

    /// Customers that are named.
    #[must_use]
    pub fn named(&self) -> usize {
        self.cids.len() + self.tenant.len()
    }

    /// Nobody is named twice, and all fit.
    ///
    /// # Errors
    /// The key that is wrong.
    pub(super) fn validate_tenants(&self) -> Result<(), Problem> {
        let mut seen = std::collections::BTreeSet::new();
        for (index, tenant) in self.tenant.iter().enumerate() {
            let key = format!("split.tenant[{index}].cid");
            if tenant.cid == 0 {
                return Err(Problem::new(&key, 0, "0 is no customer", "give his number"));
            }
            if !seen.insert(tenant.cid) {
                let why = "this customer is there already";
                return Err(Problem::new(&key, tenant.cid, why, "say all in one place"));
            }
        }
        if self.named() > self.tenants_max {
            let (why, fix) = ("fewer than are named", format!("choose {}", self.named()));
            return Err(Problem::new("split.tenants_max", self.tenants_max, why, fix));
        }
        Ok(())
    }
}
