//! `neckar dump`: the flows in a topic as text: the suite's `flowdumper`, and flowpipeline's
//! consumer, filter and `printflowdump` in one.
//!
//! Record by record: memory depends on nothing that is in the topic. Deliberately absent: a group
//! unless one is named, since a group of other people loses its partitions to whoever joins.

pub(crate) mod flowdumper;
mod place;
mod reading;
mod stats;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use clap::{Args, ValueEnum};
use neckar_filter::{Filter, Options};
use neckar_kafka::{Consumer, ConsumerConfig, Framing, Position, Record};

use crate::decode::{Format, Printer};
use crate::exit::{Exit, Failure};
use crate::stop::Stop;
pub use place::Place;
use reading::Reading;

/// How often a member of a group commits.
const COMMIT: Duration = Duration::from_secs(5);
/// How long a member of a group waits for a record before it writes what it has.
const POLL: Duration = Duration::from_millis(100);

/// What to read, and how to show it.
#[derive(Args, Clone, Debug)]
pub struct DumpArgs {
    /// Kafka's brokers, HOST:PORT, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:9092")]
    pub brokers: Vec<String>,
    /// Topic to read
    #[arg(long, default_value = "flow-messages-enriched")]
    pub topic: String,
    /// Read as a member of this consumer group, and commit what is printed
    #[arg(long, conflicts_with_all = ["from", "until", "follow"])]
    pub group: Option<String>,
    /// Print only flows that this expression matches
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Take the filter as the suite took it: `and` and `or` bind alike, from the right
    #[arg(long, requires = "filter")]
    pub legacy_filter: bool,
    /// How flows are printed on standard output
    #[arg(long, value_enum, default_value = "json")]
    pub format: Format,
    /// Where to begin [default: beginning; with --follow: end]
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub from: Option<Place>,
    /// Where to end [default: end]
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true, conflicts_with = "follow")]
    pub until: Option<Place>,
    /// Go on when the end is reached
    #[arg(long, short)]
    pub follow: bool,
    /// End after so many printed flows
    #[arg(long, short = 'n', value_name = "N")]
    pub count: Option<u64>,
    /// How flows lie in records [default: told by their content]
    #[arg(long, value_enum)]
    pub framing: Option<FramingArg>,
    /// File of librdkafka's properties, a KEY=VALUE a line
    #[arg(long, value_name = "FILE")]
    pub properties: Option<PathBuf>,
    /// Print what was counted, as one JSON object on standard error, at the end
    #[arg(long)]
    pub stats: bool,
}

/// How flows lie in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FramingArg {
    /// One message
    Bare,
    /// One message behind its length
    Delimited,
    /// Several messages, each behind its length
    Packed,
}

/// Prints everything.
///
/// # Errors
/// The filter or a property is wrong, Kafka does not answer within 20 s or has no such topic, or
/// standard output cannot be written.
pub fn run(args: &DumpArgs) -> Result<Exit, Failure> {
    let filter = filter(args)?;
    let consumer = consumer(args)?;
    let stop = Stop::on_signals()?;
    let framing = args.framing.map(|framing| match framing {
        FramingArg::Bare => Framing::Bare,
        FramingArg::Delimited => Framing::Delimited,
        FramingArg::Packed => Framing::Packed,
    });
    let live = args.follow || args.group.is_some();
    let printer = Printer::new(args.format, false);
    let mut reading = Reading::new(filter, framing, printer, args.count);
    let result = if args.group.is_some() {
        read_as_member(args, &consumer, &mut reading, &stop)
    } else {
        read_range(args, &consumer, &mut reading, &stop, live)
    };
    // Also after a failure: what came before it is true.
    reading.flush()?;
    stats::say(&reading.counts, args.stats);
    result?;
    Ok(Exit::Done)
}

fn filter(args: &DumpArgs) -> Result<Filter, Failure> {
    let options = if args.legacy_filter { Options::LEGACY } else { Options::MESSAGE };
    Filter::parse(args.filter.as_deref().unwrap_or_default(), &options)
        .map_err(|error| Failure::usage(format!("--filter: {error}")))
}

fn consumer(args: &DumpArgs) -> Result<Consumer, Failure> {
    let properties = args.properties.as_deref().map(properties).transpose()?.unwrap_or_default();
    let config = ConsumerConfig {
        brokers: args.brokers.clone(),
        // librdkafka wants a name even of one who joins nothing.
        group: args.group.clone().unwrap_or_else(|| "neckar-dump".into()),
        properties,
    };
    Consumer::new(&config).map_err(|error| Failure::usage(error.to_string()))
}

/// Reads `KEY=VALUE` lines; `#` begins a remark.
fn properties(file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("--properties: {} cannot be read: {error}", file.display()))
    })?;
    let mut properties = BTreeMap::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            // The line may be a password.
            let place = format!("{}:{}", file.display(), index + 1);
            return Err(Failure::usage(format!("{place}: KEY=VALUE was expected")));
        };
        properties.insert(key.trim().into(), value.trim().into());
    }
    Ok(properties)
}

/// Reads from here to there, or on and on, as nobody's member.
fn read_range(
    args: &DumpArgs,
    consumer: &Consumer,
    reading: &mut Reading,
    stop: &Stop,
    live: bool,
) -> Result<(), Failure> {
    let now = SystemTime::now();
    let first = if live { Position::End } else { Position::Beginning };
    let from = args.from.map_or(first, |place| place.position(now));
    let end = || args.until.map_or(Position::End, |place| place.position(now));
    let until = (!live).then(end);
    let failed = |error| Failure::running(format!("{}: {error}", args.topic));
    let spans = consumer.spans(&args.topic, from, until).map_err(failed)?;
    if spans.is_empty() {
        return Err(Failure::running(format!(
            "{}: no such topic; name one with --topic",
            args.topic
        )));
    }
    let reading = std::cell::RefCell::new(reading);
    let mut outcome = Ok(());
    let visit = |record: &Record<'_>| reading.borrow_mut().record(record, stop);
    let idle = || match reading.borrow_mut().flush() {
        Ok(true) if !stop.is_asked() => ControlFlow::Continue(()),
        Ok(_) => ControlFlow::Break(()),
        Err(failure) => {
            outcome = Err(failure);
            ControlFlow::Break(())
        }
    };
    consumer.read_spans(&args.topic, &spans, visit, idle).map_err(failed)?;
    outcome
}

/// Reads as a member of a group: what is printed and written is done, and committed.
fn read_as_member(
    args: &DumpArgs,
    consumer: &Consumer,
    reading: &mut Reading,
    stop: &Stop,
) -> Result<(), Failure> {
    let failed = |error| Failure::running(format!("{}: {error}", args.topic));
    consumer.subscribe(&[&args.topic]).map_err(failed)?;
    let mut committed = Instant::now();
    while !stop.is_asked() {
        let Some(record) = consumer.next(POLL).map_err(failed)? else {
            if !reading.flush()? {
                break;
            }
            continue;
        };
        let flow = reading.record(&record, stop);
        // Written before it is said to be done: whoever comes next would not print it again.
        let due = flow.is_break() || committed.elapsed() >= COMMIT;
        if due && !reading.flush()? {
            break;
        }
        // What of it was not printed comes again; so does a partition that went to somebody else.
        if reading.counts.beyond == 0 {
            let _ = consumer.done(&record);
        }
        if due {
            consumer.commit().map_err(failed)?;
            committed = Instant::now();
        }
        if flow.is_break() {
            return Ok(());
        }
    }
    if reading.flush()? { consumer.commit().map_err(failed) } else { Ok(()) }
}
