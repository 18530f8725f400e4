//! The labels' tables: built from the configuration here, kept in force by the [`TableKeeper`] on
//! a thread of its own. All file reading for them happens here, off the flow path.

use std::path::Path;

use neckar_enrich::config::{Loader, SourceError};
use neckar_enrich::{ExporterRule, Sources, Tables};

use crate::config::{Config, Problem, parse_prefix};
use crate::settings;

mod counts;
mod due;
mod keeper;
mod label_sources;
mod names;
mod watch;

pub use counts::{TableCounts, TablesView};
pub use keeper::{TableKeeper, TableUpdates};
pub use label_sources::LabelSources;

/// Reads the sources that the configuration names, but those again that `loader` knows to be
/// unchanged, and adds what it says of exporters.
///
/// # Errors
/// The key that names a file that is not there or does not load, with file and line of the trouble.
pub fn load(config: &Config, loader: &mut Loader) -> Result<Sources, Problem> {
    let profile = settings::profile(config);
    let mut sources = loader.load(&config.enrich, profile).map_err(|error| problem(&error))?;
    sources.exporters = config.exporter.iter().filter_map(rule).collect();
    Ok(sources)
}

/// Flattens the sources.
///
/// # Errors
/// They exceed a bound.
pub fn build(sources: &Sources) -> Result<Tables, Problem> {
    Tables::build(sources)
        .map_err(|error| Problem::new("enrich", "", error, "give fewer or smaller sources"))
}

/// Validated, so the prefix parses.
fn rule(written: &crate::config::ExporterRule) -> Option<ExporterRule> {
    Some(ExporterRule {
        name: written.name.clone(),
        sampling_rate: written.sampling_rate,
        remote: written.remote,
        tenant: written.tenant.clone(),
        ..ExporterRule::new(parse_prefix(&written.prefix)?)
    })
}

fn problem(error: &SourceError) -> Problem {
    let fix = "mend the file; nothing of it is taken while a row is wrong";
    Problem::new(&error.key, quoted(&error.error.file), &error.error, fix)
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
