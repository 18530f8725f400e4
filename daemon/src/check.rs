//! `neckard check`: everything a start would do, short of opening sockets.

use std::fmt::Write as _;

use crate::cli::{Exit, RunArgs};
use crate::config::{self, Config, OutputKind, Problem};
use crate::{budget, cores, ingest, output, settings, tables};

/// Checks, and says what would run.
#[must_use]
pub fn check(args: &RunArgs) -> Exit {
    let checked = config::load(args.config.as_deref(), &args.overrides).and_then(|loaded| {
        let text = describe(&loaded.config).map_err(|problem| loaded.place(problem))?;
        Ok((loaded, text))
    });
    match checked {
        Ok((loaded, text)) => {
            let source = loaded.file.as_ref().map(|file| file.display().to_string());
            println!("configuration: {}", source.unwrap_or_else(|| "built-in defaults".into()));
            print!("{text}");
            Exit::Done
        }
        Err(problem) => {
            eprintln!("neckard: {problem}");
            Exit::Usage
        }
    }
}

fn describe(config: &Config) -> Result<String, Problem> {
    let mut out = String::new();
    let cores = cores::choose_cores(&config.workers.cores).map_err(|why| {
        Problem::new("workers.cores", &config.workers.cores, why, "choose others or auto")
    })?;
    settings::decode(config)?;
    let tables = tables::build(config)?;
    let addresses: Vec<&str> = config.listen.iter().map(|one| one.address.as_str()).collect();
    let ids: Vec<String> = cores.iter().map(|core| core.id.to_string()).collect();
    let _ = writeln!(out, "listen:        {}", addresses.join(", "));
    let _ = writeln!(out, "workers:       {} on cores {}", cores.len(), ids.join(", "));
    let _ = writeln!(out, "kernel:        {}", ingest::probe());
    let _ = writeln!(out, "output:        {}", describe_output(config)?);
    let _ = writeln!(out, "memory, at most:");
    let mut sum = tables.memory_bytes();
    let _ = writeln!(out, "  {:>8}  prefix tables, as loaded", mebibytes(sum));
    for term in budget::budget(config, &settings::receiver(config), cores.len()) {
        sum += term.bytes;
        let _ = writeln!(out, "  {:>8}  {}: {}", mebibytes(term.bytes), term.room, term.reason);
    }
    let _ = writeln!(out, "  {:>8}  sum", mebibytes(sum));
    Ok(out)
}

fn describe_output(config: &Config) -> Result<String, Problem> {
    match config.output.kind {
        OutputKind::Stdout => Ok("standard output, one line a flow".into()),
        OutputKind::Kafka => {
            let checked = settings::producer(config).check();
            checked.map_err(|error| output::property_problem(config, &error))?;
            let brokers = config.kafka.brokers.join(", ");
            Ok(format!("Kafka topic {} at {brokers}, through librdkafka", config.kafka.topic))
        }
    }
}

fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
