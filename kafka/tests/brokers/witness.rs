//! Consumers that share no code with us read every profile, framing and compression from a real Kafka:
//! Python's confluent-kafka and Google's protobuf, by code that protoc made of a .proto file; and the example
//! in C, by Debian's librdkafka and `neckar_flows.h`, compiled as C and as C++.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::header;
use crate::support::either_layout;
use neckar_kafka::{Framing, Producer, ProducerConfig, TopicOptions, Transport};
use neckar_proto::encode::{BWNETFLOW, GOFLOW2, Profile};
use neckar_proto::{Batch, Field, Flow, Keying};
use serde_json::{Value, json};
use xtask::kafka::{Broker, create_topic};

const FLOWS: u64 = 1000;
const PARTITIONS: u32 = 3;
/// What the script needs, by where Debian puts it.
const NEEDS: [(&str, &str, &str); 6] = [
    ("/usr/bin/python3", "python3", "reads Kafka in another language"),
    ("protoc", "protobuf-compiler", "makes Python code of .proto files"),
    ("c++", "build-essential", "compiles the example in C"),
    ("/usr/include/librdkafka/rdkafka.h", "librdkafka-dev", "reads Kafka for it"),
    ("/usr/lib/python3/dist-packages/confluent_kafka", "python3-confluent-kafka", "reads Kafka"),
    ("/usr/lib/python3/dist-packages/google/protobuf", "python3-protobuf", "decodes flows"),
];

struct Case {
    name: &'static str,
    profile: &'static Profile,
    /// protoc's module of it.
    module: &'static str,
    framing: Framing,
    compression: &'static str,
    keying: Keying,
    fields: [&'static str; 5],
}

const OURS: [&str; 5] = ["Bytes", "SrcAddr", "DstPort", "SamplerAddress", "TimeReceived"];
const THEIRS: [&str; 5] = ["bytes", "src_addr", "dst_port", "sampler_address", "time_received_ns"];

fn cases() -> Vec<Case> {
    let bwnetflow = |name, framing, compression, keying| Case {
        name,
        profile: &BWNETFLOW,
        module: "flow_pb2",
        framing,
        compression,
        keying,
        fields: OURS,
    };
    vec![
        bwnetflow("bare", Framing::Bare, "none", Keying::None),
        bwnetflow("bare-gzip-keyed", Framing::Bare, "gzip", Keying::Exporter),
        bwnetflow("delimited-lz4", Framing::Delimited, "lz4", Keying::None),
        bwnetflow("packed-zstd", Framing::Packed, "zstd", Keying::None),
        bwnetflow("packed-keyed", Framing::Packed, "none", Keying::Exporter),
        Case {
            name: "goflow2-delimited-snappy",
            profile: &GOFLOW2,
            module: "goflow2_pb2",
            framing: Framing::Delimited,
            compression: "snappy",
            keying: Keying::None,
            fields: THEIRS,
        },
    ]
}

fn flow(index: u64) -> Flow {
    let mut flow = Flow::default();
    flow.set(Field::Bytes, (index + 1) * 1_000_000_007);
    flow.set(Field::DstPort, index % 65_536);
    flow.set(Field::TimeReceivedNs, 1_700_000_000_123_456_789 + index * 1_000_000_000);
    flow.set_v4(Field::SrcAddr, (0x0a00_0000 + index as u32).to_be_bytes());
    flow.set_v6(Field::SamplerAddress, sampler(index));
    flow
}

/// Seven exporters.
fn sampler(index: u64) -> [u8; 16] {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    address[15] = (index % 7) as u8;
    address
}

/// What the witness has to say of it, in the order of the case's fields.
fn expected(index: u64, case: &Case) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let received = 1_700_000_000_123_456_789 + index * 1_000_000_000;
    let received = if case.fields == OURS { received / 1_000_000_000 } else { received };
    json!([
        (index + 1) * 1_000_000_007,
        hex(&(0x0a00_0000 + index as u32).to_be_bytes()),
        index,
        hex(&sampler(index)),
        received,
    ])
}

