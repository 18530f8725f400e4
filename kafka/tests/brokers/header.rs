//! `neckar_flows.h`: its numbers are the table's, and what it makes of payloads is what we make of them.
//! That it reads topics of a real Kafka is for the witnesses.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use neckar_kafka::{FlowReader, Framing};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Rows};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

const BEGIN: &str = "/* Made from the table of fields: UPDATE=1 cargo test --release --workspace --test brokers -- header:: */\n";
const END: &str = "/* The end of what is made. */\n";

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fields and the times in whole seconds beside them.
fn numbers() -> String {
    let mut text = String::new();
    for field in Field::in_file_order() {
        let info = field.info();
        let names = info.seconds.into_iter().chain([(info.name, info.number)]);
        names.for_each(|(name, number)| writeln!(text, "    NECKAR_{name} = {number},").unwrap());
    }
    let last = text.trim_end().trim_end_matches(',').len();
    text.truncate(last);
    text + "\n"
}

#[test]
fn numbers_are_those_of_the_table() {
    let path = here().join("include/neckar_flows.h");
    let header = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = header.split_once(BEGIN).unwrap();
    let (made, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{before}{BEGIN}{}{END}{after}", numbers());
        return std::fs::write(path, text).unwrap();
    }
    assert_eq!(made, numbers(), "make it anew: UPDATE=1, as the header says");
}

/// Who reads beyond a payload, or shifts too far, ends.
const SANITISED: [&str; 2] = ["-fsanitize=undefined,address", "-fno-sanitize-recover"];

/// Compiles `source` by a compiler of C or C++ that minds everything, with further options.
pub(crate) fn compile(compiler: &str, standard: &str, source: &Path, options: &[&str]) -> PathBuf {
    let stem = source.file_stem().unwrap().display();
    let name = format!("neckar-{stem}-{standard}-{}", std::process::id());
    let program = std::env::temp_dir().join(name);
    let language = if compiler == "cc" { "c" } else { "c++" };
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"])
        .arg(format!("-std={standard}"))
        .arg(format!("-I{}", here().join("include").display()))
        .args(["-x", language])
        .arg(source)
        .arg("-o")
        .arg(&program)
        .args(["-x", "none"])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// The framing that we take it for, and its flows, each as its bytes and source.
fn ours(payload: &[u8]) -> String {
    let mut rows = Rows::default();
    let framing = if Framing::of(payload) == Framing::Bare { "bare" } else { "delimited" };
    if !payload.is_empty() {
        // What damage makes of it is only asked for its framing.
        let _ = FlowReader::new(None).read(payload, &mut rows);
    }
    let flow = |flow: &Flow| {
        let address = flow.address(Field::SrcAddr).unwrap_or_default();
        let hex: String = address.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(" {}/{hex}", flow.word_or_zero(Field::Bytes))
    };
    framing.to_string() + &rows.as_slice().iter().map(flow).collect::<String>()
}

fn theirs(program: &Path, payloads: &[Vec<u8>]) -> Vec<String> {
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let payloads = payloads.to_vec();
    let writer = std::thread::spawn(move || {
        for payload in payloads {
            input.write_all(&(payload.len() as u32).to_le_bytes()).unwrap();
            input.write_all(&payload).unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A payload of any framing, and whether it is whole: it may have a byte changed, or be cut there.
fn payload() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let flow = (any::<u64>(), prop::option::of(any::<[u8; 4]>()), any::<[u8; 16]>());
    let flows = prop::collection::vec(flow, 0..5);
    let damage = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (flows, 0..3_usize, damage, any::<bool>()).prop_map(|(flows, framing, damage, is_cut)| {
        let mut batch = Batch::with_capacity(8, 1 << 14);
        for (bytes, v4, v6) in flows {
            let mut flow = Flow::default();
            flow.set(Field::Bytes, bytes);
            match v4 {
                Some(v4) => flow.set_v4(Field::SrcAddr, v4),
                None => flow.set_v6(Field::SrcAddr, v6),
            }
            assert!(batch.push(&BWNETFLOW, &flow, b"", &[]));
        }
        let mut payload = match (framing, batch.len()) {
            (_, 0) => Vec::new(),
            (0, _) => batch.flow(0).to_vec(),
            (1, _) => batch.delimited(0..1).to_vec(),
            (_, count) => batch.delimited(0..count).to_vec(),
        };
        let damage = damage.filter(|_| !payload.is_empty());
        if let Some((place, byte)) = damage {
            let place = place.index(payload.len());
            payload[place] = byte;
            payload.truncate(if is_cut { place } else { payload.len() });
        }
        (payload, damage.is_none())
    })
}

/// The same framing of any bytes, the same flows of good ones; by sanitised C and C++.
#[test]
fn c_and_cpp_read_payloads_as_we_do() {
    let mut runner = TestRunner::default();
    let one = || payload().new_tree(&mut runner).unwrap().current();
    let (payloads, whole): (Vec<_>, Vec<_>) = std::iter::repeat_with(one).take(2_000).unzip();
    let expected: Vec<String> = payloads.iter().map(|payload| ours(payload)).collect();
    assert!(expected.iter().filter(|line| line.starts_with("delimited")).count() > 500);
    let source = here().join("tests/brokers/header.c");
    for (compiler, standard) in [("cc", "c99"), ("c++", "c++11"), ("c++", "c++20")] {
        let program = compile(compiler, standard, &source, &SANITISED);
        let found = theirs(&program, &payloads);
        std::fs::remove_file(program).unwrap();
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let word = |line: &str| line.split(' ').next().map(str::to_owned);
            match whole[at] {
                true => assert_eq!(found, expected, "{compiler} of {:02x?}", payloads[at]),
                false => {
                    assert_eq!(word(found), word(expected), "{compiler} of {:02x?}", payloads[at])
                }
            }
        }
    }
}
