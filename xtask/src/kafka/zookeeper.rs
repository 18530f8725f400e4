//! Apache ZooKeeper, which brokers before 3.3 need beside them: it comes with their jars.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use super::{PATIENCE, jars, java_command};

/// One that runs; it ends with this value.
#[derive(Debug)]
pub(super) struct ZooKeeper {
    process: Child,
}

impl ZooKeeper {
    /// Starts one on `port` of 127.0.0.1 with its data in `folder`.
    ///
    /// # Errors
    /// It does not come up.
    pub(super) fn start(folder: &Path, port: u16) -> io::Result<Self> {
        let folder = folder.join("zookeeper");
        fs::create_dir_all(&folder)?;
        let properties = folder.join("zoo.cfg");
        let data = folder.join("data").display().to_string();
        let text = format!(
            "dataDir={data}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
        );
        fs::write(&properties, text)?;
        let process =
            java_command(&jars()?, &[], "org.apache.zookeeper.server.quorum.QuorumPeerMain")
                .arg(&properties)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(fs::File::create(folder.join("zookeeper.log"))?)
                .spawn()?;
        let zookeeper = Self { process };
        let (started, address) = (Instant::now(), SocketAddr::from(([127, 0, 0, 1], port)));
        while TcpStream::connect(address).is_err() {
            if started.elapsed() > PATIENCE {
                return Err(io::Error::other("ZooKeeper does not come up"));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Ok(zookeeper)
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        // Nothing to do about a process that cannot be killed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
