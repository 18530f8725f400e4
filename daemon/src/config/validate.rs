//! What a configuration must satisfy beyond its types.

use std::collections::HashMap;
use std::net::SocketAddr;

use ipnet::IpNet;
use neckar_enrich::sources::network as parse_prefix;
use neckar_traffic::Label;

use super::{Config, FlowFormat, OutputKind, Problem, ProfileName};
use crate::cores::parse_cores;

impl Config {
    /// Judges everything that can be judged without opening sockets or files.
    ///
    /// # Errors
    /// The first [`Problem`] found, in the order of the file.
    pub fn validate(&self) -> Result<(), Problem> {
        parse_cores(&self.workers.cores).map_err(|why| {
            Problem::new("workers.cores", quoted(&self.workers.cores), why, "write auto or 2-5,8")
        })?;
        self.validate_listen()?;
        self.validate_bounds()?;
        self.validate_prefixes()?;
        self.validate_exporters()?;
        self.validate_snmp()?;
        self.validate_names()?;
        self.validate_files()?;
        self.validate_spool()?;
        if self.output.kind == OutputKind::Kafka {
            self.validate_kafka()?;
        }
        self.influx.validate()?;
        self.remote_write.validate()?;
        self.validate_pushed()?;
        if !self.http.address.is_empty() {
            address("http.address", &self.http.address)?;
            self.http.validate()?;
        }
        Ok(())
    }

    /// What is pushed has to be counted.
    fn validate_pushed(&self) -> Result<(), Problem> {
        let (influx, remote_write) = (&self.influx, &self.remote_write);
        let traffic = &self.traffic;
        let pushes = [
            ("influx.interval_s", influx.is_on(), influx.interval_s),
            ("remote_write.interval_s", remote_write.is_on(), remote_write.interval_s),
        ];
        for (key, _, interval_s) in pushes.into_iter().filter(|(_, is_on, _)| *is_on) {
            if interval_s > traffic.series_idle_s / 2 {
                let why = "series may be forgotten in between";
                let fix = "choose at most half of traffic.series_idle_s";
                return Err(Problem::new(key, interval_s, why, fix));
            }
        }
        if influx.is_on() && influx.per_tenant && !traffic.labels.contains(&Label::Cid) {
            let (key, why) = ("influx.per_tenant", "no series has a customer's number");
            return Err(Problem::new(key, true, why, "have cid among traffic.labels"));
        }
        Ok(())
    }

    fn validate_listen(&self) -> Result<(), Problem> {
        if self.listen.is_empty() {
            let fix = "give at least one [[listen]] with an address";
            return Err(Problem::new("listen", "[]", "nothing to listen on", fix));
        }
        if self.listen.len() > LISTEN_MAX {
            let fix = format!("give at most {LISTEN_MAX}");
            return Err(Problem::new("listen", self.listen.len(), "too many addresses", fix));
        }
        for (index, listen) in self.listen.iter().enumerate() {
            address(&format!("listen[{index}].address"), &listen.address)?;
        }
        Ok(())
    }

    fn validate_bounds(&self) -> Result<(), Problem> {
        let batch = &self.batch;
        let bounds = [
            ("receive.batch_datagrams", self.receive.batch_datagrams, 1, 4096),
            ("receive.buffer_bytes", self.receive.buffer_bytes, 4096, 1 << 31),
            ("decode.exporters_max", self.decode.exporters_max, 1, 1 << 24),
            ("decode.templates_max", self.decode.templates_max, 1, 1 << 24),
            (
                "decode.templates_per_exporter_max",
                self.decode.templates_per_exporter_max,
                1,
                65_280,
            ),
            ("batch.flows_max", batch.flows_max, 1, 1 << 20),
            ("batch.bytes_max", batch.bytes_max, 16 << 10, 64 << 20),
            ("batch.memory_bytes", batch.memory_bytes, 4 << 20, 1 << 40),
            // Kafka takes messages of a mebibyte by default, headers included.
            ("kafka.packed_bytes", self.kafka.packed_bytes, 1 << 10, 1000 << 10),
            ("split.queue_batches", self.split.queue_batches, 1, 1 << 16),
            ("traffic.queue_batches", self.traffic.queue_batches, 1, 1 << 16),
            ("traffic.series_max", self.traffic.series_max, 1, 1 << 20),
            ("traffic.series_idle_s", self.traffic.series_idle_s as usize, 60, YEAR_S as usize),
            ("traffic.talkers_max", self.traffic.talkers_max, 64, 1 << 20),
            ("traffic.sketched_per_s", self.traffic.sketched_per_s as usize, 1000, 1 << 30),
            ("traffic.tenants_max", self.traffic.tenants_max, 0, 1 << 20),
            ("traffic.recent_bytes", self.traffic.recent_bytes, 0, 16 << 30),
            ("spool.bytes_max", self.spool.bytes_max as usize, 1 << 20, 1 << 50),
            ("spool.segment_bytes", self.spool.segment_bytes as usize, 64 << 10, 4 << 30),
            ("split.tenants_max", self.split.tenants_max, 1, 1 << 20),
            ("split.linger_ms", self.split.linger_ms as usize, 1, 60_000),
            ("split.tenant_bytes_max", self.split.tenant_bytes_max, 64 << 10, 1 << 40),
            ("split.bytes_max", self.split.bytes_max, 1 << 20, 1 << 40),
            ("http.connections_max", self.http.connections_max, 2, 1 << 16),
        ];
        within(&bounds)
    }

