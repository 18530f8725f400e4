//! `neckar generate`: made-up flows of many synthetic routers, sent to a collector and counted
//! exactly.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol, Sum, Totals};

use crate::exit::{self, Exit, Failure};
use crate::outlet::{Outlet, Tally};
use crate::pace::{Pace, due_at};
use crate::replay::positive;
use crate::stop::Stop;
use crate::target::{self, Target};

/// Datagrams without flows (templates, counters) a second: they are apart from the rate of flows,
/// but all routers' first templates at once would overrun the receiver.
const TEMPLATES_PER_S: f64 = 20_000.0;

/// What to make up, where to send it, and how fast.
#[derive(Args, Clone, Debug)]
pub struct GenerateArgs {
    /// Where to
    #[arg(long, value_name = "HOST:PORT")]
    pub to: Target,
    /// What the routers export by; several, separated by commas, are dealt out in turn
    #[arg(long, value_enum, value_delimiter = ',', default_value = "v9")]
    pub protocol: Vec<ProtocolName>,
    /// How many routers
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub exporters: u64,
    /// Flows per second, all routers together
    #[arg(long, value_name = "FLOWS_PER_S", default_value = "1000", value_parser = positive)]
    pub rate: f64,
    /// Stop after this time
    #[arg(long, value_name = "S", value_parser = positive)]
    pub seconds: Option<f64>,
    /// Stop after this many flows, rounded up to whole datagrams
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub flows: Option<u64>,
    /// Start of the random numbers that addresses, ports and counters are drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// A protocol as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProtocolName {
    /// NetFlow version 5
    V5,
    /// NetFlow version 9
    V9,
    /// IPFIX
    Ipfix,
    /// sFlow version 5
    Sflow,
}

impl ProtocolName {
    fn protocol(self) -> Protocol {
        match self {
            Self::V5 => Protocol::V5,
            Self::V9 => Protocol::V9,
            Self::Ipfix => Protocol::Ipfix,
            Self::Sflow => Protocol::Sflow,
        }
    }
}

/// Sends until time, flows or patience are at an end, and says what was sent.
///
/// # Errors
/// The network cannot be sent to; what was sent before is still said.
pub fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    let target = args.to.resolve()?;
    target::allow_many_sockets();
    let count = args.exporters as usize;
    let outlets: Result<Vec<_>, _> = (0..count).map(|i| target::outlet(target, i)).collect();
    let protocols: Vec<_> = args.protocol.iter().map(|name| name.protocol()).collect();
    let mut generator = Generator {
        fleet: Fleet::new(&protocols, count, args.seed),
        outlets: outlets?,
        sent: Sent::default(),
        stop: Stop::on_signals()?,
    };
    let mut pace = Pace::start();
    let result = generator.send(args, &mut pace);
    generator.settle();
    let totals = generator.fleet.totals();
    report(&generator.sent, &totals, pace.elapsed().as_secs_f64(), args)?;
    result.map(|()| Exit::Done)
}

struct Generator {
    fleet: Fleet,
    /// By index of their router in the fleet.
    outlets: Vec<Outlet>,
    sent: Sent,
    stop: Stop,
}

/// What has been handed to the network.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    tally: Tally,
    /// By protocol, in the order of [`Protocol::ALL`].
    flows: [u64; Protocol::ALL.len()],
    /// Datagrams without flows.
    templates: u64,
}

impl Sent {
    fn flows(&self) -> u64 {
        self.flows.iter().sum()
    }

    /// When flows and templates sent so far have had their time at this many flows a second. The
    /// two are added up: the clock of the flows stands still while templates go out.
    fn due(&self, rate: f64) -> (Duration, Duration) {
        (due_at(self.flows(), rate), due_at(self.templates, TEMPLATES_PER_S))
    }
}

