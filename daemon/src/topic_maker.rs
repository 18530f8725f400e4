//! Topics made on request (`kafka.create`), by a thread of its own, since the brokers take their time.
//!
//! In: names, from the start and from the splitter as it meets customers. What could not be made is
//! tried again if that may help, and said once if not: flows then fail or wait as they do for any
//! topic that is missing, and are counted there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use neckar_kafka::{Admin, Made, NewTopics};

/// Names in a request at most.
const TOGETHER: usize = 100;
/// How long a start waits for its topics.
const MOMENT: Duration = Duration::from_secs(5);
/// How long to wait before what failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What became of topics.
#[derive(Debug, Default)]
pub struct TopicMakerCounts {
    /// Made because they were not there.
    pub made: AtomicU64,
    /// Refused by the brokers.
    pub refused: AtomicU64,
}

/// Starts the thread; answers the way to ask for topics. Asking for one that is there is well. Waits
/// a moment for those of `first`, so that they are made as they are wanted before a broker makes
/// them by itself for whoever produces to them. The thread ends when nobody can ask any more; the
/// process need not wait for it.
///
/// # Errors
/// There is no thread left.
pub fn start(
    admin: Admin,
    like: NewTopics,
    first: Vec<String>,
    counts: Arc<TopicMakerCounts>,
) -> io::Result<Sender<String>> {
    let (done, waiting) = bounded(1);
    // A name a customer: bounded by `split.tenants_max`.
    let (sender, receiver) = unbounded();
    let mut maker = Maker { admin, like, counts, said: String::new() };
    std::thread::Builder::new().name("topics".into()).spawn(move || {
        let missing = maker.make(first);
        // Nobody waits any more if it took long.
        let _ = done.send(());
        maker.make_all(&receiver, missing);
    })?;
    // Brokers that are away are no reason not to start.
    let _ = waiting.recv_timeout(MOMENT);
    Ok(sender)
}

struct Maker {
    admin: Admin,
    like: NewTopics,
    counts: Arc<TopicMakerCounts>,
    /// Why topics are not made yet, as it was said last.
    said: String,
}

impl Maker {
    fn make_all(&mut self, asked: &Receiver<String>, mut missing: Vec<String>) {
        loop {
            let next = match missing.is_empty() {
                true => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => asked.recv_timeout(AGAIN),
            };
            match next {
                Ok(name) => missing.push(name),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            missing.extend(asked.try_iter().take(TOGETHER));
            missing = self.make(missing);
        }
    }

    /// Answers those that are worth another try.
    fn make(&mut self, missing: Vec<String>) -> Vec<String> {
        let (mut later, mut reason) = (Vec::new(), String::new());
        let names = missing.chunks(TOGETHER);
        for (name, made) in names.flat_map(|names| self.admin.create(names, &self.like)) {
            match made {
                Made::New => {
                    log::info!("topic {name} is made");
                    self.counts.made.fetch_add(1, Ordering::Relaxed);
                }
                Made::Existed => {}
                Made::Failed { why, later: true } => {
                    reason = why;
                    later.push(name);
                }
                Made::Failed { why, later: false } => {
                    log::error!("topic {name} cannot be made: {why}");
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        // Once, however many topics there are and however often it is tried.
        if let Some(name) = later.first().filter(|_| reason != self.said) {
            log::warn!("topic {name} is not made yet, one of {}: {reason}", later.len());
        }
        self.said = reason;
        later
    }
}
