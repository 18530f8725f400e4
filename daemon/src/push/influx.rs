//! InfluxDB, 1.x and 2.x: line protocol, and databases that are made once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::client::{Answer, Client, SecretKeys, basic, token};
use super::counts::{PushCounts, add, set};
use super::deltas::Deltas;
use super::line::{write_count, write_series};
use super::outbox::{Parcel, Verdict};
use super::sample::Still;
use super::{Format, Sample};
use crate::config::{self, Problem};

/// A customer's database that takes nothing is left alone for so long.
const HOLD_S: u64 = 600;
/// So is one that fails so many times in a row while others take points.
const FAILURES_MAX: u32 = 3;

/// Which InfluxDB it is.
enum Flavor {
    /// 1.x, whose databases are made with this query's end.
    One { retention: String },
    /// 2.x.
    Two { org: String },
}

/// A database or bucket.
#[derive(Debug, Default)]
struct Place {
    is_tenant: bool,
    /// It was asked to be made, whatever came of it.
    is_made: bool,
    /// It takes nothing until then, of a clock that never steps; 0 if it does.
    held_until_ms: u64,
    /// Failures in a row, those alone that come after other places have taken something.
    failures: u32,
    /// What all had taken at the last of these.
    taken_then: u64,
}

/// Makes points and sends them.
pub(super) struct Influx {
    client: Client,
    url: String,
    flavor: Flavor,
    main: Arc<str>,
    /// By customer's number, if customers have places of their own.
    tenants: Option<BTreeMap<String, Arc<str>>>,
    tenants_max: usize,
    places: BTreeMap<Arc<str>, Place>,
    tags: BTreeMap<String, String>,
    points_max: usize,
    deltas: Deltas,
    /// Requests taken so far, by whatever place.
    taken: u64,
    counts: Arc<PushCounts>,
}

/// Lines for one place.
#[derive(Default)]
struct Sheet {
    text: Vec<u8>,
    points: u64,
}

impl Influx {
    /// Reads the secrets.
    ///
    /// # Errors
    /// The key of a secret or certificate that is not there.
    pub(super) fn new(config: &config::Influx, counts: Arc<PushCounts>) -> Result<Self, Problem> {
        let is_one = config.bucket.is_empty();
        let authorization = authorization(config, is_one)?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let client = Client::new("influx.ca_file", &config.ca_file, authorization, timeout)?;
        let retention = match config.retention_s {
            0 => "INF".into(),
            seconds => format!("{seconds}s"),
        };
        let (flavor, main) = if is_one {
            (Flavor::One { retention }, config.database.as_str())
        } else {
            (Flavor::Two { org: config.org.clone() }, config.bucket.as_str())
        };
        let main: Arc<str> = main.into();
        Ok(Self {
            client,
            url: config.url.trim_end_matches('/').into(),
            flavor,
            places: BTreeMap::from([(Arc::clone(&main), Place::default())]),
            main,
            tenants: config.per_tenant.then(BTreeMap::new),
            tenants_max: config.tenants_max,
            tags: config.tags.clone(),
            points_max: config.points_max,
            deltas: Deltas::default(),
            taken: 0,
            counts,
        })
    }

    /// Where a sample goes: a customer's number leads to his own place, everything else, what the
    /// counters summed up as `other` too, to the main one.
    fn place(&mut self, sample: &Sample<'_>) -> Arc<str> {
        let Some(tenants) = &mut self.tenants else { return Arc::clone(&self.main) };
        let cid = sample.labels.iter().find(|(name, _)| *name == "cid").map(|(_, cid)| *cid);
        let is_number = |cid: &&str| !cid.is_empty() && cid.bytes().all(|c| c.is_ascii_digit());
        let Some(cid) = cid.filter(is_number) else { return Arc::clone(&self.main) };
        if let Some(place) = tenants.get(cid) {
            return Arc::clone(place);
        }
        if tenants.len() >= self.tenants_max {
            return Arc::clone(&self.main);
        }
        let place: Arc<str> = format!("{}-{cid}", self.main).into();
        tenants.insert(cid.into(), Arc::clone(&place));
        if tenants.len() == self.tenants_max {
            log::warn!("InfluxDB: influx.tenants_max reached; others stay in {:?}", self.main);
        }
        let tenant = Place { is_tenant: true, ..Place::default() };
        self.places.insert(Arc::clone(&place), tenant);
        place
    }

