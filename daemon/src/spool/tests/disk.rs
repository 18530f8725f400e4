//! Directories that cannot be used, and a disk that is full.

use std::io::Write as _;
use std::process::Command;

use super::*;

#[track_caller]
fn refused(directory: &Path) -> String {
    Spool::open(directory, LIMITS).map(drop).unwrap_err().to_string()
}

#[test]
fn a_directory_is_one_daemons() {
    let scratch = Scratch::new();
    let (spool, _) = open(&scratch.0, LIMITS);
    assert!(matches!(Spool::open(&scratch.0, LIMITS), Err(OpenError::Locked(_))));
    assert!(refused(&scratch.0).contains("another process uses it"));
    drop(spool);
    drop(open(&scratch.0, LIMITS));
}

#[test]
fn a_directory_that_cannot_be_used_is_one_clear_line() {
    let scratch = Scratch::new();
    let missing = refused(&scratch.0.join("missing"));
    assert!(missing.contains("missing") && missing.contains("make the directory"), "{missing}");
    let file = scratch.0.join("file");
    fs::write(&file, "").unwrap();
    assert!(refused(&file).contains("must be a directory that the daemon may write"));
    // Not even root may make a file there.
    assert!(refused(Path::new("/sys")).contains("may write"));
}

#[test]
fn a_later_version_is_left_alone() {
    let scratch = Scratch::new();
    let before = Count::default();
    let mut bytes = Header { number: 1, opened_ms: 0, before }.to_bytes();
    bytes[8] = 2;
    fs::write(segment::path(&scratch.0, 1), bytes).unwrap();
    assert!(refused(&scratch.0).contains("version 2"));
    assert_eq!(scratch.segments().len(), 1);
}

/// Unmounts when it is dropped.
struct Disk(Scratch);

impl Disk {
    fn of(kibibytes: u32) -> Option<Self> {
        let scratch = Scratch::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kibibytes}k"), "tmpfs"]);
        let mounted = mount.arg(&scratch.0).status().is_ok_and(|status| status.success());
        if !mounted {
            let _ = writeln!(std::io::stderr(), "SKIPPED: a disk of its own needs root");
            assert!(std::env::var_os("CI").is_none(), "CI runs as root");
        }
        mounted.then(|| Self(scratch))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0.0).status());
    }
}

#[test]
fn a_full_disk_is_a_full_spool() {
    for shed in [Shed::Oldest, Shed::Newest] {
        let Some(disk) = Disk::of(128) else { return };
        let limits = Limits { bytes_max: 1 << 30, segment_bytes: 20_000, shed };
        let (mut spool, _) = open(&disk.0.0, limits);
        let batches = 400;
        let taken: Vec<u64> =
            (0..batches).filter(|id| spool.append(&batch(*id, 50), 0).is_ok()).collect();
        assert_law(&spool);
        let state = spool.state();
        assert_eq!(state.written_flows + state.refused_flows, batches * 50);
        assert_eq!(state.io_errors, 0, "the cursor has its blocks");
        assert_eq!(shed == Shed::Oldest, state.shed_flows > 0);
        assert_eq!(shed == Shed::Newest, state.refused_flows > 0);
        let shed = usize::try_from(state.shed_flows / 50).unwrap();
        assert_eq!(drain(&mut spool), taken[shed..], "all that was not shed is whole");
        spool.close().unwrap();
        assert_eq!(open(&disk.0.0, limits).1, Found::default());
    }
}

#[test]
fn a_disk_that_stays_full_costs_one_segment_a_batch() {
    let Some(disk) = Disk::of(128) else { return };
    let limits = Limits { bytes_max: 1 << 30, segment_bytes: 20_000, shed: Shed::Oldest };
    let (mut spool, _) = open(&disk.0.0, limits);
    let mut ids = 0..;
    while disk.0.segments().len() < 4 {
        spool.append(&batch(ids.next().unwrap(), 50), 0).unwrap();
    }
    // Somebody has taken the rest, and who reads the segments keeps their blocks.
    assert!(fs::write(disk.0.0.join("others"), vec![1; 1 << 20]).is_err());
    let _held: Vec<File> = disk.0.segments().iter().map(|path| File::open(path).unwrap()).collect();
    let mut before = disk.0.segments().len();
    while spool.append(&batch(ids.next().unwrap(), 50), 0).is_ok() {
        assert_eq!(spool.state().shed_flows, 0);
        before = disk.0.segments().len();
    }
    assert_eq!(disk.0.segments().len(), before - 1);
    let state = spool.state();
    assert!(state.shed_flows > 0 && state.shed_flows < state.written_flows / 2, "{state:?}");
    assert_law(&spool);
}
