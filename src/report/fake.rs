//! A made-up run that looks like a real one, for tests and for the eye: 50 s, 10 clients, 5
//! servers, faults of every kind and outcome, changes of leader, and a stale read.

use checker::{Check, Fact, Outcome as Verdicts, Soundness, Verdict, Witness};
use history::{
    Event, FaultEvent, FaultStep, Hex, Kind, Machine, Manifest, Outcome, Phase, Process, RoleEvent,
    Settings, Stat, Target, f,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
const LOAD: (u64, u64) = (2 * S, 47 * S);

/// Kind, words, servers, from and to in milliseconds, and what became of it.
type Planned = (&'static str, &'static str, &'static [&'static str], u64, u64, Outcome);

fn planned() -> Vec<Planned> {
    use Outcome::{Indeterminate, Installed, Skipped};
    let skipped = Skipped { reason: "no leader is known".into() };
    let unclear = Indeterminate { reason: "its rules dropped no packet".into() };
    vec![
        ("kill", "kill leader n3", &["n3"], 6_000, 9_500, Installed),
        ("pause", "pause n1", &["n1"], 8_200, 11_000, Installed),
        ("partition", "leader n5 cut off from n1 n2 n3 n4", &["n5"], 14_000, 19_500, Installed),
        ("partition", "halves: n1 n2 | n3 n4 n5", &["n1", "n2"], 17_000, 17_100, skipped),
        ("partition", "one-way: n4 cannot hear n2", &["n4"], 21_000, 23_000, unclear),
        ("kill", "kill n2 and n4", &["n2", "n4"], 25_500, 28_000, Installed),
        ("pause", "pause leader n1", &["n1"], 31_000, 36_200, Installed),
        (
            "partition",
            "majorities ring",
            &["n1", "n2", "n3", "n4", "n5"],
            39_000,
            43_500,
            Installed,
        ),
        ("kill", "kill n5", &["n5"], 40_500, 44_800, Installed),
    ]
}

/// The events of the run, in order.
pub(super) fn events() -> Vec<Event> {
    let mut events = clients();
    events.extend(faults());
    events.extend(roles());
    events.extend(phases());
    let mut ended = event(36_900 * MS, Process::run(), Kind::Info, f::EXIT, json!("exit status 1"));
    ended.node = Some("n2".into());
    events.push(ended);
    events.sort_by_key(|event| event.time);
    for (index, event) in events.iter_mut().enumerate() {
        event.index = index as u64;
    }
    events
}

fn clients() -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut versions = [0; 10];
    let mut last = [None; 10];
    let mut next: Vec<u64> = (0..10).map(|_| LOAD.0 + rng.random_range(0..50 * MS)).collect();
    let mut events = Vec::new();
    while let Some((client, at)) = next.iter().copied().enumerate().min_by_key(|(_, at)| *at) {
        if at > LOAD.1 {
            break;
        }
        let key = rng.random_range(0..10);
        let took = latency(&mut rng, client, at);
        let f = [f::READ, f::WRITE, f::CAS, f::LOCAL_READ][rng.random_range(0..4)];
        let written = (client as i64 + 1) * 1_000_000 + (at / MS) as i64;
        let expected = versions[key] - rng.random_range(0..3) / 2;
        let asked = match f {
            f::WRITE => json!(written),
            f::CAS => json!([expected, written]),
            _ => Value::Null,
        };
        let node = format!("n{}", client % 5 + 1);
        let invoke = event(at, Process::Client(client as u64), Kind::Invoke, f, asked.clone());
        let mut done = event(at + took, invoke.process.clone(), Kind::Ok, f, asked);
        if took >= 2 * S {
            done.kind = Kind::Info;
            done.error = Some("Timeout".into());
        } else if f == f::CAS && expected != versions[key] {
            done.kind = Kind::Fail;
            done.error = Some("BadVersion".into());
        } else {
            if matches!(f, f::WRITE | f::CAS) {
                versions[key] += 1;
                last[key] = Some(written);
            } else {
                done.value = json!(last[key]);
            }
            done.zxid = Some(Hex(0x1_0000_0000 + at / MS));
            done.session = Some(Hex(0x2_0000_0f3a_0000 + client as u64));
            let mzxid = Hex(0x1_0000_0000 + at / MS - 3);
            done.stat = Some(Stat { czxid: Hex(0x1_0000_0003), mzxid, version: versions[key] });
        }
        for mut one in [invoke, done] {
            one.key = Some(format!("/r{key}"));
            one.node = Some(node.clone());
            events.push(one);
        }
        next[client] = at + took + rng.random_range(5 * MS..85 * MS);
    }
    events.extend(final_reads());
    events
}

