//! Whose a datagram is, and what is counted for it.

use std::net::IpAddr;
use std::sync::Arc;

use neckar_proto::Rows;

use super::super::wire::*;
use super::{RECEIVED_NS, decode, decoder, feed, feed_at};
use crate::{Cause, Config, Counters, Decoder, Protocol, Shared};

#[test]
fn agents() {
    let agent = |address: &[u32]| {
        let (texts, counters) = decode(&datagram_of(address, [0, 1, 2], &[flow(3, 4, &[])]));
        let sampler = texts.first().map(|text| text.split(' ').nth(2).unwrap().to_string());
        (sampler.unwrap_or_default(), counters)
    };
    assert_eq!(agent(&[1, 0xc000_0263]).0, "SamplerAddress=192.0.2.99");
    assert_eq!(agent(&[2, 0x2001_0db8, 0, 0, 9]).0, "SamplerAddress=2001:db8::9");
    // "v4-mapped IPv6 is IPv4."
    assert_eq!(agent(&[2, 0, 0, 0xffff, 0xc000_0263]).0, "SamplerAddress=192.0.2.99");
    // The UDP source, where the agent does not know itself.
    assert_eq!(agent(&[0]).0, "SamplerAddress=192.0.2.1");
    assert_eq!(agent(&[1, 0]).0, "SamplerAddress=192.0.2.1");
    let (none, counters) = agent(&[3, 1, 2, 3]);
    assert_eq!((none.as_str(), counters.dropped(Cause::DatagramVersionUnknown)), ("", 1));
}

/// Per agent and sub-agent: gaps, reorders, resets; a restart is told from a late datagram by the
/// uptime.
#[test]
fn sequences() {
    let mut decoder = decoder(&Config::default());
    let mut send = |agent: u32, numbers: [u32; 3], after_ms: u64| {
        let bytes = datagram_of(&[1, agent], numbers, &[]);
        feed_at(&mut decoder, RECEIVED_NS + after_ms * 1_000_000, &bytes);
        let Counters { missed, recovered, reordered, resets, .. } = *decoder.counters();
        (missed - recovered, reordered, resets)
    };
    assert_eq!(send(1, [0, 100, 500_000], 0), (0, 0, 0));
    assert_eq!(send(1, [0, 101, 500_000], 0), (0, 0, 0));
    // Another sub-agent and another agent count on their own.
    assert_eq!(send(1, [1, 5, 500_000], 0), (0, 0, 0));
    assert_eq!(send(2, [0, 900, 500_000], 0), (0, 0, 0));
    assert_eq!(send(1, [0, 104, 500_100], 100), (2, 0, 0));
    // Sent before the last one, and a second longer on the way.
    assert_eq!(send(1, [0, 103, 500_050], 1_200), (1, 1, 0));
    // Half a minute after a restart.
    assert_eq!(send(1, [0, 1, 30_000], 60_000), (1, 1, 1));
    assert_eq!(send(1, [0, 2, 30_000], 60_000), (1, 1, 1));
}

#[test]
fn agents_are_accounted() {
    let config = Config::default();
    let shared = Arc::new(Shared::new(config.clone()));
    let mut decoder = Decoder::new(config, Arc::clone(&shared));
    feed(&mut decoder, &datagram(&[flow(3, 4, &[]), opaque(1, &[]), counters(2)]));
    decoder.expire(RECEIVED_NS, &mut |_: &mut Rows| {});
    let views = shared.exporters();
    assert_eq!(views.len(), 1);
    assert_eq!(views[0].exporter, IpAddr::from([192, 0, 2, 99]));
    let domain = &views[0].domains[0];
    assert_eq!((domain.protocol, domain.domain), (Protocol::Sflow, 0));
    assert_eq!((domain.totals.datagrams, domain.totals.records), (1, 2));
    assert_eq!((domain.totals.counter_samples, domain.totals.expanded_samples), (1, 0));
    assert_eq!(views[0].dropped[Cause::RecordSampleMalformed as usize], 1);
}

#[test]
fn records_of_samples_are_counted_by_form() {
    let config = Config::default();
    let shared = Arc::new(Shared::new(config.clone()));
    let mut decoder = Decoder::new(config, Arc::clone(&shared));
    // The last record of the first is shorter than its format: it is there all the same.
    let compact = flow(3, 4, &[switch(1, 2), opaque(1, &[0; 4])]);
    feed(&mut decoder, &datagram(&[compact, flow(3, 4, &[switch(1, 2)])]));
    let wide = expanded([0, 3], [0, 4], &[switch(1, 2), switch(1, 2), switch(1, 2), switch(1, 2)]);
    feed(&mut decoder, &datagram(&[wide]));
    assert_eq!(decoder.counters().parts_malformed, 1);
    decoder.expire(RECEIVED_NS, &mut |_: &mut Rows| {});
    let totals = shared.busiest(1)[0].totals();
    assert_eq!((totals.records, totals.expanded_samples), (3, 1));
    assert_eq!((totals.sample_records, totals.expanded_sample_records), (7, 4));
}

#[test]
fn other_versions() {
    for (version, cause) in [
        (2, Cause::DatagramSflowVersion),
        (4, Cause::DatagramSflowVersion),
        (6, Cause::DatagramVersionUnknown),
    ] {
        let mut bytes = datagram(&[flow(3, 4, &[])]);
        bytes[3] = version;
        let (texts, counters) = decode(&bytes);
        assert_eq!((texts.len(), counters.dropped(cause)), (0, 1), "version {version}");
    }
}