fn produce(transport: Transport, brokers: &str, topic: &str, case: &Case) {
    let batch = |turn: u64| {
        let layout = either_layout(turn);
        let mut batch = Batch::with_capacity(FLOWS as usize, 1 << 20).laid_out(layout);
        batch = batch.keyed(case.keying);
        for index in turn * FLOWS / 2..(turn + 1) * FLOWS / 2 {
            assert!(batch.push(case.profile, &flow(index), &[], &[]));
        }
        Arc::new(batch)
    };
    let config = ProducerConfig {
        transport,
        brokers: vec![brokers.into()],
        compression: case.compression.into(),
        ..ProducerConfig::default()
    };
    let producer = Producer::new(&config).unwrap();
    let keyed = case.keying != Keying::None;
    let options = TopicOptions { framing: case.framing, keyed, ..TopicOptions::default() };
    let mut topic = producer.topic_as(topic, options);
    let started = Instant::now();
    while !topic.is_known() {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut refused = Vec::new();
    topic.submit(&batch(0), &mut refused);
    topic.submit(&batch(1), &mut refused);
    assert!(refused.is_empty());
    assert_eq!(producer.finish(Instant::now() + Duration::from_secs(30)), 0);
    assert_eq!(producer.counts().delivered, FLOWS);
}

/// Python code for both messages, in a folder of its own.
fn compile() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::temp_dir().join(format!("neckar-witness-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for proto in [here.join("../proto/flow.proto"), here.join("../proto/src/encode/goflow2.proto")]
    {
        let status = Command::new("protoc")
            .arg(format!("--python_out={}", folder.display()))
            .arg(format!("-I{}", proto.parent().unwrap().display()))
            .arg(&proto)
            .status()
            .unwrap();
        assert!(status.success());
    }
    folder
}

/// One line a flow: partition, key, fields.
fn read(brokers: &str, topic: &str, case: &Case, modules: &Path) -> Vec<Vec<Value>> {
    let framing = if case.framing == Framing::Bare { "bare" } else { "delimited" };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/witness.py");
    // Debian's own: it has the modules.
    let output = Command::new("/usr/bin/python3")
        .arg(script)
        .args([brokers, topic, case.module, framing, &FLOWS.to_string()])
        .args(case.fields)
        .env("PYTHONPATH", modules)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same of a program that prints them as words.
fn read_by(program: &Path, brokers: &str, topic: &str) -> Vec<Vec<Value>> {
    let output = Command::new(program).args([brokers, topic, &FLOWS.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |word: &str| if word == "-" { Value::Null } else { word.into() };
    let number = |word: &str| word.parse::<u64>().unwrap().into();
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [partition, key, bytes, source, port, sampler, received] => vec![
            number(partition),
            text(key),
            number(bytes),
            text(source),
            number(port),
            text(sampler),
            number(received),
        ],
        _ => panic!("{line}"),
    };
    String::from_utf8(output.stdout).unwrap().lines().map(line).collect()
}

#[test]
fn python_c_and_cpp_read_every_framing_as_it_was_written() {
    xtask::install::programs(&NEEDS).unwrap();
    let given = std::env::var("NECKAR_KAFKA").ok();
    let own = given.is_none().then(|| Broker::start().unwrap());
    let brokers = given.or(own.as_ref().map(Broker::address)).unwrap();
    let modules = compile();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/consumer.c");
    let programs = [("cc", "c99"), ("c++", "c++11")]
        .map(|(compiler, standard)| header::compile(compiler, standard, &example, &["-lrdkafka"]));
    let cases = cases();
    let both = [Transport::Native, Transport::Librdkafka];
    for (case, transport) in cases.iter().flat_map(|case| both.map(|transport| (case, transport))) {
        let topic = format!("witness-{transport:?}-{}-{}", case.name, std::process::id());
        create_topic(&brokers, &topic, PARTITIONS).unwrap();
        produce(transport, &brokers, &topic, case);
        compare(read(&brokers, &topic, case, &modules), case);
        // The names in the header are those of our own profile.
        for program in programs.iter().filter(|_| case.fields == OURS) {
            compare(read_by(program, &brokers, &topic), case);
        }
    }
    programs.into_iter().for_each(|program| std::fs::remove_file(program).unwrap());
    drop(std::fs::remove_dir_all(modules));
}

/// All flows are there as they were written, with their keys and where these belong.
fn compare(lines: Vec<Vec<Value>>, case: &Case) {
    let mut partitions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut flows: Vec<Value> = Vec::new();
    for mut line in lines {
        let fields = line.split_off(2);
        let exporter = fields[3].as_str().unwrap().to_string();
        let key = line[1].as_str().map(str::to_string);
        let has_key = case.keying != Keying::None && case.framing != Framing::Packed;
        assert_eq!(key, has_key.then(|| exporter.clone()), "{}", case.name);
        partitions.entry(exporter).or_default().insert(line[0].as_u64().unwrap());
        flows.push(fields.into());
    }
    flows.sort_by_key(|flow| flow[0].as_u64());
    let expected: Vec<Value> = (0..FLOWS).map(|index| expected(index, case)).collect();
    assert_eq!(flows, expected, "{}", case.name);
    if case.keying != Keying::None {
        let alone = partitions.values().all(|partitions| partitions.len() == 1);
        assert!(alone, "{}: an exporter's flows are in one partition", case.name);
    }
}
