//! What is counted of each exporter, of those that are shown.

use neckar_decode::{Cause, ExporterAccount, Shared, Totals};

use super::page::Kind::{Counter, Gauge, Summary};
use super::page::{CAUSE, EXPORTER, Label, Metric, Page, fixed};
use super::settings::Settings;

/// Exporters at one moment. The workers report once a second.
#[derive(Debug, Default)]
pub(super) struct Exporters {
    known: usize,
    templates: usize,
    pub(super) template_bytes: usize,
    pub(super) shown: Vec<Shown>,
}

/// One that has series of its own.
#[derive(Debug)]
pub(super) struct Shown {
    /// With its port, where exporters are told apart by port.
    pub(super) address: String,
    name: String,
    pub(super) account: ExporterAccount,
    totals: Totals,
    rates: Option<(u64, u64)>,
}

const COUNTS: &[Metric<Shown>] = &[
    Metric {
        name: "neckar_exporter_datagrams_total",
        kind: Counter,
        help: "Datagrams of the exporter.",
        value: |one| one.totals.datagrams,
    },
    Metric {
        name: "neckar_exporter_bytes_total",
        kind: Counter,
        help: "Their payload bytes.",
        value: |one| one.totals.bytes,
    },
    Metric {
        name: "neckar_exporter_records_total",
        kind: Counter,
        help: "Data records; for sFlow, flow samples.",
        value: |one| one.totals.records,
    },
    Metric {
        name: "neckar_exporter_options_records_total",
        kind: Counter,
        help: "Options records.",
        value: |one| one.totals.options_records,
    },
    Metric {
        name: "neckar_exporter_missed_total",
        kind: Counter,
        help: "Records (v5, IPFIX) or datagrams (v9, sFlow) that its sequence numbers jumped over.",
        value: |one| one.totals.missed,
    },
    Metric {
        name: "neckar_exporter_recovered_total",
        kind: Counter,
        help: "Those of them that came late after all: the others were lost on the way here.",
        value: |one| one.totals.recovered,
    },
    Metric {
        name: "neckar_exporter_gaps_total",
        kind: Counter,
        help: "Jumps of its sequence numbers.",
        value: |one| one.totals.gaps,
    },
    Metric {
        name: "neckar_exporter_reordered_total",
        kind: Counter,
        help: "Datagrams that came after a later one.",
        value: |one| one.totals.reordered,
    },
    Metric {
        name: "neckar_exporter_resets_total",
        kind: Counter,
        help: "Times that it counted anew: restarts.",
        value: |one| one.totals.resets,
    },
    Metric {
        name: "neckar_exporter_templates",
        kind: Gauge,
        help: "Templates of it that are known, options templates included.",
        value: |one| one.account.templates as u64,
    },
];

const END: Label = fixed("end");
const NAME: Label = Label { name: "name", bound: "one for each exporter shown" };

impl Exporters {
    pub(super) fn read(shared: &Shared, settings: &Settings) -> Self {
        let most = settings.exporters_shown_max;
        let accounts = if most == 0 { Vec::new() } else { shared.busiest(most) };
        Self {
            known: shared.exporter_count(),
            templates: shared.template_count(),
            template_bytes: shared.template_bytes(),
            shown: accounts.into_iter().map(|account| Shown::new(account, settings)).collect(),
        }
    }

    pub(super) fn write(&self, page: &mut Page) {
        let mut gauge = |name, value, help| page.family((name, Gauge), &[], help).add([], value);
        gauge("neckar_exporters", self.known, "Exporters known; at most `decode.exporters_max`.");
        let help = "Those without series of their own.";
        gauge("neckar_exporters_not_shown", self.known.saturating_sub(self.shown.len()), help);
        let help = "Templates known, options templates included; at most `decode.templates_max`.";
        gauge("neckar_templates", self.templates, help);
        let help = "How a rule (`[[exporter]] name`) names the exporter; always 1, to be joined.";
        let mut samples = page.family(("neckar_exporter_info", Gauge), &[EXPORTER, NAME], help);
        for one in &self.shown {
            samples.add([&one.address, &one.name], 1);
        }
        let rows: Vec<_> = self.shown.iter().map(|one| ([one.address.as_str()], one)).collect();
        page.table(COUNTS, &[EXPORTER], &rows);
        self.write_last_seen(page);
        self.write_rates(page);
        self.write_drops(page);
        self.write_ages(page);
    }