    fn validate_spool(&self) -> Result<(), Problem> {
        let spool = &self.spool;
        if spool.segment_bytes > spool.bytes_max / 2 {
            let fix = "choose at most half of spool.bytes_max";
            let key = "spool.segment_bytes";
            return Err(Problem::new(key, spool.segment_bytes, "fewer than two fit", fix));
        }
        if spool.is_on() && self.output.kind != OutputKind::Kafka {
            let (why, fix) = ("only Kafka has one", "say output.kind = \"kafka\", or take it out");
            let folder = format!("\"{}\"", spool.directory.display());
            return Err(Problem::new("spool.directory", folder, why, fix));
        }
        Ok(())
    }

    fn validate_names(&self) -> Result<(), Problem> {
        let names = &self.reverse_names;
        names.server_addresses()?;
        let bounds = [
            ("reverse_names.names_max", names.names_max as u64, 64, 1 << 28),
            ("reverse_names.ttl_s", names.ttl_s, 1, YEAR_S),
            ("reverse_names.negative_ttl_s", names.negative_ttl_s, 1, YEAR_S),
            ("reverse_names.concurrency", names.concurrency as u64, 1, 4096),
            ("reverse_names.queue", names.queue as u64, 1, 1 << 20),
            ("reverse_names.timeout_ms", names.timeout_ms, 1, 60_000),
        ];
        within(&bounds)?;
        // A name gives the address away that was to be made unrecognisable.
        if names.enabled && self.anonymize.is_on() {
            let (why, fix) = ("names tell what [anonymize] hides", "switch one of both off");
            return Err(Problem::new("reverse_names.enabled", true, why, fix));
        }
        Ok(())
    }

    fn validate_files(&self) -> Result<(), Problem> {
        let (output, file) = (&self.output, &self.output.file);
        let reads_back = output.format != FlowFormat::Protobuf;
        if output.kind != OutputKind::Kafka && reads_back && output.profile == ProfileName::Goflow2
        {
            let (why, fix) = ("lines are made of bwnetflow's numbers", "say protobuf");
            return Err(Problem::new("output.format", "with goflow2", why, fix));
        }
        if output.kind == OutputKind::File && file.directory.as_os_str().is_empty() {
            let fix = "give the folder for the files";
            return Err(Problem::new("output.file.directory", "\"\"", "no folder", fix));
        }
        let bounds = [
            ("output.file.rotate_s", file.rotate_s, 1, YEAR_S),
            ("output.file.rotate_bytes", file.rotate_bytes, 1 << 10, 16 << 30),
            ("output.file.zstd_level", u64::try_from(file.zstd_level).unwrap_or(99), 0, 22),
        ];
        within(&bounds)
    }

    fn validate_prefixes(&self) -> Result<(), Problem> {
        let allow = self.decode.allow.iter().map(|prefix| ("decode.allow".to_string(), prefix));
        let rules = self.exporter.iter().enumerate();
        let rules = rules.map(|(index, rule)| (format!("exporter[{index}].prefix"), &rule.prefix));
        for (key, prefix) in allow.chain(rules) {
            if parse_prefix(prefix).is_none() {
                let fix = "write it like 192.0.2.0/24 or 2001:db8::/32";
                return Err(Problem::new(&key, quoted(prefix), "not a prefix", fix));
            }
        }
        Ok(())
    }

    /// Of two rules for the same addresses one would be for nothing.
    fn validate_exporters(&self) -> Result<(), Problem> {
        let mut seen = HashMap::<IpNet, usize>::new();
        for (index, rule) in self.exporter.iter().enumerate() {
            let key = |name: &str| format!("exporter[{index}].{name}");
            let network = parse_prefix(&rule.prefix).map(|prefix| prefix.trunc());
            if let Some(first) = network.and_then(|network| seen.insert(network, index)) {
                let written = quoted(&self.exporter[first].prefix);
                let why = format!("the same addresses as exporter[{first}].prefix = {written}");
                let fix = "say all of them in one rule";
                return Err(Problem::new(&key("prefix"), quoted(&rule.prefix), why, fix));
            }
            let rates =
                [("sampling_rate", rule.sampling_rate), ("default_rate", rule.default_rate)];
            if let Some((name, _)) = rates.into_iter().find(|(_, rate)| *rate == Some(0)) {
                let fix = "give 1 if every packet is counted, or take it out";
                return Err(Problem::new(&key(name), 0, "0 is no rate", fix));
            }
        }
        Ok(())
    }

