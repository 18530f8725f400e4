//! Memory by room: what the configuration bounds, and what is in use where that is known.

use super::View;
use super::page::Kind::Gauge;
use super::page::{Label, Page, fixed};

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    let help = "What a room may take at most, as `neckard check` adds it up.";
    const LABELS: &[Label] = &[fixed("room")];
    let mut samples = page.family(("neckar_memory_bound_bytes", Gauge), LABELS, help);
    for term in &view.settings.rooms {
        samples.add([term.room], term.bytes);
    }
    let help = "What a room takes now, of those that can tell.";
    let mut samples = page.family(("neckar_memory_used_bytes", Gauge), LABELS, help);
    for (room, bytes) in used(view) {
        samples.add([room], bytes);
    }
    let help = "Batches that each worker has (`batch.memory_bytes`).";
    let mut samples = page.family(("neckar_batches_max", Gauge), &[], help);
    samples.add([], view.settings.batches);
}

fn used(view: &View<'_>) -> [(&'static str, u64); 6] {
    let workers = &view.snapshot.workers;
    let lent: u64 = workers.iter().map(|worker| worker.stage.batches_lent).sum();
    [
        ("batches", lent * view.settings.batch_bytes as u64),
        ("kernel socket buffers", workers.iter().map(|worker| worker.queue.queued).sum()),
        ("held data", workers.iter().map(|worker| worker.held_bytes).sum()),
        ("templates", view.exporters.template_bytes as u64),
        ("flows in flight", view.output.bytes_in_flight),
        ("tables", view.snapshot.tables.memory_bytes),
    ]
}
