//! `neckard check`: everything a start would do, short of opening sockets.

mod folders;

use std::fmt::Write as _;

use neckar_enrich::config::Loader;
use neckar_enrich::{Sources, Tables};

use crate::cli::{Exit, RunArgs};
use crate::config::{self, Config, OutputKind, Problem, ShedPolicy};
use crate::snmp::AccessRules;
use crate::splitter::Wishes;
use crate::{budget, cores, http, ingest, output, push, reverse_names, settings, tables};

/// Checks, and says what would run.
#[must_use]
pub fn check(args: &RunArgs) -> Exit {
    let checked = config::load(args.config.as_deref(), &args.overrides).and_then(|loaded| {
        let text = describe(&loaded.config).map_err(|problem| loaded.place(problem))?;
        Ok((loaded, text))
    });
    match checked {
        Ok((loaded, text)) => {
            let source = loaded.file.as_ref().map(|file| file.display().to_string());
            println!("configuration: {}", source.unwrap_or_else(|| "built-in defaults".into()));
            print!("{text}");
            Exit::Done
        }
        Err(problem) => {
            eprintln!("neckard: {problem}");
            Exit::Usage
        }
    }
}

fn describe(config: &Config) -> Result<String, Problem> {
    let mut out = String::new();
    let cores = cores::choose_cores(&config.workers.cores).map_err(|why| {
        Problem::new("workers.cores", &config.workers.cores, why, "choose others or auto")
    })?;
    settings::decode(config)?;
    settings::anonymizer(config)?;
    reverse_names::check(&config.reverse_names)?;
    folders::check(config)?;
    let sources = tables::load(config, &mut Loader::default())?;
    let tables = tables::build(&sources)?;
    let addresses: Vec<&str> = config.listen.iter().map(|one| one.address.as_str()).collect();
    let ids: Vec<String> = cores.iter().map(|core| core.id.to_string()).collect();
    let _ = writeln!(out, "listen:        {}", addresses.join(", "));
    let _ = writeln!(out, "workers:       {} on cores {}", cores.len(), ids.join(", "));
    let _ = writeln!(out, "kernel:        {}", ingest::probe());
    let _ = writeln!(out, "output:        {}", describe_output(config)?);
    let _ = writeln!(out, "spool:         {}", describe_spool(config));
    let _ = writeln!(out, "split:         {}", describe_split(config)?);
    out.push_str(&describe_anonymized(config));
    out.push_str(&describe_sources(&sources, &tables));
    let _ = writeln!(out, "snmp:          {}", describe_snmp(config)?);
    let _ = writeln!(out, "reverse names: {}", describe_names(config));
    let _ = writeln!(out, "page:          {}", http::check(config)?);
    let _ = writeln!(out, "push:          {}", describe_push(config)?);
    let mut terms = budget::labels(&sources, &tables);
    terms.extend(budget::budget(config, &settings::receiver(config), cores.len()));
    out.push_str(&describe_memory(&terms));
    Ok(out)
}

fn describe_memory(terms: &[budget::Term]) -> String {
    let mut out = String::from("memory, at most:\n");
    for term in terms {
        let _ = writeln!(out, "  {:>8}  {}: {}", mebibytes(term.bytes), term.room, term.reason);
    }
    let sum = terms.iter().map(|term| term.bytes).sum();
    let _ = writeln!(out, "  {:>8}  sum", mebibytes(sum));
    out
}

/// Of all flows, and of customers' copies beyond that.
fn describe_anonymized(config: &Config) -> String {
    let mut out = format!("anonymised:    {}\n", config.anonymize.describe());
    for tenant in config.split.tenant.iter().filter(|tenant| tenant.anonymize.is_on()) {
        let (cid, how) = (tenant.cid, tenant.anonymize.describe());
        let _ = writeln!(out, "               in copies for customer {cid}: {how}");
    }
    out
}

fn describe_names(config: &Config) -> String {
    let names = &config.reverse_names;
    match names.servers.as_slice() {
        _ if !names.enabled => "nobody is asked".into(),
        [] => "the name servers of /etc/resolv.conf are asked".into(),
        servers => format!("{} are asked", servers.join(", ")),
    }
}

