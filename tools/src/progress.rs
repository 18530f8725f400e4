//! How far the reading is: a bar on a terminal, nothing in a pipe.

use std::io::{IsTerminal, Read, stderr, stdout};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::Watch;

/// A bar over the bytes of files as they lie on disk, packed or not.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// `rounds`: how often the files are read. `prints`: does the program write flows to standard
    /// output? If that is the same terminal, a bar would stand among them.
    pub(crate) fn over(files: &[PathBuf], rounds: u64, prints: bool) -> Self {
        let shown = stderr().is_terminal() && !(prints && stdout().is_terminal());
        // What has no length, standard input or a pipe, would only give a bar that is full from the
        // start.
        let lengths = files.iter().map(|file| file.metadata().ok().filter(|m| m.is_file()));
        let total: Option<u64> = lengths.map(|metadata| metadata.map(|m| m.len())).sum();
        let Some(total) = total.filter(|_| shown) else { return Self(ProgressBar::hidden()) };
        let bar = ProgressBar::with_draw_target(
            Some(total.saturating_mul(rounds)),
            ProgressDrawTarget::stderr(),
        );
        let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Something that sees every file's bytes go by.
    pub(crate) fn watch(&self) -> Watch {
        let bar = self.0.clone();
        Box::new(move |raw: Box<dyn Read + Send>| match bar.is_hidden() {
            true => raw,
            false => Box::new(bar.wrap_read(raw)),
        })
    }

    /// Prints a line on standard error, above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away, so that lines after it stand alone.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
