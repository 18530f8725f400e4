#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Field, Flow, Message};
use prost::Message as _;

use super::*;
use crate::sink::Sink;

fn batch(first: u64, flows: u64) -> Arc<Batch> {
    let mut batch = Batch::with_capacity(flows as usize, 1 << 16);
    for bytes in first..first + flows {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, bytes);
        flow.set(Field::Packets, 1);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

fn scratch(subject: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("neckar-files-{subject}-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    folder
}

fn config(directory: &Path) -> FileOutput {
    FileOutput { directory: directory.into(), zstd_level: 0, ..FileOutput::default() }
}

/// A child that another test is about to start has our lock too, for as long as it is no program of its own
/// yet.
fn open(config: &FileOutput, format: FlowFormat) -> (Writer, Arc<FileCounts>) {
    let started = Instant::now();
    loop {
        let counts = Arc::new(FileCounts::default());
        match write_files(config, format, Arc::clone(&counts)) {
            Err(error) if is_taken(&error) && started.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return (opened.unwrap(), counts),
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.to_string() == "another process writes to it"
}

/// Writes the batches and ends.
fn write(config: &FileOutput, format: FlowFormat, batches: &[Arc<Batch>]) -> Arc<FileCounts> {
    let (writer, counts) = open(config, format);
    let mut sink = writer.sink();
    for batch in batches {
        sink.submit(Arc::clone(batch), false);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    sink.finish(deadline, deadline);
    drop(sink);
    let flows = writer.counts();
    assert_eq!(writer.stop(deadline), 0);
    let sum = flows.written.load(Ordering::Relaxed) + flows.failed.load(Ordering::Relaxed);
    assert_eq!(flows.submitted.load(Ordering::Relaxed), sum);
    counts
}

/// Files of flows in order of their names, with what is in them.
fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (name_of(&path).to_string(), fs::read(&path).unwrap())
        })
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    files.sort();
    files
}

/// `Bytes` of the messages, as prost reads them.
fn flows_of(mut bytes: &[u8]) -> Vec<u64> {
    let mut flows = Vec::new();
    while !bytes.is_empty() {
        flows.push(Message::decode_length_delimited(&mut bytes).unwrap().bytes);
    }
    flows
}

#[test]
fn each_size_makes_a_file_and_nothing_partial_is_left() {
    let folder = scratch("size");
    let config = FileOutput { rotate_bytes: 1, ..config(&folder) };
    let counts = write(&config, FlowFormat::Protobuf, &[batch(1, 3), batch(4, 2)]);
    let files = read(&folder);
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.iter().all(|(name, _)| name.starts_with("neckar-2") && name.ends_with(".pb")));
    assert_eq!(flows_of(&files[0].1), [1, 2, 3]);
    assert_eq!(flows_of(&files[1].1), [4, 5]);
    assert_eq!(counts.finished.load(Ordering::Relaxed), 2);
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(counts.bytes.load(Ordering::Relaxed), bytes as u64);
}

#[test]
fn compressed_lines_are_read_by_anybody() {
    let folder = scratch("zstd");
    let config = FileOutput { zstd_level: 3, ..config(&folder) };
    write(&config, FlowFormat::Json, &[batch(7, 1), batch(8, 1)]);
    let files = read(&folder);
    assert!(files[0].0.ends_with(".jsonl.zst"));
    let text = zstd::decode_all(&files[0].1[..]).unwrap();
    let lines: Vec<serde_json::Value> = String::from_utf8(text)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().map(|line| line["Bytes"].as_u64()).collect::<Vec<_>>(),
        [Some(7), Some(8)]
    );
}

