//! The command line. Its help texts are the manual.

use clap::{Parser, Subcommand};

use crate::decode::DecodeArgs;
use crate::doctor::DoctorArgs;
use crate::dump::DumpArgs;
use crate::generate::GenerateArgs;
use crate::lookup::LookupArgs;
use crate::replay::ReplayArgs;
use crate::table::TableArgs;

/// Neckar's toolbox: look into, play back and make up NetFlow, IPFIX and sFlow.
#[derive(Debug, Parser)]
#[command(name = "neckar", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What the toolbox can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Print the flows in captures, or count them
    #[command(after_help = DECODE_EXAMPLES)]
    Decode(DecodeArgs),
    /// Print the flows in a Kafka topic, all of them or those that a filter matches
    #[command(after_help = DUMP_EXAMPLES)]
    Dump(DumpArgs),
    /// Send the datagrams of captures to a collector
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Send made-up flows of many synthetic routers to a collector
    #[command(after_help = GENERATE_EXAMPLES)]
    Generate(GenerateArgs),
    /// Say in plain words where a running daemon loses flows, and which knob to turn
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Show every label that addresses get, and who says so
    #[command(after_help = LOOKUP_EXAMPLES)]
    Lookup(LookupArgs),
    /// Sum up files of labels, and find their bad rows
    #[command(after_help = TABLE_EXAMPLES)]
    Table(TableArgs),
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done (also when the reader of our output has gone away)
  1  failed while running; one line on standard error says why
  2  wrong usage; one line says what to mend";

const DECODE_EXAMPLES: &str = "\
FILE is a capture (pcap or pcapng of any link type, IP fragments put together),
an IPFIX file (RFC 5655), NetFlow v5 datagrams one after another, or the payload
of one datagram; each plain or packed with gzip or zstd. The content decides,
not the name. Several files are one stream: templates of the first serve the
second. Flows carry the capture's time as their receive time; where a file has
none, the clock in the datagram's header.

Examples:
  neckar decode router.pcap                        one JSON object a flow
  neckar decode --format line a.pcapng.zst | less  a line to read
  neckar decode --format none --stats *.pcap.gz    only count
  tcpdump -U -w - udp port 2055 | neckar decode -  live, as datagrams come";

const DUMP_EXAMPLES: &str = "\
Without --follow and --group: what is in the topic now, from --from to --until,
in parts as Kafka has them: order holds within a partition. With --follow: from
the end (or --from) on, until Ctrl-C. Neither joins a consumer group nor commits
anything, so nobody's partitions are taken away. With --group: as a member of
that group from where it stopped, committing what has been printed.

--from and --until take `beginning`, `end`, an offset (1000), records before the
end (-1000), a time ago (15m, \"2h 30m\") or a time in UTC
(2026-01-31T12:00:00Z, \"2026-01-31 12:00:00\"); times are those that Kafka has.

Messages may be bwNetFlow's, flowpipeline's (v1, v2), goflow's or goflow2's,
bare, behind their length, or packed; each record is told by its content unless
--framing says. A record that is no flow is counted and passed over.

Passwords belong into a file: --properties kafka.properties, lines of
librdkafka's KEY=VALUE.

Examples:
  neckar dump --format line --follow
  neckar dump --filter 'proto udp and src port 53 and bps >10M' --from 1h
  neckar dump --topic flows-100 --from -1000 --format csv > last.csv
  neckar dump --brokers kafka:9093 --properties kafka.properties --group siem";

const REPLAY_EXAMPLES: &str = "\
Each exporter of the capture keeps a sender of its own, so that templates and
sequence numbers stay apart. To a loopback address (127.0.0.0/8) these are
different addresses, 127.0.1.1 and up, which a collector sees as different
exporters; to anywhere else they are different ports of this machine's address.

Time between datagrams is the capture's, gaps between files left out. What the
network refuses for lack of buffers is sent again, so \"sent\" means handed to the
network; a collector that is too slow still loses it, and UDP does not tell.
Answers that nobody listens there are counted as \"refused\".

Examples:
  neckar replay a.pcap --to 127.0.0.1:2055                  as it was
  neckar replay a.pcap --to 127.0.0.1:2055 --speed 10       ten times as fast
  neckar replay a.pcap --to host:2055 --flood --loop 100    as fast as it goes
  neckar replay a.pcap --to 127.0.0.1:2055 --exporters 50 --retime --loop 10";

const GENERATE_EXAMPLES: &str = "\
Every exporter is a router of its own: template refreshes, options data with its
sampling rate, correct sequence numbers, flows between the hosts of some
customers and the world. To a loopback address each has an address of its own,
127.0.1.1 and up; to anywhere else a port of its own. The same seed gives the
same flows.

Without --seconds and --flows it sends until Ctrl-C. In the end it says exactly
how many flows it has handed to the network, so that they can be looked for at
the other end.

Examples:
  neckar generate --to 127.0.0.1:2055 --exporters 100 --rate 50000 --seconds 10
  neckar generate --to 127.0.0.1:2055 --protocol v5,v9,ipfix,sflow --json \\
      --exporters 8 --rate 1000 --flows 100000";

const DOCTOR_HELP: &str = "\
Reads /metrics of the daemon twice, some seconds apart, and walks a flow's way
from the network interface to Kafka and the customers' topics: what passes at
each step, what is lost there now and was since the start, and what to do.

Exit codes:
  0  no flows are being lost
  1  flows are being lost
  2  the daemon cannot be reached, or the command line is wrong

Examples:
  neckar doctor                                  the daemon on this host
  neckar doctor --seconds 30                     a longer look, for rare losses
  neckar doctor --url https://collector:8080 --token-file /etc/neckar/token
  neckar doctor --json | jq .findings            for scripts";

const LOOKUP_EXAMPLES: &str = "\
The sources are those of the daemon's configuration, section [enrich], or the
files given with --source; these are asked in the order given. \"result\" is what
an address gets after precedence: of each kind the first source that says
something, of lists all. A list given with --source is named as its file.

Examples:
  neckar lookup 192.0.2.1                              as the daemon would
  neckar lookup --set enrich.bogons=true 10.0.0.1      and what if?
  neckar lookup --source customers.csv --source rib.gz 192.0.2.1 2001:db8::1
  neckar lookup --format json 192.0.2.1 | jq .result";

const TABLE_EXAMPLES: &str = "\
The content decides what a file holds, not the name. Rows of prefix,number are
taken for customers; --kind as-prefixes says that the numbers are AS numbers.
A file with a bad row is not taken at all, here as by the daemon: one line names
file, line, text and what was expected.

Examples:
  neckar table /etc/neckar/customers.csv
  neckar table rib.20260101.0000.bz2 GeoLite2-Country.mmdb
  neckar table --format json *.csv | jq .memory_bytes";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        super::Cli::command().debug_assert();
    }
}
