//! What the thread decides, asked without running it.

use crossbeam_channel::unbounded;
use mio::Waker;

use super::*;

fn sender(brokers: &[&str]) -> Sender {
    let brokers = brokers.iter().map(|address| (*address).to_owned()).collect();
    let settings = Settings { brokers, idempotence: true, ..Settings::default() };
    let dialer = Dialer::new(&settings).expect("nothing to read");
    let poll = Poll::new().expect("a poll");
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).expect("a waker"));
    let (messages, receiver) = unbounded();
    let inbox = Inbox { messages, sleeps: Arc::default(), waker };
    Sender::new((settings, Arc::default(), dialer, inbox), poll, receiver)
}

#[test]
fn an_answer_about_our_number_that_cannot_be_read_is_not_waited_for() {
    let mut sender = sender(&["127.0.0.1:1"]);
    let now = Instant::now();
    sender.is_asking_producer = true;
    // The throttle time and half of the rest.
    sender.hear(FIRST_SEED, Asked::ProducerId, &[0; 10], now);
    assert_eq!(sender.producer, None);
    assert!(sender.lacks_producer(now), "it is asked for again");
}
