//! Three brokers on loopback.

use std::io;

use super::{Broker, cluster_id, free_port, node};

/// Brokers that replicate each other's topics: every partition on all of them, and with `acks=all` a
/// message is on at least two before it is acknowledged.
#[derive(Debug)]
pub struct Cluster {
    /// Its brokers, to be stopped and killed one by one.
    pub brokers: Vec<Broker>,
}

impl Cluster {
    /// Starts three.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start() -> io::Result<Self> {
        let ports: Vec<(u16, u16)> =
            (0..3).map(|_| Ok((free_port()?, free_port()?))).collect::<io::Result<_>>()?;
        let voters = ports.iter().zip(1..).map(|((_, port), id)| format!("{id}@127.0.0.1:{port}"));
        let voters = voters.collect::<Vec<_>>().join(",");
        let cluster_id = cluster_id()?;
        let replicated = "default.replication.factor=3\nmin.insync.replicas=2\n\
                          offsets.topic.replication.factor=3\n";
        let mut brokers = Vec::new();
        for (id, (port, controller)) in (1..).zip(ports) {
            let node = node(id, port, controller, &voters) + replicated;
            brokers.push(Broker::format(port, &node, &cluster_id, None)?);
        }
        // None is up before the others are there to agree with.
        brokers.iter_mut().try_for_each(Broker::spawn)?;
        brokers.iter_mut().try_for_each(Broker::wait_until_up)?;
        Ok(Self { brokers })
    }

    /// For `bootstrap.servers`.
    #[must_use]
    pub fn addresses(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }
}