impl Generator {
    fn send(&mut self, args: &GenerateArgs, pace: &mut Pace) -> Result<(), Failure> {
        let end = args.seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let end = end.unwrap_or(Duration::MAX);
        let flows_max = args.flows.unwrap_or(u64::MAX);
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        while self.sent.flows() < flows_max {
            let (flows_due, templates_due) = self.sent.due(args.rate);
            // What is due after the end is not sent: a run that keeps up sends rate x seconds, to
            // the datagram.
            if flows_due >= end || pace.elapsed() >= end.saturating_add(templates_due) {
                return Ok(());
            }
            pace.wait(flows_due.saturating_add(templates_due), &self.stop);
            if self.stop.is_asked() {
                return Ok(());
            }
            self.send_one(&mut datagram)?;
        }
        Ok(())
    }

    fn send_one(&mut self, out: &mut [u8]) -> Result<(), Failure> {
        let (index, made) = self.fleet.datagram(now_ns(), out);
        let outlet = &self.outlets[index];
        if !outlet.send(&out[..made.bytes], &mut self.sent.tally, &self.stop)? {
            return Ok(());
        }
        let protocol = self.fleet.routers()[index].protocol();
        // ALL is in the order of the enum, which a test holds.
        self.sent.flows[protocol as usize] += made.flows as u64;
        self.sent.templates += u64::from(made.flows == 0);
        Ok(())
    }

    fn settle(&mut self) {
        for outlet in &self.outlets {
            outlet.settle(&mut self.sent.tally);
        }
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The summary: a line for people on standard error, an object for scripts on standard output.
fn report(sent: &Sent, totals: &Totals, seconds: f64, args: &GenerateArgs) -> Result<(), Failure> {
    let flows = sent.flows();
    let rate = flows as f64 / seconds.max(1e-9);
    let Tally { datagrams, bytes, retried, refused, oversized } = sent.tally;
    let (to, exporters) = (&args.to, args.exporters);
    eprintln!(
        "{flows} flows of {exporters} exporters in {datagrams} datagrams ({bytes} bytes) to {to} in \
         {seconds:.3} s: {rate:.0} flows a second"
    );
    if let Some(warning) = sent.tally.warning() {
        eprintln!("{warning}");
    }
    if args.json {
        let by_protocol: Vec<String> = Protocol::ALL
            .iter()
            .zip(sent.flows)
            .map(|(protocol, flows)| format!("\"{}\":{flows}", protocol.name()))
            .collect();
        exit::print(&format!(
            "{{\"flows\":{flows},\"flows_by_protocol\":{{{}}},\"exporters\":{exporters},\
             \"datagrams\":{datagrams},\"bytes\":{bytes},\"seconds\":{seconds:.6},\
             \"flows_per_second\":{rate:.3},\"retried\":{retried},\"refused\":{refused},\
             \"oversized\":{oversized},\"totals\":{}}}\n",
            by_protocol.join(","),
            totals_json(totals),
        ))?;
    }
    Ok(())
}

/// What the flows said of themselves, as exported. Flows that the network refused are among them.
fn totals_json(totals: &Totals) -> String {
    let sum = |Sum { flows, bytes, packets }: Sum| {
        format!("{{\"flows\":{flows},\"bytes\":{bytes},\"packets\":{packets}}}")
    };
    let kinds = [
        ("all", totals.all),
        ("ipv6", totals.ipv6),
        ("tcp", totals.tcp),
        ("udp", totals.udp),
        ("icmp", totals.icmp),
    ];
    let kinds = kinds.map(|(name, of)| format!("\"{name}\":{}", sum(of))).join(",");
    let customers: Vec<String> =
        totals.by_customer().map(|(cid, of)| format!("\"{cid}\":{}", sum(of))).collect();
    format!("{{{kinds},\"customers\":{{{}}}}}", customers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_index_their_counters() {
        for (index, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol as usize, index);
            let name = ProtocolName::value_variants()[index];
            assert_eq!(name.protocol(), protocol);
            let shown = name.to_possible_value().unwrap();
            assert_eq!(shown.get_name(), protocol.name());
        }
    }

    #[test]
    fn templates_are_spread_and_do_not_count_as_flows() {
        let sent = Sent { flows: [0, 500, 250, 250], templates: 200, ..Sent::default() };
        let expected = (Duration::from_millis(100), Duration::from_millis(10));
        assert_eq!(sent.due(10_000.0), expected);
    }
}
