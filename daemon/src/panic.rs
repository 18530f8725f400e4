//! What a panic costs: the process, if it is in a thread that the data path needs, else its thread.
//!
//! A worker that is gone leaves its sockets to fill up unread, and a spool, splitter or producer that
//! is gone leaves queues that nobody empties, behind metrics that look well. systemd starts a new
//! daemon in a second, and what is on disk and in kept sockets is still there. Whoever looks at a page
//! only loses the page.

use std::panic;
use std::process;
use std::thread;

/// Has a panic abort the process where it must, once it is told.
pub fn abort_where_vital() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        tell(what);
        if thread::current().name().is_some_and(is_vital) {
            process::abort();
        }
    }));
}

/// By the names that the rooms give their threads: workers, outputs, the spool, the splitter.
fn is_vital(thread: &str) -> bool {
    let kinds = ["worker", "kafka", "spool", "aux", "files", "stdout"];
    kinds.contains(&thread.split('-').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::*;

    const NAME: &str = "NECKAR_TEST_PANIC";

    #[test]
    fn the_data_paths_threads_are_vital() {
        for name in ["worker-0", "worker-63", "kafka", "kafka-reports", "spool", "aux", "files"] {
            assert!(is_vital(name), "{name}");
        }
        for name in ["http", "traffic", "tables", "state", "snmp", "names", "signals", "main", ""] {
            assert!(!is_vital(name), "{name}");
        }
    }

    /// A thread of this name panics in a process of its own, which is this test again.
    fn end_of(name: &str) -> (process::ExitStatus, String) {
        let test = "panic::tests::a_panic_ends_the_process_if_its_thread_is_vital";
        let mut command = Command::new(std::env::current_exe().expect("we are a file"));
        command.args(["--exact", test, "--nocapture"]).env(NAME, name);
        let output = command.output().expect("it starts");
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    fn a_panic_ends_the_process_if_its_thread_is_vital() {
        if let Ok(name) = std::env::var(NAME) {
            abort_where_vital();
            let thread = thread::Builder::new().name(name).spawn(|| panic!("as a test"));
            assert!(thread.expect("a thread is left").join().is_err());
            return;
        }
        let (status, told) = end_of("worker-1");
        assert_eq!(status.signal(), Some(6), "SIGABRT: {told}");
        assert!(told.contains("as a test"), "{told}");
        let (status, told) = end_of("http");
        assert!(status.success() && told.contains("as a test"), "{told}");
    }
}
