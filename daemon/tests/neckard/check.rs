//! `neckard check`: what it says of a good file, and what it finds that a start would stumble over.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::scratch;

/// Runs it with `text` as its file in `folder`; answers exit code and all that it says.
fn check_in(folder: &Path, text: &str) -> (i32, String) {
    std::fs::write(folder.join("neckard.toml"), text).unwrap();
    said(Command::new(env!("CARGO_BIN_EXE_neckard")), folder)
}

fn said(mut command: Command, folder: &Path) -> (i32, String) {
    command.args(["check", "--config"]).arg(folder.join("neckard.toml"));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    (status.code().unwrap(), text.replace(&format!("{}/", folder.display()), ""))
}

/// The line of a good answer that begins so, without its heading.
#[track_caller]
fn line<'t>(text: &'t str, heading: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(heading));
    found.unwrap_or_else(|| panic!("no {heading} in {text}")).trim_start()
}

/// Bytes in MiB, as the first word of the memory sum's line about `room`.
#[track_caller]
fn mebibytes(text: &str, room: &str) -> u64 {
    let line =
        text.lines().find(|line| line.contains(&format!("MiB  {room}"))).unwrap_or_else(|| {
            panic!("no {room} in {text}");
        });
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn it_says_what_is_anonymised() {
    let folder = scratch("check-anonymised");
    let (code, text) = check_in(&folder, "");
    assert_eq!(code, 0, "{text}");
    assert_eq!(line(&text, "anonymised:"), "nothing; addresses go out as they are");
    let (code, text) = check_in(
        &folder,
        "[output]\nkind = \"kafka\"\n[anonymize]\nmethod = \"truncate\"\nkeep_v4 = 16\n\
         [[split.tenant]]\ncid = 7\nanonymize = { method = \"truncate\", fields = [\"SrcAddr\"] }\n\
         [[split.tenant]]\ncid = 8\n",
    );
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        line(&text, "anonymised:"),
        "all addresses: cut to 16 bits (IPv4) and 48 (IPv6); flagged Subnet, with the preserved \
         lengths 16 and 48"
    );
    assert_eq!(
        line(&text, "in copies for customer 7:"),
        "SrcAddr: cut to 24 bits (IPv4) and 48 (IPv6); flagged Subnet, with the preserved lengths 24 \
         and 48"
    );
    assert!(!text.contains("customer 8"), "{text}");
}

/// What a reload takes is in the sum, and so is what exporters may say.
#[test]
fn it_counts_names_and_a_reload() {
    let folder = scratch("check-memory");
    std::fs::write(folder.join("names.csv"), "asn,name\n553,BelWue\n680,DFN\n").unwrap();
    let text = format!("[enrich]\nas_names = {:?}\n", folder.join("names.csv"));
    let (code, text) = check_in(&folder, &text);
    assert_eq!(code, 0, "{text}");
    assert_eq!(line(&text, "AS names:"), "2, from the file");
    // Without any prefix there is the table of all IPv4 addresses.
    let tables = mebibytes(&text, "label tables");
    assert!(tables > 0 && mebibytes(&text, "a reload of labels") >= tables, "{text}");
    // 2^18 of them, 640 bytes each.
    assert_eq!(mebibytes(&text, "interface names"), 160);
}

#[test]
fn a_broker_is_not_taken_for_the_cluster() {
    let folder = scratch("check-brokers");
    let (code, text) = check_in(
        &folder,
        "[output]\nkind = \"kafka\"\n[kafka]\nbrokers = [\"127.0.0.1:1\"]\n[split]\ncids = [1]\n",
    );
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        line(&text, "35 MiB  flows in flight:"),
        "2 x 18000000 B of requests for each broker, of which kafka.brokers names 1; as much more \
         for each that the cluster has beside them"
    );
}

#[test]
fn folders_that_cannot_be_had() {
    let folder = scratch("check-folders");
    // Nobody, not even root, makes files there.
    for (text, key) in [
        ("[output]\nkind = \"file\"\n[output.file]\ndirectory = \"/proc/x\"\n", "output.file"),
        ("[output]\nkind = \"kafka\"\n[spool]\ndirectory = \"/proc/x/y\"\n", "spool"),
        ("[output]\n\n[state]\ndirectory = \"/proc/x\"\n", "state"),
    ] {
        let (code, text) = check_in(&folder, text);
        let start = format!("neckard: neckard.toml:4: {key}.directory = \"/proc/x");
        assert!(code == 2 && text.starts_with(&start) && text.lines().count() == 1, "{text}");
    }
    // What is to be made is not made.
    let spool = format!("{}/spool/mine", folder.display());
    let text = format!("[output]\nkind = \"kafka\"\n[spool]\ndirectory = {spool:?}\n");
    let (code, said) = check_in(&folder, &text);
    assert_eq!(code, 0, "{said}");
    assert!(!folder.join("spool").exists());
}

