use super::*;
use crate::plan::Fixed;

fn place(offset: u32, width: u16) -> Place {
    Place { anchor: 0, offset, width }
}

fn rate_of(parts: &[(RatePart, &[u8])]) -> u64 {
    let mut rate = RateUse::default();
    // As in a datagram, there is something before the first record.
    let mut bytes = vec![0xee; 8];
    for (part, value) in parts {
        rate.set(*part, place(bytes.len() as u32 - 8, value.len() as u16));
        bytes.extend_from_slice(value);
    }
    rate.rate(&bytes, Fixed { first: 8, stride: bytes.len() - 8 }, 0)
}

#[test]
fn packet_interval_and_space_give_their_sum_over_the_interval() {
    let one: &[u8] = &[0, 0, 0, 1];
    assert_eq!(rate_of(&[(RatePart::Interval, one), (RatePart::Space, &[0, 0, 3, 231])]), 1000);
    assert_eq!(rate_of(&[(RatePart::Interval, &[10]), (RatePart::Space, &[90])]), 10);
    assert_eq!(rate_of(&[(RatePart::Interval, &[7]), (RatePart::Space, &[0])]), 1);
}

#[test]
fn the_parts_come_in_the_order_of_the_rule() {
    let all: &[(RatePart, &[u8])] = &[
        (RatePart::Plain, &[34]),
        (RatePart::Random, &[50]),
        (RatePart::Interval, &[1]),
        (RatePart::Space, &[4]),
        (RatePart::Size, &[2]),
        (RatePart::Population, &[200]),
    ];
    assert_eq!(rate_of(all), 5);
    assert_eq!(rate_of(&all[..3]), 50, "305 without 306 says nothing while 50 does");
    assert_eq!(rate_of(&all[..1]), 34);
    assert_eq!(rate_of(&all[4..]), 100);
    assert_eq!(rate_of(&all[2..3]), 1, "305 alone is all there is");
}

#[test]
fn zero_says_nothing() {
    assert_eq!(rate_of(&[(RatePart::Plain, &[0, 0]), (RatePart::Random, &[0, 9])]), 9);
    assert_eq!(rate_of(&[(RatePart::Interval, &[0]), (RatePart::Space, &[9])]), 0);
    assert_eq!(rate_of(&[(RatePart::Size, &[0]), (RatePart::Population, &[9])]), 0);
    assert_eq!(rate_of(&[(RatePart::Plain, &[0; 9])]), 0, "nine bytes are no integer");
}

#[test]
fn probability_is_one_in_so_many() {
    assert_eq!(rate_of(&[(RatePart::Probability, &0.001_f64.to_be_bytes())]), 1000);
    assert_eq!(rate_of(&[(RatePart::Probability, &0.5_f32.to_be_bytes())]), 2);
    for bad in [0.0, -1.0, 2.0, f64::NAN, f64::INFINITY] {
        assert_eq!(rate_of(&[(RatePart::Probability, &bad.to_be_bytes())]), 0, "{bad}");
    }
}

fn fact(sampler: Option<u64>, rate: u64) -> Fact {
    Fact { sampler, rate, boot_ms: None }
}

/// Takes a fact in and hands the table on, as a worker does.
fn tell(rates: &mut Rates, fact: Fact) -> bool {
    let mut table = rates.own().clone();
    let news = table.learn(fact);
    rates.set_own(&table);
    news
}

#[test]
fn a_named_sampler_beats_the_general_row() {
    let mut rates = Rates::new(0, 7);
    assert_eq!(rates.rate(Some(1)), 7);
    assert!(tell(&mut rates, fact(Some(1), 2000)));
    assert_eq!(rates.rate(None), 2000, "the only row");
    assert_eq!(rates.rate(Some(9)), 2000, "a sampler that no row names: the only row");
    assert!(tell(&mut rates, fact(Some(2), 4000)));
    assert_eq!(rates.rate(Some(2)), 4000);
    assert_eq!(rates.rate(None), 7, "two rows with ids and none without: the default");
    assert!(tell(&mut rates, fact(None, 100)));
    assert_eq!(rates.rate(None), 100);
    assert_eq!(rates.rate(Some(1)), 2000);
    assert!(!tell(&mut rates, fact(Some(1), 2000)), "nothing new");
    assert!(!tell(&mut rates, fact(Some(1), 0)), "zero says nothing");
    assert_eq!(rates.rate(Some(1)), 2000);
}

#[test]
fn domain_zero_stands_in_and_configuration_overrides() {
    let mut rates = Rates::default();
    let mut zero = RateTable::default();
    zero.learn(fact(None, 512));
    rates.set_zero(zero);
    assert_eq!(rates.rate(None), 512);
    tell(&mut rates, fact(None, 256));
    assert_eq!(rates.rate(None), 256);
    assert_eq!(rates.rate_v5(0x4064), 100, "the mode bits are no rate");
    assert_eq!(rates.rate_v5(0x4000), 0);
    let mut configured = Rates::new(1, 9);
    tell(&mut configured, fact(Some(4), 256));
    assert_eq!((configured.rate(Some(4)), configured.rate(None)), (1, 1));
    assert_eq!(configured.rate_v5(0x4064), 1);
    assert_eq!(Rates::new(0, 9).rate_v5(0x4000), 9);
}

#[test]
fn samplers_are_bounded() {
    let mut table = RateTable::default();
    for id in 0..2 * SAMPLERS_MAX as u64 {
        table.learn(fact(Some(id), 10));
    }
    assert_eq!(table.rows().count(), SAMPLERS_MAX);
    assert!(table.knows(fact(Some(5000), 3)), "no room: nothing would change");
}
