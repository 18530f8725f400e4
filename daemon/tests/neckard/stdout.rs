//! Flows on standard output, as without any configuration.

use std::process::Command;
use std::time::Duration;

use crate::support::generator::Generator;
use crate::support::process::Neckard;
use crate::support::{scratch, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_reader_who_does_not_read_does_not_hold_up_the_end() {
    let pipe = scratch("stdout-pipe").join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // The daemon has both ends: nobody reads, and the reader is not gone.
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" 1<>\"$0\""]).arg(&pipe);
    command.arg(env!("CARGO_BIN_EXE_neckard"));
    let neckard = Neckard::launch(command, &["stop.deadline_s=1"]);
    // Far more than a pipe holds.
    let sent = Generator::start(neckard.udp(), "v5", 20_000, 20_000).flows();
    wait_until("all are received", PATIENCE, || {
        neckard.metric("neckar_output_submitted_total") == sent
    });
    neckard.signal("TERM");
    let has_ended = || neckard.log().iter().any(|line| line.contains("stopped: "));
    wait_until("it says where all went", PATIENCE, has_ended);
    let (status, report, log) = neckard.stop_with_log();
    assert!(status.success());
    assert!(report.failed > 0, "{report:?}");
    assert_eq!((report.flows, report.delivered + report.failed), (sent, sent), "{report:?}");
    let given_up = format!("{} flows were not written in time", report.failed);
    assert!(log.iter().any(|line| line.contains(&given_up)), "{log:?}");
}