    fn validate_snmp(&self) -> Result<(), Problem> {
        let snmp = &self.snmp;
        let bounds = [
            ("snmp.interval_s", snmp.interval_s, 1, YEAR_S),
            ("snmp.timeout_ms", snmp.timeout_ms, 1, 600_000),
            ("snmp.retries", snmp.retries.into(), 0, 100),
            ("snmp.walk_s", snmp.walk_s, 1, YEAR_S),
            ("snmp.concurrency", snmp.concurrency as u64, 1, 1024),
            ("snmp.repetitions", snmp.repetitions.into(), 1, 1000),
            ("snmp.backoff_s", snmp.backoff_s, 1, YEAR_S),
            ("snmp.backoff_max_s", snmp.backoff_max_s, snmp.backoff_s, YEAR_S),
            (
                "snmp.interfaces_per_exporter_max",
                snmp.interfaces_per_exporter_max as u64,
                1,
                1 << 24,
            ),
            ("snmp.interfaces_max", snmp.interfaces_max as u64, 1, 1 << 28),
        ];
        within(&bounds)?;
        let (key, written) = ("snmp.description_regex", &snmp.description_regex);
        match regex::Regex::new(written) {
            Ok(regex) if written.is_empty() || regex.captures_len() > 1 => Ok(()),
            Ok(_) => {
                let fix = "put what is to be kept in parentheses";
                Err(Problem::new(key, quoted(written), "has no group 1", fix))
            }
            Err(error) => {
                // The library shows the place over several lines; the last one says what it is.
                let told = error.to_string();
                let why = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let fix = "write it as https://docs.rs/regex has it";
                Err(Problem::new(key, quoted(written), why, fix))
            }
        }
    }

    fn validate_kafka(&self) -> Result<(), Problem> {
        let kafka = &self.kafka;
        if kafka.brokers.is_empty() {
            let fix = "write it like [\"127.0.0.1:9092\"]";
            return Err(Problem::new("kafka.brokers", "[]", "no broker to start from", fix));
        }
        for broker in &kafka.brokers {
            let port = broker.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none_or(|port| port == 0) {
                let fix = "write it like kafka.example.net:9092";
                return Err(Problem::new("kafka.brokers", quoted(broker), "not host:port", fix));
            }
        }
        kafka.validate_access()?;
        topic("kafka.topic", &kafka.topic)?;
        let split = &self.split;
        topic("split.topic_prefix", &split.topic_prefix)?;
        let names = split.tenant.iter().enumerate();
        let names = names.map(|(at, tenant)| (format!("split.tenant[{at}].topic"), &tenant.topic));
        let others = ("split.default_topic".to_string(), &split.default_topic);
        for (key, name) in names.chain([others]).filter(|(_, name)| !name.is_empty()) {
            topic(&key, name)?;
        }
        split.validate_tenants()
    }
}

/// Key, value, the least and the most that it may be.
pub(super) fn within<T: PartialOrd + Copy + std::fmt::Display>(
    bounds: &[(&str, T, T, T)],
) -> Result<(), Problem> {
    for (key, value, least, most) in bounds {
        if !(least..=most).contains(&value) {
            let fix = format!("choose {least} to {most}");
            return Err(Problem::new(key, value, "out of bounds", fix));
        }
    }
    Ok(())
}

/// Nothing here waits longer than that.
const YEAR_S: u64 = 365 * 24 * 3600;
/// Each is a socket for each worker, and a poll looks at so many.
const LISTEN_MAX: usize = 64;

fn address(key: &str, text: &str) -> Result<(), Problem> {
    let fix = "write it like [::]:2055 or 192.0.2.1:2055";
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::new(key, quoted(text), "not an IP address and port", fix)),
    }
}

/// Something that a client of HTTP can begin with. A password in it would be shown with it.
pub(super) fn http_url(key: &str, url: &str, example: &str) -> Result<(), Problem> {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let is_whole = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
    if url.contains('@') {
        let fix = "give them by keys of their own, the secret by a file or the environment";
        return Err(Problem::new(key, "", "there is a user in it", fix));
    }
    if !is_whole || url.contains([' ', '?', '#']) {
        let fix = format!("write it like {example}");
        return Err(Problem::new(key, quoted(url), "not the start of an address", fix));
    }
    Ok(())
}

/// Kafka's own rule for topic names.
fn topic(key: &str, text: &str) -> Result<(), Problem> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || text.len() > 249 || !text.bytes().all(legal) {
        let fix = "1 to 249 letters, digits, dots, underscores and dashes";
        return Err(Problem::new(key, quoted(text), "not a topic name", fix));
    }
    Ok(())
}

pub(super) fn quoted(text: &str) -> String {
    format!("{text:?}")
}
