//! Bad links: what programs feel of them, and what the evidence says if they do not.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use nemesis::fault::{Cut, Grudge, Shape, Weather, grudge};
use nemesis::switch::Quality;
use nemesis::{Fault, FaultId, Host, Lab, Nemesis, NodeId, Outcome, Report};
use serde_json::Value;

use crate::support::{PORT, answers, connect, ensemble, until};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const F1: FaultId = FaultId(1);
const F2: FaultId = FaultId(2);

const WEATHERS: [Weather; 7] = [
    Weather::Slow,
    Weather::Lossy,
    Weather::Flaky,
    Weather::Duplicate,
    Weather::Reorder,
    Weather::Corrupt,
    Weather::Narrow,
];

/// Each kind on the links between n1 and n2: n1 asks n2 by UDP, and what it hears is counted.
pub(crate) fn bite_as_asked() {
    let (lab, nemesis) = ensemble(3, Nemesis::without_iptables);
    for weather in WEATHERS {
        let injected = nemesis.inject(F1, &bad(weather.quality(), &pair()));
        assert_eq!(injected.outcome, Outcome::Installed, "{weather}");
        let felt = feel(&lab, N2, talk(weather));
        assert_perfect(&feel(&lab, N3, SHORT), &format!("others during {weather}"));
        until("others are not slow", || feel(&lab, N3, SHORT).fastest < Duration::from_millis(20));
        let healed = nemesis.heal(F1).expect("it can be healed");
        assert_eq!(healed.outcome, Outcome::Installed, "{weather} {healed:?}");
        println!("  {weather}: {felt:?}, {}", healed.evidence["total"]);
        assert!(bites(weather, &felt), "{weather} {felt:?}");
        assert_perfect(&feel(&lab, N2, SHORT), &format!("after {weather}"));
    }
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

pub(crate) fn overlap() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    let late = |ms| Quality { delay_ms: ms, ..Quality::default() };
    let mut stream = connect(&lab, Host::Node(N1), N2);
    let mut round_trip = || {
        let start = Instant::now();
        stream.write_all(b"x").expect("the connection is open");
        stream.read_exact(&mut [0]).expect("the server answers");
        start.elapsed()
    };
    nemesis.inject(F1, &bad(late(40), &pair()));
    nemesis.inject(F2, &bad(late(100), &pair()));
    assert!(round_trip() >= Duration::from_millis(280));
    assert_eq!(nemesis.heal(F2).expect("it can be healed").outcome, Outcome::Installed);
    let one = round_trip();
    assert!(one >= Duration::from_millis(80), "{one:?}");

    let (shape, cut) = (Shape::Halves, Cut::Everything);
    let cut = Fault::Partition { shape, grudge: pair(), cut };
    assert_eq!(nemesis.inject(F2, &cut).outcome, Outcome::Installed);
    assert!(!answers(&lab, Host::Node(N1), N2));
    assert_eq!(nemesis.heal(F2).expect("it can be healed").outcome, Outcome::Installed);
    until("n2 answers n1", || answers(&lab, Host::Node(N1), N2));
    assert!(round_trip() >= Duration::from_millis(80), "the delay outlives the cut");
    assert_eq!(nemesis.heal(F1).expect("it can be healed").outcome, Outcome::Installed);
    until("the delay is over", || round_trip() < Duration::from_millis(20));
}

pub(crate) fn without_traffic() {
    let (_lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    for weather in WEATHERS {
        let injected = nemesis.inject(F1, &bad(weather.quality(), &pair()));
        assert_eq!(injected.outcome, Outcome::Installed);
        assert_reason(&nemesis.heal(F1).expect("it can be healed"), "no packet was ");
    }
    for nothing in [bad(Quality::default(), &pair()), bad(Weather::Slow.quality(), &Grudge::new())]
    {
        let report = nemesis.inject(F1, &nothing);
        assert!(matches!(report.outcome, Outcome::Skipped { .. }), "{report:?}");
    }
}

pub(crate) fn repaired_by_another() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    nemesis.inject(F1, &bad(Weather::Slow.quality(), &pair()));
    lab.switch().unshape(F1).expect("the switch runs");
    assert!(answers(&lab, Host::Node(N1), N2));
    assert_reason(&nemesis.heal(F1).expect("it can be healed"), "no packet was delayed");

    let links: Vec<_> = pair().into_iter().collect();
    lab.switch().shape(F2, &links, Weather::Slow.quality(), 1).expect("the switch runs");
    let problems = nemesis.heal_all().expect_err("a link is bad").problems;
    assert!(problems[0].contains("makes links bad for f2"), "{problems:?}");
}

