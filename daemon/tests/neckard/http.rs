//! Who may look, how much at a time, and what is answered to who asks wrongly.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::support::process::Neckard;
use crate::support::{scratch, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

const TOKEN: &str = "fedcba9876543210fedcba9876543210";
const PASSWORD: &str = "correct horse battery staple";
const LOCAL: &str = "Host: localhost\r\n";

fn json(answer: (u16, String)) -> (u16, Value) {
    (answer.0, serde_json::from_str(&answer.1).unwrap_or_else(|_| panic!("{answer:?}")))
}

#[test]
fn on_loopback_this_host_may_look_and_no_other_site() {
    let neckard = Neckard::start(&["output.kind=stdout", "http.hosts=[\"flows.example.net\"]"]);
    for headers in ["", LOCAL, "Host: 127.0.0.1:8080\r\n", "Host: flows.example.net\r\n"] {
        for path in ["/", "/page/main.js", "/metrics", "/status.json", "/api/exporters"] {
            assert_eq!(neckard.fetch_with(path, headers).0, 200, "{path} {headers}");
        }
    }
    // DNS rebinding: the stranger's name, our address.
    let (status, body) = neckard.fetch_with("/", "Host: evil.example:8080\r\n");
    assert_eq!(status, 403);
    assert!(body.contains("http.hosts"), "{body}");
    let foreign = format!("{LOCAL}Sec-Fetch-Site: cross-site\r\n");
    for path in ["/api/search?filter=tcp", "/flowdata", "/metrics", "/"] {
        assert_eq!(neckard.fetch_with(path, &foreign).0, 403, "{path}");
    }
    let link = format!("{foreign}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n");
    assert_eq!(neckard.fetch_with("/", &link).0, 200, "a link may lead here");
    assert_eq!(neckard.metric("neckar_http_denied_total"), 5);
}

#[test]
fn who_shows_nothing_sees_nothing() {
    let folder = scratch("http-token");
    std::fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
    std::fs::write(folder.join("password"), PASSWORD).unwrap();
    let file = |key: &str, name: &str| format!("{key}={}", folder.join(name).display());
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        // Nobody is there: the daemon is unwell.
        "kafka.brokers=[\"127.0.0.1:9\"]",
        &file("http.token_file", "token"),
        "http.user=ops",
        &file("http.password_file", "password"),
    ]);
    let basic = |user: &str, password: &str| {
        format!("Authorization: Basic {}\r\n", BASE64.encode(format!("{user}:{password}")))
    };
    let good =
        [format!("Authorization: Bearer {TOKEN}\r\n"), basic("ops", PASSWORD), basic("me", TOKEN)];
    for headers in &good {
        assert_eq!(neckard.fetch_with("/api/history?minutes=5", headers).0, 200, "{headers}");
    }
    for headers in ["", "Authorization: Bearer x\r\n", &basic("me", PASSWORD), &basic("ops", "")] {
        assert_eq!(neckard.fetch_with("/metrics", headers).0, 401, "{headers}");
    }
    wait_until("health says why", Duration::from_secs(30), || {
        let (status, body) = json(neckard.fetch_with("/healthz", &good[0]));
        status == 503 && body["reasons"]["output"].is_string()
    });
    let (status, body) = json(neckard.fetch("/healthz"));
    assert_eq!((status, body), (503, json!({"status": "degraded"})), "but not to everybody");
    // Who guesses is turned away as everywhere, with the wait that goes with it.
    for path in ["/healthz", "/readyz"] {
        assert_eq!(neckard.fetch_with(path, &basic("ops", "guess")).0, 401, "{path}");
    }
    let log = neckard.log().join("\n");
    assert!(!log.contains(TOKEN) && !log.contains(PASSWORD), "a secret in the log");
}

#[test]
fn one_address_gets_half_of_the_places_and_nobody_holds_up_the_end() {
    let neckard = Neckard::start(&["output.kind=stdout", "http.connections_max=6"]);
    // One with a live stream, two that say nothing.
    let mut live = TcpStream::connect(neckard.http()).unwrap();
    write!(live, "GET /api/live HTTP/1.1\r\n{LOCAL}\r\n").unwrap();
    let mut start = [0; 12];
    live.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let silent = [(); 2].map(|()| TcpStream::connect(neckard.http()).unwrap());
    let answered = || {
        let mut stream = TcpStream::connect(neckard.http()).unwrap();
        // Turned away, it may be closed before all is written.
        let _ = write!(stream, "GET /readyz HTTP/1.0\r\n{LOCAL}\r\n");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        !answer.is_empty()
    };
    wait_until("the fourth is turned away", Duration::from_secs(10), || !answered());
    let told = || neckard.log().iter().any(|line| line.contains("http.connections_max is 6"));
    wait_until("the log tells", Duration::from_secs(10), told);
    drop(silent);
    wait_until("there is room again", Duration::from_secs(10), answered);
    assert!(neckard.metric("neckar_http_connections_refused_total") >= 1);
    // Who listens to live events does not keep the daemon from its end, and hears of it.
    assert!(neckard.stop().0.success());
    let mut rest = Vec::new();
    live.read_to_end(&mut rest).unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("\ndata: {"), "events came until then");
}

