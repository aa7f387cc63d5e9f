//! The lab and its switch.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nemesis::switch::{Link, Losses, Policy};
use nemesis::{Host, Lab, NodeId};

use crate::support::{answers, connect, ensemble, until};

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
        assert_eq!(count("/proc/self/task"), n_threads, "the switch's thread ends with the lab");
        assert_eq!(count("/proc/self/fd"), n_files, "no descriptor stays open");
    }
    times.sort_unstable();
    println!("  lab of 5 nodes up and verified: median {:.2?}, worst {:.2?}", times[10], times[19]);
    assert!(times[19] < Duration::from_secs(1), "no first packet had to be sent twice");
}

pub(crate) fn switch_counts_and_cuts() {
    let (lab, _nemesis) = ensemble(2, nemesis::Nemesis::without_iptables);
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
    let (lab, _nemesis) = ensemble(2, nemesis::Nemesis::without_iptables);
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
