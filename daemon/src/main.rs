//! `neckard`: see `cli.rs` for what it can do.

use std::process::ExitCode;

use clap::Parser as _;
use neckard::cli::{Cli, Command, Exit};
use neckard::{check, config, demo, journal, metrics, panic, run};

/// Batches and tables are allocated at start and kept. What remains - librdkafka, http, reloads -
/// frees on other threads than it allocates on, which mimalloc does without a lock and without
/// keeping an arena per thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let exit = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => {
            journal::open(args.log_format);
            panic::abort_where_vital();
            run::run(&args)
        }
        Command::Check(args) => check::check(&args),
        Command::Config { markdown: true } => print(&config::markdown()),
        Command::Config { markdown: false } => print(&config::toml_reference()),
        Command::Metrics => print(&metrics::markdown()),
        Command::Demo(args) => {
            journal::open(journal::LogFormat::Text);
            demo::run(&args)
        }
    };
    exit.into()
}

fn print(text: &str) -> Exit {
    use std::io::Write as _;
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever closed the pipe has seen enough.
        Ok(()) | Err(_) => Exit::Done,
    }
}
