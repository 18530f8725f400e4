//! `cargo xtask bench counts`: instructions per flow of the hot rooms, beside those on record.
//!
//! Time on a shared machine says little; instructions are the same every time. The rooms' work is
//! `benches/src/bin/counts.rs`, counted by valgrind's callgrind, a run a room. The record is
//! `benches/counts.json`. A room that takes more than [`TOLERANCE`] above its record fails, with
//! what to do.
//!
//! iai-callgrind (now gungraun) does the same with more figures; it wants a runner program of just
//! its own version installed beside, which is one more thing to go wrong on a fresh machine than a
//! Debian package and these lines.
//!
//! Counts hold for one compiler. The processor makes no difference where it has what `x86-64-v3`
//! asks for: valgrind shows programs a processor of its own with AVX2 and nothing newer, so code
//! that chooses at run time chooses the same.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::{fs, io};

use serde_json::{Value, json};

const RECORD: &str = "benches/counts.json";
const PROGRAM: &str = "target/release/counts";
/// The function inside of which callgrind counts, and what it calls.
const COUNTED: &str = "counts::counted*";
/// Share of the record by which a room may get slower.
const TOLERANCE: f64 = 0.05;

/// Instructions per flow (for lookups, per address) by room.
type Counts = BTreeMap<String, f64>;

/// Counts all rooms and compares them with the record, or makes them the record.
///
/// # Errors
/// A room got slower, or it could not be counted; the error says which and what to do.
pub fn counts(record: bool) -> io::Result<()> {
    let compiler = output(Command::new("rustc").arg("--version"))?.trim().to_string();
    // For the whole workspace, as it is built anyway: for the package alone features differ.
    let build = ["build", "--release", "--workspace", "--bin", "counts"];
    if !Command::new("cargo").args(build).status()?.success() {
        return Err(io::Error::other("the build failed"));
    }
    let found = count_all()?;
    if record {
        let rooms: BTreeMap<&String, f64> = found.iter().map(|(room, n)| (room, *n)).collect();
        let text = serde_json::to_string_pretty(&json!({"compiler": compiler, "rooms": rooms}))?;
        print(&found, &found);
        return fs::write(RECORD, text + "\n");
    }
    let (recorded_by, recorded) = read_record(&fs::read_to_string(RECORD)?)?;
    print(&recorded, &found);
    let wrong = compare(&recorded, &found);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{}\nrecorded with {recorded_by}, found with {compiler}; if this is meant to be, \
         record it and say why in the commit: cargo xtask bench counts --record",
        wrong.join("\n")
    )))
}

/// All rooms, two at a time: valgrind takes one core each.
fn count_all() -> io::Result<Counts> {
    let rooms: Vec<String> =
        output(&mut Command::new(PROGRAM))?.lines().map(str::to_string).collect();
    let half = |skip: usize| -> io::Result<Vec<(String, f64)>> {
        let rooms = rooms.iter().skip(skip).step_by(2);
        rooms.map(|room| Ok((room.clone(), count(room)?))).collect()
    };
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| half(0));
        (half(1), one.join().expect("counting does not panic"))
    });
    Ok(one?.into_iter().chain(other?).collect())
}

fn count(room: &str) -> io::Result<f64> {
    let out = format!("target/counts-{}.out", room.replace(' ', "-"));
    let flows = output(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
            .arg(format!("--toggle-collect={COUNTED}"))
            .arg(format!("--callgrind-out-file={out}"))
            .args([PROGRAM, room]),
    )?;
    let flows: f64 = flows.trim().parse().map_err(io::Error::other)?;
    let instructions = total(&fs::read_to_string(&out)?);
    fs::remove_file(&out)?;
    match instructions {
        Some(instructions) if instructions > 0 => {
            // A tenth is as fine as anybody reads it.
            Ok((instructions as f64 / flows * 10.0).round() / 10.0)
        }
        _ => Err(io::Error::other(format!("{room}: callgrind has not counted in {COUNTED}"))),
    }
}

/// The sum in a file of callgrind's.
fn total(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

fn read_record(text: &str) -> io::Result<(String, Counts)> {
    let record: Value = serde_json::from_str(text)?;
    let compiler = record["compiler"].as_str().unwrap_or("an unknown compiler").to_string();
    let rooms = record["rooms"].as_object().into_iter().flatten();
    Ok((compiler, rooms.filter_map(|(room, n)| Some((room.clone(), n.as_f64()?))).collect()))
}

/// A line for each room that is slower than its record, or stands on one side only.
fn compare(recorded: &Counts, found: &Counts) -> Vec<String> {
    let slower = found.iter().filter_map(|(room, found)| match recorded.get(room) {
        None => Some(format!("{room}: not on record, found {found}")),
        Some(before) if *found > before * (1.0 + TOLERANCE) => {
            let percent = (found / before - 1.0) * 100.0;
            Some(format!("{room}: recorded {before}, found {found} instructions, {percent:+.1} %"))
        }
        Some(_) => None,
    });
    let gone = recorded.keys().filter(|room| !found.contains_key(*room));
    slower.chain(gone.map(|room| format!("{room}: on record, not found"))).collect()
}

fn print(recorded: &Counts, found: &Counts) {
    println!("{:<32} {:>9} {:>9}  instructions a flow", "room", "recorded", "found");
    for (room, found) in found {
        let before = recorded.get(room).map_or_else(|| "-".into(), |count| format!("{count:.1}"));
        println!("{room:<32} {before:>9} {found:>9.1}");
    }
}

/// What a program writes on its standard output.
fn output(command: &mut Command) -> io::Result<String> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| {
            io::Error::new(error.kind(), format!("{:?}: {error}", command.get_program()))
        })?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{command:?} failed")));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(counts: &[(&str, f64)]) -> Counts {
        counts.iter().map(|(room, count)| (room.to_string(), *count)).collect()
    }

    #[test]
    fn only_what_got_slower_by_more_than_the_tolerance_is_told() {
        let recorded = rooms(&[("a", 100.0), ("b", 100.0), ("c", 100.0), ("gone", 1.0)]);
        let found = rooms(&[("a", 105.0), ("b", 105.2), ("c", 10.0), ("new", 7.0)]);
        assert_eq!(
            compare(&recorded, &found),
            [
                "b: recorded 100, found 105.2 instructions, +5.2 %",
                "new: not on record, found 7",
                "gone: on record, not found",
            ]
        );
    }

    #[test]
    fn callgrinds_sum_is_read() {
        assert_eq!(total("events: Ir\nsummary: 5\nfn=(1)\n16 400\n\ntotals: 4096\n"), Some(4096));
        assert_eq!(total("events: Ir\n"), None);
    }
}
