//! What is counted of the traffic.

use neckar_traffic::Label;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is counted of the traffic: `/flowdata`, top talkers, flows to search in. On a thread of its own; a
/// worker that finds its queue full counts and goes on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Traffic {
    /// Count at all.
    pub enabled: bool,
    /// Batches that may wait to be counted, a quarter of all at most; beyond, flows are delivered and not
    /// counted, which `neckar_traffic_missed_total` tells.
    pub queue_batches: usize,
    /// Labels of `/flowdata`; the others are left out.
    pub labels: Vec<Label>,
    /// Label sets of a metric at most; what is beyond counts where every label says `other`.
    pub series_max: usize,
    /// Seconds after which a label set without traffic is forgotten.
    pub series_idle_s: u64,
    /// Keys that each sketch of talkers holds. While flows are of the size that they were in the minute before,
    /// whoever has more than six parts in so many of the bytes, packets or flows of a minute is found: 12 of
    /// interfaces, 18 of prefixes and customers. What one who is not found may have, each answer says.
    pub talkers_max: usize,
    /// Flows a second that go into the sketches; of more, the smaller ones stand for each other.
    pub sketched_per_s: u64,
    /// Customers whose talkers are kept apart, first come; one that is idle makes room.
    pub tenants_max: usize,
    /// Bytes of flows of the last ten minutes to search in; 0 for none. Beyond, the older seconds are thinned.
    pub recent_bytes: usize,
}

impl Default for Traffic {
    fn default() -> Self {
        let defaults = neckar_traffic::Config::default();
        Self {
            enabled: true,
            queue_batches: 64,
            labels: defaults.labels,
            series_max: defaults.series_max,
            series_idle_s: defaults.series_idle_s,
            talkers_max: defaults.talkers_max,
            sketched_per_s: defaults.sketched_per_s,
            tenants_max: defaults.tenants_max,
            recent_bytes: defaults.recent_bytes,
        }
    }
}

impl Traffic {
    /// As the counting room wants it.
    #[must_use]
    pub fn counting(&self) -> neckar_traffic::Config {
        neckar_traffic::Config {
            labels: self.labels.clone(),
            series_max: self.series_max,
            series_idle_s: self.series_idle_s,
            tenants_max: self.tenants_max,
            talkers_max: self.talkers_max,
            sketched_per_s: self.sketched_per_s,
            recent_bytes: self.recent_bytes,
        }
    }
}
