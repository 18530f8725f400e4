//! What the decoder makes of packets written for this project and of real exporters' bytes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod accounting;
mod flood;
mod golden;
mod hold;
#[path = "../sflow/pcap.rs"]
#[allow(dead_code, reason = "shared with the sFlow tests, which use more of it")]
mod pcap;
mod random;
mod rates;
mod sharing;
mod telegraf;
mod templates;
mod text;
mod twin;
mod vectors;
mod wire;
mod witness;

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use neckar_decode::{Config, Counters, Datagram, Decoder, Shared};
use neckar_proto::Rows;

/// The folder beside the repository with vectors and captures; `None` (said loudly) where it is
/// missing. Under CI that is a failure.
pub(crate) fn shared_folder(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", folder.display());
    let _ = writeln!(std::io::stderr(), "SKIPPED: {} is missing", folder.display());
    None
}

/// One decoder with everything by default, and the rows that came out as text.
pub(crate) struct Bench {
    pub(crate) decoder: Decoder,
    pub(crate) shared: Arc<Shared>,
    pub(crate) exporter: IpAddr,
    pub(crate) port: u16,
    pub(crate) received_ns: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let shared = Arc::new(Shared::new(config.clone()));
        let decoder = Decoder::new(config, Arc::clone(&shared));
        let exporter = IpAddr::from([192, 0, 2, 1]);
        Self { decoder, shared, exporter, port: 2055, received_ns: 1_700_000_002_000_000_000 }
    }

    /// Decodes one datagram; one text per row, without what the header and the receiver say.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        self.feed_rows(bytes, &mut |rows: &mut Rows| {
            lines.extend(rows.as_slice().iter().map(|flow| text::body(rows, flow)));
        });
        lines
    }

    pub(crate) fn feed_rows(&mut self, bytes: &[u8], sink: &mut impl FnMut(&mut Rows)) {
        let Self { exporter, port, received_ns, .. } = *self;
        self.decoder.decode(Datagram { exporter, port, received_ns, bytes }, sink);
        balance(self.decoder.counters());
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.decoder.counters()
    }
}

/// "`records + reverse_flows = flows + dropped records`, always."
pub(crate) fn balance(counters: &Counters) {
    let dropped: u64 = neckar_decode::Cause::ALL
        .iter()
        .filter(|cause| cause.name().starts_with("record_"))
        .map(|cause| counters.dropped(*cause))
        .sum();
    assert_eq!(counters.records + counters.reverse_flows, counters.flows + dropped, "{counters:?}");
}
