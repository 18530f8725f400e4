use super::*;
use crate::push::{Sample, Source};

fn remote_write(change: impl FnOnce(&mut config::RemoteWrite), page: &'static str) -> RemoteWrite {
    let mut config =
        config::RemoteWrite { url: "http://127.0.0.1:1".into(), ..config::RemoteWrite::default() };
    change(&mut config);
    RemoteWrite::new(&config, Box::new(|| page.into()), Arc::default()).unwrap()
}

fn still() -> Still {
    let source: Source = Box::new(|visit| {
        let labels = [("protoname", "TCP"), ("cid", "7"), ("peer", "")];
        visit(Sample { metric: "flow_bytes", labels: &labels, value: 12, since_s: 1 });
    });
    Still::take(&source, 1)
}

/// Series as Prometheus writes them, with value and time.
fn read(parcel: &Parcel) -> Vec<String> {
    let packed = snap::raw::Decoder::new().decompress_vec(&parcel.body).unwrap();
    let request = WriteRequest::decode(&*packed).unwrap();
    let text = |series: &TimeSeries| {
        let label = |label: &Label| format!("{}={}", label.name, label.value);
        let labels: Vec<String> = series.labels.iter().map(label).collect();
        let Value { value, timestamp_ms } = series.samples[0];
        format!("{} {value} {timestamp_ms}", labels.join(","))
    };
    request.timeseries.iter().map(text).collect()
}

#[test]
fn series_are_sorted_and_whole() {
    let page = "# TYPE up gauge\nup{job=\"own\"} 0.5\n";
    let parcels = remote_write(|_| {}, page).pack(&still(), 1_700_000_000);
    let expected = [
        "__name__=flow_bytes,cid=7,job=neckar,protoname=TCP 12 1700000000000",
        "__name__=up,job=own 0.5 1700000000000",
    ];
    assert_eq!(read(&parcels[0]), expected);
    assert_eq!((parcels.len(), parcels[0].points), (1, 2));
}

#[test]
fn requests_are_bounded_and_the_page_may_stay_out() {
    let mut bounded = remote_write(|config| config.series_max = 1, "a 1\nb 2\n");
    let parcels = bounded.pack(&still(), 1);
    assert_eq!(parcels.iter().map(|parcel| parcel.points).collect::<Vec<_>>(), [1, 1, 1]);
    let mut without = remote_write(|config| config.metrics = false, "a 1\n");
    assert_eq!(without.pack(&still(), 1)[0].points, 1);
}

#[test]
fn what_the_operator_can_mend_waits_for_him() {
    let judged = |status| judge(&Answer { status, retry_after: None, text: String::new() });
    for status in [401, 403, 404, 429, 500, 503] {
        assert!(matches!(judged(status), Verdict::Later { .. }), "{status}");
    }
    for status in [400, 409, 413, 422] {
        assert_eq!(judged(status), Verdict::Refused(format!("HTTP status {status}")));
    }
    assert_eq!(judged(204), Verdict::Taken { refused: 0, why: None });
}
