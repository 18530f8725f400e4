//! Debian's InfluxDB 1.6 as a child process, on free ports, with an administrator.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{scratch, wait_until};

/// The administrator.
pub const USER: &str = "ann";
/// Her password.
pub const PASSWORD: &str = "s3cret";

/// A running InfluxDB. Dropped, it is killed and its data goes.
pub struct Influxd {
    child: Option<Child>,
    folder: PathBuf,
    address: SocketAddr,
}

impl Influxd {
    /// Starts an empty one.
    pub fn start(subject: &str) -> Self {
        let mut influxd = Self::reserve(subject);
        influxd.launch();
        influxd
    }

    /// Chooses ports and a folder; it is not running yet.
    pub fn reserve(subject: &str) -> Self {
        let folder = scratch(subject);
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        // Both are held until both are known, so that they differ.
        let (http, rpc) = (free(), free());
        let (http, rpc) = (http.local_addr().unwrap(), rpc.local_addr().unwrap());
        let root = folder.display();
        let config = format!(
            "reporting-disabled = true\nbind-address = \"{rpc}\"\n\
             [meta]\ndir = \"{root}/meta\"\n\
             [data]\ndir = \"{root}/data\"\nwal-dir = \"{root}/wal\"\n\
             [monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"{http}\"\nauth-enabled = true\nlog-enabled = false\n\
             [subscriber]\nenabled = false\n"
        );
        fs::write(folder.join("influxdb.conf"), config).unwrap();
        Self { child: None, folder, address: http }
    }

    /// Starts it, on the data that there is.
    pub fn launch(&mut self) {
        let log = File::create(self.folder.join("log")).unwrap();
        let child = Command::new("influxd")
            .args(["run", "-config"])
            .arg(self.folder.join("influxdb.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("influxd (Debian: influxdb) is installed");
        self.child = Some(child);
        let grant = format!("CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES");
        wait_until("InfluxDB answers", Duration::from_secs(30), || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "ended: {:?}", fs::read_to_string(self.folder.join("log")));
            // Refused from the second start on, since she is there.
            self.post("", &grant).is_some()
        });
    }

    /// SIGKILL: no last words.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn post(&self, database: &str, query: &str) -> Option<Value> {
        let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build();
        let request = agent.new_agent().post(format!("{}/query", self.url()));
        let request = request.query("db", database).query("u", USER).query("p", PASSWORD);
        let text = request.send_form([("q", query)]).ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The rows of all series that answer `query`.
    pub fn rows(&self, database: &str, query: &str) -> Vec<Vec<Value>> {
        let answer = self.post(database, query).expect("InfluxDB answers");
        let result = &answer["results"][0];
        assert!(result["error"].is_null(), "{query}: {answer}");
        let series = result["series"].as_array().cloned().unwrap_or_default();
        let rows = series.iter().flat_map(|one| one["values"].as_array().unwrap().clone());
        rows.map(|row| row.as_array().unwrap().clone()).collect()
    }

    /// Every database but its own.
    pub fn databases(&self) -> Vec<String> {
        let names = self.rows("", "SHOW DATABASES");
        let mut names: Vec<String> =
            names.iter().map(|row| row[0].as_str().unwrap().to_string()).collect();
        names.retain(|name| name != "_internal");
        names.sort();
        names
    }

    /// The sum of a measurement's counts; 0 if there are none.
    pub fn sum(&self, database: &str, measurement: &str) -> u64 {
        let query = format!("SELECT SUM(\"count\") FROM \"{measurement}\"");
        self.rows(database, &query).first().map_or(0, |row| row[1].as_u64().unwrap())
    }

    /// The values of a tag.
    pub fn tag_values(&self, database: &str, tag: &str) -> Vec<String> {
        let rows = self.rows(database, &format!("SHOW TAG VALUES WITH KEY = \"{tag}\""));
        let mut values: Vec<String> =
            rows.iter().map(|row| row[1].as_str().unwrap().to_string()).collect();
        values.sort();
        values.dedup();
        values
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.folder));
    }
}
