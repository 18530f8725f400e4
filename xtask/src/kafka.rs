//! Apache Kafka itself on loopback: fetched, formatted, started, stopped.
//!
//! The jars come from Maven Central once and stay in `target/kafka`. A [`Broker`] is broker and
//! controller in one process (KRaft) with a data folder of its own; dropping it ends the process
//! and removes the data. A [`Cluster`] is three that replicate each other's topics; a [`Secured`]
//! broker wants to know who talks to it.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

mod cluster;
mod jars;
mod release;
mod secured;
mod tools;
mod zookeeper;

pub use cluster::Cluster;
pub use secured::{PASSWORD, Secured, USER};
pub use tools::{java_consumer, set_quota};

use jars::jars;
use release::Release;
use zookeeper::ZooKeeper;

/// How long a start may take: 5 s on a quiet machine with Java 17, more on one that compiles beside
/// it.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long an orderly stop may take.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    port: u16,
    folder: PathBuf,
    process: Option<Child>,
    zookeeper: Option<ZooKeeper>,
    /// It outlives this value.
    is_left: bool,
    /// Its data lie on a disk of their own.
    has_disk: bool,
}

impl Broker {
    /// Starts a broker on free ports of 127.0.0.1 and waits until it answers.
    ///
    /// # Errors
    /// Java or the jars cannot be had, or the broker does not come up; the message says which.
    pub fn start() -> io::Result<Self> {
        Self::start_on(free_port()?)
    }

