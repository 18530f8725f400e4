//! Both ways, on real loopback sockets: every datagram once, whole, with its sender.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::*;

const BOTH: [Path; 2] = [Path::Uring, Path::Recvmmsg];
const PLAIN: SocketConfig = SocketConfig { receive_buffer_bytes: 4 << 20, gro: false };

fn config(path: Path) -> ReceiverConfig {
    let batch_wait = Duration::from_millis(1);
    ReceiverConfig { path: Some(path), batch_datagrams: 32, batch_wait }
}

fn receiver(path: Path, address: &str, socket: &SocketConfig) -> (Receiver, SocketAddr) {
    let socket = Socket::bind(address.parse().expect("an address"), socket).expect("binds");
    let address = socket.local_address().expect("is bound");
    let receiver = Receiver::new(vec![socket], &config(path));
    (receiver.expect("this kernel has io_uring; CI must have it too"), address)
}

/// Receives until `count` datagrams are there or nothing came for a while.
fn receive(receiver: &mut Receiver, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut received = Vec::new();
    let mut last = Instant::now();
    while received.len() < count && last.elapsed() < Duration::from_secs(5) {
        let mut take = |one: Received<'_>| received.push((one.source, one.bytes.to_vec()));
        if receiver.receive(Duration::from_millis(20), &mut take).expect("the socket is fine") > 0 {
            last = Instant::now();
        }
    }
    received
}

#[test]
fn every_size_arrives_whole_with_its_sender() {
    for path in BOTH {
        let (mut receiver, address) = receiver(path, "127.0.0.1:0", &PLAIN);
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let source = sender.local_addr().expect("is bound");
        for len in [0, 1, 24, 1399, 1400, 9000, 65_507] {
            let sent: Vec<u8> = (0..len).map(|index| (index * 7 + len) as u8).collect();
            sender.send_to(&sent, address).expect("sends");
            assert_eq!(receive(&mut receiver, 1), [(source, sent)], "{path:?}, {len} bytes");
        }
        assert_eq!(receiver.stats().truncated, 0);
    }
}

/// The socket lives on in somebody else's hands: between the two readers no datagram is lost, and
/// none comes twice.
#[test]
fn what_comes_after_release_waits_for_the_next_reader() {
    for path in BOTH {
        let (mut first, address) = receiver(path, "127.0.0.1:0", &PLAIN);
        let kept = first.sockets[0].as_fd().try_clone_to_owned().expect("a descriptor is left");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let mut numbers = 0..;
        let mut send = |count| {
            for number in numbers.by_ref().take(count) {
                sender.send_to(&u32::to_be_bytes(number), address).expect("sends");
            }
        };
        send(300);
        let mut received = receive(&mut first, 100);
        send(300);
        let mut take = |one: Received<'_>| received.push((one.source, one.bytes.to_vec()));
        first.release(Duration::ZERO, &mut take).expect("the socket is fine");
        drop(first);
        send(300);
        let next = Socket::from_fd(kept, &PLAIN);
        let mut second = Receiver::new(vec![next], &config(path)).expect("as the first");
        received.extend(receive(&mut second, 900 - received.len()));
        let numbers: Vec<u32> = received
            .iter()
            .map(|(_, bytes)| u32::from_be_bytes(bytes[..].try_into().expect("four bytes")))
            .collect();
        assert_eq!(numbers, (0..900).collect::<Vec<_>>(), "{path:?}");
        assert_eq!(second.kernel_drops(), 0);
    }
}

/// Who drained it did not mean to leave it to anybody, and systemd has it all the same.
#[test]
fn a_drained_socket_hears_again_in_the_next_hands() {
    for path in BOTH {
        let (mut first, address) = receiver(path, "127.0.0.1:0", &PLAIN);
        let kept = first.sockets[0].as_fd().try_clone_to_owned().expect("a descriptor is left");
        first.drain(&mut |_| {}).expect("the socket is fine");
        drop(first);
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        sender.send_to(b"refused", address).expect("sends");
        let next = Socket::from_fd(kept, &PLAIN);
        sender.send_to(b"heard", address).expect("sends");
        let mut second = Receiver::new(vec![next], &config(path)).expect("as the first");
        let received = receive(&mut second, 1);
        assert_eq!(received.len(), 1, "{path:?}");
        assert_eq!(received[0].1, b"heard");
        assert_eq!(second.kernel_drops(), 0, "what was refused before is not ours");
    }
}

