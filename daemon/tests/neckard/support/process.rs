//! `neckard` as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::wait_until;

/// A running daemon. Dropped without [`Neckard::stop`] it is killed.
pub struct Neckard {
    child: Child,
    log: Lines,
    printed: Lines,
    reader: Option<JoinHandle<()>>,
    http: SocketAddr,
    udp: SocketAddr,
}

/// What it said of itself at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub datagrams: u64,
    pub flows: u64,
    pub delivered: u64,
    pub shed: u64,
    pub failed: u64,
    pub left: u64,
    pub not_decoded: u64,
    pub kernel_drops: u64,
}

impl Report {
    /// Of two runs together.
    pub fn and(self, other: &Self) -> Self {
        Self {
            datagrams: self.datagrams + other.datagrams,
            flows: self.flows + other.flows,
            delivered: self.delivered + other.delivered,
            shed: self.shed + other.shed,
            failed: self.failed + other.failed,
            left: self.left + other.left,
            not_decoded: self.not_decoded + other.not_decoded,
            kernel_drops: self.kernel_drops + other.kernel_drops,
        }
    }
}

impl Neckard {
    /// Starts it on free ports of 127.0.0.1 and waits until it listens.
    pub fn start(settings: &[&str]) -> Self {
        Self::launch(Command::new(env!("CARGO_BIN_EXE_neckard")), settings)
    }

    /// Starts it with `command`, which is the daemon or becomes it.
    pub fn launch(mut command: Command, settings: &[&str]) -> Self {
        command.args(["run", "--set", "http.address=127.0.0.1:0"]);
        command.args(["--set", "listen=[{address = \"127.0.0.1:0\"}]"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, reader) = collect(child.stderr.take().unwrap());
        let (printed, _) = collect(child.stdout.take().unwrap());
        let unset = "127.0.0.1:0".parse().unwrap();
        let mut neckard =
            Self { child, log, printed, reader: Some(reader), http: unset, udp: unset };
        neckard.udp = neckard.address_after("listening on ");
        neckard.http = neckard.address_after("://");
        neckard
    }

    fn address_after(&mut self, mark: &str) -> SocketAddr {
        let mut found = None;
        wait_until("neckard announces itself", Duration::from_secs(20), || {
            assert!(self.child.try_wait().unwrap().is_none(), "ended early: {:?}", self.log());
            found = self.log().iter().find_map(|line| {
                let (_, after) = line.split_once(mark)?;
                after.split(['/', ' ', ',']).next()?.parse().ok()
            });
            found.is_some()
        });
        found.unwrap()
    }

    /// Where exporters send to.
    pub fn udp(&self) -> SocketAddr {
        self.udp
    }

    /// Where the page is.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Every log line so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Every line that it printed to standard output so far.
    pub fn printed(&self) -> Vec<String> {
        self.printed.lock().unwrap().clone()
    }

    /// The first line that it prints to standard output.
    pub fn first_line(&self) -> String {
        let first = || self.printed.lock().unwrap().first().cloned();
        wait_until("a line is printed", Duration::from_secs(20), || first().is_some());
        first().unwrap()
    }

    /// Answers status and body of a page.
    pub fn fetch(&self, path: &str) -> (u16, String) {
        self.fetch_with(path, "Host: localhost\r\n")
    }

    /// The same with these headers, each with its line end.
    pub fn fetch_with(&self, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n{headers}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_string())
    }

    /// The sum of a metric over all its label sets.
    pub fn metric(&self, name: &str) -> u64 {
        let (_, page) = self.fetch("/metrics");
        let values = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            (series.split('{').next() == Some(name)).then(|| value.parse::<u64>().unwrap())
        });
        let values: Vec<u64> = values.collect();
        assert!(!values.is_empty(), "there is no metric {name}");
        values.iter().sum()
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// SIGKILL: no last words.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits for the end; answers its last words.
    pub fn stop(self) -> (ExitStatus, Report) {
        let (status, report, _) = self.stop_with_log();
        (status, report)
    }

    /// The same, with all that it has said.
    pub fn stop_with_log(mut self) -> (ExitStatus, Report, Vec<String>) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let log = self.log();
        let last = log.iter().rfind(|line| line.contains("stopped: "));
        let report = Report::read(last.unwrap_or_else(|| panic!("no last words: {log:?}")));
        (status, report, log)
    }
}

type Lines = Arc<Mutex<Vec<String>>>;

/// Reads lines until the end, on a thread of its own.
fn collect(stream: impl Read + Send + 'static) -> (Lines, JoinHandle<()>) {
    let lines = Lines::default();
    let collected = Arc::clone(&lines);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            collected.lock().unwrap().push(line);
        }
    });
    (lines, reader)
}

impl Drop for Neckard {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Report {
    /// Reads the numbers of the line in their order.
    fn read(line: &str) -> Self {
        let after = line.split_once("stopped: ").unwrap().1;
        let numbers: Vec<u64> =
            after.split(|c: char| !c.is_ascii_digit()).filter_map(|one| one.parse().ok()).collect();
        let [datagrams, flows, delivered, shed, failed, left, not_decoded, kernel_drops] =
            numbers[..]
        else {
            panic!("unexpected last words: {line}");
        };
        Self { datagrams, flows, delivered, shed, failed, left, not_decoded, kernel_drops }
    }
}
