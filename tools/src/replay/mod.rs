//! `neckar replay`: the datagrams of files, sent to a collector.
//!
//! Files are read anew for every round, so memory does not depend on their length.

mod rewrite;
mod senders;
mod timing;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::capture::{Captures, Packet};
use crate::decode::RecordCount;
use crate::exit::{Exit, Failure};
use crate::outlet::Tally;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::target::Target;
use rewrite::Rewrite;
use senders::Senders;
use timing::Timing;

/// What to send where, and how fast.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Files as `neckar decode` reads them; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to
    #[arg(long, value_name = "HOST:PORT")]
    pub to: Target,
    /// Send N datagrams a second instead of at the capture's times
    #[arg(long, value_name = "N", value_parser = positive, group = "speeds")]
    pub pps: Option<f64>,
    /// Send X times as fast as the capture: 2 halves every gap, 0.5 doubles it
    #[arg(long, value_name = "X", value_parser = positive, group = "speeds")]
    pub speed: Option<f64>,
    /// Send as fast as the network takes it
    #[arg(long, group = "speeds")]
    pub flood: bool,
    /// Send all files N times over
    #[arg(long = "loop", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Send every datagram N times, each copy from sources of its own
    ///
    /// As if N networks had the capture's exporters: N times as many of them, each with all its
    /// templates and data.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub exporters: u64,
    /// Set header clocks to now, and let sequence numbers go on over --loop
    ///
    /// NetFlow v5's and v9's flow times follow, being relative to the header; absolute times in
    /// IPFIX records stay.
    #[arg(long)]
    pub retime: bool,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// A number above zero, for rates and factors.
///
/// # Errors
/// It is none.
pub fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "give a number above 0".into())
}

/// Sends everything and says what was sent.
///
/// # Errors
/// A file cannot be read on, or the network cannot be sent to; what was sent before is still said.
pub fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    if args.rounds > 1 && args.files.iter().any(|file| file.as_os_str() == "-") {
        return Err(Failure::usage("--loop cannot read standard input again; name files"));
    }
    // A file that is not there is told before anything is sent.
    Captures::open(&args.files)?;
    let target = args.to.resolve()?;
    let mut replay = Replay {
        senders: Senders::new(target, args.exporters as usize),
        rewrite: args.retime.then(Rewrite::new),
        records: RecordCount::new(),
        timing: Timing::new(args),
        pace: Pace::start(),
        stop: Stop::on_signals()?,
    };
    let progress = Progress::over(&args.files, args.rounds, false);
    let result = replay.rounds(args, &progress);
    progress.finish();
    let tally = replay.senders.settle();
    report(&tally, replay.pace.elapsed().as_secs_f64(), args)?;
    result.map(|whole| if whole { Exit::Done } else { Exit::Failed })
}

struct Replay {
    senders: Senders,
    rewrite: Option<Rewrite>,
    records: RecordCount,
    timing: Timing,
    pace: Pace,
    stop: Stop,
}

impl Replay {
    /// `false` if a file was damaged; one line said so, and what comes before the damage was sent
    /// in every round.
    fn rounds(&mut self, args: &ReplayArgs, progress: &Progress) -> Result<bool, Failure> {
        let mut whole = true;
        for round in 1..=args.rounds {
            let mut captures = Captures::watched(&args.files, progress.watch())?;
            self.timing.start_round();
            if let Some(rewrite) = &mut self.rewrite {
                rewrite.start_round();
            }
            while !self.stop.is_asked() {
                match captures.next() {
                    Ok(Some(packet)) => self.send(&packet)?,
                    Ok(None) => break,
                    Err(error) if round == 1 => {
                        progress.say(&format!("neckar: {error}"));
                        whole = false;
                    }
                    Err(_) => {}
                }
            }
        }
        Ok(whole)
    }

    fn send(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        for copy in 0..self.senders.copies() {
            let due = self.timing.due(packet.time_ns, packet.file);
            self.pace.wait(due, &self.stop);
            if self.stop.is_asked() {
                return Ok(());
            }
            let payload = match &mut self.rewrite {
                Some(rewrite) if copy == 0 => {
                    rewrite.payload(packet, now_ns(), |packet| self.records.of(packet))
                }
                Some(rewrite) => rewrite.last(),
                None => packet.payload,
            };
            self.senders.send(copy, packet.source.ip(), payload, &self.stop)?;
        }
        Ok(())
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The summary: a line for people on standard error, an object for scripts on standard output.
fn report(tally: &Tally, seconds: f64, args: &ReplayArgs) -> Result<(), Failure> {
    let rate = tally.datagrams as f64 / seconds.max(1e-9);
    let Tally { datagrams, bytes, retried, refused, oversized } = tally;
    let to = &args.to;
    eprintln!(
        "{datagrams} datagrams ({bytes} bytes) to {to} in {seconds:.3} s: {rate:.0} a second"
    );
    if let Some(warning) = tally.warning() {
        eprintln!("{warning}");
    }
    if args.json {
        let json = format!(
            "{{\"datagrams\":{datagrams},\"bytes\":{bytes},\"seconds\":{seconds:.6},\
             \"datagrams_per_second\":{rate:.3},\"retried\":{retried},\"refused\":{refused},\
             \"oversized\":{oversized}}}\n"
        );
        crate::exit::print(&json)?;
    }
    Ok(())
}
