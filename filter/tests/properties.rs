//! Random expressions on random flows: the compiled filter says what the twin says, whatever way it
//! was written; its canonical text is the same filter; and no text does harm.

mod twin;

use std::net::IpAddr;

use neckar_filter::{Filter, Meaning, Options, Precedence};
use neckar_proto::encode::{BWNETFLOW, ROW_BYTES_MAX, encode};
use neckar_proto::{Field, Kind, Rows, decode};
use proptest::prelude::*;
use proptest::sample::select;
use twin::{ADDRESSES, DERIVED, FACTS, NAMES, Number, PLAIN, SIDED, Side, TEXTS, Term, Tree};

/// Few values, so that filters meet flows.
const VALUES: &[u64] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    10,
    17,
    18,
    58,
    63,
    64,
    66,
    80,
    94,
    128,
    129,
    130,
    131,
    138,
    192,
    255,
    256,
    443,
    769,
    1000,
    2048,
    2054,
    10_000,
    10_999,
    34_525,
    65_535,
    4_294_967_295,
];
const ADDRESS_POOL: &[&str] = &[
    "0.0.0.0",
    "10.0.0.1",
    "10.0.0.2",
    "10.128.0.1",
    "192.0.2.1",
    "255.255.255.255",
    "::",
    "::1",
    "ab::1",
    "2001:db8::1",
    "2001:db8:1::1",
    "::ffff:10.0.0.1",
    "::ffff:192.0.2.1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const TEXT_POOL: &[&str] =
    &["", "DE", "de", "FR", "DE,FR", "xe-0/0/1", "Xe", "über", "ÜBER", "a b # (or)", "kit"];

fn side() -> impl Strategy<Value = Side> {
    select(vec![Side::Either, Side::Either, Side::Src, Side::Dst])
}

fn number(keyword: &'static str, max: u64) -> BoxedStrategy<Number> {
    let value = select(VALUES).prop_map(move |value| value.min(max)).boxed();
    let sign = select(vec!["<", ">", "<=", ">="]);
    let names = NAMES.iter().find(|(one, _)| *one == keyword).map_or(&[][..], |(_, names)| *names);
    let name = if names.is_empty() {
        value.clone().prop_map(Number::Is).boxed()
    } else {
        select(names).prop_map(Number::Name).boxed()
    };
    prop_oneof![
        3 => value.clone().prop_map(Number::Is),
        2 => (value.clone(), value.clone()).prop_map(|(a, b)| Number::Between(a.min(b), a.max(b))),
        2 => (sign, value).prop_map(|(sign, value)| {
            // Nothing is below 0.
            if sign == "<" { Number::Compared(sign, value.max(1)) } else { Number::Compared(sign, value) }
        }),
        3 => name,
    ]
    .boxed()
}

fn numbers() -> impl Strategy<Value = Term> {
    let plain = PLAIN.iter().map(|(keyword, _, max)| (*keyword, false, *max));
    let derived = DERIVED.iter().map(|(keyword, max)| (*keyword, false, *max));
    let sided = SIDED.iter().map(|(keyword, _, _, max)| (*keyword, true, *max));
    let keywords: Vec<_> = plain.chain(derived).chain(sided).collect();
    (side(), select(keywords)).prop_flat_map(|(side, (keyword, sided, max))| {
        let side = if sided { side } else { Side::Either };
        prop::collection::vec(number(keyword, max), 1..4)
            .prop_map(move |list| Term::Number(side, keyword, list))
    })
}

fn prefix() -> impl Strategy<Value = (IpAddr, u8)> {
    (select(ADDRESS_POOL), 0..=128u8).prop_map(|(address, len)| {
        let address: IpAddr = address.parse().expect("an address");
        (address, if address.is_ipv4() { len % 33 } else { len })
    })
}

fn text(keyword: &'static str) -> BoxedStrategy<String> {
    let pool = if keyword == "country" { &["DE", "de", "fr", "IN"][..] } else { TEXT_POOL };
    select(pool).prop_map(String::from).boxed()
}

fn term() -> impl Strategy<Value = Term> {
    let address = (side(), select(ADDRESSES), prop::collection::vec(prefix(), 1..4));
    let mac = (select(VALUES), 0..=48u8).prop_map(|(mac, len)| (mac << 16 | mac >> 8, len));
    let texts = (side(), select(TEXTS)).prop_flat_map(|(side, (keyword, sides, _))| {
        let side = if sides.is_some() { side } else { Side::Either };
        prop::collection::vec(text(keyword), 1..3)
            .prop_map(move |texts| Term::Text(side, keyword, texts))
    });
    let path = prop::collection::vec(1..4u32, 1..4);
    prop_oneof![
        8 => numbers(),
        3 => address.prop_map(|(side, (keyword, fields), prefixes)| {
            Term::Address(if fields.len() == 2 { side } else { Side::Either }, keyword, prefixes)
        }),
        1 => (side(), prop::collection::vec(mac, 1..3)).prop_map(|(side, macs)| Term::Mac(side, macs)),
        2 => texts,
        1 => prop::collection::vec(path, 1..3).prop_map(Term::Path),
        1 => select(FACTS).prop_map(Term::Is),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![19 => term().prop_map(Tree::Term), 1 => Just(Tree::All)];
    leaf.prop_recursive(6, 40, 2, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::And(Box::new(a), Box::new(b))),
            2 => (inner.clone(), inner).prop_map(|(a, b)| Tree::Or(Box::new(a), Box::new(b))),
        ]
    })
}