fn pair() -> Grudge {
    grudge::split(&[N1], &[N2])
}

fn bad(quality: Quality, links: &Grudge) -> Fault {
    Fault::Link { weather: Weather::Slow, quality, links: links.clone(), seed: 7 }
}

/// What a program noticed that sent many numbered datagrams.
#[derive(Debug)]
struct Felt {
    lost: usize,
    twice: usize,
    /// Heard after one that was sent later.
    late: usize,
    fastest: Duration,
}

/// Datagrams to and fro. So few, and so small, that they all fit into a socket's buffer, for whoever
/// reads them may not get a processor for a while.
#[derive(Clone, Copy)]
struct Talk {
    n_sent: u32,
    n_bytes: usize,
    pace: Duration,
}

const TALK: Talk = Talk { n_sent: 150, n_bytes: 64, pace: Duration::from_millis(1) };
const SHORT: Talk = Talk { n_sent: 50, ..TALK };

/// A link that is bad for a part of the time takes longer, and a narrow one must get much at once.
fn talk(weather: Weather) -> Talk {
    match weather {
        Weather::Flaky => Talk { pace: Duration::from_millis(8), ..TALK },
        Weather::Narrow => Talk { n_sent: 200, n_bytes: 800, pace: Duration::ZERO },
        _ => TALK,
    }
}

/// After so long a silence, what has not been heard is lost.
const SILENCE: Duration = Duration::from_millis(1500);

fn feel(lab: &Lab, to: NodeId, Talk { n_sent, n_bytes, pace }: Talk) -> Felt {
    let talk = || {
        let socket = UdpSocket::bind((Host::Node(N1).addr(), 0)).expect("a port is free");
        socket.connect((Host::Node(to).addr(), PORT)).expect("an address");
        socket.set_nonblocking(true).expect("a socket takes its options");
        let (mut heard, mut sent, mut buffer) = (Vec::new(), Vec::new(), [0; 800]);
        let mut listen = |limit: Duration, sent: &[Instant]| {
            let (mut numbers, mut last) = (BTreeSet::new(), Instant::now());
            while last.elapsed() < limit && numbers.len() < n_sent as usize {
                while socket.recv(&mut buffer).is_ok() {
                    let number = u32::from_be_bytes(buffer[..4].try_into().expect("four bytes"));
                    heard.push((number, sent[number as usize].elapsed()));
                    if limit == SILENCE {
                        last = Instant::now();
                    }
                }
                numbers.extend(heard.iter().map(|(number, _): &(u32, _)| *number));
                thread::sleep(Duration::from_micros(200));
            }
        };
        for number in 0..n_sent {
            let mut datagram = vec![0; n_bytes];
            datagram[..4].copy_from_slice(&number.to_be_bytes());
            sent.push(Instant::now());
            socket.send(&datagram).expect("the kernel takes it");
            listen(pace, &sent);
        }
        listen(SILENCE, &sent);
        heard
    };
    let heard = lab.namespace(Host::Node(N1)).run(talk).expect("the namespace can be entered");
    let numbers: BTreeSet<u32> = heard.iter().map(|(number, _)| *number).collect();
    Felt {
        lost: n_sent as usize - numbers.len(),
        twice: heard.len() - numbers.len(),
        late: heard.windows(2).filter(|pair| pair[0].0 > pair[1].0).count(),
        fastest: heard.iter().map(|(_, took)| *took).min().unwrap_or_default(),
    }
}

/// Bounds many standard deviations from what is expected: of 150, 15 lost, 9 corrupted, 66 doubled.
fn bites(weather: Weather, felt: &Felt) -> bool {
    match weather {
        Weather::Slow => felt.fastest >= Duration::from_millis(60) && felt.lost == 0,
        Weather::Lossy => (2..50).contains(&felt.lost),
        Weather::Flaky => felt.lost > 8,
        Weather::Duplicate => felt.twice > 20 && felt.lost == 0,
        Weather::Reorder => felt.late > 3 && felt.lost == 0,
        Weather::Corrupt => (1..40).contains(&felt.lost),
        Weather::Narrow => felt.fastest >= Duration::from_millis(20) && felt.lost > 40,
    }
}

fn assert_perfect(felt: &Felt, when: &str) {
    assert_eq!((felt.lost, felt.twice, felt.late), (0, 0, 0), "{when} {felt:?}");
}

fn assert_reason(report: &Report, part: &str) {
    match &report.outcome {
        Outcome::Indeterminate { reason } if reason.contains(part) => {}
        other => panic!("expected indeterminate because `{part}`, got {other:?}"),
    }
    assert_ne!(report.evidence, Value::Null);
}
