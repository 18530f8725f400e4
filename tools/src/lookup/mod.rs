//! `neckar lookup`: every label that an address gets, and which source and prefix gave it.
//!
//! The result is what the daemon's own tables put onto a row; what each source says is read from
//! the sources. So the two check each other. Deliberately absent: exporter rules and interfaces,
//! which are about routers and not about addresses.

mod answer;
mod config;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use neckar_enrich::config::Loader;
use neckar_enrich::sources::SourceKind;
use neckar_enrich::{Sources, Tables};
use neckar_proto::encode::BWNETFLOW;

use crate::exit::{Exit, Failure, print};
use crate::table::{self, TableFormat};
use answer::Answer;

/// What to look up, and where.
#[derive(Args, Clone, Debug)]
pub struct LookupArgs {
    /// Addresses
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<IpAddr>,
    /// The daemon's configuration [default: /etc/neckar/neckard.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Sets a key under `enrich` over the configuration
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A file of labels to ask instead of the configuration's; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "set"])]
    pub source: Vec<PathBuf>,
    /// What the files given with --source hold [default: told by their content]
    #[arg(long, value_parser = table::kinds(), requires = "source")]
    pub kind: Option<SourceKind>,
    /// How it is printed on standard output
    #[arg(long, value_enum, default_value = "text")]
    pub format: TableFormat,
}

/// Looks everything up.
///
/// # Errors
/// The configuration is wrong, a source does not load, or standard output cannot be written.
pub fn run(args: &LookupArgs) -> Result<Exit, Failure> {
    let sources = load(args)?;
    let broken = |error: neckar_enrich::LoadError| Failure::running(error.to_string());
    let tables = Tables::build(&sources).map_err(broken)?;
    for address in &args.addresses {
        let answer = Answer::of(&sources, &tables, address.to_canonical());
        print(&match args.format {
            TableFormat::Text => answer.text(),
            TableFormat::Json => answer.json(),
        })?;
    }
    Ok(Exit::Done)
}

fn load(args: &LookupArgs) -> Result<Sources, Failure> {
    if args.source.is_empty() {
        let enrich = config::enrich(args.config.as_deref(), &args.set)?;
        let sources = Loader::default().load(&enrich, &BWNETFLOW);
        return sources.map_err(|error| Failure::running(error.to_string()));
    }
    let mut sources = Sources::default();
    for file in &args.source {
        let (kind, content) =
            table::read(file, args.kind).map_err(|error| Failure::running(error.to_string()))?;
        if args.kind.is_none() {
            // A guess: rows of `prefix,number` may be customers or AS numbers.
            eprintln!("neckar: {} is taken for {kind}; --kind says otherwise", file.display());
        }
        table::add(&mut sources, content);
    }
    Ok(sources)
}
