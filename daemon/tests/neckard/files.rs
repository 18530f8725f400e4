//! Flows in files: all of them, whatever happens to the daemon, and a full disk costs what does not
//! fit, counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::generator::Generator;
use crate::support::process::Neckard;
use crate::support::{Disk, scratch, wait_until};
use neckar_proto::Message;
use prost::Message as _;

const FLOWS: u64 = 20_000;

fn start(folder: &Path, settings: &[&str]) -> Neckard {
    let folder = format!("output.file.directory={}", folder.display());
    let ours = ["output.kind=file", "output.format=protobuf", "batch.linger_ms=10", &folder];
    Neckard::start(&[&ours, settings].concat())
}

/// Those of flows; the lock is none.
fn files(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|one| one.unwrap().path());
    let mut files: Vec<_> = all.filter(|path| !path.ends_with(".lock")).collect();
    files.sort();
    files
}

/// Messages in all files, each file whole, as prost reads them.
fn flows(folder: &Path) -> u64 {
    let mut flows = 0;
    for file in files(folder) {
        let bytes = fs::read(&file).unwrap();
        let is_compressed = file.extension().is_some_and(|ending| ending == "zst");
        let bytes = if is_compressed { zstd::decode_all(&bytes[..]).unwrap() } else { bytes };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            Message::decode_length_delimited(&mut rest).expect("a whole flow");
            flows += 1;
        }
    }
    flows
}

#[test]
fn all_flows_are_in_the_files() {
    let folder = scratch("files");
    let neckard = start(&folder, &["output.file.rotate_bytes=100000"]);
    let sent = Generator::start(neckard.udp(), "v9", FLOWS, 20_000).flows();
    let (status, report) = neckard.stop();
    assert!(status.success());
    assert_eq!((report.delivered, report.failed, report.shed), (sent, 0, 0));
    assert_eq!(flows(&folder), sent);
    assert!(files(&folder).len() > 3, "rotated by size: {:?}", files(&folder));
}

#[test]
fn what_was_written_before_a_crash_reads_after_the_next_start() {
    let folder = scratch("files-crash");
    let neckard = start(&folder, &[]);
    // Far more than it comes to send, however late this test is woken.
    let mut generator = Generator::start(neckard.udp(), "v9", 20 * FLOWS, 20_000);
    let delivered = || neckard.metric("neckar_output_delivered_total");
    wait_until("some are written", Duration::from_secs(20), || delivered() > FLOWS / 4);
    let written = delivered();
    neckard.kill();
    assert!(generator.sends(), "in the midst of it");
    let left = files(&folder);
    assert!(left[0].to_string_lossy().ends_with(".pb.zst.partial"), "{left:?}");
    let neckard = start(&folder, &[]);
    assert_eq!(neckard.metric("neckar_files_finished_total"), 1);
    let (_, report) = neckard.stop();
    let found = flows(&folder);
    assert!(found >= written + report.delivered, "{found} of {written} and {report:?}");
}

#[test]
fn a_full_disk_costs_what_does_not_fit() {
    let folder = scratch("files-full");
    let Some(disk) = Disk::mount(&folder, "1m") else { return };
    let neckard = start(&folder, &["output.file.zstd_level=0"]);
    let sent = Generator::start(neckard.udp(), "v9", FLOWS, 20_000).flows();
    let (_, report) = neckard.stop();
    let found = flows(&folder);
    drop(disk);
    assert_eq!(report.delivered + report.failed + report.shed, sent, "{report:?}");
    assert!(report.failed > 0 && report.delivered > 0, "{report:?}");
    assert_eq!(found, report.delivered);
}
