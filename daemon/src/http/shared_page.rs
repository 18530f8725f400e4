//! A page that is large and asked for by machines: made once for all who ask at about the same time, and in
//! memory a few times at most, however slowly it is read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Refusal;
use super::routes::aside;

/// Copies of a page in memory at most: the newest, one that is being made, one that somebody still reads.
pub const COPIES_MAX: usize = 3;

/// Set on an answer that is a shared page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared;

/// The page.
#[derive(Debug)]
pub(super) struct SharedPage {
    /// How much older than a question it may be.
    life: Duration,
    /// When making it began, and what came of it.
    newest: Mutex<Option<(Instant, Bytes)>>,
    turn: Arc<Semaphore>,
    copies: Arc<Semaphore>,
}

/// One of its copies; gives its place back when nobody reads it any more.
struct Copy {
    text: String,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Copy {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl SharedPage {
    /// One that may be `life` older than the question. With none, only those share it who ask before it is
    /// begun: it has all that was counted when they asked.
    pub(super) fn new(life: Duration) -> Arc<Self> {
        Arc::new(Self {
            life,
            newest: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            copies: Arc::new(Semaphore::new(COPIES_MAX)),
        })
    }

    /// The page, made by `make` if there is none that is new enough.
    pub(super) async fn get(
        self: Arc<Self>,
        make: impl FnOnce() -> String + Send + 'static,
    ) -> Result<Bytes, Refusal> {
        let asked = Instant::now();
        if let Some(page) = self.since(asked.checked_sub(self.life)) {
            return Ok(page);
        }
        let turn = Arc::clone(&self.turn);
        // Somebody may have made it while we waited for our turn.
        let get =
            move || self.since(asked.checked_sub(self.life)).unwrap_or_else(|| self.make(make));
        aside(turn, get).await
    }

    /// The newest, if making it began at `since` or later.
    fn since(&self, since: Option<Instant>) -> Option<Bytes> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, page) = newest.as_ref()?;
        since.is_none_or(|since| *begun >= since).then(|| page.clone())
    }

    fn make(&self, make: impl FnOnce() -> String) -> Bytes {
        let Ok(place) = Arc::clone(&self.copies).try_acquire_owned() else {
            // Who reads slowly holds all copies, for a minute at most: the newest has to do until then.
            return self.since(None).unwrap_or_default();
        };
        let begun = Instant::now();
        let mut text = make();
        text.shrink_to_fit();
        let page = Bytes::from_owner(Copy { text, _place: place });
        let newest = Some((begun, page.clone()));
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
        page
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    async fn get(page: &Arc<SharedPage>, text: &str) -> Bytes {
        let text = text.to_string();
        Arc::clone(page).get(move || text).await.unwrap()
    }

    #[tokio::test]
    async fn a_page_lives_and_one_without_life_is_made_anew() {
        let page = SharedPage::new(HOUR);
        assert_eq!(
            (get(&page, "one").await, get(&page, "two").await),
            ("one".into(), "one".into())
        );
        let page = SharedPage::new(Duration::ZERO);
        assert_eq!(
            (get(&page, "one").await, get(&page, "two").await),
            ("one".into(), "two".into())
        );
    }

    /// Ten who ask while one is answered share the next, which is begun after they asked.
    #[tokio::test]
    async fn who_asks_at_the_same_time_shares_what_is_made_then() {
        let page = SharedPage::new(Duration::ZERO);
        let made = Arc::new(AtomicUsize::new(0));
        let ask = |page: &Arc<SharedPage>| {
            let (page, made) = (Arc::clone(page), Arc::clone(&made));
            tokio::spawn(page.get(move || made.fetch_add(1, Ordering::Relaxed).to_string()))
        };
        let turn = Arc::clone(&page.turn).acquire_owned().await.unwrap();
        let asked: Vec<_> = (0..10).map(|_| ask(&page)).collect();
        tokio::task::yield_now().await;
        drop(turn);
        for one in asked {
            assert_eq!(one.await.unwrap().unwrap(), "0");
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn slow_readers_hold_some_copies_and_no_more() {
        let page = SharedPage::new(Duration::ZERO);
        let first = get(&page, "1").await;
        let held = [get(&page, "2").await, get(&page, "3").await];
        assert_eq!(get(&page, "4").await, "3", "there is room for three");
        drop(first);
        assert_eq!(get(&page, "5").await, "5", "one has been read");
        assert_eq!(held, ["2", "3"]);
    }
}
