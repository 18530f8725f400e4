//! What a fresh Debian machine lacks, installed with apt; never without saying what and why.

use std::path::Path;
use std::process::Command;

/// Is there such a program on the path?
#[must_use]
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons live in sbin, which is not on everybody's path.
    let sbin = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(sbin).any(|folder| Path::new(&folder).join(program).exists())
}

/// Installs the Debian packages of those programs that are missing. Each entry: program, package,
/// what it is for.
///
/// # Errors
/// One line: what is missing and the command that installs it, if we may not; or that apt failed.
pub fn programs(wanted: &[(&str, &str, &str)]) -> Result<(), String> {
    let mut missing: Vec<&str> = Vec::new();
    for (program, package, reason) in wanted {
        if !has(program) && !missing.contains(package) {
            println!("xtask: {program} is missing: installing {package} ({reason})");
            missing.push(package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let mut apt = match (is_root(), has("sudo")) {
        (true, _) => Command::new("apt-get"),
        (false, true) => {
            let mut sudo = Command::new("sudo");
            sudo.arg("apt-get");
            sudo
        }
        (false, false) => return Err(format!("run as root: apt-get install {list}")),
    };
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    let program = apt.get_program().to_os_string();
    let mut update = Command::new(&program);
    if program == "sudo" {
        update.arg("apt-get");
    }
    // A stale list is good enough if it still names the packages; the install says if not.
    let _ = update.args(["update", "-qq"]).status();
    let status = apt.args(["install", "-y", "-qq"]).args(&missing).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("apt-get could not install {list}")),
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}