    /// The same, telling clients to come by way of `advertised`, a port of 127.0.0.1.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_behind(advertised: u16) -> io::Result<Self> {
        let port = free_port()?;
        // Of a key that is there twice, Java takes the last.
        let node = alone(port, free_port()?)
            + &format!("advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}\n");
        let mut broker = Self::format(port, &node, &cluster_id()?, None)?;
        broker.restart()?;
        Ok(broker)
    }

    /// The same, that makes no topic because somebody asks for it.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_with_known_topics() -> io::Result<Self> {
        let port = free_port()?;
        let node = alone(port, free_port()?) + "auto.create.topics.enable=false\n";
        let mut broker = Self::format(port, &node, &cluster_id()?, None)?;
        broker.restart()?;
        Ok(broker)
    }

    /// The same on a given port.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_on(port: u16) -> io::Result<Self> {
        let mut broker = Self::format(port, &alone(port, free_port()?), &cluster_id()?, None)?;
        broker.restart()?;
        Ok(broker)
    }

    /// The same, whose disk has room for `mebibytes` (a tmpfs; only root may mount one).
    ///
    /// # Errors
    /// As [`Broker::start`], or the disk cannot be had.
    pub fn start_on_disk_of(mebibytes: u32) -> io::Result<Self> {
        let port = free_port()?;
        let node = alone(port, free_port()?);
        let mut broker = Self::format(port, &node, &cluster_id()?, Some(mebibytes))?;
        broker.restart()?;
        Ok(broker)
    }

    /// Makes its folder, on a disk of its own if asked for, ready to start.
    fn format(port: u16, node: &str, cluster_id: &str, mebibytes: Option<u32>) -> io::Result<Self> {
        Self::format_with(port, node, cluster_id, mebibytes, &[])
    }

    fn format_with(
        port: u16,
        node: &str,
        cluster_id: &str,
        mebibytes: Option<u32>,
        more: &[&str],
    ) -> io::Result<Self> {
        let folder = broker_folder(port);
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(folder.join("data"))?;
        let mut broker =
            Self { port, folder, process: None, zookeeper: None, is_left: false, has_disk: false };
        if let Some(mebibytes) = mebibytes {
            mount(&broker.folder.join("data"), &format!("size={mebibytes}m"))?;
            broker.has_disk = true;
        }
        let properties = broker.folder.join("server.properties");
        let logs = format!("log.dirs={}\n", broker.folder.join("data/logs").display());
        if Release::wanted().needs_zookeeper() {
            let zookeeper = free_port()?;
            broker.zookeeper = Some(ZooKeeper::start(&broker.folder, zookeeper)?);
            let beside = format!("broker.id=1\nzookeeper.connect=127.0.0.1:{zookeeper}\n");
            fs::write(&properties, format!("{node}{beside}{logs}{PROPERTIES}"))?;
            return Ok(broker);
        }
        fs::write(&properties, format!("{node}{ROLES}{logs}{PROPERTIES}"))?;
        let properties = properties.display().to_string();
        let format = ["format", "--cluster-id", cluster_id, "--config", &properties];
        java(&jars()?, "kafka.tools.StorageTool", &[&format, more].concat())?;
        Ok(broker)
    }

    /// Gives the disk of [`Broker::start_on_disk_of`] another size.
    ///
    /// # Errors
    /// It is too full for that.
    pub fn resize_disk(&self, mebibytes: u32) -> io::Result<()> {
        mount(&self.folder.join("data"), &format!("remount,size={mebibytes}m"))
    }

    /// Does its process run? One whose disk is full ends by itself.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// `127.0.0.1:port`, for `bootstrap.servers`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it again on the same port with the data it has.
    ///
    /// # Errors
    /// It does not come up; its log is in `target/kafka`.
    pub fn restart(&mut self) -> io::Result<()> {
        self.spawn()?;
        self.wait_until_up()
    }

    fn spawn(&mut self) -> io::Result<()> {
        let log = fs::File::create(self.folder.join("broker.log"))?;
        let process = java_command(&jars()?, &[], "kafka.Kafka")
            .arg(self.folder.join("server.properties"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.process = Some(process);
        Ok(())
    }

    fn wait_until_up(&mut self) -> io::Result<()> {
        let started = Instant::now();
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        while started.elapsed() < PATIENCE {
            let process = self.process.as_mut().expect("just started");
            if let Some(status) = process.try_wait()? {
                return Err(io::Error::other(format!(
                    "Kafka ended with {status}: {}",
                    self.tail()
                )));
            }
            let listens = TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok();
            let log = self.log();
            // The second is what those with ZooKeeper say.
            let says_so = |words| log.contains(words);
            if listens && (says_so("Kafka Server started") || says_so("id=1] started")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::other(format!("Kafka is not up after {PATIENCE:?}: {}", self.tail())))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("broker.log")).unwrap_or_default()
    }

    fn tail(&self) -> String {
        let log = self.log();
        log.lines().rev().take(5).collect::<Vec<_>>().join(" | ")
    }

    /// Stops it as an operator would (SIGTERM), keeping its data.
    ///
    /// # Errors
    /// It cannot be signalled.
    pub fn stop(&mut self) -> io::Result<()> {
        self.signal("TERM")?;
        self.join()
    }

    /// Kills it at once, as a crash would, keeping its data.
    ///
    /// # Errors
    /// It cannot be signalled.
    pub fn kill(&mut self) -> io::Result<()> {
        self.signal("KILL")?;
        self.join()
    }

    /// Sends a signal by name: `STOP` and `CONT` make a broker that is there and does not answer.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let Some(process) = &self.process else { return Err(io::Error::other("it does not run")) };
        let id = process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("kill -s {name} {id}")))
        }
    }

    fn join(&mut self) -> io::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.wait()?;
        }
        Ok(())
    }

    /// Leaves it running when this value goes: for `cargo xtask kafka start`. [`stop_left`] ends
    /// it.
    ///
    /// # Errors
    /// Its process id cannot be written down.
    pub fn leave(mut self) -> io::Result<()> {
        let id = self.process.as_ref().map_or(0, Child::id);
        fs::write(self.folder.join("pid"), id.to_string())?;
        self.is_left = true;
        Ok(())
    }
}

