//! What the thread decides, asked without running it.

use std::net::{TcpListener, TcpStream};

use crossbeam_channel::unbounded;
use mio::Waker;

use super::*;
use crate::native::Dialed;
use crate::native::dial::DIAL;
use crate::native::link::LinkState;

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

#[test]
fn what_comes_of_a_second_try_to_connect_leaves_the_connection_alone() {
    let now = Instant::now();
    let mut sender = sender(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one").to_string();
    let dialed = || {
        let socket = TcpStream::connect(&address).expect("it listens");
        socket.set_nonblocking(true).expect("a socket");
        Ok(Box::new(Dialed { socket, tls: None, expires: None }))
    };
    let mut link = Link::new(address.clone(), now);
    link.state = LinkState::Dialing(now);
    sender.links.insert(1, link);
    sender.dialed(1, &address, dialed(), now);
    let connection = sender.links.get_mut(&1).and_then(Link::connection).expect("it is up");
    connection.send([], Asked::Produce(Vec::new()), now);
    for result in [dialed(), Err("too late".into())] {
        sender.dialed(1, &address, result, now);
        let connection = sender.links.get_mut(&1).and_then(Link::connection);
        let asked = connection.map(|connection| connection.asked());
        assert_eq!(asked, Some(1), "its request still waits for its answer");
    }
}

#[test]
fn a_seed_that_takes_long_holds_no_other_up_and_is_left_in_the_end() {
    let now = Instant::now();
    let mut sender = sender(&["192.0.2.1:9092", "127.0.0.1:1"]);
    let (slow, other) = (FIRST_SEED, FIRST_SEED - 1);
    sender.links.get_mut(&slow).expect("a seed").state = LinkState::Dialing(now);
    sender.ask(now);
    assert_eq!(sender.links[&other].dialing(), None, "the first has its turn");
    sender.ask(now + Duration::from_secs(1));
    assert!(sender.links[&other].dialing().is_some());
    sender.leave_undialed(now + DIAL);
    assert!(sender.links[&slow].dialing().is_some());
    sender.leave_undialed(now + DIAL + Duration::from_millis(1));
    assert_eq!(sender.links[&slow].dialing(), None);
    assert!(sender.links[&other].dialing().is_some(), "it began later");
}

#[test]
fn brokers_that_are_not_named_any_more_are_forgotten() {
    let now = Instant::now();
    let mut sender = sender(&["192.0.2.1:9092"]);
    let named = |ids: std::ops::Range<i32>| ids.map(|id| (id, format!("192.0.2.2:{id}"))).collect();
    for turn in 0..10 {
        sender.note_brokers(named(turn * 1000..(turn + 1) * 1000), now);
    }
    assert_eq!(sender.links.len(), 1001);
    // No broker takes a seed's place, by whatever number.
    sender.note_brokers(named(-5..2), now);
    let links: Vec<(i32, &str)> =
        sender.links.iter().map(|(id, link)| (*id, link.address.as_str())).collect();
    assert_eq!(links, [(-1, "192.0.2.1:9092"), (0, "192.0.2.2:0"), (1, "192.0.2.2:1")]);
}