    /// Asks for a database. What is there already, or must not be made, is for the write to find.
    fn create(&self, name: &str, retention: &str) -> Result<(), Verdict> {
        add(&self.counts.creates, 1);
        let query = format!("CREATE DATABASE \"{name}\" WITH DURATION {retention}");
        let url = format!("{}/query", self.url);
        let answer = self.client.post(&url, &[("q", &query)], &[], &[]).map_err(later)?;
        if answer.is_for_now() {
            return Err(postponed(&answer));
        }
        let told = serde_json::from_str::<Value>(&answer.text).unwrap_or_default();
        let error = told["results"][0]["error"].as_str().map(str::to_string);
        match error.or_else(|| (!answer.is_success()).then(|| answer.why())) {
            Some(why) => log::info!("InfluxDB: database {name:?} is written to as it is: {why}"),
            None => log::info!("InfluxDB: database {name:?} is there"),
        }
        Ok(())
    }

    fn write(&self, parcel: &Parcel) -> Result<Answer, String> {
        let place = &*parcel.place;
        let (path, query) = match &self.flavor {
            Flavor::One { .. } => ("write", [("db", place), ("precision", "s")].to_vec()),
            Flavor::Two { org } => {
                let query = [("org", org.as_str()), ("bucket", place), ("precision", "s")];
                ("api/v2/write", query.to_vec())
            }
        };
        let headers = [("content-encoding", "gzip"), ("content-type", "text/plain; charset=utf-8")];
        self.client.post(&format!("{}/{path}", self.url), &query, &headers, &parcel.body)
    }

    /// Makes the place if it has to be, and writes.
    fn deliver(&mut self, parcel: &Parcel) -> Result<Answer, Verdict> {
        let mut has_asked = false;
        loop {
            if let Flavor::One { retention } = &self.flavor
                && !self.places[&parcel.place].is_made
            {
                self.create(&parcel.place, retention)?;
                has_asked = true;
                self.places.entry(Arc::clone(&parcel.place)).or_default().is_made = true;
            }
            let answer = self.write(parcel).map_err(later)?;
            let is_one = matches!(self.flavor, Flavor::One { .. });
            if !is_one || answer.status != 404 {
                return Ok(answer);
            }
            // Somebody has dropped it since.
            self.places.entry(Arc::clone(&parcel.place)).or_default().is_made = false;
            if has_asked {
                return Ok(answer);
            }
        }
    }

    fn judge(&mut self, parcel: &Parcel, answer: &Answer, now_ms: u64) -> Verdict {
        if answer.is_success() {
            self.taken += 1;
            self.places.entry(Arc::clone(&parcel.place)).or_default().failures = 0;
            self.hold(&parcel.place, 0, "");
            return Verdict::Taken { refused: 0, why: None };
        }
        if answer.is_for_now() {
            return postponed(answer);
        }
        let why = format!("{:?}: {}", parcel.place, answer.why());
        if answer.status == 401 {
            return Verdict::Later { why, after: None };
        }
        if matches!(answer.status, 403 | 404) {
            if !self.places[&parcel.place].is_tenant {
                // The operator can mend it, and nothing is lost if he does so in time.
                return Verdict::Later { why, after: None };
            }
            self.hold(&parcel.place, now_ms + HOLD_S * 1000, &why);
            return Verdict::Absent;
        }
        match dropped(&answer.text) {
            Some(refused) if refused <= parcel.points => Verdict::Taken { refused, why: Some(why) },
            _ => Verdict::Refused(why),
        }
    }

    /// Has a customer's place failed again and again while others took points? A server that is away as a
    /// whole takes none, and everything waits for it.
    fn fails_alone(&mut self, place: &Arc<str>) -> bool {
        let state = self.places.entry(Arc::clone(place)).or_default();
        if state.taken_then < self.taken {
            state.taken_then = self.taken;
            state.failures += 1;
        }
        state.is_tenant && state.failures >= FAILURES_MAX
    }

