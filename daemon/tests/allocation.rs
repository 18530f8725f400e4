//! The warm path from the socket to the hand-over allocates nothing: real datagrams of all four
//! protocols through a real socket, decoder, labels and encoder, under a counting allocator.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_enrich::sources::customers;
use neckar_enrich::{Sources, Tables};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use neckar_proto::Batch;
use neckar_proto::encode::BWNETFLOW;
use neckard::ingest::{Path, Receiver, ReceiverConfig, Socket, SocketConfig};
use neckard::pool::Pool;
use neckard::sink::{Route, Sink};
use neckard::stage::{Stage, StageParts};

const EXPORTERS: usize = 16;
const START_NS: u64 = 1_700_000_000_000_000_000;

/// Takes batches and lets them go: they are free at once.
struct Nowhere;

impl Sink for Nowhere {
    fn submit(&mut self, _batch: Arc<Batch>, _is_short: bool) -> Route {
        Route::Output
    }
    fn tend(&mut self) {}
    fn backlog(&self) -> usize {
        0
    }
    fn finish(&mut self, _deadline: Instant, _keep_until: Instant) {}
}

struct Line {
    fleet: Fleet,
    sender: UdpSocket,
    receiver: Receiver,
    decoder: Decoder,
    stage: Stage,
    now_ns: u64,
}

impl Line {
    fn new(path: Path) -> Self {
        let buffer = SocketConfig { receive_buffer_bytes: 4 << 20, gro: true };
        let socket = Socket::bind("127.0.0.1:0".parse().unwrap(), &buffer).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(socket.local_address().unwrap()).unwrap();
        let batch_wait = Duration::from_millis(1);
        let ring = ReceiverConfig { path: Some(path), batch_datagrams: 32, batch_wait };
        let shared = Arc::new(Shared::new(Config::default()));
        let mut sources = Sources::default();
        let csv = neckar_export::customers_csv();
        let customers = customers::parse("customers.csv".as_ref(), csv.as_bytes()).unwrap();
        sources.prefixes.push(Arc::new(customers));
        let stage = Stage::new(StageParts {
            names: None,
            anonymizer: None,
            tables: Arc::new(ArcSwap::from_pointee(Tables::build(&sources).unwrap())),
            profile: &BWNETFLOW,
            pool: Pool::new(4, 2048, 256 << 10),
            sink: Box::new(Nowhere),
            splitter: None,
            traffic: None,
            linger: Duration::from_millis(100),
            stall: Duration::ZERO,
            keep: Duration::ZERO,
        });
        Self {
            fleet: Fleet::new(&Protocol::ALL, EXPORTERS, 7),
            sender,
            receiver: Receiver::new(vec![socket], &ring).unwrap(),
            decoder: Decoder::new(Config::default(), shared),
            stage,
            now_ns: START_NS,
        }
    }

    /// Sends and takes in `rounds` times a datagram of each router; time goes on.
    fn run(&mut self, rounds: usize) {
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..rounds {
            for _ in 0..EXPORTERS {
                let (_, made) = self.fleet.datagram(self.now_ns, &mut datagram);
                self.sender.send(&datagram[..made.bytes]).unwrap();
            }
            self.now_ns += 1_000_000;
            let Self { receiver, decoder, stage, now_ns, .. } = self;
            let mut taken = 0;
            while taken < EXPORTERS {
                stage.set_now(*now_ns);
                taken += receiver
                    .receive(Duration::from_secs(2), &mut |received| {
                        let exporter = received.source.ip().to_canonical();
                        let (port, received_ns) = (received.source.port(), *now_ns);
                        let bytes = received.bytes;
                        decoder.decode(Datagram { exporter, port, received_ns, bytes }, stage);
                    })
                    .unwrap();
            }
            stage.tend(*now_ns);
        }
    }
}

#[test]
fn nothing_is_allocated_per_datagram_once_warm() {
    for path in [Path::Uring, Path::Recvmmsg] {
        let mut line = Line::new(path);
        // Warm: templates learnt, buffers grown, template refreshes (every 200 datagrams) seen.
        line.run(450);
        let before = line.stage.counts().encoded;
        let allocated = allocation_counter::measure(|| line.run(450));
        let flows = line.stage.counts().encoded - before;
        assert!(flows > 50_000, "{flows} flows went through");
        assert_eq!(line.fleet.totals().all.flows, line.decoder.counters().flows);
        assert_eq!(allocated.count_total, 0, "{path:?}: {allocated:?} in {flows} flows");
    }
}