/// Whatever a crash cuts off, the next start has all whole flows before it, and none else.
#[test]
fn what_a_crash_leaves_is_cut_to_what_is_whole() {
    let whole = [batch(1, 2), batch(3, 2)];
    let plain: Vec<u8> = whole.iter().flat_map(|batch| batch.bytes().to_vec()).collect();
    let frames: Vec<Vec<u8>> =
        whole.iter().map(|batch| zstd::bulk::compress(batch.bytes(), 3).unwrap()).collect();
    let compressed = frames.concat();
    for (ending, bytes) in [("pb", &plain), ("pb.zst", &compressed)] {
        for len in 0..=bytes.len() {
            let folder = scratch("crash");
            fs::create_dir_all(&folder).unwrap();
            let name = format!("neckar-20261123T000000Z-000000.{ending}");
            fs::write(folder.join(format!("{name}.partial")), &bytes[..len]).unwrap();
            write(&config(&folder), FlowFormat::Protobuf, &[]);
            let expected: Vec<u64> = match ending {
                // Each flow has four bytes and its length.
                "pb" => (1..=4).filter(|flow| flow * 5 <= len as u64).collect(),
                _ if len < frames[0].len() => vec![],
                _ if len < bytes.len() => vec![1, 2],
                _ => vec![1, 2, 3, 4],
            };
            let files = read(&folder);
            if expected.is_empty() {
                assert!(files.is_empty(), "{files:?}");
                continue;
            }
            assert_eq!(files[0].0, name);
            let found = match ending {
                "pb" => files[0].1.clone(),
                _ => zstd::decode_all(&files[0].1[..]).unwrap(),
            };
            assert_eq!(flows_of(&found), expected, "{ending} cut at {len}");
        }
    }
}

/// What the folder is called says nothing of the files in it.
#[test]
fn a_file_that_a_crash_leaves_is_what_its_own_name_says() {
    let lines = b"one\ntwo\nthr";
    for folder in ["flows.zst", "flows.pb"] {
        let folder = scratch("named").join(folder);
        fs::create_dir_all(&folder).unwrap();
        let name = "neckar-20261123T000000Z-000000.txt";
        fs::write(folder.join(format!("{name}.partial")), lines).unwrap();
        write(&config(&folder), FlowFormat::Line, &[]);
        assert_eq!(read(&folder), [(name.to_string(), b"one\ntwo\n".to_vec())]);
    }
}

/// A second daemon leaves alone what the first one is writing.
#[test]
fn a_folder_has_one_writer() {
    let config = config(&scratch("twice"));
    let (writer, _) = open(&config, FlowFormat::Protobuf);
    let mut sink = writer.sink();
    sink.submit(batch(1, 2), false);
    let counts = writer.counts();
    let until = Instant::now() + Duration::from_secs(10);
    while counts.written.load(Ordering::Relaxed) < 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = write_files(&config, FlowFormat::Protobuf, Arc::default()).map(drop);
    assert!(is_taken(&second.unwrap_err()));
    let [(name, bytes)] = &read(&config.directory)[..] else { panic!("one file") };
    assert!(name.ends_with(".pb.partial"), "{name}");
    assert_eq!(flows_of(bytes), [1, 2]);
    drop(sink);
    assert_eq!(writer.stop(until), 0);
    assert_eq!(write(&config, FlowFormat::Protobuf, &[]).finished.load(Ordering::Relaxed), 0);
    assert_eq!(flows_of(&read(&config.directory)[0].1), [1, 2]);
}

#[test]
fn the_oldest_go_when_there_are_too_many_bytes() {
    let folder = scratch("bound");
    let config = FileOutput { rotate_bytes: 1, bytes_max: 25, ..config(&folder) };
    let batches: Vec<_> = (0..5).map(|index| batch(10 * index + 1, 2)).collect();
    let counts = write(&config, FlowFormat::Protobuf, &batches);
    let left: Vec<u64> = read(&folder).iter().flat_map(|(_, bytes)| flows_of(bytes)).collect();
    assert_eq!(left, [31, 32, 41, 42], "ten bytes a file: two fit");
    assert_eq!(counts.deleted.load(Ordering::Relaxed), 3);
    // The next start counts what is there.
    let counts = write(&config, FlowFormat::Protobuf, &[]);
    assert_eq!(counts.bytes.load(Ordering::Relaxed), 20);
}