    /// Leaves a customer's place alone until then, or takes it up again; one line for each change.
    fn hold(&mut self, place: &Arc<str>, until_ms: u64, why: &str) {
        let state = self.places.entry(Arc::clone(place)).or_default();
        match (state.held_until_ms, until_ms) {
            (0, 0) => return,
            (0, _) => log::warn!("InfluxDB: {why}; its points are dropped, tried every {HOLD_S} s"),
            (_, 0) => log::info!("InfluxDB: {place:?} takes points again"),
            _ => {}
        }
        state.held_until_ms = until_ms;
        let held = self.places.values().filter(|place| place.held_until_ms > 0).count();
        set(&self.counts.databases_refused, held as u64);
    }
}

fn authorization(config: &config::Influx, is_one: bool) -> Result<Option<String>, Problem> {
    let (file, env) = (&config.password_file, &config.password_env);
    let password = SecretKeys { key: "influx.password", file, env };
    let basic = basic("influx.user", &config.user, &password)?;
    let keys = SecretKeys { key: "influx.token", file: &config.token_file, env: &config.token_env };
    let token = token("Token", &keys)?;
    if is_one && token.is_some() {
        let key =
            if config.token_env.is_empty() { "influx.token_file" } else { "influx.token_env" };
        let fix = "give influx.user and influx.password_file instead";
        return Err(Problem::new(key, "", "InfluxDB 1.x has no tokens", fix));
    }
    if !is_one && token.is_none() {
        let (bucket, fix) = (format!("{:?}", config.bucket), "give influx.token_file");
        return Err(Problem::new("influx.bucket", bucket, "InfluxDB 2.x wants a token", fix));
    }
    Ok(token.or(basic))
}

impl Format for Influx {
    fn pack(&mut self, still: &Still, at_s: u64) -> Vec<Parcel> {
        let mut sheets: BTreeMap<Arc<str>, Sheet> = BTreeMap::new();
        let mut parcels = Vec::new();
        let mut series = Vec::new();
        self.deltas.begin(still.taken_s);
        still.each(|sample| {
            series.clear();
            write_series(&mut series, &sample, &self.tags);
            let delta = self.deltas.delta(&series, sample.value, sample.since_s);
            if delta == 0 {
                return;
            }
            let place = self.place(&sample);
            let sheet = sheets.entry(Arc::clone(&place)).or_default();
            sheet.text.extend_from_slice(&series);
            write_count(&mut sheet.text, delta, at_s);
            sheet.points += 1;
            if sheet.points as usize >= self.points_max {
                parcels.push(std::mem::take(sheet).parcel(place));
            }
        });
        self.deltas.end();
        let last = sheets.into_iter().filter(|(_, sheet)| sheet.points > 0);
        parcels.extend(last.map(|(place, sheet)| sheet.parcel(place)));
        set(&self.counts.series, self.deltas.shown() as u64);
        set(&self.counts.databases, self.places.len() as u64);
        parcels
    }

    fn send(&mut self, parcel: &Parcel, now_ms: u64) -> Verdict {
        if self.places[&parcel.place].held_until_ms > now_ms {
            return Verdict::Absent;
        }
        let verdict = match self.deliver(parcel) {
            Ok(answer) => self.judge(parcel, &answer, now_ms),
            Err(verdict) => verdict,
        };
        match verdict {
            Verdict::Later { why, .. } if self.fails_alone(&parcel.place) => {
                let why = format!("{:?}: {why}", parcel.place);
                self.hold(&parcel.place, now_ms + HOLD_S * 1000, &why);
                Verdict::Absent
            }
            verdict => verdict,
        }
    }

    fn hurry(&mut self, timeout: Duration, until: Instant) {
        self.client.hurry(timeout, until);
    }
}

impl Sheet {
    fn parcel(self, place: Arc<str>) -> Parcel {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = packed.write_all(&self.text).and_then(|()| packed.finish());
        let body = packed.expect("a vector takes everything");
        Parcel { place, body, points: self.points }
    }
}

fn later(why: String) -> Verdict {
    Verdict::Later { why, after: None }
}

fn postponed(answer: &Answer) -> Verdict {
    Verdict::Later { why: answer.why(), after: answer.retry_after }
}

/// How many points a partial write left out: `partial write: … dropped=3`.
fn dropped(text: &str) -> Option<u64> {
    let (_, after) = text.split_once("partial write").and(text.rsplit_once("dropped="))?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests;
