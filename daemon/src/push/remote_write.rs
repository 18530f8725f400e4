//! Prometheus' remote write, version 1: protobuf behind snappy. Samples are the counters as they
//! stand; Prometheus makes the differences.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message as _;

use super::client::{Answer, Client, SecretKeys, basic, token};
use super::counts::{PushCounts, set};
use super::outbox::{Parcel, Verdict};
use super::sample::Still;
use super::{Format, exposition};
use crate::config::{self, Problem};

/// Of `prometheus.WriteRequest`, the fields that we fill. The numbers are those of the
/// specification, version 1.0.
#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    /// Sorted by name, none twice and none empty.
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp_ms: i64,
}

/// Shows the page `/metrics`.
pub type Page = Box<dyn Fn() -> String + Send>;

/// Makes requests and sends them.
pub(super) struct RemoteWrite {
    client: Client,
    url: String,
    page: Option<Page>,
    labels: BTreeMap<String, String>,
    series_max: usize,
    counts: Arc<PushCounts>,
}

impl RemoteWrite {
    /// Reads the secrets.
    ///
    /// # Errors
    /// The key of a secret or certificate that is not there.
    pub(super) fn new(
        config: &config::RemoteWrite,
        page: Page,
        counts: Arc<PushCounts>,
    ) -> Result<Self, Problem> {
        let authorization = authorization(config)?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let client = Client::new("remote_write.ca_file", &config.ca_file, authorization, timeout)?;
        Ok(Self {
            client,
            url: config.url.clone(),
            page: config.metrics.then_some(page),
            labels: config.labels.clone(),
            series_max: config.series_max,
            counts,
        })
    }

    fn series(&self, metric: &str, labels: &[(&str, &str)], value: Value) -> TimeSeries {
        let own = [("__name__", metric)].into_iter().chain(labels.iter().copied());
        let has = |name: &str| labels.iter().any(|label| label.0 == name);
        let others = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all = own.chain(others.filter(|(name, _)| !has(name)));
        let mut all: Vec<(&str, &str)> = all.filter(|(_, value)| !value.is_empty()).collect();
        all.sort_unstable();
        let label = |(name, value): (&str, &str)| Label { name: name.into(), value: value.into() };
        TimeSeries { labels: all.into_iter().map(label).collect(), samples: vec![value] }
    }
}

/// Series for one request, and the requests that are full.
struct Sheet {
    series: Vec<TimeSeries>,
    series_max: usize,
    parcels: Vec<Parcel>,
}

impl Sheet {
    fn add(&mut self, series: TimeSeries) {
        self.series.push(series);
        if self.series.len() >= self.series_max {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.series.is_empty() {
            return;
        }
        let points = self.series.len() as u64;
        let request = WriteRequest { timeseries: std::mem::take(&mut self.series) };
        let packed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
        let body = packed.expect("far below 4 GiB");
        self.parcels.push(Parcel { place: Arc::from(""), body, points });
    }
}

fn authorization(config: &config::RemoteWrite) -> Result<Option<String>, Problem> {
    let (file, env) = (&config.password_file, &config.password_env);
    let password = SecretKeys { key: "remote_write.password", file, env };
    let basic = basic("remote_write.user", &config.user, &password)?;
    let (file, env) = (&config.token_file, &config.token_env);
    let token = token("Bearer", &SecretKeys { key: "remote_write.token", file, env })?;
    if basic.is_some() && token.is_some() {
        let (user, fix) = (format!("{:?}", config.user), "give one of them");
        return Err(Problem::new("remote_write.user", user, "there is a token too", fix));
    }
    Ok(token.or(basic))
}

impl Format for RemoteWrite {
    fn pack(&mut self, still: &Still, at_s: u64) -> Vec<Parcel> {
        let timestamp_ms = at_s as i64 * 1000;
        let mut sheet =
            Sheet { series: Vec::new(), series_max: self.series_max, parcels: Vec::new() };
        still.each(|sample| {
            let value = Value { value: sample.value as f64, timestamp_ms };
            sheet.add(self.series(sample.metric, sample.labels, value));
        });
        if let Some(page) = &self.page {
            exposition::each(&page(), |metric, labels, value| {
                sheet.add(self.series(metric, labels, Value { value, timestamp_ms }));
            });
        }
        sheet.end();
        let samples = sheet.parcels.iter().map(|parcel| parcel.points).sum();
        set(&self.counts.series, samples);
        sheet.parcels
    }

    fn send(&mut self, parcel: &Parcel, _now_ms: u64) -> Verdict {
        let headers = [
            ("content-encoding", "snappy"),
            ("content-type", "application/x-protobuf"),
            ("x-prometheus-remote-write-version", "0.1.0"),
        ];
        match self.client.post(&self.url, &[], &headers, &parcel.body) {
            Err(why) => Verdict::Later { why, after: None },
            Ok(answer) => judge(&answer),
        }
    }

    fn hurry(&mut self, timeout: Duration, until: Instant) {
        self.client.hurry(timeout, until);
    }
}

fn judge(answer: &Answer) -> Verdict {
    // A wrong secret or address is the operator's to mend, and nothing is lost if he does so in time.
    let is_for_him = matches!(answer.status, 401 | 403 | 404);
    if answer.is_success() {
        Verdict::Taken { refused: 0, why: None }
    } else if answer.is_for_now() || is_for_him {
        Verdict::Later { why: answer.why(), after: answer.retry_after }
    } else {
        Verdict::Refused(answer.why())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests;
