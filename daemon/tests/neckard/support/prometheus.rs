//! Debian's Prometheus as a child process, run with `deploy/prometheus` as it is shipped, but for the
//! target and shorter intervals.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{scratch, wait_until};

/// A running Prometheus. Dropped, it is killed.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

/// What a query answers: labels and a value.
#[derive(Clone, Debug)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Prometheus {
    /// Starts it with `target` to scrape every second.
    pub fn start(subject: &str, target: SocketAddr) -> Self {
        let folder = scratch(subject);
        install(&folder, target);
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .args(["--log.level=warn", "--storage.tsdb.retention.time=1h"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus (Debian: prometheus) is installed");
        let mut prometheus = Self { child, address: free, folder };
        wait_until("Prometheus is ready", Duration::from_secs(30), || {
            let ended = prometheus.child.try_wait().unwrap();
            assert!(ended.is_none(), "Prometheus ended: {}", prometheus.log());
            prometheus.fetch("/-/ready").is_some_and(|(status, _)| status == 200)
        });
        prometheus
    }

    /// What it has to complain of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// The newest samples that `expr` finds.
    pub fn query(&self, expr: &str) -> Vec<Sample> {
        let answer = self.ask(&format!("/api/v1/query?query={}", percent_encode(expr)));
        let data = &answer["data"];
        let sample = |labels: &Value, value: &Value| Sample {
            labels: serde_json::from_value(labels.clone()).unwrap(),
            value: value[1].as_str().unwrap().parse().unwrap(),
        };
        match data["resultType"].as_str().unwrap() {
            "scalar" => vec![sample(&serde_json::json!({}), &data["result"])],
            _ => {
                let result = data["result"].as_array().unwrap();
                result.iter().map(|one| sample(&one["metric"], &one["value"])).collect()
            }
        }
    }

    /// The only sample's value; `None` if there is no sample.
    pub fn value(&self, expr: &str) -> Option<f64> {
        let samples = self.query(expr);
        assert!(samples.len() < 2, "{expr}: {samples:?}");
        samples.first().map(|sample| sample.value)
    }

    /// Every rule with its health.
    pub fn rules(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/rules");
        let groups = answer["data"]["groups"].as_array().unwrap();
        groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    }

    fn ask(&self, path: &str) -> Value {
        let (status, body) = self.fetch(path).expect("Prometheus answers");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn fetch(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split_whitespace().nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_string()))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(self.folder.join("data")));
    }
}

/// Copies the shipped files, with our target, and every second what they do every so often.
fn install(folder: &Path, target: SocketAddr) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus");
    let copy = |name: &Path| {
        let text = fs::read_to_string(shipped.join(name)).unwrap();
        let text = text.replace("127.0.0.1:8080", &target.to_string());
        let often = ["15s", "1m", "4m"];
        let text = often.iter().fold(text, |text, interval| {
            text.replace(&format!("interval: {interval}"), "interval: 1s")
        });
        fs::write(folder.join(name), text).unwrap();
    };
    copy(Path::new("prometheus.yml"));
    fs::create_dir(folder.join("rules")).unwrap();
    for entry in fs::read_dir(shipped.join("rules")).unwrap() {
        copy(&Path::new("rules").join(entry.unwrap().file_name()));
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
