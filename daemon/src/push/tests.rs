use std::sync::Mutex;

use super::*;

#[test]
fn no_two_points_have_the_same_time_and_a_mended_clock_is_followed() {
    assert_eq!(stamp(1000, 0, 10), 1000);
    assert_eq!(stamp(1010, 1000, 10), 1010);
    assert_eq!(stamp(1000, 1000, 10), 1001, "the clock stands");
    assert_eq!(stamp(990, 1009, 10), 1010, "it was set back a little");
    assert_eq!(stamp(990, 1011, 10), 990, "it was far ahead");
}

/// Takes everything, but for what goes to the places that it is told of.
struct Picky {
    sick: &'static [&'static str],
    sent: Arc<Mutex<Vec<String>>>,
}

impl Format for Picky {
    fn pack(&mut self, _: &Still, _: u64) -> Vec<Parcel> {
        let parcel = |place: &str| Parcel { place: place.into(), body: vec![0], points: 1 };
        ["a", "b", "a", "c"].map(parcel).into()
    }

    fn send(&mut self, parcel: &Parcel, _: u64) -> Verdict {
        self.sent.lock().expect("nobody panics").push(parcel.place.to_string());
        if self.sick.contains(&&*parcel.place) {
            return Verdict::Later { why: "sick".into(), after: None };
        }
        Verdict::Taken { refused: 0, why: None }
    }

    fn hurry(&mut self, timeout: Duration, _: Instant) {
        assert!(timeout <= Duration::from_secs(5));
    }
}

#[test]
fn at_the_end_each_place_has_one_more_chance() {
    let sent = Arc::<Mutex<Vec<String>>>::default();
    let (counts, pace) = (Arc::<PushCounts>::default(), config::Influx::default().pace());
    let format = Box::new(Picky { sick: &["a", "c"], sent: Arc::clone(&sent) });
    let room = Room::new("a test", format, Box::new(|_| {}), Arc::clone(&counts), pace);
    Pusher::stop_all(vec![room.spawn("test").expect("a thread")], Instant::now());
    assert_eq!(*sent.lock().expect("nobody panics"), ["a", "b", "c"]);
    let view = counts.view();
    assert_eq!((view.points, view.dropped, view.errors), (1, 3, 2));
}