#[test]
fn wrong_questions_are_told_what_is_wrong() {
    let neckard = Neckard::start(&["output.kind=stdout"]);
    let (status, body) = json(neckard.fetch("/api/search?filter=src+port+53+and+prot+udp"));
    assert_eq!(status, 400);
    assert_eq!(
        (&body["error"]["at"], &body["error"]["help"]),
        (&json!(16), &json!("did you mean proto?"))
    );
    for (path, part) in [
        ("/api/talkers?dimension=src_hosts", "src_hosts"),
        ("/api/talkers?minutes=61", "1 to 60"),
        ("/api/history?minuets=5", "minuets"),
        ("/api/exporters?sort=colour", "colour"),
        ("/api/lookup?address=example.net", "192.0.2.1"),
    ] {
        let (status, body) = json(neckard.fetch(path));
        let message = body["error"]["message"].as_str().unwrap();
        assert!(status == 400 && message.contains(part), "{path}: {status} {message}");
    }
    assert_eq!(neckard.fetch("/api/nothing").0, 404);
    assert_eq!(neckard.fetch("/page/../Cargo.toml").0, 404);
    // Heads are bounded; there are no bodies.
    let long = format!("GET / HTTP/1.0\r\n{LOCAL}X: {}\r\n\r\n", "x".repeat(20 << 10));
    let mut stream = TcpStream::connect(neckard.http()).unwrap();
    // It may hang up before it has read or we have written all of that; then there is no answer at all.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split_whitespace().nth(1);
    assert!(status.is_none_or(|status| status == "431"), "{answer}");
    let (status, body) = json(neckard.fetch("/api/talkers?dimension=protocol&measure=flows"));
    assert_eq!((status, &body["totals"]["flows"]), (200, &json!(0.0)));
}

#[test]
fn traffic_that_is_not_counted_is_not_asked_for() {
    let neckard = Neckard::start(&["output.kind=stdout", "traffic.enabled=false"]);
    let (status, body) = json(neckard.fetch("/api/talkers"));
    assert_eq!(status, 404);
    assert!(body["error"]["message"].as_str().unwrap().contains("traffic.enabled"));
    assert_eq!(neckard.fetch("/flowdata"), (200, String::new()));
}

/// What `neckard check` says to a file with this `[http]`.
fn check(subject: &str, http: &str) -> String {
    let folder = scratch(subject);
    let file = folder.join("neckard.toml");
    let http = http.replace("FOLDER", &folder.display().to_string());
    std::fs::write(folder.join("short"), "secret").unwrap();
    std::fs::write(&file, format!("[http]\n{http}")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_neckard"))
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(if text.contains("memory, at most") { 0 } else { 2 }));
    text.replace(&format!("{}/", folder.display()), "")
}

#[test]
fn an_open_door_has_to_be_wanted() {
    for (http, expected) in [
        (
            "address = \"0.0.0.0:8080\"\n",
            "neckard: neckard.toml:2: http.address = \"0.0.0.0:8080\": whoever reaches it would see \
             who talks to whom; give http.token_file (openssl rand -hex 32), or user and \
             password_file, or say http.open = true\n",
        ),
        (
            "token_file = \"FOLDER/short\"\n",
            "neckard: neckard.toml:2: http.token_file: holds a token of less than 16 characters; \
             make one: openssl rand -hex 32\n",
        ),
        (
            "user = \"ops\"\n",
            "neckard: neckard.toml:2: http.user = \"ops\": a user and a password go together; give \
             both, or neither\n",
        ),
        (
            "open = true\ntoken_file = \"FOLDER/short\"\n",
            "neckard: neckard.toml:2: http.open = true: a token or password is given; take one of \
             both out\n",
        ),
        (
            "tls = { certificate = \"FOLDER/short\", key = \"FOLDER/short\" }\n",
            "neckard: neckard.toml:2: http.tls.certificate = \"short\": holds no certificate; give a \
             file in PEM that the daemon's user can read\n",
        ),
    ] {
        assert_eq!(check("http-mistakes", http), expected, "{http}");
    }
    let wanted = check("http-mistakes", "address = \"[::]:8080\"\nopen = true\n");
    assert!(wanted.contains("page:          http://[::]:8080/, open to everybody"), "{wanted}");
    assert!(wanted.contains("page: the last hour"), "the history is in the sum: {wanted}");
}
