use super::*;

const PACE: Pace =
    Pace { interval_s: 1, timeout_ms: 1, buffer_bytes: 100, give_up_s: 60, backoff_max_s: 8 };

fn outbox() -> Outbox {
    Outbox::new("a test", PACE, Arc::default())
}

fn parcel(bytes: usize, points: u64) -> Parcel {
    parcel_for("", bytes, points)
}

fn parcel_for(place: &str, bytes: usize, points: u64) -> Parcel {
    Parcel { place: place.into(), body: vec![0; bytes], points }
}

fn taken() -> Verdict {
    Verdict::Taken { refused: 0, why: None }
}

fn later() -> Verdict {
    Verdict::Later { why: "away".into(), after: None }
}

/// Places and points of what waits, in the order in which it is sent.
fn order(outbox: &Outbox) -> Vec<(&str, u64)> {
    outbox.parcels.iter().map(|one| (&*one.parcel.place, one.parcel.points)).collect()
}

#[test]
fn a_server_that_refuses_for_a_while_gets_everything_in_order() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(10, 1), parcel(10, 2)], 0);
    let mut now_ms = 0;
    for round in 0..6 {
        outbox.settle(later(), 1, now_ms);
        outbox.put(vec![parcel(10, 3 + round)], now_ms);
        let at_ms = outbox.first().unwrap().1;
        // 1 s, 2 s, 4 s, 8 s, 8 s: no longer than the bound, and at least half.
        let full_ms = 1000 << round.min(3);
        assert!((full_ms / 2..=full_ms).contains(&(at_ms - now_ms)), "round {round}");
        now_ms = at_ms;
    }
    let points: Vec<u64> = order(&outbox).iter().map(|(_, points)| *points).collect();
    assert_eq!(points, [1, 2, 3, 4, 5, 6, 7, 8], "the oldest stays the first");
    let view = outbox.counts.view();
    assert_eq!((view.errors, view.points, view.buffer_points), (6, 0, 36));
    assert_eq!(view.trouble.as_deref(), Some("away"));
    while outbox.first().is_some() {
        outbox.settle(taken(), 77, now_ms);
    }
    let view = outbox.counts.view();
    assert_eq!((view.points, view.pushes, view.failed, view.dropped), (36, 8, 0, 0));
    assert_eq!((view.buffer_points, view.buffer_bytes, view.last_success_s), (0, 0, 77));
    assert_eq!(view.trouble, None);
    outbox.put(vec![parcel(10, 1)], now_ms);
    outbox.settle(later(), 78, now_ms);
    assert!(outbox.first().unwrap().1 <= now_ms + 1000, "patience begins anew");
}

#[test]
fn a_place_that_takes_nothing_holds_up_nobody_else() {
    let mut outbox = outbox();
    let sick = |points| parcel_for("sick", 1, points);
    outbox.put(vec![sick(1), sick(2), parcel_for("b", 1, 3), sick(4), parcel_for("c", 1, 5)], 0);
    outbox.settle(later(), 1, 0);
    assert_eq!(order(&outbox), [("b", 3), ("c", 5), ("sick", 1), ("sick", 2), ("sick", 4)]);
    assert!(outbox.first().unwrap().1 >= 500, "but for a pause: it may be the whole server");
    outbox.settle(taken(), 1, 1000);
    outbox.settle(later(), 1, 1000);
    assert_eq!(order(&outbox), [("sick", 1), ("sick", 2), ("sick", 4), ("c", 5)]);
    // What has waited too long goes, wherever it stands.
    outbox.put(vec![parcel_for("b", 1, 6)], 30_000);
    outbox.settle(later(), 1, 30_000);
    outbox.give_up_old(60_001);
    assert_eq!(order(&outbox), [("b", 6)]);
    assert_eq!(outbox.counts.view().dropped, 12);
}

#[test]
fn a_server_says_when() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(10, 1)], 0);
    let after = |s| Verdict::Later { why: "busy".into(), after: Some(Duration::from_secs(s)) };
    outbox.settle(after(20), 1, 0);
    assert_eq!(outbox.first().unwrap().1, 20_000);
    outbox.settle(after(1 << 40), 1, 20_000);
    assert_eq!(outbox.first().unwrap().1, 320_000, "within reason");
    outbox.settle(after(0), 1, 320_000);
    assert_eq!(outbox.first().unwrap().1, 320_500, "at once is not reasonable either");
}

#[test]
fn the_buffer_is_bounded_and_the_oldest_are_given_up() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(60, 3)], 100_000);
    assert!(outbox.has_room());
    outbox.put(vec![parcel(60, 4)], 110_000);
    assert!(!outbox.has_room(), "120 of 100 bytes");
    outbox.give_up_old(160_000);
    assert!(!outbox.has_room(), "60 s have just passed");
    outbox.give_up_old(160_001);
    assert!(outbox.has_room());
    assert_eq!(order(&outbox), [("", 4)]);
    assert_eq!(outbox.give_up_all(), 4);
    let view = outbox.counts.view();
    assert_eq!((view.dropped, view.buffer_points, view.buffer_bytes), (7, 0, 0));
}

#[test]
fn refusals_are_counted_once_and_told_at_the_end() {
    let mut outbox = outbox();
    outbox.put(vec![parcel(1, 5), parcel(1, 6), parcel(1, 7), parcel(1, 8)], 0);
    outbox.settle(Verdict::Taken { refused: 2, why: Some("too old".into()) }, 1, 0);
    outbox.settle(Verdict::Refused("no such field".into()), 1, 0);
    outbox.settle(Verdict::Absent, 1, 0);
    assert_eq!(outbox.counts.view().trouble, None, "not yet");
    outbox.settle(taken(), 1, 0);
    let view = outbox.counts.view();
    assert_eq!((view.points, view.failed, view.pushes, view.errors), (11, 8, 2, 0));
    assert_eq!(view.absent, 7, "a customer without a database is nobody's failure");
    assert_eq!(view.trouble.as_deref(), Some("too old"), "the first of them");
    outbox.put(vec![parcel(1, 1)], 0);
    outbox.settle(taken(), 2, 0);
    assert_eq!(outbox.counts.view().trouble, None);
}
