//! `neckar decode`: the flows in files, as text or as counts.
//!
//! A datagram at a time: memory depends neither on the length of the files nor on the number of
//! flows. Time is the capture's.

mod exporters;
mod printer;
mod records;
mod stats;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use neckar_decode::{Config, Datagram, Decoder, Shared};

use crate::capture::{Captures, Notes, Packet};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
pub(crate) use printer::Printer;
pub(crate) use records::RecordCount;

/// How often, in capture time, held data is looked through.
const EXPIRE_NS: u64 = 1_000_000_000;

/// What to read, and how to show it.
#[derive(Args, Clone, Debug)]
pub struct DecodeArgs {
    /// Files to read, in this order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How flows are printed on standard output
    #[arg(long, value_enum, default_value = "json")]
    pub format: Format,
    /// Print what was counted, as one JSON object on standard error, at the end
    #[arg(long)]
    pub stats: bool,
    /// Say on standard error what the files held beside datagrams, what was odd about those, and what
    /// each exporter's templates hold: which elements fill what, and which are skipped
    #[arg(long, short)]
    pub verbose: bool,
}

/// How flows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// An object a line: keys as in flow.proto, addresses and enums as text
    Json,
    /// An object a line, as flowpipeline's JSON consumers read it
    Protojson,
    /// An object a line with the nine keys of the suite's flowdumper
    Flowdumper,
    /// A header, then a line with every field
    Csv,
    /// A line to read
    Line,
    /// Nothing
    None,
}

/// Decodes everything.
///
/// # Errors
/// Standard output cannot be written. A damaged file is no error of this function: one line says
/// so, the next file is read, and the exit code is [`Exit::Failed`].
pub fn run(args: &DecodeArgs) -> Result<Exit, Failure> {
    let progress = Progress::over(&args.files, 1, args.format != Format::None);
    let mut captures = Captures::watched(&args.files, progress.watch())?;
    let live = args.files.iter().any(|file| file.as_os_str() == "-");
    let mut session = Session::new(Printer::new(args.format, live));
    let result = session.decode(&mut captures, args.stats, &progress);
    progress.finish();
    let whole = result?;
    let counters = session.decoder.counters();
    if args.verbose {
        say_notes(&captures.notes());
        stats::say_oddities(counters);
        eprint!("{}", exporters::describe(&session.shared));
    }
    if args.stats {
        eprintln!("{}", stats::json(counters, session.shared.exporter_count()));
    }
    stats::check(counters)?;
    Ok(if whole { Exit::Done } else { Exit::Failed })
}

/// A decoder as a daemon without configuration has it, with what it knows of exporters.
fn new_decoder() -> (Decoder, Arc<Shared>) {
    let config = Config::default();
    let shared = Arc::new(Shared::new(config.clone()));
    (Decoder::new(config, Arc::clone(&shared)), shared)
}

/// One stream of datagrams being decoded.
struct Session {
    decoder: Decoder,
    shared: Arc<Shared>,
    printer: Printer,
    /// Capture time at which the decoder looks through what it holds again.
    expire_ns: u64,
}

impl Session {
    fn new(printer: Printer) -> Self {
        let (decoder, shared) = new_decoder();
        Self { decoder, shared, printer, expire_ns: 0 }
    }

    /// `false` if a file was damaged. `to_the_end`: go on when nobody reads the flows any more, for
    /// the counts.
    fn decode(
        &mut self,
        captures: &mut Captures,
        to_the_end: bool,
        progress: &Progress,
    ) -> Result<bool, Failure> {
        let mut whole = true;
        while self.printer.is_read() || to_the_end {
            match captures.next() {
                Ok(Some(packet)) => self.packet(&packet),
                Ok(None) => break,
                Err(error) => {
                    progress.say(&format!("neckar: {error}"));
                    whole = false;
                }
            }
            self.printer.flush_if_due()?;
        }
        // What still waits for its template waits in vain, and is counted as dropped.
        self.decoder.expire(u64::MAX, &mut self.printer);
        self.printer.flush()?;
        Ok(whole)
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        self.decoder.decode(datagram(packet), &mut self.printer);
        if packet.time_ns >= self.expire_ns {
            self.expire_ns = packet.time_ns.saturating_add(EXPIRE_NS);
            self.decoder.expire(packet.time_ns, &mut self.printer);
        }
    }
}

fn datagram<'a>(packet: &Packet<'a>) -> Datagram<'a> {
    Datagram {
        exporter: packet.source.ip(),
        port: packet.source.port(),
        received_ns: packet.time_ns,
        bytes: packet.payload,
    }
}

fn say_notes(notes: &Notes) {
    let Notes { frames, link_unknown, not_ip, not_udp, cut, fragments_abandoned } = *notes;
    let lines = [
        (frames, "frames in captures"),
        (link_unknown, "frames of a link type that cannot be looked into"),
        (not_ip, "frames without IP, or with a malformed IP header"),
        (not_udp, "IP packets without UDP"),
        (cut, "datagrams of which the capture holds only the start"),
        (fragments_abandoned, "IP packets given up: fragments missing, overlapping or cut"),
    ];
    for (count, what) in lines.iter().filter(|(count, _)| *count > 0) {
        eprintln!("{count} {what}");
    }
}