/// Stops the broker that was left running on this port and removes its data.
///
/// # Errors
/// There is none.
pub fn stop_left(port: u16) -> io::Result<()> {
    let folder = broker_folder(port);
    let id = fs::read_to_string(folder.join("pid"))
        .map_err(|_| io::Error::other(format!("no broker was left running on port {port}")))?;
    let proc = Path::new("/proc").join(id.trim());
    let started = Instant::now();
    Command::new("kill").arg(id.trim()).status()?;
    while proc.exists() {
        // One that is stopped (SIGSTOP) or hangs does not hear SIGTERM.
        if started.elapsed() > STOP_PATIENCE {
            Command::new("kill").args(["-s", "KILL", id.trim()]).status()?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::remove_dir_all(&folder)
}

fn broker_folder(port: u16) -> PathBuf {
    target().join("kafka").join(format!("broker-{port}"))
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // Nothing to do about a process that cannot be killed, or a folder that cannot be removed.
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
        if self.has_disk {
            drop(Command::new("umount").arg(self.folder.join("data")).status());
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Creates a topic.
///
/// # Errors
/// The broker's answer.
pub fn create_topic(brokers: &str, topic: &str, partitions: u32) -> io::Result<()> {
    topic_command(brokers, topic, &["--create", "--partitions", &partitions.to_string()])
}

/// Creates a topic of one partition that takes no message longer than so many bytes.
///
/// # Errors
/// The broker's answer.
pub fn create_narrow_topic(brokers: &str, topic: &str, bytes_max: u32) -> io::Result<()> {
    let bytes_max = format!("max.message.bytes={bytes_max}");
    topic_command(brokers, topic, &["--create", "--partitions", "1", "--config", &bytes_max])
}

/// What Kafka's own tool says of a topic.
///
/// # Errors
/// The broker's answer.
pub fn describe_topic(brokers: &str, topic: &str) -> io::Result<String> {
    let args = ["--bootstrap-server", brokers, "--topic", topic, "--describe"];
    let output = java(&jars()?, &Release::wanted().tool("TopicCommand"), &args)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Deletes a topic.
///
/// # Errors
/// The broker's answer.
pub fn delete_topic(brokers: &str, topic: &str) -> io::Result<()> {
    topic_command(brokers, topic, &["--delete"])
}

fn topic_command(brokers: &str, topic: &str, command: &[&str]) -> io::Result<()> {
    let args = [&["--bootstrap-server", brokers, "--topic", topic], command].concat();
    java(&jars()?, &Release::wanted().tool("TopicCommand"), &args).map(drop)
}

/// Forbids a user to do anything with a topic, or takes that back. Of a [`Secured`] broker.
///
/// # Errors
/// The broker's answer.
pub fn forbid(brokers: &str, topic: &str, user: &str, forbidden: bool) -> io::Result<()> {
    let action: &[&str] = if forbidden { &["--add"] } else { &["--remove", "--force"] };
    let user = format!("User:{user}");
    let rule = ["--topic", topic, "--operation", "All", "--deny-principal", &user];
    let args = [&["--bootstrap-server", brokers], action, &rule].concat();
    java(&jars()?, "org.apache.kafka.tools.AclCommand", &args).map(drop)
}

/// End offsets of a topic, by partition: how many messages were ever put there.
///
/// # Errors
/// The broker's answer.
pub fn end_offsets(brokers: &str, topic: &str) -> io::Result<Vec<u64>> {
    let release = Release::wanted();
    let args = [release.brokers_of_offsets(), brokers, "--topic", topic];
    let output = java(&jars()?, &release.tool("GetOffsetShell"), &args)?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Lines are topic:partition:offset.
    Ok(text.lines().filter_map(|line| line.rsplit(':').next()?.trim().parse().ok()).collect())
}

fn java_command(jars: &Path, options: &[&str], class: &str) -> Command {
    let mut command = Command::new("java");
    // A small heap and a fast start: this is a broker for tests.
    command
        .args(["-Xmx512m", "-Xms128m", "-XX:+UseSerialGC"])
        .args(options)
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=info")
        .arg("-cp")
        .arg(format!("{}/*", jars.display()))
        .arg(class);
    command
}

fn java(jars: &Path, class: &str, args: &[&str]) -> io::Result<Output> {
    // It ends before the second compiler's work would pay: that is a third of its processor time.
    let mut tool = java_command(jars, &["-XX:TieredStopAtLevel=1"], class);
    let output = tool.args(args).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{class} {args:?}: {}", said.lines().last().unwrap_or("failed"))))
}

/// Kafka wants sixteen bytes in base64, 22 characters of it. Hexadecimal digits are such characters; its own
/// tool for this takes a second to start.
fn cluster_id() -> io::Result<String> {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(uuid.chars().filter(char::is_ascii_hexdigit).take(22).collect())
}

/// Needs root.
fn mount(folder: &Path, options: &str) -> io::Result<()> {
    let mut mount = Command::new("mount");
    let status = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("no disk of its own: mount failed"))
    }
}

/// What every broker for tests is told.
const PROPERTIES: &str = "num.partitions=4\ngroup.initial.rebalance.delay.ms=0\noffsets.topic.num.partitions=1\n\
     log.retention.bytes=4294967296\nlog.segment.bytes=268435456\n";

/// Of one that is its own controller.
const ROLES: &str = "process.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n";

/// A broker that is its own cluster.
fn alone(port: u16, controller: u16) -> String {
    node(1, port, controller, &format!("1@127.0.0.1:{controller}"))
        + "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
           transaction.state.log.min.isr=1\n"
}

/// One node of a cluster, broker and controller in one.
fn node(id: usize, port: u16, controller: u16, voters: &str) -> String {
    format!(
        "node.id={id}\ncontroller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
    )
}

fn free_port() -> io::Result<u16> {
    TcpListener::bind("127.0.0.1:0")?.local_addr().map(|address| address.port())
}

/// The workspace's target folder, whoever's tests call.
fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
