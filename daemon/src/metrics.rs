//! `/metrics` in Prometheus' text format, and its documentation, from the same calls.
//!
//! In: the board, and what the kernel says when it is asked. Out: a page in the order of a flow's way,
//! from the network interface to Kafka. Nobody waits for it: workers leave copies of their counts
//! where nobody reads at that moment, and tell what exporters sent the second after.

use crate::board::{Board, Snapshot};
use crate::output::OutputDetails;

mod exporter;
mod goflow;
mod host;
mod http;
mod labels;
mod memory;
mod output;
mod page;
mod push;
mod settings;
mod system;
mod tenant;
mod traffic;
mod worker;

pub use settings::Settings;

use exporter::Exporters;
use host::Host;
use page::Kind::Gauge;
use page::{Label, Page};
use system::System;

/// Everything that there is to say, at one moment.
struct View<'a> {
    settings: &'a Settings,
    snapshot: Snapshot,
    output: OutputDetails,
    exporters: Exporters,
    host: Host,
    system: System,
}

/// The page that Prometheus reads.
#[must_use]
pub fn render(board: &Board) -> String {
    let settings = &board.metrics;
    let view = View {
        settings,
        snapshot: board.snapshot(),
        output: board.output.details(),
        exporters: Exporters::read(&board.exporters, settings),
        host: Host::read(),
        system: System::read(),
    };
    write(&view).into_text()
}

/// Bytes of a page, about: what is always there, and an exporter's series.
const BYTES: usize = 64 << 10;
const EXPORTER_BYTES: usize = 6 << 10;

fn write(view: &View<'_>) -> Page {
    let mut page = Page::with_capacity(BYTES + view.exporters.shown.len() * EXPORTER_BYTES);
    write_build(&mut page);
    view.host.write(&mut page);
    worker::write(&mut page, view);
    view.exporters.write(&mut page);
    output::write(&mut page, view);
    tenant::write(&mut page, view);
    traffic::write(&mut page, view);
    push::write(&mut page, view);
    labels::write(&mut page, view);
    memory::write(&mut page, view);
    http::write(&mut page, view);
    view.system.write(&mut page, view);
    if view.settings.goflow_names {
        goflow::write(&mut page, view);
    }
    page
}

fn write_build(page: &mut Page) {
    const ONE: &str = "one a build";
    const LABELS: &[Label] = &[
        Label { name: "version", bound: ONE },
        Label { name: "revision", bound: ONE },
        Label { name: "rustc", bound: ONE },
    ];
    let help = "This build: its version, the commit if known, and the compiler; always 1.";
    let values = [env!("CARGO_PKG_VERSION"), env!("NECKAR_REVISION"), env!("NECKAR_RUSTC")];
    page.family(("neckar_build_info", Gauge), LABELS, help).add(values, 1);
}

/// The body of `docs/metrics.md`.
#[must_use]
pub fn markdown() -> String {
    let view = View {
        settings: &Settings::whole(),
        snapshot: Snapshot::default(),
        output: OutputDetails::default(),
        exporters: Exporters::default(),
        host: Host::default(),
        system: System::default(),
    };
    format!("{INTRODUCTION}{}", write(&view).document())
}

const INTRODUCTION: &str = "\
# Metrics

Made by `neckard metrics`; the source is `daemon/src/metrics`. The order is a flow's way: network interface, socket, ring,
decoder, labels, batch, Kafka, disk, customers; then exporters, tables, memory and the process. `neckar doctor` walks it for you.

Every drop has exactly one counter of ours: `records + reverse_flows = flows + dropped{record_*}`, `flows = encoded + shed`,
`submitted = delivered + failed + in_flight`. `neckar_host_…` are the kernel's own counters, of all programs on the host: what
it drops at our sockets is in `neckar_receive_kernel_drops_total` and in `neckar_host_udp_errors_total`.

No label grows without bound; the fourth column says what bounds it. Exporters have series of their own up to
`http.exporters_shown_max` (100), those first that have sent most; `neckar_exporters_not_shown` tells how many have none. 0
switches them off. `http.goflow_metrics = false` switches the last part off: goflow's names and the suite's, for boards that
read them. In these `router` and `remote_ip` are the exporter, for sFlow its agent; `remote_port`, `local_ip`, `local_port`,
`obs_domain_id` and `template_id` are left out, and so is what cannot be said truthfully: `flow_decoder_error_count`, and the
error `error_version`. Their times are of decoding, labelling and encoding together, a datagram as the mean of its turn.

Addresses that the tables know and do not know are counted for all sources together, `neckar_label_addresses_…`: one lookup finds
all labels of an address. `neckar table` and `neckar lookup` tell sources apart.

| name | type | labels | bounded by | meaning |
| --- | --- | --- | --- | --- |
";
