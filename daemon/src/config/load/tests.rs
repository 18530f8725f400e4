//! Each mistake of the operator, and the line it gets.

use super::*;

/// Loads `text` as `neckard.toml` in a directory of its own; answers the configuration or the line.
fn load_text(text: &str, overrides: &[&str]) -> Result<Config, String> {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    let id = std::thread::current().id();
    let directory = std::env::temp_dir().join(format!("neckard-{}-{id:?}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a temporary directory can be made");
    let file = directory.join("neckard.toml");
    std::fs::write(&file, text).expect("a temporary file can be written");
    let result = load(Some(&file), &overrides);
    std::fs::remove_dir_all(&directory).expect("it is ours");
    let place = format!("{}/", directory.display());
    result.map(|loaded| loaded.config).map_err(|problem| problem.to_string().replace(&place, ""))
}

#[track_caller]
fn check(text: &str, overrides: &[&str], expected: &str) {
    assert_eq!(load_text(text, overrides).expect_err("a mistake"), expected);
}

#[test]
fn the_empty_file_is_the_default() {
    let config = load_text("", &[]).expect("defaults are valid");
    assert_eq!(config.listen.len(), 3);
    assert_eq!(config.http.address, "127.0.0.1:8080");
}

#[test]
fn an_unknown_key_gets_line_and_suggestion() {
    let text = "[kafka]\nbrokers = [\"a:1\"]\ntopci = \"x\"\n";
    let line = load_text(text, &[]).expect_err("a mistake");
    let start = "neckard.toml:3: kafka.topci: unknown field `topci`, expected one of `brokers`, ";
    assert!(line.starts_with(start) && line.ends_with("; did you mean `topic`?"), "{line}");
}

#[test]
fn an_unknown_section_gets_line_and_suggestion() {
    let line = load_text("\n[kafak]\ntopic = \"x\"\n", &[]).expect_err("a mistake");
    assert!(line.starts_with("neckard.toml:2: kafak: unknown field `kafak`"), "{line}");
    assert!(line.ends_with("did you mean `kafka`?"), "{line}");
}

#[test]
fn a_wrong_type_gets_its_value() {
    check(
        "[batch]\nflows_max = \"many\"\n",
        &[],
        "neckard.toml:2: batch.flows_max = \"many\": invalid type: string \"many\", expected usize",
    );
}

#[test]
fn an_unknown_choice_gets_a_suggestion() {
    check(
        "[kafka]\ncompression = \"lz5\"\n",
        &[],
        "neckard.toml:2: kafka.compression = \"lz5\": unknown variant `lz5`, expected one of `none`, \
         `gzip`, `snappy`, `lz4`, `zstd`; did you mean `lz4`?",
    );
}

#[test]
fn a_bad_address_gets_its_own_line() {
    check(
        "[[listen]]\naddress = \"[::]:2055\"\n[[listen]]\naddress = \"localhost\"\n",
        &[],
        "neckard.toml:4: listen[1].address = \"localhost\": not an IP address and port; \
         write it like [::]:2055 or 192.0.2.1:2055",
    );
}

#[test]
fn a_value_out_of_bounds_names_the_bounds() {
    check(
        "[batch]\nlinger_ms = 5\nflows_max = 0\n",
        &[],
        "neckard.toml:3: batch.flows_max = 0: out of bounds; choose 1 to 1048576",
    );
}

#[test]
fn a_bad_broker_is_named() {
    check(
        "[output]\nkind = \"kafka\"\n[kafka]\nbrokers = [\"a:9092\", \"b\"]\n",
        &[],
        "neckard.toml:4: kafka.brokers = \"b\": not host:port; write it like kafka.example.net:9092",
    );
}

#[test]
fn broken_toml_gets_its_line() {
    let line = load_text("[kafka]\ntopic = \n", &[]).expect_err("a mistake");
    assert!(line.starts_with("neckard.toml:2: "), "{line}");
    assert!(!line.contains('\n'), "{line}");
}

#[test]
fn a_missing_file_says_so() {
    let line = load(Some(Path::new("/nowhere/neckard.toml")), &[]).expect_err("no such file");
    assert_eq!(
        line.to_string(),
        "--config = /nowhere/neckard.toml: No such file or directory (os error 2); \
         give an existing file with --config, or none for the built-in defaults"
    );
}

#[test]
fn overrides_win_and_need_no_quotes() {
    let overrides = ["kafka.topic=flows", "workers.cores=0", "kafka.properties.linger.ms=5"];
    let config = load_text("[kafka]\ntopic = \"x\"\n", &overrides).expect("valid");
    assert_eq!(config.kafka.topic, "flows");
    assert_eq!(config.workers.cores, "0");
    assert_eq!(config.kafka.properties["linger.ms"], "5");
}

#[test]
fn a_wrong_override_is_named() {
    check(
        "",
        &["batch.flows_max=0"],
        "--set: batch.flows_max = 0: out of bounds; choose 1 to 1048576",
    );
    let line = load_text("", &["kafka.topci=x"]).expect_err("a mistake");
    assert!(line.starts_with("--set = kafka.topci=x: unknown field `topci`"), "{line}");
    assert!(line.ends_with("did you mean `topic`?"), "{line}");
}

#[test]
fn the_reference_names_every_key_once_and_is_itself_valid() {
    let reference = super::super::toml_reference();
    // Uncommented, the reference is a whole file; `unset` has no spelling in TOML. Tables that may
    // be there many times are none by default, and their keys not another table's.
    let mut is_there = true;
    let uncommented: String = reference
        .lines()
        .filter(|line: &&str| {
            let is_header = line.starts_with('[') || line.starts_with("# [");
            if is_header {
                is_there = line.starts_with('[') || *line == "# [[listen]]";
            }
            is_there && (is_header || line.contains(" = ") && !line.ends_with("unset"))
        })
        .map(|line| format!("{}\n", line.trim_start_matches("# ")))
        .collect();
    let config = load_text(&uncommented, &[]).expect("the reference is valid");
    let defaults = serde_json::to_value(Config::default()).expect("plain data");
    let mut reread = serde_json::to_value(&config).expect("plain data");
    reread["listen"] = defaults["listen"].clone();
    assert_eq!(reread, defaults);
}