    fn write_last_seen(&self, page: &mut Page) {
        let name = ("neckar_exporter_last_seen_timestamp_seconds", Gauge);
        let help = "When its last datagram came, Unix time; none for those whose templates outlived a restart (`state.directory`) and that have sent nothing since.";
        let mut samples = page.family(name, &[EXPORTER], help);
        for one in self.shown.iter().filter(|one| one.totals.last_seen_ns > 0) {
            samples.add([&one.address], one.totals.last_seen_ns / 1_000_000_000);
        }
    }

    fn write_rates(&self, page: &mut Page) {
        let name = ("neckar_exporter_sampling_rate", Gauge);
        let help = "Packets per sampled packet, lowest and highest, as a rule or the exporter's options data say; none for those that say it in each record or datagram (sFlow, v5), or not at all.";
        let mut samples = page.family(name, &[EXPORTER, END], help);
        for one in &self.shown {
            if let Some((low, high)) = one.rates {
                samples.add([&one.address, "lowest"], low);
                samples.add([&one.address, "highest"], high);
            }
        }
    }

    fn write_drops(&self, page: &mut Page) {
        let name = ("neckar_exporter_dropped_total", Counter);
        let help = "What came of it and did not become a flow, of `neckar_dropped_total`.";
        let mut samples = page.family(name, &[EXPORTER, CAUSE], help);
        for one in &self.shown {
            for (cause, count) in Cause::ALL.iter().zip(one.account.dropped) {
                // 0 as well: what begins with its first drop has not grown by it.
                samples.add([&one.address, cause.name()], count);
            }
        }
    }

    fn write_ages(&self, page: &mut Page) {
        let name = ("neckar_exporter_flow_age_seconds", Summary);
        let help = "From the last packet of a flow to its receipt, of a flow of each sixteenth datagram since the start; none for sFlow, which has no clock. More than the router's timeouts means that its clock is wrong. Quantiles end at an hour; sum and count do not.";
        let mut samples = page.family(name, &[EXPORTER], help);
        for one in &self.shown {
            let ages = &one.totals.ages;
            for (share, text) in [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99")] {
                if let Some(age_s) = ages.quantile_s(share) {
                    samples.quantile([&one.address], text, age_s);
                }
            }
            if ages.count() > 0 {
                samples.sum_and_count([&one.address], ages.sum_s(), ages.count());
            }
        }
    }
}

impl Shown {
    fn new(account: ExporterAccount, settings: &Settings) -> Self {
        let address = match account.port {
            0 => account.exporter.to_string(),
            port => std::net::SocketAddr::new(account.exporter, port).to_string(),
        };
        let totals = account.totals();
        // "Sampling rate, first that applies": the rule's beats the options'.
        let ruled = settings.rules.rate(account.exporter).map(|rate| (rate, rate));
        let rates = ruled.or(account.rates);
        Self { address, name: settings.rules.name(account.exporter).into(), account, totals, rates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page of two exporters: one that was heard, and one that is remembered.
    fn page() -> String {
        let shown = [(1, 5_000_000_000), (2, 0)].map(|(last, last_seen_ns)| {
            let totals = Totals { last_seen_ns, ..Totals::default() };
            let account = ExporterAccount {
                exporter: [192, 0, 2, last].into(),
                port: 0,
                dropped: [0; Cause::ALL.len()],
                templates: 1,
                protocols: [Some(totals), None, None, None],
                rates: None,
            };
            Shown::new(account, &Settings::default())
        });
        let exporters = Exporters { shown: shown.into(), ..Exporters::default() };
        let mut page = Page::with_capacity(0);
        exporters.write(&mut page);
        page.into_text()
    }

    #[test]
    fn who_was_never_heard_is_not_silent_since_1970() {
        let page = page();
        let name = "neckar_exporter_last_seen_timestamp_seconds{";
        let seen: Vec<&str> = page.lines().filter(|line| line.starts_with(name)).collect();
        let expected = "neckar_exporter_last_seen_timestamp_seconds{exporter=\"192.0.2.1\"} 5";
        assert_eq!(seen, [expected]);
    }

    #[test]
    fn drops_begin_at_nothing() {
        let page = page();
        let name = "neckar_exporter_dropped_total{";
        let drops = page.lines().filter(|line| line.starts_with(name));
        assert_eq!(drops.filter(|line| line.ends_with(" 0")).count(), 2 * Cause::ALL.len());
    }
}
