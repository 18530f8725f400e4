//! `neckard run`: the pipeline until a signal says otherwise.

use crossbeam_channel::{Receiver, unbounded};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::board::Snapshot;
use crate::cli::{Exit, RunArgs};
use crate::config::{self, Config};
use crate::handover;
use crate::pipeline::{Event, Pipeline, StartError};
use crate::spooler::SpoolerView;

/// Everything that can happen to a running daemon.
enum Happening {
    Stop,
    Reload,
    Pipeline(Event),
}

/// Runs until SIGTERM or SIGINT.
#[must_use]
pub fn run(args: &RunArgs) -> Exit {
    let loaded = match config::load(args.config.as_deref(), &args.overrides) {
        Ok(loaded) => loaded,
        Err(problem) => return usage(&problem),
    };
    let (events, happened) = unbounded();
    let pipeline = match Pipeline::start(&loaded.config, &events) {
        Ok(pipeline) => pipeline,
        Err(StartError::Problem(problem)) => return usage(&loaded.place(problem)),
        Err(StartError::System(what)) => {
            log::error!("{what}");
            return Exit::Failed;
        }
    };
    announce(&pipeline, &loaded);
    handover::tell(&[NotifyState::Ready]);
    let exit = attend(args, loaded.config.clone(), &pipeline, &happened);
    handover::tell(&[NotifyState::Stopping]);
    let snapshot = pipeline.stop();
    report(&snapshot);
    exit
}

fn usage(problem: &impl std::fmt::Display) -> Exit {
    eprintln!("neckard: {problem}");
    Exit::Usage
}

fn announce(pipeline: &Pipeline, loaded: &config::Loaded) {
    let source =
        loaded.file.as_ref().map_or("built-in defaults".into(), |file| file.display().to_string());
    let addresses: Vec<String> = pipeline.listening().iter().map(ToString::to_string).collect();
    log::info!("listening on {} ({source})", addresses.join(", "));
    if let Some(page) = pipeline.page() {
        log::info!("page and metrics on {page}");
    }
}

/// Waits for what happens and acts on it, until it is time to stop.
fn attend(
    args: &RunArgs,
    mut config: Config,
    pipeline: &Pipeline,
    events: &Receiver<Event>,
) -> Exit {
    let signals = match forward_signals() {
        Ok(signals) => signals,
        Err(error) => {
            log::error!("cannot listen to signals: {error}");
            return Exit::Failed;
        }
    };
    loop {
        let happening = crossbeam_channel::select! {
            recv(signals) -> signal => signal.unwrap_or(Happening::Stop),
            recv(events) -> event => event.map_or(Happening::Stop, Happening::Pipeline),
        };
        match happening {
            Happening::Stop => return Exit::Done,
            Happening::Reload => reload(args, &mut config, pipeline),
            // Whoever read our lines has enough: as with any filter, that is no failure.
            Happening::Pipeline(Event::OutputClosed) => return Exit::Done,
            Happening::Pipeline(Event::WorkerEnded) => {
                log::error!("a worker ended by itself; stopping");
                return Exit::Failed;
            }
        }
    }
}

fn forward_signals() -> std::io::Result<Receiver<Happening>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, receiver) = unbounded();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let happening = if signal == SIGHUP { Happening::Reload } else { Happening::Stop };
            if sender.send(happening).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// Validates the file anew and has the labels' tables read again, which the table keeper does and
/// tells; whatever is wrong, the old stays in force. The keeper gets what is in force with what a
/// reload may change: with the rest of the new file it would encode labels by the numbers of an
/// output that is not running.
fn reload(args: &RunArgs, config: &mut Config, pipeline: &Pipeline) {
    let loaded = config::load(args.config.as_deref(), &args.overrides);
    let refused = loaded.as_ref().err().map(ToString::to_string);
    pipeline.board().tables.configured(refused);
    let loaded = match loaded {
        Ok(loaded) => loaded.config,
        Err(problem) => return log::error!("reload refused, the old stays in force: {problem}"),
    };
    let restart: Vec<String> = changed_sections(config, &loaded);
    if !restart.is_empty() {
        log::warn!("reload: changes in [{}] need a restart", restart.join("], ["));
    }
    config.enrich = loaded.enrich;
    pipeline.table_updates().reload(config.clone());
}

/// Sections that differ and are not taken over by a reload.
fn changed_sections(old: &Config, new: &Config) -> Vec<String> {
    let plain = |config: &Config| serde_json::to_value(config).expect("plain data");
    let (old, new) = (plain(old), plain(new));
    let sections = old.as_object().into_iter().flatten();
    sections
        .filter(|(name, section)| *name != "enrich" && new[name.as_str()] != **section)
        .map(|(name, _)| name.clone())
        .collect()
}

/// The last line: where everything went.
fn report(snapshot: &Snapshot) {
    let totals = snapshot.totals();
    let output = &snapshot.output;
    log::info!(
        "stopped: {} datagrams, {} flows = {} delivered + {} shed + {} failed + {} left; \
         {} not decoded, {} datagrams dropped by the kernel",
        totals.datagrams,
        totals.flows,
        output.delivered,
        totals.shed,
        output.failed,
        output.in_flight + output.purged,
        totals.dropped,
        totals.kernel_drops,
    );
    if let Some(SpoolerView { state, .. }) = output.spool {
        log::info!(
            "spool: {} carried in + {} written = {} delivered + {} shed + {} damaged + {} left; \
             {} refused, {} may come twice",
            state.carried_in_flows,
            state.written_flows,
            state.delivered_flows,
            state.shed_flows,
            state.damaged_flows,
            state.spooled_flows,
            state.refused_flows,
            output.doubles(),
        );
    }
}
