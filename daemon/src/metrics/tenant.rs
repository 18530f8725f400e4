//! What is counted of each customer's topic.

use super::View;
use super::page::Kind::{Counter, Gauge};
use super::page::{Label, Metric, Page};
use crate::splitter::TenantView;

const TOPIC: Label = Label { name: "topic", bound: "`split.tenants_max`" };

const PER_TENANT: &[Metric<TenantView>] = &[
    Metric {
        name: "neckar_tenant_flows_total",
        kind: Counter,
        help: "Flows of the customer, from when they go on: `flows = filtered + refused + submitted`.",
        value: |tenant| tenant.flows,
    },
    Metric {
        name: "neckar_tenant_filtered_total",
        kind: Counter,
        help: "Those that his filter did not want.",
        value: |tenant| tenant.filtered,
    },
    Metric {
        name: "neckar_tenant_refused_total",
        kind: Counter,
        help: "Those for which there was no room: his topic takes nothing, or too much is under way.",
        value: |tenant| tenant.refused,
    },
    Metric {
        name: "neckar_tenant_delivered_total",
        kind: Counter,
        help: "Those that Kafka acknowledged.",
        value: |tenant| tenant.topic.delivered,
    },
    Metric {
        name: "neckar_tenant_failed_total",
        kind: Counter,
        help: "Those that Kafka refused for good: no such topic, not allowed, too large.",
        value: |tenant| tenant.topic.failed,
    },
    Metric {
        name: "neckar_tenant_in_flight",
        kind: Gauge,
        help: "Those that are under way.",
        value: |tenant| tenant.topic.in_flight,
    },
];

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    let tenants = &view.snapshot.splitter.tenants;
    let rows: Vec<_> = tenants.iter().map(|(topic, tenant)| ([topic.as_str()], tenant)).collect();
    page.table(PER_TENANT, &[TOPIC], &rows);
}