/// Mostly a few milliseconds; a time-out where the client's server is hurt.
fn latency(rng: &mut ChaCha8Rng, client: usize, at: u64) -> u64 {
    let node = format!("n{}", client % 5 + 1);
    let hurt = planned().iter().any(|(_, _, nodes, from, to, outcome)| {
        let within = (from * MS..to * MS).contains(&at);
        *outcome == Outcome::Installed && nodes.len() < 3 && nodes.contains(&&*node) && within
    });
    if hurt && rng.random_bool(0.8) {
        return 2 * S + rng.random_range(0..20 * MS);
    }
    let slow = if rng.random_bool(0.02) { 40 } else { 1 };
    let spread: f64 = rng.random_range(0.0..1.6);
    ((1.2 * spread.exp()) * MS as f64) as u64 * slow
}

fn final_reads() -> Vec<Event> {
    let mut events = Vec::new();
    for reader in 0..5 {
        for key in 0..10 {
            let at = 49 * S + (reader * 40 + key * 4) * MS;
            for (time, kind) in [(at, Kind::Invoke), (at + 2 * MS, Kind::Ok)] {
                let process = Process::Client(10 + reader);
                let mut one = event(time, process, kind, f::READ, Value::Null);
                one.key = Some(format!("/r{key}"));
                one.node = Some(format!("n{}", reader + 1));
                events.push(one);
            }
        }
    }
    events
}

fn faults() -> Vec<Event> {
    let mut events = Vec::new();
    for (number, (kind, what, nodes, from, to, outcome)) in planned().into_iter().enumerate() {
        let skipped = matches!(outcome, Outcome::Skipped { .. });
        let first = if skipped { outcome.clone() } else { Outcome::Installed };
        let mut steps = vec![
            (FaultStep::Injecting, from, None, Value::Null),
            (FaultStep::Injected, from + 12, Some(first), json!({"pids": [4711], "state": "T"})),
        ];
        if !skipped {
            let counters = json!({"dropped": 1294, "rules": ["n1 INPUT -s 10.77.0.5 -j DROP"]});
            steps.push((FaultStep::Healing, to, None, Value::Null));
            steps.push((FaultStep::Healed, to + 9, Some(outcome), counters));
        }
        for (step, at, outcome, evidence) in steps {
            let value = FaultEvent {
                fault: number as u32 + 1,
                step,
                kind: kind.into(),
                what: what.into(),
                nodes: nodes.iter().map(|&node| node.into()).collect(),
                outcome,
                evidence,
            };
            events.push(event(at * MS, Process::nemesis(), Kind::Info, f::FAULT, json!(value)));
        }
    }
    events
}

fn roles() -> Vec<Event> {
    // Milliseconds, server, role, epoch.
    let mut changes = Vec::new();
    for node in 1..=5 {
        changes.push((150 + node, node, "looking", None));
        let role = if node == 3 { "leader" } else { "follower" };
        changes.push((700 + node, node, role, Some(1)));
    }
    changes.push((6_050, 3, "unreachable", None));
    elected(&mut changes, 6_200, 5, 2, &[1, 2, 4]);
    changes.push((8_300, 1, "unreachable", None));
    changes.push((9_900, 3, "follower", Some(2)));
    changes.push((11_100, 1, "follower", Some(2)));
    changes.push((14_900, 5, "looking", None));
    elected(&mut changes, 15_000, 1, 3, &[2, 3, 4]);
    changes.push((19_800, 5, "follower", Some(3)));
    changes.push((25_600, 2, "unreachable", None));
    changes.push((25_620, 4, "unreachable", None));
    changes.push((28_500, 2, "follower", Some(3)));
    changes.push((28_700, 4, "follower", Some(3)));
    changes.push((31_100, 1, "unreachable", None));
    elected(&mut changes, 31_900, 4, 4, &[2, 3, 5]);
    changes.push((36_400, 1, "follower", Some(4)));
    changes.push((40_600, 5, "unreachable", None));
    changes.push((45_200, 5, "follower", Some(4)));
    changes.into_iter().map(|(at, node, role, epoch)| role_event(at, node, role, epoch)).collect()
}

