//! Names of hosts, by a name server that answers, and by one that does not.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::support::process::Neckard;
use crate::support::wait_until;
use serde_json::{Value, json};

/// A name server that calls 198.51.100.7 `www.example`, and says of others that they have no name.
fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut query) {
            socket.send_to(&answer(&query[..len]), from).unwrap();
        }
    });
    address
}

/// RFC 1035 section 4: header, the question again, and a PTR record if there is one.
fn answer(query: &[u8]) -> Vec<u8> {
    // Labels up to the empty one, then type and class.
    let name_end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let is_known = query[12..name_end].starts_with(b"\x017\x03100\x0251\x03198");
    let mut answer = query[..2].to_vec();
    // A response with recursion, without error or "no such name".
    answer.extend([0x81, if is_known { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(is_known)]);
    answer.extend([0; 4]);
    answer.extend(&query[12..name_end + 4]);
    if is_known {
        // The question's name, PTR, IN, 300 seconds, 13 bytes.
        answer.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 1, 44, 0, 13]);
        answer.extend(b"\x03www\x07example\0");
    }
    answer
}

fn start(server: SocketAddr) -> Neckard {
    start_with(server, &[])
}

fn start_with(server: SocketAddr, settings: &[&str]) -> Neckard {
    let server = format!("reverse_names.servers=[\"{server}\"]");
    let all = [
        "output.format=json",
        "batch.linger_ms=10",
        "reverse_names.enabled=true",
        "reverse_names.timeout_ms=500",
        &server,
    ];
    Neckard::start(&[&all[..], settings].concat())
}

/// One record of NetFlow v5: 10.1.2.3 to 198.51.100.7.
fn send(neckard: &Neckard) {
    let mut datagram = vec![0, 5, 0, 1, 0, 0, 0x10, 0];
    datagram.extend(1_700_000_000_u32.to_be_bytes());
    datagram.resize(24, 0);
    datagram.extend([10, 1, 2, 3, 198, 51, 100, 7, 0, 0, 0, 0, 0, 1, 0, 2]);
    datagram.resize(72, 0);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram, neckard.udp()).unwrap();
}

fn flows(neckard: &Neckard) -> Vec<Value> {
    neckard.printed().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_first_flow_has_no_name_and_later_ones_have() {
    let neckard = start(name_server());
    send(&neckard);
    wait_until("the first flow is out", Duration::from_secs(20), || flows(&neckard).len() == 1);
    wait_until("both are asked for", Duration::from_secs(20), || {
        neckard.metric("neckar_names_answered_total") == 1
            && neckard.metric("neckar_names_nameless_total") == 1
    });
    send(&neckard);
    wait_until("the second flow is out", Duration::from_secs(20), || flows(&neckard).len() == 2);
    let flows = flows(&neckard);
    assert_eq!((&flows[0]["DstHostName"], &flows[0]["SrcHostName"]), (&json!(null), &json!(null)));
    assert_eq!(flows[1]["DstHostName"], json!("www.example"));
    assert_eq!(flows[1]["SrcHostName"], json!(null), "it has none");
    assert_eq!(neckard.metric("neckar_names_asked_total"), 2, "once each");
    let (status, _) = neckard.stop();
    assert!(status.success());
}

#[test]
fn a_name_server_that_is_silent_holds_no_flow_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let neckard = start(silent.local_addr().unwrap());
    send(&neckard);
    wait_until("it is given up", Duration::from_secs(20), || {
        neckard.metric("neckar_names_failed_total") == 2
    });
    send(&neckard);
    wait_until("both flows are out", Duration::from_secs(20), || flows(&neckard).len() == 2);
    assert!(flows(&neckard).iter().all(|flow| flow["DstHostName"].is_null()));
    assert_eq!(neckard.metric("neckar_names_asked_total"), 2, "left alone for a while");
    let (status, _) = neckard.stop();
    assert!(status.success());
}

/// It says once what it knows, and then no more.
fn name_server_that_falls_silent() -> (SocketAddr, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (address, kept) = (socket.local_addr().unwrap(), socket.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut query = [0; 512];
        for _ in 0..2 {
            let (len, from) = socket.recv_from(&mut query).unwrap();
            socket.send_to(&answer(&query[..len]), from).unwrap();
        }
    });
    (address, kept)
}

#[test]
fn a_name_server_that_falls_silent_takes_no_names_away() {
    let (server, _kept) = name_server_that_falls_silent();
    let neckard = start_with(server, &["reverse_names.ttl_s=1"]);
    send(&neckard);
    wait_until("both are asked for", Duration::from_secs(20), || {
        neckard.metric("neckar_names_answered_total") == 1
            && neckard.metric("neckar_names_nameless_total") == 1
    });
    // Its time is over, and while it is asked for again and when that has failed it is still there.
    let mut sent = 1;
    wait_until("asking again has failed", Duration::from_secs(20), || {
        std::thread::sleep(Duration::from_millis(200));
        send(&neckard);
        sent += 1;
        neckard.metric("neckar_names_failed_total") == 1
    });
    send(&neckard);
    sent += 1;
    wait_until("all flows are out", Duration::from_secs(20), || flows(&neckard).len() == sent);
    let flows = flows(&neckard);
    assert!(flows[1..].iter().all(|flow| flow["DstHostName"] == "www.example"), "{flows:?}");
    let (status, _) = neckard.stop();
    assert!(status.success());
}
