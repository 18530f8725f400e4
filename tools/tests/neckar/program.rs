//! The built program, run.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What it may have of the machine: 1 GiB of addresses, of which a fraction is touched, and a
/// minute, of which a test takes a fraction of a second. Beyond is "unbounded memory" and "hangs".
const LIMITED: &str = "ulimit -v 1048576; exec timeout --signal=KILL 60 \"$0\" \"$@\"";

/// The program with these arguments, under limits.
pub(crate) fn neckar<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", LIMITED, env!("CARGO_BIN_EXE_neckar")]).args(args);
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    Ran(neckar(args).output().unwrap())
}

/// Runs it to its end with this as standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Ran {
    let mut command = neckar(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let ran = Ran(child.wait_with_output().unwrap());
    writer.join().unwrap().unwrap();
    ran
}

/// What it said.
#[derive(Debug)]
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{:?}: {}", self.0.status, self.stderr());
        self
    }

    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).unwrap()
    }

    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).unwrap()
    }

    /// The object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.stdout()).unwrap()
    }

    /// The object on the last line of standard error, whose sums must hold.
    #[track_caller]
    pub(crate) fn stats(&self) -> Stats {
        let last = self.stderr().lines().last().unwrap_or_default();
        let stats = Stats(serde_json::from_str(last).unwrap());
        let dropped = stats.0["dropped"].as_object().unwrap();
        let records: u64 = dropped
            .iter()
            .filter(|(cause, _)| cause.starts_with("record_"))
            .map(|(_, count)| count.as_u64().unwrap())
            .sum();
        let came = stats.count("records") + stats.count("reverse_flows");
        assert_eq!(came, stats.count("flows") + records, "{last}");
        stats
    }
}

/// What `--stats` printed.
#[derive(Debug, PartialEq)]
pub(crate) struct Stats(pub(crate) Value);

impl Stats {
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    #[track_caller]
    pub(crate) fn dropped(&self, cause: &str) -> u64 {
        self.0["dropped"][cause].as_u64().unwrap_or_else(|| panic!("no {cause} in {}", self.0))
    }
}
