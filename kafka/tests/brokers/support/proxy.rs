//! A way to the broker that loses, delays, cuts and garbles, as it is told.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It is cut when so many bytes went to the broker.
    CutThere(usize),
    /// It is cut when so many bytes came back: in the middle of an answer, as a rule.
    CutBack(usize),
    /// Answers stop when so many bytes came back, and nothing says so.
    Silence(usize),
    /// After so many bytes came back, others come that nobody sent.
    Garbage(usize),
    /// So many answers come whole, and then half of one that says it is no longer than that: well framed,
    /// and wrong.
    Half(usize),
    /// Everything comes late and in small pieces, until it is cut when so many bytes came back.
    Slow(usize),
}

/// The way, as long as this value lives.
pub(crate) struct Proxy {
    /// Where clients come in.
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    target: Mutex<Option<SocketAddr>>,
    has_faults: AtomicBool,
    random: AtomicU64,
    ended: AtomicBool,
    faults: AtomicU64,
    /// Answers on connections older than this go nowhere.
    silences: AtomicU64,
}

impl State {
    /// Knuth's generator: the same faults with the same seed, as far as threads allow.
    fn random(&self) -> u64 {
        let next = |seed: u64| seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let step = |seed| Some(next(seed));
        let before = self.random.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        next(before.unwrap_or_default()) >> 33
    }

    fn draw(&self) -> Fault {
        if !self.has_faults.load(Ordering::Relaxed) {
            return Fault::None;
        }
        self.faults.fetch_add(1, Ordering::Relaxed);
        let bytes = self.random() as usize;
        match self.random() % 6 {
            0 => Fault::CutThere(bytes % 400_000),
            1 => Fault::CutBack(bytes % 900),
            2 => Fault::Silence(bytes % 900),
            3 => Fault::Garbage(bytes % 900),
            4 => Fault::Half(bytes % 6),
            _ => Fault::Slow(bytes % 900),
        }
    }
}

impl Proxy {
    /// Takes a port; leads nowhere yet.
    pub(crate) fn open(seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            target: Mutex::new(None),
            has_faults: AtomicBool::new(false),
            random: AtomicU64::new(seed),
            ended: AtomicBool::new(false),
            faults: AtomicU64::new(0),
            silences: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                std::thread::spawn(move || lead(&client, &state));
            }
        });
        Ok(Self { port, state })
    }

    /// Leads there from now on.
    pub(crate) fn lead_to(&self, address: &str) {
        *self.state.target.lock().unwrap() = Some(address.parse().unwrap());
    }

    /// Connections from now on have faults, or none.
    pub(crate) fn set_faults(&self, has_faults: bool) {
        self.state.has_faults.store(has_faults, Ordering::Relaxed);
    }

    /// No more answers on the connections that there are now; those to come are not touched.
    pub(crate) fn silence(&self) {
        self.state.silences.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections that had a fault.
    pub(crate) fn faults(&self) -> u64 {
        self.state.faults.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn lead(client: &TcpStream, state: &State) {
    let target = *state.target.lock().unwrap();
    let Some(broker) = target.and_then(|target| TcpStream::connect(target).ok()) else { return };
    let fault = state.draw();
    let silences = state.silences.load(Ordering::Relaxed);
    let is_silent = || state.silences.load(Ordering::Relaxed) > silences;
    let is_slow = matches!(fault, Fault::Slow(_));
    let garbage: Vec<u8> = (0..64).map(|_| state.random() as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let limit = if let Fault::CutThere(bytes) = fault { bytes } else { usize::MAX };
            pump(client, &broker, is_slow, limit, || false);
            end(client, &broker);
        });
        let limit = match fault {
            Fault::CutBack(bytes)
            | Fault::Silence(bytes)
            | Fault::Garbage(bytes)
            | Fault::Slow(bytes) => bytes,
            Fault::Half(_) => 0,
            _ => usize::MAX,
        };
        pump(&broker, client, is_slow, limit, is_silent);
        match fault {
            // The client has to notice by itself; the broker's answers go nowhere.
            Fault::Silence(_) => drop(io::copy(&mut &broker, &mut io::sink())),
            Fault::Garbage(_) => drop((&*client).write_all(&garbage)),
            Fault::Half(whole) => drop(halve(&broker, client, whole)),
            _ => {}
        }
        end(client, &broker);
    });
}

/// Until an end, or so many bytes; what comes while `is_silent` goes nowhere.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    is_slow: bool,
    limit: usize,
    is_silent: impl Fn() -> bool,
) {
    let mut left = limit;
    let mut bytes = vec![0; if is_slow { 1500 } else { 64 << 10 }];
    while left > 0 {
        let Ok(count) = from.read(&mut bytes) else { return };
        let count = count.min(left);
        if count == 0 || !is_silent() && to.write_all(&bytes[..count]).is_err() {
            return;
        }
        left -= count;
        if is_slow {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// So many answers as they are, and half of the next.
fn halve(mut from: &TcpStream, mut to: &TcpStream, whole: usize) -> io::Result<()> {
    for turn in 0..=whole {
        let mut len = [0; 4];
        from.read_exact(&mut len)?;
        let mut answer = vec![0; u32::from_be_bytes(len) as usize];
        from.read_exact(&mut answer)?;
        if turn == whole {
            // The number of what was asked stays.
            answer.truncate(4 + (answer.len() - 4) / 2);
        }
        to.write_all(&(answer.len() as u32).to_be_bytes())?;
        to.write_all(&answer)?;
    }
    // The client hangs up: it cannot read that.
    io::copy(&mut from, &mut io::sink()).map(drop)
}

fn end(one: &TcpStream, other: &TcpStream) {
    drop(one.shutdown(Shutdown::Both));
    drop(other.shutdown(Shutdown::Both));
}