/// What each source holds, and how much of it lies in another part of it.
fn describe_sources(sources: &Sources, tables: &Tables) -> String {
    let mut out = String::new();
    for summary in sources.summaries() {
        let kinds: Vec<String> =
            summary.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let _ = writeln!(
            out,
            "labels:        {}: {} IPv4 and {} IPv6 prefixes ({} inside another, {} given twice): {}",
            summary.source.display(),
            summary.prefixes_v4,
            summary.prefixes_v6,
            summary.nested,
            summary.duplicates,
            kinds.join(", "),
        );
    }
    if !sources.as_names.is_empty() {
        let _ = writeln!(out, "AS names:      {}, from the file", sources.as_names.len());
    }
    let (exporters, interfaces) = sources.interfaces.counts();
    if interfaces > 0 {
        let _ =
            writeln!(out, "interfaces:    {interfaces} of {exporters} exporters, from the file");
    }
    if tables.label_sets() > 1 {
        let _ = writeln!(out, "label sets:    {}", tables.label_sets());
    }
    out
}

fn describe_output(config: &Config) -> Result<String, Problem> {
    match config.output.kind {
        OutputKind::Stdout => Ok("standard output, one line a flow".into()),
        OutputKind::File => Ok(format!("files in {}", config.output.file.directory.display())),
        OutputKind::Kafka => {
            let (topic, brokers) = (&config.kafka.topic, config.kafka.brokers.join(", "));
            let (name, why) = output::transport(config)?;
            Ok(format!("Kafka topic {topic} at {brokers}, through {name}: {why}"))
        }
    }
}

fn describe_spool(config: &Config) -> String {
    let spool = &config.spool;
    if !spool.is_on() {
        return "none: an outage fills memory, and flows are shed beyond".into();
    }
    let (folder, room) = (spool.directory.display(), spool.bytes_max >> 20);
    let given_up = match spool.shed {
        ShedPolicy::Oldest => "oldest",
        ShedPolicy::Newest => "newest",
    };
    format!("{folder}, {room} MiB at most, the {given_up} are given up beyond")
}

fn describe_split(config: &Config) -> Result<String, Problem> {
    let split = &config.split;
    let wishes = Wishes::read(split, config.output.profile)?;
    if !split.is_on() {
        return Ok("nobody gets a topic of his own".into());
    }
    let more = if split.wildcard {
        format!(", others up to {}", split.tenants_max)
    } else {
        String::new()
    };
    let rest = match split.default_topic.as_str() {
        "" => String::new(),
        topic => format!(", everybody else's flows to {topic}"),
    };
    let (named, apart) = (split.named(), wishes.len());
    Ok(format!(
        "{named} customers named, {apart} with wishes{more}, to {}-<cid>{rest}",
        split.topic_prefix
    ))
}

fn describe_snmp(config: &Config) -> Result<String, Problem> {
    let rules = AccessRules::new(config)?;
    if rules.is_empty() {
        return Ok("nobody is asked".into());
    }
    let interval_s = config.snmp.interval_s;
    Ok(format!("{} exporter rules say who is asked, every {interval_s} s", rules.len()))
}

fn describe_push(config: &Config) -> Result<String, Problem> {
    push::check(config)?;
    let mut whom = Vec::new();
    let influx = &config.influx;
    if influx.is_on() {
        let place = format!("{}{}", influx.database, influx.bucket);
        let apart = if influx.per_tenant { format!(" and {place}-<cid>") } else { String::new() };
        let seconds = influx.interval_s;
        whom.push(format!("InfluxDB at {}, {place}{apart}, every {seconds} s", influx.url));
    }
    let write = &config.remote_write;
    if write.is_on() {
        whom.push(format!("remote write to {}, every {} s", write.url, write.interval_s));
    }
    Ok(if whom.is_empty() { "counters go to nobody".into() } else { whom.join("; ") })
}

fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