type Change = (u64, u64, &'static str, Option<u32>);

fn elected(changes: &mut Vec<Change>, at: u64, leader: u64, epoch: u32, others: &[u64]) {
    for &node in others {
        changes.push((at, node, "looking", None));
        changes.push((at + 420, node, "follower", Some(epoch)));
    }
    changes.push((at, leader, "looking", None));
    changes.push((at + 400, leader, "leader", Some(epoch)));
}

fn role_event(at: u64, node: u64, role: &str, epoch: Option<u32>) -> Event {
    let value = json!(RoleEvent { role: role.into(), epoch });
    let mut event = event(at * MS, Process::probe(), Kind::Info, f::ROLE, value);
    event.node = Some(format!("n{node}"));
    event
}

fn phases() -> Vec<Event> {
    let at = [
        (0, Phase::Boot),
        (1_100, Phase::Setup),
        (2_000, Phase::Load),
        (47_100, Phase::Heal),
        (47_600, Phase::Settle),
        (49_000, Phase::FinalReads),
        (49_900, Phase::End),
    ];
    at.map(|(at, phase)| event(at * MS, Process::run(), Kind::Info, f::PHASE, json!(phase))).into()
}

/// An event without what is optional.
pub(super) fn event(time: u64, process: Process, kind: Kind, f: &str, value: Value) -> Event {
    Event {
        index: 0,
        time,
        process,
        kind,
        f: f.into(),
        key: None,
        value,
        error: None,
        node: None,
        session: None,
        zxid: None,
        stat: None,
    }
}

/// Makes one read stale and says so: the verdict of a broken run.
pub(super) fn stale_read(events: &mut [Event]) -> Verdict {
    let key = Some("/r2".to_owned());
    let done = |kind: &'static str, after: u64| {
        let key = &key;
        move |(_, event): &(usize, &Event)| {
            let at = event.time > after && event.kind == Kind::Ok;
            at && event.f == kind && event.key == *key
        }
    };
    let nth = |kind, after: u64| events.iter().enumerate().find(done(kind, after)).expect("busy").0;
    let (first, second) = (nth(f::WRITE, 30_400 * MS), nth(f::WRITE, 30_500 * MS));
    let read = nth(f::READ, 32_350 * MS);
    (events[read].value, events[read].stat) = (events[first].value.clone(), events[first].stat);
    let invoked = |at: usize| {
        let before = events[..at].iter().rev();
        before.clone().find(|e| e.process == events[at].process).expect("invoked").index
    };
    let unknown = events.iter().position(|e| {
        e.kind == Kind::Info && e.key == key && e.f == f::WRITE && e.time > events[first].time
    });
    let mut operations = vec![invoked(first), invoked(second)];
    operations.extend(unknown.map(invoked));
    operations.push(invoked(read));
    let said = |at: usize| {
        let version = events[at].stat.map_or(0, |stat| stat.version);
        format!("{} (version {version})", events[at].value)
    };
    let (old, new) = (said(first), said(second));
    let sentence = format!(
        "{} read /r2 = {old} on {} at {:.2} s, after {}'s write of {new} had been acknowledged \
         {:.2} s earlier",
        events[read].process,
        events[read].node.as_deref().unwrap_or("?"),
        events[read].time as f64 / S as f64,
        events[second].process,
        (events[read].time - events[second].time) as f64 / S as f64,
    );
    let witness = Witness {
        sentence: sentence.clone(),
        key,
        operations,
        order: Vec::new(),
        window: (events[first].time - 5 * MS, events[read].time),
        expected: Some(format!("{new}, or a later write")),
        got: Some(old),
    };
    let mut verdict = verdict();
    verdict.outcome = Verdicts::Invalid;
    verdict.sentence = format!("invalid: linearizable: {sentence}");
    for at in [0, 2] {
        verdict.checks[at].outcome = Verdicts::Invalid;
        verdict.checks[at].witness = Some(witness.clone());
    }
    verdict.checks[2].binding = false;
    verdict
}

