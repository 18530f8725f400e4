//! What is counted of each customer's topic.

use super::Kind::{self, Counter, Gauge};
use crate::splitter::TenantView;

/// A value that each customer's topic has; there are at most `split.tenants_max` of them.
pub(super) struct PerTenant {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) value: fn(&TenantView) -> u64,
}

pub(super) const PER_TENANT: &[PerTenant] = &[
    PerTenant {
        name: "neckar_tenant_flows_total",
        kind: Counter,
        help: "Flows of the customer. `flows = filtered + refused + submitted`, but for what is being gathered.",
        value: |tenant| tenant.flows,
    },
    PerTenant {
        name: "neckar_tenant_filtered_total",
        kind: Counter,
        help: "Those that his filter did not want.",
        value: |tenant| tenant.filtered,
    },
    PerTenant {
        name: "neckar_tenant_refused_total",
        kind: Counter,
        help: "Those for which there was no room: his topic takes nothing, or too much is under way.",
        value: |tenant| tenant.refused,
    },
    PerTenant {
        name: "neckar_tenant_delivered_total",
        kind: Counter,
        help: "Those that Kafka acknowledged.",
        value: |tenant| tenant.topic.delivered,
    },
    PerTenant {
        name: "neckar_tenant_failed_total",
        kind: Counter,
        help: "Those that Kafka refused for good: no such topic, not allowed, too large.",
        value: |tenant| tenant.topic.failed,
    },
    PerTenant {
        name: "neckar_tenant_in_flight",
        kind: Gauge,
        help: "Those that are under way.",
        value: |tenant| tenant.topic.in_flight,
    },
];