/// A row in which every field is absent, zero or one of the values that filters ask for.
fn rows() -> impl Strategy<Value = Rows> {
    let choices = prop::collection::vec(any::<u16>(), Field::all().count());
    choices.prop_map(|choices| {
        let mut rows = Rows::default();
        rows.push();
        for (field, choice) in Field::all().zip(choices) {
            let (present, choice) = (choice % 3 != 0, usize::from(choice / 3));
            if !present {
                continue;
            }
            match field.info().kind {
                Kind::Address => {
                    let address = ADDRESS_POOL[choice % ADDRESS_POOL.len()].parse();
                    rows.as_mut_slice()[0].set_ip(field, address.expect("an address"));
                }
                Kind::U32List => {
                    let path = (0..choice % 5).map(|place| (choice >> (3 + place)) as u32 % 3 + 1);
                    let list: Vec<u8> = path.flat_map(u32::to_le_bytes).collect();
                    rows.set_text(0, field, &list);
                }
                Kind::Text | Kind::Bytes => {
                    rows.set_text(0, field, TEXT_POOL[choice % TEXT_POOL.len()].as_bytes());
                }
                Kind::Nanoseconds => {
                    rows.as_mut_slice()[0]
                        .set(field, choice as u64 % 20 * 1_000_000_000 + choice as u64);
                }
                // TCP and ICMP have tests of their own.
                _ if field == Field::Proto && choice.is_multiple_of(2) => {
                    rows.as_mut_slice()[0].set(field, [1, 6, 6, 58][choice / 2 % 4]);
                }
                Kind::Mac => {
                    let value = VALUES[choice % VALUES.len()];
                    rows.as_mut_slice()[0].set(field, value << 16 | value >> 8);
                }
                _ => rows.as_mut_slice()[0].set(field, VALUES[choice % VALUES.len()]),
            }
        }
        rows
    })
}

/// All options; the seed of the way of writing chooses too.
fn options() -> impl Strategy<Value = Options> {
    (
        select(vec![Precedence::Standard, Precedence::Legacy]),
        select(vec![Meaning::Standard, Meaning::Legacy]),
        select(vec![Options::default().absent_direction, Options::LEGACY.absent_direction]),
    )
        .prop_map(|(precedence, meaning, absent_direction)| Options {
            precedence,
            meaning,
            absent_direction,
        })
}

