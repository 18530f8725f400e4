//! The http thread: the page, `/metrics`, `/flowdata`, health and the page's own interface under
//! `/api/`.
//!
//! [`server`] takes connections within bounds, [`tls`] encrypts them, [`access`] says who may come
//! in, [`routes`] what there is to see. A [`history`] of the last hour is kept here, one sample a
//! second for all visitors together. Everything read is a counter or a copy: no worker ever waits
//! for a visitor, and what takes longer than a look (top talkers, searches) runs on a thread beside,
//! a few at a time. What visitors have not read yet is bounded: [`reading`], and [`shared_page`] for the
//! large pages.
//!
//! Deliberately absent: anything that changes the daemon. There is nothing to write to here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use neckar_enrich::Tables;
use tokio::sync::{oneshot, watch};

use crate::board::Board;
use crate::config::{Config, Problem};
use crate::pipeline::StartError;
use crate::tables::LabelSources;

mod access;
mod answer;
mod assets;
mod counts;
mod exporters;
mod history;
mod live;
mod lookup;
mod meaning;
mod measures;
mod reading;
mod routes;
mod server;
mod shared_page;
mod tls;
mod traffic;

pub use counts::{HttpCounts, HttpView};
pub use history::HISTORY_BYTES;
pub use reading::ANSWERS_BYTES_MAX;
pub use shared_page::COPIES_MAX;
pub use traffic::KEPT_BYTES_MAX;

use access::{Access, Guard};
use live::{Bounds, Sampler};
use routes::Rooms;
use server::{Limits, Server};
use tls::Certificate;

/// What the http thread shows.
pub struct Shown {
    /// Everything that counts.
    pub board: Arc<Board>,
    /// The labels' tables in force.
    pub tables: Arc<ArcSwap<Tables>>,
    /// What they were made from.
    pub sources: Arc<LabelSources>,
}

/// The running http thread.
#[derive(Debug)]
pub struct Http {
    address: SocketAddr,
    is_encrypted: bool,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Reads what `[http]` names, for `neckard check` too; says in a line what it comes to.
///
/// # Errors
/// A secret, certificate or key that is not there or does not fit.
pub fn check(config: &Config) -> Result<String, Problem> {
    let http = &config.http;
    if http.bind_address().is_none() {
        return Ok("nobody is served".into());
    }
    let access = Access::read(http)?;
    let certificate = Certificate::read(&http.tls)?;
    let scheme = if certificate.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}/, {access}", http.address))
}

impl Http {
    /// Binds `http.address` and serves until [`Http::stop`]; `None` if nobody is to be served.
    ///
    /// # Errors
    /// The address cannot be bound, a secret or certificate does not fit, or there is no thread
    /// left.
    pub fn start(config: &Config, shown: Shown) -> Result<Option<Self>, StartError> {
        let http = &config.http;
        let Some(address) = http.bind_address() else { return Ok(None) };
        let access = Access::read(http)?;
        let certificate = Certificate::read(&http.tls)?;
        if access.asks() && certificate.is_none() && !address.ip().to_canonical().is_loopback() {
            log::warn!(
                "http: secrets cross the network readable; set http.tls, or put a proxy that \
                 encrypts in front of a loopback address"
            );
        }
        let listener = bind(address).map_err(|error| {
            let fix = "choose another, or \"\" for none";
            Problem::new("http.address", address, error, fix)
        })?;
        Self::launch(config, listener, access, certificate, shown)
            .map(Some)
            .map_err(|error| StartError::System(error.to_string()))
    }

    fn launch(
        config: &Config,
        listener: TcpListener,
        access: Access,
        certificate: Option<Certificate>,
        shown: Shown,
    ) -> io::Result<Self> {
        let (address, is_encrypted) = (listener.local_addr()?, certificate.is_some());
        let (stop, stopped) = oneshot::channel();
        let (told, live) = watch::channel(Arc::from("{}"));
        let sampler =
            Sampler::new(Arc::clone(&shown.board), Bounds::new(config, &shown.board), told);
        let counts = Arc::clone(&shown.board.http);
        let rooms = Rooms::new(config, shown, sampler.history(), live);
        let server = Server {
            limits: Limits::new(config.http.connections_max, Arc::clone(&counts)),
            certificate,
            routes: routes::routes(rooms, Guard { access, counts }),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            let served = runtime.block_on(server.run(listener, sampler, stopped));
            if let Err(error) = served {
                log::error!("http stopped serving on {address}: {error}");
            }
            // A search that is under way may end for itself.
            runtime.shutdown_background();
        })?;
        Ok(Self { address, is_encrypted, stop, thread })
    }

    /// Where it listens; the port is the kernel's choice if it was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the page is.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Stops serving: nobody new comes in, and who is being answered has a moment.
    pub fn stop(self) {
        // An error means that the thread has ended by itself.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// Threads for what takes longer than a look; each is made when it is needed.
const BLOCKING_THREADS: usize = 6;

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
