//! Partitions by iptables and by the switch: what they cut, what a heal repairs, and how it can go wrong.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nemesis::fault::{Cut, Grudge, Shape, grudge};
use nemesis::iptables::{Action, Rule};
use nemesis::switch::Link;
use nemesis::{Fault, FaultId, Host, Lab, Nemesis, NodeId, Outcome, Report};

use crate::support::{LIMIT, PORT, answers, connect, ensemble, skip_inside, until};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
/// Longer than a handshake in the lab, shorter than a retransmission.
const SOON: Duration = Duration::from_millis(300);
const F1: FaultId = FaultId(1);
const F2: FaultId = FaultId(2);

pub(crate) fn cut_what_they_say() {
    check_shapes(by_iptables);
}

pub(crate) fn by_switch_cut_what_they_say() {
    check_shapes(Nemesis::without_iptables);
}

pub(crate) fn overlapping_are_told_apart() {
    check_overlap(by_iptables);
}

pub(crate) fn overlapping_by_switch() {
    check_overlap(Nemesis::without_iptables);
}

pub(crate) fn tcp_recovers_at_once() {
    check_recovery(by_iptables);
}

pub(crate) fn tcp_recovers_at_once_by_switch() {
    check_recovery(Nemesis::without_iptables);
}

/// The echo server's port is cut; its datagrams, which use another protocol, pass.
pub(crate) fn a_port_is_cut_and_no_other() {
    let (lab, nemesis) = ensemble(3, by_iptables);
    let speaks = |from, to| {
        let open = || TcpStream::connect_timeout(&(Host::Node(to).addr(), PORT).into(), SOON);
        lab.namespace(Host::Node(from)).run(open).expect("the namespace can be entered").is_ok()
    };
    let cases = [Shape::QuorumPort, Shape::ElectionPort]
        .into_iter()
        .flat_map(|shape| [(shape, PORT, true), (shape, PORT + 1, false)]);
    for (shape, port, bites) in cases {
        let grudge = grudge::split(&[N1], &[N2]);
        let fault = Fault::Partition { shape, grudge, cut: Cut::Port(port) };
        assert_eq!(nemesis.inject(F1, &fault).outcome, Outcome::Installed);
        assert!(answers(&lab, Host::Node(N1), N2));
        assert_eq!(speaks(N1, N2), !bites);
        assert_eq!(speaks(N2, N1), !bites);
        assert!(speaks(N1, N3));
        let healed = nemesis.heal(F1).expect("it can be healed");
        match bites {
            true => assert_eq!(healed.outcome, Outcome::Installed),
            false => assert_reason(&healed, "no packet was dropped"),
        }
        assert!(speaks(N1, N2) && speaks(N2, N1));
    }
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

pub(crate) fn a_reset_is_heard_at_once() {
    let (lab, nemesis) = ensemble(3, by_iptables);
    let mut old = connect(&lab, Host::Node(N1), N2);
    round_trip(&mut old);
    let grudge = grudge::split(&[N1], &[N2]);
    let fault = Fault::Partition { shape: Shape::Reset, grudge, cut: Cut::Reset };
    assert_eq!(nemesis.inject(F1, &fault).outcome, Outcome::Installed);
    old.set_read_timeout(Some(LIMIT)).expect("a socket takes its options");
    old.write_all(b"x").expect("the kernel buffers it");
    let error = old.read(&mut [0]).expect_err("the connection was reset").kind();
    assert_eq!(error, std::io::ErrorKind::ConnectionReset);
    let open = |to| {
        let open = || TcpStream::connect((Host::Node(to).addr(), PORT)).map_err(|e| e.kind());
        lab.namespace(Host::Node(N1)).run(open).expect("the namespace can be entered")
    };
    assert_eq!(open(N2).expect_err("refused"), std::io::ErrorKind::ConnectionRefused);
    assert!(open(N3).is_ok());
    assert_eq!(nemesis.heal(F1).expect("it can be healed").outcome, Outcome::Installed);
    assert!(open(N2).is_ok());
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

/// The switch does not look into packets.
pub(crate) fn ports_need_iptables() {
    let (_lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    for cut in [Cut::Port(PORT), Cut::Reset] {
        let grudge = grudge::split(&[N1], &[N2]);
        let report = nemesis.inject(F1, &Fault::Partition { shape: Shape::Reset, grudge, cut });
        let told = matches!(&report.outcome, Outcome::Skipped { reason } if reason.ends_with("needs iptables"));
        assert!(told, "{report:?}");
    }
}

pub(crate) fn a_stolen_rule_is_noticed() {
    let (lab, nemesis) = ensemble(2, by_iptables);
    let grudge = grudge::deaf(&[N2], &[N1]);
    assert_eq!(nemesis.inject(F1, &cut(&grudge)).outcome, Outcome::Installed);
    assert!(!answers(&lab, Host::Node(N1), N2));
    delete_rule(&lab, F1, Link { src: Host::Node(N1), dst: Host::Node(N2) });
    until("the thief makes the partition vanish", || answers(&lab, Host::Node(N1), N2));
    assert_reason(&nemesis.heal(F1).expect("it can be healed"), "n2 had lost the rule");
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

pub(crate) fn without_traffic() {
    let (_lab, nemesis) = ensemble(2, by_iptables);
    for cut in [Cut::Everything, Cut::Port(PORT), Cut::Reset] {
        let grudge = grudge::split(&[N1], &[N2]);
        let injected = nemesis.inject(F1, &Fault::Partition { shape: Shape::Halves, grudge, cut });
        assert_eq!(injected.outcome, Outcome::Installed);
        assert_reason(&nemesis.heal(F1).expect("it can be healed"), "no packet was dropped");
    }
}

pub(crate) fn a_leftover_rule_is_reported() {
    let (lab, nemesis) = ensemble(2, by_iptables);
    let link = Link { src: Host::Node(N1), dst: Host::Node(N2) };
    iptables(&lab, "-A", FaultId(9), link);
    let problems = nemesis.heal_all().expect_err("a rule of ours is left").problems;
    assert!(problems[0].contains("n2 still has the rule"), "{problems:?}");
    iptables(&lab, "-D", FaultId(9), link);
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

/// The program is hidden in this test's private mount namespace, so nobody else misses it.
pub(crate) fn the_switch_takes_over() {
    for name in ["iptables", "iptables-restore"] {
        for folder in ["/usr/sbin", "/sbin", "/usr/bin", "/bin"] {
            hide(&format!("{folder}/{name}"));
        }
    }
    let (lab, mut nemesis) = ensemble(2, Nemesis::new);
    let backend = nemesis.partition_backend();
    assert!(backend.starts_with("switch (`iptables` is neither in $PATH"), "{backend}");
    check_cut(&lab, &mut nemesis, &grudge::split(&[N1], &[N2]));
}

fn hide(path: &str) {
    if std::fs::exists(path).expect("folders can be read") {
        let status = Command::new("mount").args(["--bind", "/dev/null", path]).status();
        assert!(status.expect("mount is there").success());
    }
}

fn by_iptables(lab: Arc<Lab>) -> Nemesis {
    let nemesis = Nemesis::new(lab);
    let backend = nemesis.partition_backend();
    if !backend.starts_with("iptables v") {
        skip_inside(&backend);
    }
    nemesis
}

fn check_shapes(nemesis: fn(Arc<Lab>) -> Nemesis) {
    let (lab, mut nemesis) = ensemble(5, nemesis);
    let nodes = lab.nodes();
    let shapes = [
        grudge::halves(&nodes),
        grudge::isolate(N3, &nodes),
        grudge::majorities_ring(&nodes),
        grudge::bridge(&nodes),
        grudge::deaf(&[N1], &nodes),
        grudge::client_cut(&[N1, N2]),
    ];
    for grudge in &shapes {
        check_cut(&lab, &mut nemesis, grudge);
    }
}

fn check_cut(lab: &Lab, nemesis: &mut Nemesis, grudge: &Grudge) {
    let injected = nemesis.inject(F1, &cut(grudge));
    assert_eq!(injected.outcome, Outcome::Installed, "{injected:?}");
    assert_network(lab, grudge);
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed, "{healed:?}");
    assert!(healed.evidence["packets_dropped"].as_u64().is_some_and(|n| n > 0), "{healed:?}");
    assert_network(lab, &Grudge::new());
    println!(
        "  {:>2} links in force after {} ms, healed after {} ms",
        grudge.len(),
        injected.evidence["took_ms"],
        healed.evidence["took_ms"]
    );
}

fn check_overlap(nemesis: fn(Arc<Lab>) -> Nemesis) {
    let (lab, nemesis) = ensemble(3, nemesis);
    let (first, second) = (grudge::isolate(N1, &lab.nodes()), grudge::split(&[N1], &[N2]));
    assert_eq!(nemesis.inject(F1, &cut(&first)).outcome, Outcome::Installed);
    assert_eq!(nemesis.inject(F2, &cut(&second)).outcome, Outcome::Installed);
    assert_network(&lab, &first);
    assert_eq!(nemesis.heal(F1).expect("it can be healed").outcome, Outcome::Installed);
    assert_network(&lab, &second);
    let rest = nemesis.heal_all().expect("it can be healed");
    assert_eq!(
        rest.iter().map(|r| (r.id, r.outcome.clone())).collect::<Vec<_>>(),
        [(F2, Outcome::Installed)]
    );
    assert_network(&lab, &Grudge::new());
}

/// An answer needs both directions. The observer always gets one.
fn assert_network(lab: &Lab, grudge: &Grudge) {
    let sources = lab.nodes().into_iter().map(Host::Node).chain([Host::Clients, Host::Observer]);
    for src in sources {
        for to in lab.nodes().into_iter().filter(|&to| src != Host::Node(to)) {
            let dst = Host::Node(to);
            let cut = [Link { src, dst }, Link { src: dst, dst: src }];
            if cut.iter().any(|link| grudge.contains(link)) {
                assert!(!answers(lab, src, to), "{src} reaches {to} through {grudge:?}");
            } else {
                until(&format!("{src} reaches {to}"), || answers(lab, src, to));
            }
        }
    }
}

/// The kernel's own bound on the back-off is lifted, so that a heal without replay would take seconds.
fn check_recovery(nemesis: fn(Arc<Lab>) -> Nemesis) {
    let (lab, mut nemesis) = ensemble(2, nemesis);
    unbound_back_off(&lab);
    let natural = recovery(&lab, &mut nemesis, F1, Duration::from_secs(10));
    println!("  after 10 s: same connection {:.2?}, connect {:.2?}", natural.0, natural.1);
    assert!(natural.0 < Duration::from_millis(200), "{natural:?}");
    assert!(natural.1 < Duration::from_millis(500), "{natural:?}");
}

/// How long after the heal an old connection spoke again, and one begun during the cut was made.
fn recovery(lab: &Lab, nemesis: &mut Nemesis, id: FaultId, hold: Duration) -> (Duration, Duration) {
    let mut old = connect(lab, Host::Node(N1), N2);
    old.set_read_timeout(Some(LIMIT)).expect("a socket takes its options");
    round_trip(&mut old);
    assert_eq!(nemesis.inject(id, &cut(&grudge::split(&[N1], &[N2]))).outcome, Outcome::Installed);
    old.write_all(b"x").expect("the kernel buffers it");
    thread::scope(|scope| {
        let spoke = scope.spawn(|| {
            old.read_exact(&mut [0]).expect("the connection survives");
            Instant::now()
        });
        let made = scope.spawn(|| {
            let address = (Host::Node(N2).addr(), PORT);
            lab.namespace(Host::Node(N1))
                .run(|| TcpStream::connect(address))
                .expect("the namespace can be entered")
                .expect("the connection is made after the heal");
            Instant::now()
        });
        // The length of the partition is the subject here.
        thread::sleep(hold);
        assert!(!spoke.is_finished() && !made.is_finished(), "the partition leaks");
        let healing = Instant::now();
        let healed = nemesis.heal(id).expect("it can be healed");
        assert_eq!(healed.outcome, Outcome::Installed);
        assert!(healed.evidence["segments_replayed"].as_u64() >= Some(2), "{healed:?}");
        let since = |at: Instant| at.saturating_duration_since(healing);
        let join = |thread: thread::ScopedJoinHandle<'_, Instant>| thread.join().expect("no panic");
        (since(join(spoke)), since(join(made)))
    })
}

fn round_trip(stream: &mut TcpStream) {
    stream.write_all(b"x").expect("the connection is open");
    stream.read_exact(&mut [0]).expect("the server answers");
}

fn unbound_back_off(lab: &Lab) {
    for node in lab.nodes() {
        let file = "/proc/sys/net/ipv4/tcp_rto_max_ms";
        let write = || if std::fs::exists(file)? { std::fs::write(file, "120000") } else { Ok(()) };
        lab.namespace(node.into()).run(write).expect("it is entered").expect("it is written");
    }
}

fn cut(grudge: &Grudge) -> Fault {
    Fault::Partition { shape: Shape::Halves, grudge: grudge.clone(), cut: Cut::Everything }
}

fn assert_reason(report: &Report, part: &str) {
    match &report.outcome {
        Outcome::Indeterminate { reason } if reason.contains(part) => {}
        other => panic!("expected indeterminate because `{part}`, got {other:?}"),
    }
}

fn delete_rule(lab: &Lab, id: FaultId, link: Link) {
    iptables(lab, "-D", id, link);
}

fn iptables(lab: &Lab, verb: &str, id: FaultId, link: Link) {
    let spec = Rule { fault: id, link, action: Action::Drop }.to_string();
    let run = || Command::new("/usr/sbin/iptables").arg(verb).args(spec.split(' ')).status();
    let status = lab.namespace(link.dst).run(run).expect("the namespace can be entered");
    assert!(status.expect("iptables is there").success());
}
