//! Loading the labels' tables: all file reading for them happens here, off the flow path.

use std::sync::Arc;

use neckar_enrich::sources::customers;
use neckar_enrich::{ExporterRule, Settings, Sources, Tables};

use crate::config::{Config, Problem, parse_prefix};
use crate::settings;

/// Builds the tables that the configuration names.
///
/// # Errors
/// The key that names a file that is not there or does not load, with file and line of the trouble.
pub fn build(config: &Config) -> Result<Tables, Problem> {
    let mut sources = Sources::default();
    let path = &config.enrich.customers;
    if !path.as_os_str().is_empty() {
        let source = customers::read(path).map_err(|error| {
            let fix = "mend the file; nothing of it is taken while a row is wrong";
            Problem::new(
                "enrich.customers",
                format!("{:?}", path.display().to_string()),
                error,
                fix,
            )
        })?;
        let (v4, v6) = source.prefixes();
        log::info!("{}: {v4} IPv4 and {v6} IPv6 prefixes of customers", path.display());
        sources.prefixes.push(Arc::new(source));
    }
    for rule in &config.exporter {
        if let Some(prefix) = parse_prefix(&rule.prefix) {
            let sampling_rate = rule.sampling_rate;
            sources.exporters.push(ExporterRule { sampling_rate, ..ExporterRule::new(prefix) });
        }
    }
    sources.settings = Settings {
        profile: settings::profile(config),
        protocol_names: config.enrich.protocol_names,
        ..Settings::default()
    };
    Tables::build(&sources).map_err(|error| {
        let fix = "give fewer or smaller sources";
        Problem::new("enrich", "", error, fix)
    })
}
