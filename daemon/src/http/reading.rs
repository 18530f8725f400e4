//! Answers while they are read: how long that may take, and what they may take of memory together.
//!
//! An answer is made whole and stays until the last of it is with the kernel, so who reads slowly
//! keeps it. Deliberately absent: live events, which have no end, and of which only the next one is kept.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::answer::Refusal;
use super::shared_page::Shared;

/// An answer has to be read within this time, or its connection is closed.
pub(super) const READ: Duration = Duration::from_secs(60);
/// Bytes of answers that are being read at most, those of shared pages apart.
pub const ANSWERS_BYTES_MAX: usize = 32 << 20;
/// What they are counted in.
const UNIT_BYTES: usize = 1 << 10;

/// Room for answers that are being read.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ANSWERS_BYTES_MAX / UNIT_BYTES)))
    }
}

/// Holds an answer until it is read.
pub(super) async fn hold(State(room): State<Room>, request: Request, next: Next) -> Response {
    let patience = request.extensions().get::<Patience>().cloned();
    let (mut parts, body) = next.run(request).await.into_parts();
    let Some(len) = body.size_hint().exact() else { return Response::from_parts(parts, body) };
    let is_shared = parts.extensions.remove::<Shared>().is_some();
    let units = if is_shared { 0 } else { (len as usize).div_ceil(UNIT_BYTES) as u32 };
    let Ok(place) = room.0.try_acquire_many_owned(units) else {
        let why = "others have not read their answers yet; again";
        return Refusal::new(StatusCode::TOO_MANY_REQUESTS, why).into_response();
    };
    // It is all there: there is nothing to wait for, nor to go wrong.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let unread = Unread { bytes, _place: place, _waiting: patience.map(|one| one.wait()) };
    Response::from_parts(parts, Body::from(Bytes::from_owner(unread)))
}

/// An answer with its place; dropped when it is read.
struct Unread {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
    _waiting: Option<Waiting>,
}

impl AsRef<[u8]> for Unread {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How long a connection's answers may wait to be read.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    read: Duration,
    /// Answers that are not read, and since when.
    unread: watch::Sender<(usize, Option<Instant>)>,
}

impl Patience {
    pub(super) fn new(read: Duration) -> Self {
        Self { read, unread: watch::Sender::default() }
    }

    fn wait(self) -> Waiting {
        self.unread.send_modify(|(answers, since)| {
            *answers += 1;
            since.get_or_insert_with(Instant::now);
        });
        Waiting(self)
    }

    /// Comes when it is over.
    pub(super) async fn end(&self) {
        let mut unread = self.unread.subscribe();
        loop {
            let (_, since) = *unread.borrow_and_update();
            match since {
                // The sender is ours and stays.
                None => drop(unread.changed().await),
                Some(since) => {
                    let changed = tokio::time::timeout_at(since + self.read, unread.changed());
                    if changed.await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// An answer that is not read yet.
struct Waiting(Patience);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.unread.send_modify(|(answers, since)| {
            *answers -= 1;
            if *answers == 0 {
                *since = None;
            }
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use axum::routing::get;
    use axum::{Extension, Router, middleware};
    use hyper_util::server::graceful::GracefulShutdown;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::super::server;
    use super::*;

    const LARGE: usize = 4 << 20;
    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    /// A test that waits for longer has failed.
    const LONG: Duration = Duration::from_secs(20);

    /// A visitor's end of a connection on which every answer is large.
    fn connect(room: &Room, read: Duration) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let large = || async { vec![b'x'; LARGE] };
        let shared = || async { (Extension(Shared), vec![b'x'; LARGE]) };
        let routes = Router::new()
            .route("/", get(large))
            .route("/shared", get(shared))
            .layer(middleware::from_fn_with_state(room.clone(), hold));
        let (visitor, stream) = tokio::io::duplex(1 << 10);
        let served = async move {
            // Dropped, it would end what it watches.
            let graceful = GracefulShutdown::new();
            server::answer(stream, routes, graceful.watcher(), Patience::new(read)).await;
        };
        (visitor, tokio::spawn(served))
    }

    /// Asks, and reads the head of the answer.
    async fn begin(visitor: &mut DuplexStream, ask: &[u8]) -> String {
        visitor.write_all(ask).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(visitor.read_u8().await.unwrap());
        }
        String::from_utf8_lossy(&head[..12]).into_owned()
    }

    async fn read_all(visitor: &mut DuplexStream) {
        visitor.read_exact(&mut vec![0; LARGE]).await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_read_is_cut_off_and_the_answer_is_forgotten() {
        let room = Room::default();
        let (mut visitor, served) = connect(&room, Duration::from_millis(50));
        assert_eq!(begin(&mut visitor, ASK).await, "HTTP/1.1 200");
        tokio::time::timeout(LONG, served).await.unwrap().unwrap();
        assert_eq!(room.0.available_permits(), ANSWERS_BYTES_MAX / UNIT_BYTES);
        let mut rest = Vec::new();
        visitor.read_to_end(&mut rest).await.unwrap();
        assert!(rest.len() < LARGE, "{}", rest.len());
    }

    #[tokio::test]
    async fn who_reads_may_stay_and_ask_again() {
        let (mut visitor, served) = connect(&Room::default(), Duration::from_secs(5));
        for _ in 0..2 {
            assert_eq!(begin(&mut visitor, ASK).await, "HTTP/1.1 200");
            read_all(&mut visitor).await;
        }
        assert!(!served.is_finished());
        drop(visitor);
        tokio::time::timeout(LONG, served).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn answers_that_nobody_reads_are_bounded_in_bytes() {
        let room = Room::default();
        let mut visitors = Vec::new();
        for _ in 0..ANSWERS_BYTES_MAX / LARGE {
            let (mut visitor, _) = connect(&room, LONG);
            assert_eq!(begin(&mut visitor, ASK).await, "HTTP/1.1 200");
            visitors.push(visitor);
        }
        let (mut visitor, _) = connect(&room, LONG);
        assert_eq!(begin(&mut visitor, ASK).await, "HTTP/1.1 429");
        let (mut visitor, _) = connect(&room, LONG);
        let ask = b"GET /shared HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(begin(&mut visitor, ask).await, "HTTP/1.1 200", "that is counted elsewhere");
        read_all(&mut visitors[0]).await;
        let (mut visitor, _) = connect(&room, LONG);
        assert_eq!(begin(&mut visitor, ASK).await, "HTTP/1.1 200", "one has been read");
    }
}
