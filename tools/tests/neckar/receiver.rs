//! A collector that only listens.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A datagram as it came.
pub(crate) type Got = (SocketAddr, Vec<u8>);

/// A socket on loopback with a thread that empties it.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    done: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Got>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::at("127.0.0.1:0")
    }

    pub(crate) fn at(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        // Senders outrun any thread for a moment: room for some thousand datagrams, where the
        // system allows it.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20);
        let address = socket.local_addr().unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let thread = std::thread::spawn(move || receive(&socket, &flag));
        Self { address, done, thread }
    }

    /// Everything that has come. To be called when the senders are done: loopback delivers before
    /// it returns.
    pub(crate) fn stop(self) -> Vec<Got> {
        self.done.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn receive(socket: &UdpSocket, done: &AtomicBool) -> Vec<Got> {
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        // Read before the attempt: what came before the flag rose is still taken.
        let last = done.load(Ordering::SeqCst);
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => got.push((from, buffer[..len].to_vec())),
            Err(_) if last => return got,
            Err(_) => {}
        }
    }
}
