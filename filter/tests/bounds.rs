//! Filters of any length and depth: bounded, and no stack overflows.

use neckar_filter::{DEPTH_MAX, Filter, Options, TEXT_BYTES_MAX};
use neckar_proto::{Field, Rows};

/// What `parse` says of `text` on a thread with little stack: 512 KiB, a quarter of what threads
/// have.
fn parse_on_small_stack(text: String, options: Options) -> Result<String, usize> {
    let work = move || {
        let filter = Filter::parse(&text, &options).map_err(|error| error.offset())?;
        let again = filter.clone();
        assert!(again == filter);
        Ok(filter.to_string())
    };
    // Without optimisation a frame is several times as large.
    let stack_bytes = if cfg!(debug_assertions) { 8 << 20 } else { 512 << 10 };
    let thread = std::thread::Builder::new().stack_size(stack_bytes).spawn(work);
    thread.expect("a thread").join().expect("no panic, no overflow")
}

#[test]
fn depth_is_bounded() {
    let parentheses = |count: usize| format!("{}port 1{}", "(".repeat(count), ")".repeat(count));
    let nots = |count: usize| format!("{}port 1", "not ".repeat(count));
    let nested = |count: usize| {
        format!("{}port 1{}", "(port 1 or port 2 and ".repeat(count), ")".repeat(count))
    };
    for options in [Options::default(), Options::LEGACY] {
        assert_eq!(parse_on_small_stack(parentheses(DEPTH_MAX), options), Ok("port 1".into()));
        assert_eq!(parse_on_small_stack(parentheses(DEPTH_MAX + 1), options), Err(DEPTH_MAX));
        assert_eq!(parse_on_small_stack(parentheses(100_000), options), Err(DEPTH_MAX));
        assert_eq!(parse_on_small_stack("(".repeat(100_000), options), Err(DEPTH_MAX));
        assert_eq!(parse_on_small_stack(nots(DEPTH_MAX), options), Ok(nots(DEPTH_MAX)));
        assert_eq!(parse_on_small_stack(nots(100_000), options), Err(4 * DEPTH_MAX));
        assert!(parse_on_small_stack(nested(DEPTH_MAX / 2 - 1), options).is_ok());
        assert!(parse_on_small_stack(nested(DEPTH_MAX), options).is_err());
    }
    // Under the old precedence every change of operator nests, without a parenthesis.
    let changes = |count: usize| format!("{}port 1", "port 1 and port 2 or ".repeat(count));
    assert!(parse_on_small_stack(changes(DEPTH_MAX / 2), Options::LEGACY).is_ok());
    assert_eq!(parse_on_small_stack(changes(100_000), Options::LEGACY), Err(0));
    assert!(parse_on_small_stack(changes(100_000), Options::default()).is_ok());
}

#[test]
fn length_is_bounded_and_long_filters_are_no_deeper() {
    let chain = |count: usize| vec!["note \"x\""; count].join(" or ");
    for options in [Options::default(), Options::LEGACY] {
        assert!(parse_on_small_stack(chain(100_000), options) == Ok(chain(100_000)));
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert_eq!(parse_on_small_stack(long, options), Err(TEXT_BYTES_MAX));
    }
    let addresses: Vec<String> = (0..100_000u32)
        .map(|index| format!("address {}", std::net::Ipv4Addr::from(index * 8)))
        .collect();
    let filter = Filter::parse(&addresses.join(" or "), &Options::LEGACY).expect("valid");
    let mut rows = Rows::default();
    for (index, expected) in [(800u32, true), (801, false)] {
        rows.clear();
        rows.push().set_v4(Field::DstAddr, index.to_be_bytes());
        assert_eq!(filter.matches(&rows.as_slice()[0], &rows), expected);
    }
}