#[test]
fn a_dual_stack_socket_takes_both_families() {
    for path in BOTH {
        let (mut receiver, address) = receiver(path, "[::]:0", &PLAIN);
        for (from, to) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
            let sender = UdpSocket::bind(from).expect("binds");
            let source = sender.local_addr().expect("is bound");
            let target = (to.parse::<std::net::IpAddr>().expect("an address"), address.port());
            sender.send_to(b"x", target).expect("sends");
            let received = receive(&mut receiver, 1);
            assert_eq!(received.len(), 1, "{path:?} from {from}");
            assert_eq!(received[0].0.ip().to_canonical(), source.ip());
            assert_eq!(received[0].0.port(), source.port());
        }
    }
}

#[test]
fn more_datagrams_than_buffers_at_once() {
    for path in BOTH {
        let (mut receiver, address) = receiver(path, "127.0.0.1:0", &PLAIN);
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let count = 3 * buffers::COUNT as u32;
        for index in 0..count {
            sender.send_to(&index.to_be_bytes(), address).expect("sends");
        }
        let received = receive(&mut receiver, count as usize);
        let expected: Vec<_> = (0..count).map(|index| index.to_be_bytes().to_vec()).collect();
        let bytes: Vec<_> = received.into_iter().map(|(_, bytes)| bytes).collect();
        assert!(bytes == expected, "{path:?}: in order, each once; {} came", bytes.len());
        assert_eq!(receiver.kernel_drops(), 0);
    }
}