/// The verdict of a run in which all went well.
pub(super) fn verdict() -> Verdict {
    let guide = "ZooKeeper Programmer's Guide, Consistency Guarantees";
    let check = |id: &str, name: &str, promise: &str, examined, millis| Check {
        id: id.into(),
        name: name.into(),
        promise: promise.into(),
        source: guide.into(),
        binding: true,
        outcome: Verdicts::Valid,
        reason: None,
        examined,
        millis,
        reached: None,
        witness: None,
    };
    let fact = |what: &str, count, needed, note: &str| Fact {
        what: what.into(),
        count,
        needed,
        note: note.into(),
    };
    Verdict {
        format: 1,
        outcome: Verdicts::Valid,
        sentence: "valid: 9,734 operations on 10 znodes by 10 clients; 7 faults verified (3 kill, \
                   2 pause, 2 partition), 3 leader changes; 6 guarantees held."
            .into(),
        checks: vec![
            check(
                "linearizable",
                "linearizable",
                "Every operation takes effect at one instant between its invocation and its answer.",
                9734,
                31.24,
            ),
            check("C1", "unique zxids", "Two writes never share a zxid.", 4810, 0.4),
            check(
                "C9",
                "sync",
                "A read after sync sees every write acknowledged before the sync began.",
                2391,
                3.8,
            ),
            check(
                "C2",
                "session order",
                "A session never goes back in time, whatever server it talks to.",
                9734,
                1.1,
            ),
            check(
                "C3",
                "write order",
                "A write acknowledged before another began has the smaller zxid.",
                4810,
                2.0,
            ),
            check(
                "C8",
                "durability",
                "What was acknowledged is read from every server after healing.",
                4860,
                2.9,
            ),
        ],
        steps: None,
        soundness: Soundness {
            facts: vec![
                fact("operations ok", 9734, 1125, ""),
                fact("phases completed", 1, 1, ""),
                fact("verified kills", 3, 1, "3 installed"),
                fact("verified pauses", 2, 1, "2 installed"),
                fact(
                    "verified partitions",
                    2,
                    1,
                    "2 installed, 1 skipped (no leader is known), 1 indeterminate (its rules dropped no packet)",
                ),
                fact("leader changes", 3, 1, "n3 → n5 → n1 → n4"),
                fact("servers that answered the final reads", 5, 5, ""),
            ],
        },
    }
}

/// What was resolved for it.
pub(super) fn manifest() -> Manifest {
    Manifest {
        format: 1,
        zoobreak: "0.1.0".into(),
        started: "2026-11-20T21:16:58Z".into(),
        argv: ["zoobreak", "test", "--time", "45"].map(str::to_owned).into(),
        settings: Settings {
            target: Target::Zoobreak,
            nodes: 5,
            clients: 10,
            time_s: 45.0,
            rate: 500.0,
            workload: "register".into(),
            faults: ["kill", "pause", "partition"].map(str::to_owned).into(),
            phases: Vec::new(),
            interval_s: 2.5,
            heal: history::Heal::Fast,
            pcap: false,
            scenario: None,
            seed: 7,
            keys: 10,
            tick_ms: 200,
            init_limit: 20,
            sync_limit: 4,
            session_ms: 30_000,
            op_timeout_ms: 2000,
            mutant: None,
        },
        schedule: json!([{"id": 1, "at_ms": 4000, "hold_ms": 3500, "kind": "kill"}]),
        machine: Machine {
            kernel: "6.1.0-18-amd64".into(),
            cores: 8,
            partitions_by: "iptables v1.8.9 (nf_tables)".into(),
            disks_by: None,
            lacks: std::collections::BTreeMap::new(),
            root: false,
            target_version: None,
        },
    }
}
