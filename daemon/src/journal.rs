//! One line an event on standard error: plain, with `sd-daemon` prefixes under systemd, or JSON.

use std::io::Write as _;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::clock;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text; under systemd each line starts with its RFC 5424 level as `<N>`.
    Text,
    /// One JSON object a line.
    Json,
}

struct Journal {
    format: LogFormat,
    systemd: bool,
}

/// Installs the journal for the whole process. The second call has no effect.
pub fn open(format: LogFormat) {
    let systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    if log::set_boxed_logger(Box::new(Journal { format, systemd })).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Info
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (number, name) = rfc5424(record.level());
        let message = record.args().to_string().replace('\n', " ");
        let line = match self.format {
            LogFormat::Json => serde_json::json!({
                "time_ns": clock::unix_ns(), "level": name, "message": message,
            })
            .to_string(),
            LogFormat::Text if self.systemd => format!("<{number}>{message}"),
            LogFormat::Text => format!("neckard: {name}: {message}"),
        };
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn flush(&self) {}
}

/// Severity of RFC 5424 section 6.2.1.
const fn rfc5424(level: Level) -> (u8, &'static str) {
    match level {
        Level::Error => (3, "error"),
        Level::Warn => (4, "warning"),
        Level::Info => (6, "info"),
        Level::Debug | Level::Trace => (7, "debug"),
    }
}
