//! A running `neckar generate`.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::neckar;

/// The process. Dropped, it is killed.
pub struct Generator(Child);

impl Generator {
    /// A hundred routers that send so many flows at this rate.
    pub fn start(target: SocketAddr, protocol: &str, flows: u64, rate: u64) -> Self {
        let child = Command::new(neckar())
            .args(["generate", "--to", &target.to_string(), "--protocol", protocol])
            .args(["--exporters", "100", "--rate", &rate.to_string()])
            .args(["--flows", &flows.to_string(), "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Is it still sending?
    pub fn sends(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for its end; answers the flows it sent.
    pub fn flows(self) -> u64 {
        self.summary()["flows"].as_u64().unwrap()
    }

    /// Waits for its end; answers what it says of itself, the sums of its flows among it.
    pub fn summary(mut self) -> Value {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.0.stdout.take().unwrap(), &mut text).unwrap();
        assert!(self.0.wait().unwrap().success());
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