/// Sends `bytes` as datagrams of `segment` bytes in one call (UDP_SEGMENT), as a coalescing NIC
/// would deliver them.
fn send_segmented(sender: &UdpSocket, bytes: &[u8], segment: i32) {
    const UDP_SEGMENT: i32 = 103;
    // SAFETY: the descriptor is open; the value is an int and lives through the call.
    let answer = unsafe {
        libc::setsockopt(
            sender.as_raw_fd(),
            libc::SOL_UDP,
            UDP_SEGMENT,
            (&raw const segment).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    assert_eq!(answer, 0, "the kernel has UDP_SEGMENT");
    assert_eq!(sender.send(bytes).expect("sends"), bytes.len());
}

#[test]
fn coalesced_datagrams_are_told_apart() {
    for path in BOTH {
        let gro = SocketConfig { gro: true, ..PLAIN };
        let (mut receiver, address) = receiver(path, "127.0.0.1:0", &gro);
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        sender.connect(address).expect("connects");
        let bytes: Vec<u8> = (0..10 * 1000 + 77).map(|index| (index / 1000) as u8).collect();
        send_segmented(&sender, &bytes, 1000);
        let received = receive(&mut receiver, 11);
        let expected: Vec<&[u8]> = bytes.chunks(1000).collect();
        assert_eq!(
            received.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(receiver.stats().datagrams, 11, "{path:?}");
        assert!(receiver.stats().coalesced > 0, "{path:?}: they came in one piece");
    }
}

#[test]
fn what_the_kernel_drops_is_counted() {
    for path in BOTH {
        let tiny = SocketConfig { receive_buffer_bytes: 8 << 10, gro: false };
        let socket =
            Socket::bind("127.0.0.1:0".parse().expect("an address"), &tiny).expect("binds");
        let address = socket.local_address().expect("is bound");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        // Nobody reads yet: the buffer overflows.
        for _ in 0..500 {
            sender.send_to(&[7; 1000], address).expect("sends");
        }
        let mut receiver = Receiver::new(vec![socket], &config(path)).expect("this kernel has it");
        let mut received = 0;
        receiver.drain(&mut |_| received += 1).expect("the socket is fine");
        assert!(receiver.kernel_drops() > 0);
        assert_eq!(received + receiver.kernel_drops(), 500, "{path:?}");
    }
}

#[test]
fn a_drained_socket_has_taken_everything_that_came_before() {
    for path in BOTH {
        let (mut receiver, address) = receiver(path, "127.0.0.1:0", &PLAIN);
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        for _ in 0..700 {
            sender.send_to(&[1; 100], address).expect("sends");
        }
        let taken = receiver.drain(&mut |_| {}).expect("the socket is fine");
        assert_eq!(taken, 700, "{path:?}");
        sender.send_to(&[2], address).expect("sends");
        assert_eq!(receive(&mut receiver, 0).len(), 0);
        assert_eq!(receiver.kernel_drops(), 1, "{path:?}: what came after is counted");
    }
}

/// As after a restart with fewer workers, who take the others' sockets over.
#[test]
fn a_receiver_reads_any_number_of_sockets() {
    for path in BOTH {
        // Of their own addresses: of 150 ports that the kernel chooses for sockets which may share
        // them, some are other tests'.
        let own = (1..=150).map(|host| SocketAddr::from(([127, 77, 0, host], 0)));
        let sockets: Vec<Socket> =
            own.map(|address| Socket::bind(address, &PLAIN).expect("binds")).collect();
        let addresses: Vec<SocketAddr> =
            sockets.iter().map(|socket| socket.local_address().expect("is bound")).collect();
        let mut receiver = Receiver::new(sockets, &config(path)).expect("this kernel has it");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        // One at a time: each of them wakes the receiver.
        for address in addresses {
            sender.send_to(b"x", address).expect("sends");
            assert_eq!(receive(&mut receiver, 1).len(), 1, "{path:?}");
        }
        receiver.release(Duration::ZERO, &mut |_| {}).expect("the sockets are fine");
    }
}

#[test]
fn workers_share_a_port_without_loss() {
    let first = Socket::bind("127.0.0.1:0".parse().expect("an address"), &PLAIN).expect("binds");
    let address = first.local_address().expect("is bound");
    let second = Socket::bind(address, &PLAIN).expect("shares the port");
    let mut workers: Vec<Receiver> = [first, second]
        .into_iter()
        .map(|socket| Receiver::new(vec![socket], &config(Path::Uring)).expect("io_uring"))
        .collect();
    for _ in 0..64 {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
        for _ in 0..4 {
            sender.send_to(&[1; 50], address).expect("sends");
        }
    }
    let shares: Vec<usize> =
        workers.iter_mut().map(|one| one.drain(&mut |_| {}).expect("fine")).collect();
    assert_eq!(shares.iter().sum::<usize>(), 256);
    assert!(shares.iter().all(|share| *share > 0), "64 senders spread over both: {shares:?}");
}

#[test]
fn steering_by_cpu_is_taken_by_the_kernel() {
    let first = Socket::bind("127.0.0.1:0".parse().expect("an address"), &PLAIN).expect("binds");
    let address = first.local_address().expect("is bound");
    let _second = Socket::bind(address, &PLAIN).expect("shares the port");
    steer_by_cpu(&first, 2).expect("classic BPF is always there");
}

#[test]
fn the_buffer_granted_is_told() {
    let socket = Socket::bind("127.0.0.1:0".parse().expect("an address"), &PLAIN).expect("binds");
    let ReceiveBuffer { asked, got } = socket.receive_buffer();
    assert_eq!(asked, 4 << 20);
    assert!(got > 100 << 10 && got <= asked, "{got}");
}

/// One socket that overflows is not made up for by nine that are empty.
#[test]
fn the_fullest_socket_shows() {
    let small = SocketConfig { receive_buffer_bytes: 64 << 10, gro: false };
    let bind = || Socket::bind("127.0.0.1:0".parse().expect("an address"), &small).expect("binds");
    let sockets: Vec<Socket> = (0..10).map(|_| bind()).collect();
    let address = sockets[4].local_address().expect("is bound");
    let mut receiver = Receiver::new(sockets, &config(Path::Recvmmsg)).expect("the old way");
    assert_eq!(receiver.queue().fullest_ppm, 0);
    let sender = UdpSocket::bind("127.0.0.1:0").expect("binds");
    for _ in 0..1000 {
        sender.send_to(&[0; 1000], address).expect("sends");
    }
    let queue = receiver.queue();
    assert!(queue.drops > 0 && queue.queued * 5 < queue.size, "{queue:?}");
    assert!(queue.fullest_ppm > 900_000, "{queue:?}");
    receive(&mut receiver, 1000 - queue.drops as usize);
    let after = receiver.queue();
    assert_eq!((after.fullest_ppm, after.fullest_peak_ppm), (0, queue.fullest_ppm));
}
