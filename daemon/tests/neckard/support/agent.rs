//! SNMP agents as child processes: net-snmp's `snmpd`, and `snmpsimd` for devices that nobody has
//! at hand.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{free_udp_port, wait_until};

/// A running agent; killed when dropped.
pub struct Agent {
    child: Child,
    port: u16,
}

impl Agent {
    /// A real agent that shows this machine's interfaces, configured by `lines`.
    pub fn snmpd(folder: &Path, lines: &str) -> Self {
        let port = free_udp_port();
        let file = folder.join("snmpd.conf");
        std::fs::write(&file, format!("agentAddress udp:127.0.0.1:{port}\n{lines}")).unwrap();
        let mut command = Command::new("/usr/sbin/snmpd");
        command.args(["-f", "-Lo", "-C", "-c"]).arg(&file);
        // It keeps keys there; and it looks for no MIB files, which Debian does not ship.
        command.env("SNMP_PERSISTENT_DIR", folder.join("persistent")).env("MIBS", "");
        Self::start(command, port, "NET-SNMP version")
    }

    /// Simulated devices, one for each community: its name and what it answers, `(OID, type tag,
    /// value)`.
    pub fn simulator(folder: &Path, devices: &[(&str, Vec<Answer>)]) -> Self {
        let (data, port) = (folder.join("data"), free_udp_port());
        std::fs::create_dir_all(&data).unwrap();
        for (community, answers) in devices {
            let mut sorted: Vec<&Answer> = answers.iter().collect();
            sorted.sort();
            let line = |(oid, tag, value): &&Answer| format!("{}|{tag}|{value}\n", dotted(oid));
            let text: String = sorted.iter().map(line).collect();
            std::fs::write(data.join(format!("{community}.snmprec")), text).unwrap();
        }
        let mut command = Command::new("snmpsimd");
        command.arg(format!("--data-dir={}", data.display()));
        command.arg(format!("--cache-dir={}", folder.join("cache").display()));
        command.arg(format!("--agent-udpv4-endpoint=127.0.0.1:{port}"));
        // Root must say whom to run as; the cache belongs to whoever runs the test.
        let id = |flag: &str| {
            let output = Command::new("id").args([flag, "-n"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_string()
        };
        command.arg(format!("--process-user={}", id("-u")));
        command.arg(format!("--process-group={}", id("-g")));
        Self::start(command, port, "Listening at UDP/IPv4")
    }

    /// Starts it and waits until it says `ready`.
    fn start(mut command: Command, port: u16, ready: &str) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().expect("apt-get install snmpd snmpsim");
        // Else its own copies of the pipe's end would keep it open.
        drop(command);
        let (sender, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                // Reading goes on when nobody listens, so that the agent never waits for us.
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let agent = Self { child, port };
        wait_until(ready, Duration::from_secs(60), || {
            told.try_iter().any(|line| line.contains(ready))
        });
        agent
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// OID, type tag of snmpsim (4 octets, 66 gauge), value.
pub type Answer = (Vec<u32>, u32, String);

fn dotted(oid: &[u32]) -> String {
    oid.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}
