//! The command line of `neckard`, and its exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::journal::LogFormat;

/// What the process says when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// It failed while running; one line said why.
    Failed = 1,
    /// The command line or the configuration is wrong; one line said where and how to mend it.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Neckar's data plane: NetFlow v5, v9, IPFIX and sFlow in, protobuf flows into Kafka out.
#[derive(Debug, Parser)]
#[command(name = "neckard", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without one, run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What `neckard` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive, decode, enrich and produce until SIGTERM or SIGINT; SIGHUP reloads.
    Run(RunArgs),
    /// Do everything a start would, short of opening sockets, and say what would run.
    Check(RunArgs),
    /// Print every configuration key with type, default and meaning.
    Config {
        /// As the table of docs/config.md.
        #[arg(long)]
        markdown: bool,
    },
    /// Print every metric with its meaning, as docs/metrics.md.
    Metrics,
    /// Show the main job live: synthetic routers, this data plane, an embedded Kafka, a counting
    /// consumer.
    Demo(DemoArgs),
}

/// Configuration and log.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Configuration file [default: /etc/neckar/neckard.toml if it exists, else built-in
    /// defaults].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override one key, for example kafka.topic=flows; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// How log lines on standard error look.
    #[arg(long, value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// The demo's knobs.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// How long the routers send.
    #[arg(long, default_value_t = 15)]
    pub seconds: u64,
    /// Flows per second, all routers together.
    #[arg(long, default_value_t = 20_000)]
    pub rate: u64,
}
