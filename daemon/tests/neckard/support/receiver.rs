//! Debian's Prometheus as one that scrapes nothing and takes remote write.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{scratch, wait_until};

/// A running Prometheus. Dropped, it is killed and its data goes.
pub struct Receiver {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Receiver {
    /// Starts an empty one.
    pub fn start(subject: &str) -> Self {
        let folder = scratch(subject);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (config, data) = (folder.join("prometheus.yml"), folder.join("data"));
        fs::write(&config, "").unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .expect("prometheus (Debian: prometheus) is installed");
        let mut receiver = Self { child, folder, address };
        wait_until("Prometheus is ready", Duration::from_secs(30), || {
            let ended = receiver.child.try_wait().unwrap();
            assert!(ended.is_none(), "{:?}", fs::read_to_string(receiver.folder.join("log")));
            receiver.fetch("/-/ready", "").is_some()
        });
        receiver
    }

    /// Where to write to.
    pub fn url(&self) -> String {
        format!("http://{}/api/v1/write", self.address)
    }

    fn fetch(&self, path: &str, query: &str) -> Option<String> {
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let request = agent.get(format!("http://{}{path}", self.address)).query("query", query);
        request.call().ok()?.body_mut().read_to_string().ok()
    }

    /// The value of the only series that `query` finds now; `None` if there is none.
    pub fn value(&self, query: &str) -> Option<f64> {
        let text = self.fetch("/api/v1/query", query).expect("Prometheus answers");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let found = answer["data"]["result"].as_array().unwrap();
        assert!(found.len() < 2, "{query}: {answer}");
        found.first().map(|one| one["value"][1].as_str().unwrap().parse().unwrap())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}
