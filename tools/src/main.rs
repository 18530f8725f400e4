//! The command line program; everything it does is in the library beside it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use neckar::cli::{Cli, Verb};
use neckar::{decode, doctor, dump, generate, lookup, replay, table};

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Decode(args) => decode::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Dump(args) => dump::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Generate(args) => generate::run(&args),
        Verb::Lookup(args) => lookup::run(&args),
        Verb::Table(args) => table::run(&args),
    };
    let exit = result.unwrap_or_else(|failure| {
        eprintln!("neckar: {failure}");
        failure.exit
    });
    exit.into()
}
