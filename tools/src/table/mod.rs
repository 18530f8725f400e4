//! `neckar table`: what a file of labels holds, and what it costs, before a daemon loads it.
//!
//! Files in, a summary each out, read exactly as the daemon reads them. A file that does not load
//! is one line with place, text and what was expected; the others are read all the same.

mod summary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use neckar_enrich::sources::{Content, SourceKind};
use neckar_enrich::{LoadError, Sources, Tables};

use crate::exit::{Exit, Failure, print};
use summary::{Held, Summary};

/// What to sum up.
#[derive(Args, Clone, Debug)]
pub struct TableArgs {
    /// Files to read: CSV, lists, MRT dumps (plain, gzip, bzip2), databases in MaxMind's format
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What the files hold [default: told by their content]
    #[arg(long, value_parser = kinds())]
    pub kind: Option<SourceKind>,
    /// How it is printed on standard output
    #[arg(long, value_enum, default_value = "text")]
    pub format: TableFormat,
}

/// How tables are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TableFormat {
    /// To read
    Text,
    /// An object a line
    Json,
}

/// Takes the names of [`SourceKind`]s.
pub(crate) fn kinds() -> impl clap::builder::TypedValueParser<Value = SourceKind> {
    PossibleValuesParser::new(SourceKind::ALL.map(SourceKind::name)).map(|name| {
        let kind = SourceKind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.expect("clap lets only these names through")
    })
}

/// Sums everything up.
///
/// # Errors
/// Standard output cannot be written. A file that does not load is no error of this function: one
/// line says so, and the exit code is [`Exit::Failed`].
pub fn run(args: &TableArgs) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut together = Sources::default();
    for file in &args.files {
        let summary = match read(file, args.kind).and_then(|(kind, content)| {
            let summary = Summary::of(file, kind, &content)?;
            add(&mut together, content);
            Ok(summary)
        }) {
            Ok(summary) => summary,
            Err(error) => {
                eprintln!("neckar: {error}");
                exit = Exit::Failed;
                continue;
            }
        };
        print(&match args.format {
            TableFormat::Text => summary.text(),
            TableFormat::Json => summary.json(),
        })?;
    }
    if together.prefixes.len() > 1 && args.format == TableFormat::Text {
        let tables =
            Tables::build(&together).map_err(|error| Failure::running(error.to_string()))?;
        let held = Held { sets: tables.label_sets(), memory_bytes: tables.memory_bytes() };
        print(&format!("all together: {held}\n"))?;
    }
    Ok(exit)
}

/// Reads a file of labels, of this kind or of the one that it looks like.
///
/// # Errors
/// It does not load.
pub(crate) fn read(
    file: &Path,
    kind: Option<SourceKind>,
) -> Result<(SourceKind, Content), LoadError> {
    let kind = kind.map_or_else(|| SourceKind::of_file(file), Ok)?;
    Ok((kind, kind.read(file)?))
}

/// Adds what a file holds to what others hold.
pub(crate) fn add(sources: &mut Sources, content: Content) {
    match content {
        Content::Prefixes(source) => sources.prefixes.push(Arc::new(source)),
        // As of prefix sources, the first wins.
        Content::AsNames(names) => {
            for (asn, name) in names {
                sources.as_names.entry(asn).or_insert(name);
            }
        }
        Content::Interfaces(interfaces) => sources.interfaces.extend(interfaces),
    }
}
