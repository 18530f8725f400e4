//! Brokers that mean us no good.

use std::net::TcpListener;

use super::*;

/// Takes one connection, hears the first request, and says that much follows a byte at a time.
fn dripping() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("somebody comes");
        socket.read_exact(&mut [0; 4]).expect("a request");
        let answer = [&1000_i32.to_be_bytes()[..], &[0; 1000]].concat();
        for byte in answer {
            if socket.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    address
}

#[test]
fn a_broker_that_drips_is_left_in_time() {
    let settings = Settings { brokers: vec![dripping().to_string()], ..Settings::default() };
    let dialer = Dialer::new(&settings).expect("nothing to read");
    let deadline = Instant::now() + Duration::from_millis(300);
    let why = dialer.dial(&settings.brokers[0], deadline).err();
    assert_eq!(why.as_deref(), Some("hung up or silent: no answer in time"));
}

#[test]
fn a_password_is_not_hashed_for_hours() {
    let first = |rounds: &str| check_scram(format!("r=us+them,s=c2FsdA==,i={rounds}").as_bytes());
    assert_eq!((first("4096"), first("1000000")), (Ok(()), Ok(())));
    for rounds in ["1000001", "4294967295", "99999999999", "-1", ""] {
        assert!(first(rounds).is_err(), "{rounds:?}");
    }
    assert_eq!(check_scram(b"v=c2lnbmF0dXJl"), Ok(()));
    // The crate would panic.
    for words in ["r=us+them,,i=4096", "r=us+them,s", ""] {
        assert!(check_scram(words.as_bytes()).is_err(), "{words:?}");
    }
}