#[test]
fn a_spool_of_a_later_daemon() {
    let folder = scratch("check-spool");
    let spool = folder.join("spool");
    std::fs::create_dir(&spool).unwrap();
    let text = format!("[output]\nkind = \"kafka\"\n[spool]\ndirectory = {spool:?}\n");
    let segment = spool.join(format!("neckar-{:020}.spool", 1));
    std::fs::write(&segment, [&b"NECKARSP\x02\0\0\0"[..], &[0; 36]].concat()).unwrap();
    let (code, said) = check_in(&folder, &text);
    let start = "neckard: neckard.toml:4: spool.directory = ";
    assert!(code == 2 && said.starts_with(start) && said.contains("version 2"), "{said}");
    let left: Vec<_> = std::fs::read_dir(&spool).unwrap().map(|one| one.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&segment), "it is only looked at");
    std::fs::remove_file(segment).unwrap();
    assert_eq!(check_in(&folder, &text).0, 0);
}

/// Files of TLS are read, not only found.
#[test]
fn certificates_that_are_none() {
    let folder = scratch("check-tls");
    let own = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    std::fs::write(folder.join("certificate"), own.cert.pem()).unwrap();
    std::fs::write(folder.join("key"), own.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("letter"), "Dear operator,\n").unwrap();
    let text = |ca: &str, certificate: &str, key: &str| {
        let place = |name: &str| folder.join(name).display().to_string();
        let [ca, certificate, key] = [ca, certificate, key].map(place);
        format!(
            "[output]\nkind = \"kafka\"\n[kafka.tls]\nenabled = true\nca_file = {ca:?}\n\
             certificate_file = {certificate:?}\nkey_file = {key:?}\n"
        )
    };
    let good = ["certificate", "certificate", "key"];
    let (code, said) = check_in(&folder, &text(good[0], good[1], good[2]));
    assert_eq!(code, 0, "{said}");
    std::fs::write(folder.join("other"), rcgen::KeyPair::generate().unwrap().serialize_pem())
        .unwrap();
    let (code, said) = check_in(&folder, &text(good[0], good[1], "other"));
    assert!(code == 2 && said.contains("kafka.tls.key_file"), "a key of another: {said}");
    for (wrong, line, key, what) in [
        (0, 5, "ca_file", "certificate"),
        (1, 6, "certificate_file", "certificate"),
        (2, 7, "key_file", "private key"),
    ] {
        let mut files = good;
        files[wrong] = "letter";
        let expected = format!(
            "neckard: neckard.toml:{line}: kafka.tls.{key} = \"letter\": holds no {what}; \
             give a file in PEM that the daemon's user can read\n"
        );
        let found = check_in(&folder, &text(files[0], files[1], files[2]));
        assert_eq!(found, (2, expected));
    }
}

/// Name servers are the system's, and the system has none.
#[test]
fn nobody_to_ask_for_names() {
    let folder = scratch("check-names");
    let hide = "mount --bind /dev/null /etc/resolv.conf && exec \"$0\" \"$@\"";
    let hidden = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", hide]);
        command
    };
    if !hidden().arg("true").status().is_ok_and(|status| status.success()) {
        let _ = writeln!(std::io::stderr(), "SKIPPED: /etc/resolv.conf cannot be hidden here");
        return;
    }
    let text = "[reverse_names]\nenabled = true\n";
    let (code, said_here) = check_in(&folder, text);
    assert_eq!(code, 0, "{said_here}");
    assert_eq!(
        line(&said_here, "reverse names:"),
        "the name servers of /etc/resolv.conf are asked"
    );
    let mut command = hidden();
    command.arg(env!("CARGO_BIN_EXE_neckard"));
    let (code, text) = said(command, &folder);
    let start = "neckard: neckard.toml:1: reverse_names.servers = []: ";
    assert!(code == 2 && text.starts_with(start) && text.lines().count() == 1, "{text}");
}
