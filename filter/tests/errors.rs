//! What is said of text that is no filter: where, what, and what might be meant.

use neckar_filter::{Filter, Options, ParseError};

fn error(text: &str) -> ParseError {
    match Filter::parse(text, &Options::default()) {
        Ok(filter) => panic!("{text} is {filter}"),
        Err(error) => error,
    }
}

#[test]
fn errors_show_the_text_and_the_place() {
    let cases = [
        (
            "port 80 and prot udp",
            "line 1, column 13: expected a term, found `prot`
  port 80 and prot udp
              ^^^^
  did you mean `proto`?",
        ),
        (
            "port 80 and\n  (proto tpc)\n",
            "line 2, column 10: expected a number or a name behind `proto`, found `tpc`
    (proto tpc)
           ^^^
  did you mean `tcp`?",
        ),
        (
            "port 90-80",
            "line 1, column 6: this range is the wrong way round
  port 90-80
       ^^^^^
  did you mean `80-90`?",
        ),
        (
            "proto tcp and (port 80 or port 443 # and so on",
            "line 1, column 15: this `(` is not closed
  proto tcp and (port 80 or port 443 # and so on
                ^",
        ),
        (
            "port 80 # web\nand  ",
            "line 2, column 4: expected a term, found the end
  and  
     ^
  expected: address, iface, interface, port, asn, netsize, cid, vrf, country, vlan, mac, host, …",
        ),
        (
            "iface desc grün",
            "line 1, column 12: expected a text in quotes, found `grün`
  iface desc grün
             ^^^^
  did you mean `\"grün\"`?",
        ),
        (
            "note \"grün\" § 5",
            "line 1, column 13: `§` means nothing here
  note \"grün\" § 5
              ^",
        ),
        (
            "port 010",
            "line 1, column 6: `010` has a leading zero, which meant octal in the suite
  port 010
       ^^^
  write `10`, or `0o10` for 8",
        ),
        (
            "src proto tcp",
            "line 1, column 5: `proto` has no sides
  src proto tcp
      ^^^^^
  without `src` or `dst` it stands for the flow as a whole",
        ),
        (
            "icmp 8",
            "line 1, column 6: expected `type` or `code`, found `8`
  icmp 8
       ^
  all of ICMP is `proto icmp`
  expected: type, code",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text).to_string(), expected);
    }
}

#[test]
fn what_is_likely_meant_is_suggested() {
    let cases = [
        ("adress 10.0.0.1", 0, "address"),
        ("PORT 80", 0, "port"),
        ("ip 10.0.0.1", 0, "address"),
        ("sport 80", 0, "src port"),
        ("protocol tcp", 0, "proto"),
        ("exporter 10.0.0.1", 0, "router"),
        ("not passes_through 553", 4, "passes-through"),
        ("proto tcp && port 80", 10, "and"),
        ("proto tcp || port 80", 10, "or"),
        ("!port 80", 0, "not"),
        ("proto tcp And port 80", 10, "and"),
        ("host 10.0.0.1", 5, "address 10.0.0.1"),
        ("note scan", 5, "\"scan\""),
        ("address '10.0.0.1'", 8, "10.0.0.1"),
        ("status foward", 7, "forwarded"),
        ("status droped", 7, "dropped"),
        ("tcpflags sin", 9, "syn"),
        ("direction incomming", 10, "incoming"),
        ("iface nam \"x\"", 6, "name"),
        ("src prot 80", 4, "port"),
    ];
    for (text, offset, meant) in cases {
        let error = error(text);
        assert_eq!((error.offset(), error.suggestion()), (offset, Some(meant)), "{text}");
    }
    for text in ["xyzzy 5", "proto 300", "port", "address nowhere", "(", "port 80 port 90"] {
        assert_eq!(error(text).suggestion(), None, "{text}");
    }
}

#[test]
fn offsets_are_bytes_and_columns_characters() {
    let cases = [
        ("port 70000", 5, (1, 6)),
        ("note 'ü' or bort 80", 13, (1, 13)),
        ("# ü\nport 80 )", 13, (2, 9)),
        ("port 80,", 8, (1, 9)),
        ("address 10.0.0.0/33", 17, (1, 18)),
        ("address 10.0.0.0 /\n 33", 20, (2, 2)),
        ("mac 00:11", 4, (1, 5)),
        ("bytes <0", 6, (1, 7)),
        ("note \"open\nport 80", 5, (1, 6)),
        ("passes-through 1 4294967296", 17, (1, 18)),
        ("port {80, 443}", 5, (1, 6)),
    ];
    for (text, offset, place) in cases {
        let error = error(text);
        assert_eq!((error.offset(), error.line_and_column()), (offset, place), "{text}: {error}");
    }
}

#[test]
fn all_words_that_could_stand_there_are_known() {
    assert_eq!(error("rpki maybe").expected(), ["valid", "invalid", "notfound", "unknown"]);
    assert_eq!(error("port 80 8080").expected(), ["and", "or"]);
    assert!(error("port 80 and ").expected().len() > 50);
    assert!(error("port 80 and ").expected().contains(&"not"));
    assert!(!error("src ").expected().contains(&"proto"));
}

#[test]
fn long_lines_are_shown_around_the_mark_and_control_characters_not_at_all() {
    let text = format!("{}prot 6 and {}", "port 80 and ".repeat(50), "port 80 and ".repeat(50));
    let shown = error(&text).to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[1].chars().count() <= 102, "{shown}");
    let caret = lines[2].find('^').expect("a caret");
    assert!(lines[1][caret..].starts_with("prot 6"), "{shown}");

    let shown = error("port \"\u{1b}[2J\" \u{7}").to_string();
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
}