fn parse(text: &str, options: &Options) -> Filter {
    Filter::parse(text, options).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn holds(filter: &Filter, rows: &Rows) -> bool {
    filter.matches(&rows.as_slice()[0], rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_filter_says_what_the_twin_says(
        tree in tree(),
        flows in prop::collection::vec(rows(), 4),
        options in options(),
        seed: u64,
    ) {
        let text = twin::write(&tree, options.precedence, seed);
        let filter = parse(&text, &options);
        for rows in &flows {
            prop_assert_eq!(holds(&filter, rows), twin::matches(&tree, rows, &options), "{}", text);
        }
    }

    #[test]
    fn canonical_text_is_the_same_filter_under_either_precedence(
        tree in tree(),
        options in options(),
        seed: u64,
    ) {
        let filter = parse(&twin::write(&tree, options.precedence, seed), &options);
        let shown = filter.to_string();
        prop_assert_eq!(&parse(&shown, &options), &filter, "{}", shown);
        for precedence in [Precedence::Standard, Precedence::Legacy] {
            let again = parse(&shown, &Options { precedence, ..options });
            prop_assert_eq!(again.to_string(), shown.as_str());
        }
    }

    #[test]
    fn a_row_and_the_message_made_of_it_get_the_same_answer(tree in tree(), rows in rows(), seed: u64) {
        let filter = parse(&twin::write(&tree, Precedence::Standard, seed), &Options::MESSAGE);
        let mut message = vec![0; ROW_BYTES_MAX];
        let len = encode(&BWNETFLOW, &rows.as_slice()[0], rows.texts(), &[], &mut message);
        let mut back = Rows::default();
        decode::decode(&message[..len], &mut back).expect("our own bytes");
        prop_assert_eq!(holds(&filter, &rows), holds(&filter, &back), "{}", filter);
    }

    #[test]
    fn a_filter_reads_no_field_that_it_does_not_name(tree in tree(), rows in rows(), seed: u64) {
        let filter = parse(&twin::write(&tree, Precedence::Standard, seed), &Options::default());
        let reads = filter.reads();
        let mut reduced = rows.as_slice()[0].clone();
        for field in Field::all().filter(|field| !reads.contains(*field)) {
            reduced.remove(field);
        }
        prop_assert_eq!(holds(&filter, &rows), filter.matches(&reduced, &rows), "{}", filter);
    }

    #[test]
    fn any_text_gives_a_filter_or_an_error_in_its_bounds(text in ".{0,60}", options in options()) {
        check(&text, &options);
    }

    #[test]
    fn any_words_give_a_filter_or_an_error_in_its_bounds(
        words in prop::collection::vec(select(WORDS), 0..16),
        separator in select(vec!["", " ", "\n"]),
        options in options(),
    ) {
        check(&words.join(separator), &options);
    }
}

const WORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "(",
    ")",
    "src",
    "dst",
    "port",
    "80",
    "-",
    "<",
    ">=",
    ",",
    "/",
    "address",
    "::1",
    "10.0.0.1",
    "iface",
    "name",
    "\"x\"",
    "'",
    "\"",
    "#",
    "\n",
    "icmp",
    "type",
    "proto",
    "tcp",
    "status",
    "dropped",
    "country",
    "DE",
    "cid",
    "passes-through",
    "mpls",
    "label",
    "direction",
    "incoming",
    "0x",
    "010",
    "99999999999999999999",
    "mac",
    "00:11:22:33:44:55",
    "ü",
    "\u{0}",
    "host",
    "24",
    "bps",
];

fn check(text: &str, options: &Options) {
    match Filter::parse(text, options) {
        Ok(filter) => {
            let shown = filter.to_string();
            assert_eq!(parse(&shown, options), filter, "{text}: {shown}");
            let mut rows = Rows::default();
            rows.push();
            let _ = holds(&filter, &rows);
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.offset()), "{text}: {error}");
            assert!(error.to_string().contains('^'), "{text}: {error}");
        }
    }
}
