//! `cargo xtask`: test, kafka, boards, bench.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::kafka::{self, Broker};
use xtask::{bench, boards, counts, test};

/// Chores of the project.
#[derive(Parser)]
#[command(name = "xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything CI does: format, lints, all tests, real Kafka and real exporters included.
    Test,
    /// Apache Kafka on loopback.
    #[command(subcommand)]
    Kafka(KafkaChore),
    /// Faults under load, again and again: brokers killed, paused, out of disk, the daemon killed.
    Torture {
        /// Faults of each kind; the test command runs one.
        #[arg(long, default_value_t = 5)]
        rounds: u64,
        /// Who speaks to Kafka.
        #[arg(long, default_value = "native", value_parser = ["native", "librdkafka"])]
        transport: String,
    },
    /// Makes Grafana's boards in `deploy/grafana` anew from `xtask/src/boards`.
    Boards,
    /// Measurements of the whole.
    #[command(subcommand)]
    Bench(BenchChore),
}

#[derive(Subcommand)]
enum KafkaChore {
    /// Starts a broker and leaves it running; prints its address.
    Start {
        /// Port on 127.0.0.1.
        #[arg(long, default_value_t = 9092)]
        port: u16,
    },
    /// Stops the broker that `start` left running and removes its data.
    Stop {
        /// Port on 127.0.0.1.
        #[arg(long, default_value_t = 9092)]
        port: u16,
    },
    /// Creates a topic.
    Topic {
        /// Its name.
        name: String,
        /// How many partitions.
        partitions: u32,
        /// The broker.
        #[arg(long, default_value = "127.0.0.1:9092")]
        kafka: String,
    },
    /// Prints a topic's end offsets and their sum.
    End {
        /// Its name.
        name: String,
        /// The broker.
        #[arg(long, default_value = "127.0.0.1:9092")]
        kafka: String,
    },
}

#[derive(Subcommand)]
enum BenchChore {
    /// Instructions per flow of the hot rooms, by callgrind, beside those on record.
    Counts {
        /// Make what is found the record.
        #[arg(long)]
        record: bool,
    },
    /// Producing into a real Kafka: processor time per flow of ways, compressions and settings.
    Produce {
        /// Only cases whose name has this word.
        word: Option<String>,
    },
    /// What counting the traffic costs the workers, and its own thread, into a real Kafka.
    Counting {
        /// Flows of a run.
        #[arg(long, default_value_t = 2_000_000)]
        flows: u64,
        /// Flows a second.
        #[arg(long, default_value_t = 200_000)]
        rate: u64,
    },
    /// A minute of flows that never were, each another, from made-up exporters: memory, and what was counted.
    Flood {
        /// Flows a second.
        #[arg(long, default_value_t = 50_000)]
        rate: u64,
        /// How long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// From UDP into a real Kafka: CPU per flow, loss and latency, of the daemon and its peers.
    E2e {
        /// Flows per load.
        #[arg(long, default_value_t = 1_000_000)]
        flows: u64,
        /// A broker that runs already, host:port.
        #[arg(long)]
        kafka: Option<String>,
        /// The goflow2 binary, if you have one.
        #[arg(long)]
        goflow2: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Test => return test::run(),
        Chore::Torture { rounds, transport } => test::torture(rounds, &transport),
        Chore::Boards => boards::write(),
        Chore::Kafka(chore) => run_kafka(chore),
        Chore::Bench(BenchChore::Counts { record }) => counts::counts(record),
        Chore::Bench(BenchChore::Produce { word }) => bench::produce(word.as_deref()),
        Chore::Bench(BenchChore::Counting { flows, rate }) => bench::counting(flows, rate),
        Chore::Bench(BenchChore::Flood { rate, seconds }) => bench::flood::flood(rate, seconds),
        Chore::Bench(BenchChore::E2e { flows, kafka, goflow2 }) => {
            bench::e2e(&bench::Options { flows, kafka, goflow2 })
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_kafka(chore: KafkaChore) -> io::Result<()> {
    match chore {
        KafkaChore::Start { port } => {
            let broker = Broker::start_on(port)?;
            println!("{}", broker.address());
            broker.leave()
        }
        KafkaChore::Stop { port } => kafka::stop_left(port),
        KafkaChore::Topic { name, partitions, kafka } => {
            kafka::create_topic(&kafka, &name, partitions)
        }
        KafkaChore::End { name, kafka } => {
            let ends = kafka::end_offsets(&kafka, &name)?;
            for (partition, end) in ends.iter().enumerate() {
                println!("{name} {partition} {end}");
            }
            println!("{}", ends.iter().sum::<u64>());
            Ok(())
        }
    }
}
