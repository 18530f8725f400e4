use super::*;

const BOUNDS: Bounds = Bounds { buffer_bytes: 100, give_up_s: 60, backoff_max_s: 8 };

fn outbox() -> Outbox {
    Outbox::new("a test", BOUNDS, Arc::default())
}

fn parcel(at_s: u64, bytes: usize, points: u64) -> Parcel {
    Parcel { place: "".into(), body: vec![0; bytes], points, at_s }
}

fn taken() -> Verdict {
    Verdict::Taken { refused: 0, why: None }
}

fn later() -> Verdict {
    Verdict::Later { why: "away".into(), after: None }
}

#[test]
fn a_server_that_refuses_for_a_while_gets_everything_in_order() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(1, 10, 1), parcel(1, 10, 2)]);
    let mut now_ms = 0;
    for round in 0..6 {
        outbox.settle(later(), 1, now_ms);
        outbox.put(vec![parcel(2 + round, 10, 1)]);
        let (first, at_ms) = outbox.first().unwrap();
        assert_eq!((first.at_s, first.points), (1, 1), "the oldest stays the first, unchanged");
        // 1 s, 2 s, 4 s, 8 s, 8 s: no longer than the bound, and at least half.
        let full_ms = 1000 << round.min(3);
        assert!((full_ms / 2..=full_ms).contains(&(at_ms - now_ms)), "round {round}");
        now_ms = at_ms;
    }
    let view = outbox.counts.view();
    assert_eq!((view.errors, view.points, view.buffer_points), (6, 0, 9));
    assert_eq!(view.trouble.as_deref(), Some("away"));
    while outbox.first().is_some() {
        outbox.settle(taken(), 77, now_ms);
    }
    let view = outbox.counts.view();
    assert_eq!((view.points, view.pushes, view.failed, view.dropped), (9, 8, 0, 0));
    assert_eq!((view.buffer_points, view.buffer_bytes, view.last_success_s), (0, 0, 77));
    assert_eq!(view.trouble, None);
    outbox.put(vec![parcel(9, 10, 1)]);
    outbox.settle(later(), 78, now_ms);
    assert!(outbox.first().unwrap().1 <= now_ms + 1000, "patience begins anew");
}

#[test]
fn a_server_says_when() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(1, 10, 1)]);
    let after = |s| Verdict::Later { why: "busy".into(), after: Some(Duration::from_secs(s)) };
    outbox.settle(after(20), 1, 0);
    assert_eq!(outbox.first().unwrap().1, 20_000);
    outbox.settle(after(1 << 40), 1, 20_000);
    assert_eq!(outbox.first().unwrap().1, 320_000, "within reason");
}

#[test]
fn the_buffer_is_bounded_and_the_oldest_are_given_up() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(100, 60, 3)]);
    assert!(outbox.has_room());
    outbox.put(vec![parcel(110, 60, 4)]);
    assert!(!outbox.has_room(), "120 of 100 bytes");
    outbox.give_up_old(160);
    assert!(!outbox.has_room(), "60 s have just passed");
    outbox.give_up_old(161);
    assert!(outbox.has_room());
    assert_eq!(outbox.first().unwrap().0.at_s, 110);
    assert_eq!(outbox.give_up_all(), 4);
    let view = outbox.counts.view();
    assert_eq!((view.dropped, view.buffer_points, view.buffer_bytes), (7, 0, 0));
}

#[test]
fn refusals_are_counted_once_and_told_at_the_end() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(1, 1, 5), parcel(1, 1, 6), parcel(1, 1, 7), parcel(1, 1, 8)]);
    outbox.settle(Verdict::Taken { refused: 2, why: Some("too old".into()) }, 1, 0);
    outbox.settle(Verdict::Refused("no such field".into()), 1, 0);
    outbox.settle(Verdict::Absent, 1, 0);
    assert_eq!(outbox.counts.view().trouble, None, "not yet");
    outbox.settle(taken(), 1, 0);
    let view = outbox.counts.view();
    assert_eq!((view.points, view.failed, view.pushes, view.errors), (11, 15, 2, 0));
    assert_eq!(view.trouble.as_deref(), Some("too old"), "the first of them");
    outbox.put(vec![parcel(2, 1, 1)]);
    outbox.settle(taken(), 2, 0);
    assert_eq!(outbox.counts.view().trouble, None);
}
