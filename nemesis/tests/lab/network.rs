//! The lab and its switch.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nemesis::switch::{Link, Losses, Policy};
use nemesis::{Host, Lab, Nemesis, NodeId, Recovery};

use crate::support::{answers, connect, echo_launch, ensemble, until};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);

pub(crate) fn lab_comes_up_and_goes() {
    let (n_threads, n_files) = (count("/proc/self/task"), count("/proc/self/fd"));
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let lab = Lab::new(5).expect("a contained process may build a lab");
        times.push(start.elapsed());
        assert_eq!(lab.switch().losses().expect("the switch runs"), Losses::default());
        drop(lab);
        // A joined thread has left its stack, but for an instant not yet its directory in /proc.
        until("the switch's thread ends with the lab", || count("/proc/self/task") == n_threads);
        assert_eq!(count("/proc/self/fd"), n_files, "no descriptor stays open");
    }
    times.sort_unstable();
    println!("  lab of 5 nodes up and verified: median {:.2?}, worst {:.2?}", times[10], times[19]);
    assert!(times[19] < Duration::from_secs(1), "no first packet had to be sent twice");
}

/// Whether lost segments are sent once more at a heal.
pub(crate) fn recovery_is_fast_or_natural() {
    for (recovery, replays) in [(Recovery::Fast, true), (Recovery::Natural, false)] {
        let lab = Arc::new(Lab::with(2, recovery).expect("a contained process may build a lab"));
        let mut nemesis = Nemesis::without_iptables(lab.clone());
        nemesis.start(N2, echo_launch()).expect("the server starts");
        until("the server answers", || answers(&lab, Host::Observer, N2));
        let mut stream = connect(&lab, Host::Node(N1), N2);
        let there = Link { src: Host::Node(N1), dst: Host::Node(N2) };
        lab.switch().set(&[there], Policy::Cut).expect("the switch runs");
        stream.write_all(b"x").expect("the kernel buffers it");
        until("it is dropped", || lab.switch().traffic(there).dropped > 0);
        let n_replayed = lab.switch().set(&[there], Policy::Forward).expect("the switch runs");
        assert_eq!(n_replayed > 0, replays, "{recovery:?}");
        stream.read_exact(&mut [0]).expect("TCP tries again");
    }
}

pub(crate) fn packets_are_captured() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    let home = tempfile::tempdir().expect("a scratch directory");
    let path = home.path().join("switch.pcap");
    lab.switch().capture(&path).expect("a scratch directory");
    let marker = b"a datagram with a name of its own";
    let send = || {
        let socket = UdpSocket::bind((Host::Node(N1).addr(), 0)).expect("a port is free");
        socket.send_to(marker, (Host::Node(N2).addr(), 9)).expect("it is sent");
    };
    lab.namespace(Host::Node(N1)).run(send).expect("the namespace can be entered");
    let there = Link { src: Host::Node(N1), dst: Host::Node(N2) };
    let before = lab.switch().traffic(there).packets;
    until("a later packet passes", || {
        answers(&lab, there.src, N2) && lab.switch().traffic(there).packets > before
    });
    drop((nemesis, lab));
    let bytes = fs::read(&path).expect("it was written");
    let n_found = bytes.windows(marker.len()).filter(|part| part == marker).count();
    // And once more in the answer that nobody listens there.
    assert!(n_found >= 1, "in {} bytes", bytes.len());
}

pub(crate) fn switch_counts_and_cuts() {
    let (lab, _nemesis) = ensemble(2, Nemesis::without_iptables);
    let there = Link { src: Host::Node(N1), dst: Host::Node(N2) };
    let before = lab.switch().traffic(there);
    until("a packet passes", || answers(&lab, there.src, N2));
    let after = lab.switch().traffic(there);
    assert!(after.packets > before.packets);
    assert_eq!(after.dropped, before.dropped);

    lab.switch().set(&[there], Policy::Cut).expect("the switch runs");
    assert!(!answers(&lab, there.src, N2));
    assert_eq!(lab.switch().traffic(there).dropped, after.dropped + 1);
    lab.switch().set(&[there], Policy::Forward).expect("the switch runs");
    until("a packet passes again", || answers(&lab, there.src, N2));
}

pub(crate) fn round_trips_are_quick_and_none_is_lost() {
    let (lab, _nemesis) = ensemble(2, Nemesis::without_iptables);
    let mut stream = connect(&lab, Host::Node(N1), N2);
    let mut times: Vec<_> = (0..2000).map(|_| round_trip(&mut stream)).collect();
    times.sort_unstable();
    println!("  64 bytes there and back: median {:.1?}, p99 {:.1?}", times[1000], times[1980]);
    assert_eq!(lab.switch().losses().expect("the switch runs"), Losses::default());
    assert!(times[1000] < Duration::from_millis(10), "a round trip needs no timer");
}

fn round_trip(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    stream.write_all(&[1; 64]).expect("the connection is open");
    stream.read_exact(&mut [0; 64]).expect("the server answers");
    start.elapsed()
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).expect("proc is mounted").count()
}
