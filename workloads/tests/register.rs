//! The register workload against a ZooKeeper in memory: are its histories well-formed, complete
//! and true?

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use common::history::{Operation, Recording, completions, pair};
use common::zookeeper::FakeZooKeeper;
use history::{Event, Hex, Kind, Process, f};
use serde_json::Value;
use workloads::{
    Clients, Config, ConfigError, OpenError, Role, Tally, Workload, final_reads, setup, watch_roles,
};

const LIMIT: Duration = Duration::from_secs(20);

fn config(zookeeper: &FakeZooKeeper, clients: u64) -> Arc<Config> {
    Arc::new(Config {
        workload: Workload::Register,
        seed: 1,
        clients,
        servers: zookeeper.servers(),
        source: None,
        session_timeout: Duration::from_secs(4),
        op_timeout: Duration::from_millis(500),
        rate: 2000.0,
        keys: (0..5).map(|i| format!("/r{i}")).collect(),
    })
}

/// A started load on znodes that exist.
async fn loaded(config: &Arc<Config>, recording: &Recording) -> Clients {
    setup(config, LIMIT).await.unwrap();
    let recorder = recording.recorder.clone();
    let clients = Clients::open(Arc::clone(config), recorder, LIMIT).await.unwrap();
    clients.go();
    clients
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let polled = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LIMIT, polled).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn until_ok(clients: &Clients, n: u64) {
    until("enough operations", || clients.tally().ok >= n).await;
}

#[tokio::test]
async fn a_quiet_run_is_recorded_whole() {
    let zookeeper = FakeZooKeeper::start(3).await;
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 4), &recording).await;
    until_ok(&clients, 800).await;
    let tally = clients.stop().await.unwrap();

    let operations = pair(&recording.events());
    assert_eq!(tally, tally_of(&operations));
    assert_eq!(tally.info, 0);
    for name in [f::READ, f::LOCAL_READ, f::WRITE, f::CAS] {
        let ok = completions(&operations, name, Kind::Ok);
        assert!(ok.len() > 20, "{name}: {}", ok.len());
        ok.iter().for_each(|event| assert_complete(event));
    }
    for event in operations.iter().map(|(_, done)| done).filter(|done| done.kind == Kind::Fail) {
        assert_eq!((event.f.as_str(), event.error.as_deref()), (f::CAS, Some("BadVersion")));
        assert!(event.zxid.is_some(), "the server's zxid for the failed write");
    }
}

fn assert_complete(event: &Event) {
    let stat = event.stat.expect("a stat");
    assert!(event.session.is_some() && event.node.is_some(), "{event:?}");
    assert!(event.zxid.expect("a zxid") >= stat.mzxid && stat.mzxid >= stat.czxid);
}

fn tally_of(operations: &[Operation]) -> Tally {
    let count = |kind| {
        let done = operations.iter().map(|(_, done)| done).filter(|done| done.f != f::CONNECT);
        done.filter(|done| done.kind == kind).count() as u64
    };
    Tally { ok: count(Kind::Ok), fail: count(Kind::Fail), info: count(Kind::Info) }
}

#[tokio::test]
async fn values_written_are_read_back_at_their_version() {
    let zookeeper = FakeZooKeeper::start(1).await;
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 3), &recording).await;
    until_ok(&clients, 400).await;
    clients.stop().await.unwrap();

    let operations = pair(&recording.events());
    let mut written = BTreeMap::new();
    for done in completions(&operations, f::WRITE, Kind::Ok) {
        written.insert((done.key.clone(), done.stat.unwrap().version), done.value.clone());
    }
    for done in completions(&operations, f::CAS, Kind::Ok) {
        let expected = done.value[0].as_i64().unwrap();
        let version = done.stat.unwrap().version;
        assert_eq!(i64::from(version), expected + 1);
        written.insert((done.key.clone(), version), done.value[1].clone());
    }
    let reads = completions(&operations, f::READ, Kind::Ok);
    assert!(reads.iter().any(|done| done.value.is_i64()));
    for done in reads {
        let version = done.stat.unwrap().version;
        let value = written.get(&(done.key.clone(), version)).unwrap_or(&Value::Null);
        assert_eq!(&done.value, value, "version {version}");
    }
}

#[tokio::test]
async fn a_cas_expects_the_version_last_seen_or_a_fresh_znode() {
    let zookeeper = FakeZooKeeper::start(1).await;
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 2), &recording).await;
    until_ok(&clients, 400).await;
    clients.stop().await.unwrap();

    let mut seen = BTreeMap::new();
    let mut fresh = 0;
    for (invoke, done) in pair(&recording.events()) {
        let znode = (invoke.process, invoke.key);
        if invoke.f == f::CAS {
            let last = seen.get(&znode).copied();
            fresh += u32::from(last.is_none());
            assert_eq!(invoke.value[0], last.unwrap_or(0));
        }
        if let Some(stat) = done.stat {
            seen.insert(znode, stat.version);
        }
    }
    assert!(fresh > 0, "the first touch of some znode was a cas");
}

#[tokio::test]
async fn sessions_wander_and_stay_themselves() {
    let zookeeper = FakeZooKeeper::start(3).await;
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 3), &recording).await;
    until_ok(&clients, 900).await;
    clients.stop().await.unwrap();

    let operations = pair(&recording.events());
    for client in 0..3 {
        let of = |(_, done): &&Operation| done.process == Process::Client(client);
        let own: Vec<&Operation> = operations.iter().filter(of).collect();
        let connects: Vec<_> = own.iter().filter(|(i, _)| i.f == f::CONNECT).collect();
        let first = Value::from(format!("n{}", client + 1));
        assert_eq!((&connects[0].0.value, connects[0].0.session), (&first, None));
        assert!(connects.len() > 3, "client {client} moved");
        let sessions: BTreeSet<_> = own.iter().map(|(_, done)| done.session).collect();
        assert_eq!(sessions.len(), 1, "one session, resumed on every move");
        assert_zxids_never_decrease(&own);
        assert_local_reads_follow_moves(&own);
    }
}

fn assert_zxids_never_decrease(own: &[&Operation]) {
    let zxids: Vec<Hex> = own.iter().filter_map(|(_, done)| done.zxid).collect();
    assert!(zxids.is_sorted());
}

fn assert_local_reads_follow_moves(own: &[&Operation]) {
    let moves = own.windows(2).skip(1).filter(|pair| pair[0].0.f == f::CONNECT);
    assert!(moves.clone().count() > 0);
    moves.for_each(|pair| assert_eq!(pair[1].0.f, f::LOCAL_READ));
}

#[tokio::test]
async fn after_lost_connections_sessions_go_on_elsewhere() {
    let zookeeper = FakeZooKeeper::start(3).await;
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 4), &recording).await;
    for round in 1..=20 {
        until_ok(&clients, round * 50).await;
        zookeeper.hang_up();
    }
    until_ok(&clients, 1100).await;
    clients.stop().await.unwrap();

    let operations = pair(&recording.events());
    let sessions: BTreeSet<_> = operations.iter().filter_map(|(_, done)| done.session).collect();
    assert_eq!(sessions.len(), 4, "no session was given up");
    let resumed = |r: &&wire::ConnectRequest| r.session_id != 0 && r.last_zxid_seen > 0;
    assert!(zookeeper.state().handshakes.iter().filter(resumed).count() >= 20);
}

#[tokio::test]
async fn writes_without_an_answer_are_info_and_nothing_else_is() {
    let zookeeper = FakeZooKeeper::start(3).await;
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 4), &recording).await;
    zookeeper.state().unanswered = 30;
    until("30 unknown writes", || clients.tally().info == 30).await;
    clients.stop().await.unwrap();

    let operations = pair(&recording.events());
    let unknown: Vec<_> = operations.iter().filter(|(_, done)| done.kind == Kind::Info).collect();
    assert_eq!(unknown.len(), 30);
    for (invoke, done) in unknown {
        assert!([f::WRITE, f::CAS].contains(&invoke.f.as_str()), "{invoke:?}");
        assert!(done.error.as_deref().unwrap().starts_with("connection lost"), "{done:?}");
        assert_eq!((done.zxid, done.stat), (None, None));
    }
}

#[tokio::test]
async fn an_expired_session_is_recorded_and_replaced() {
    let zookeeper = FakeZooKeeper::start(2).await;
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 2), &recording).await;
    until_ok(&clients, 50).await;
    zookeeper.expire_sessions();
    let before = clients.tally().ok;
    until_ok(&clients, before + 200).await;
    clients.stop().await.unwrap();

    let operations = pair(&recording.events());
    let refused = completions(&operations, f::CONNECT, Kind::Fail);
    assert_eq!(refused.len(), 2, "once for each client");
    for event in refused {
        assert_eq!(event.error.as_deref(), Some("session expired"));
    }
    let sessions: BTreeSet<_> = operations.iter().filter_map(|(_, done)| done.session).collect();
    assert_eq!(sessions.len(), 4, "two old, two new");
}

#[tokio::test]
async fn a_refusing_server_is_passed_by_and_the_reason_recorded() {
    let zookeeper = FakeZooKeeper::start(3).await;
    zookeeper.state().refusing.insert(0);
    let recording = Recording::start();
    let clients = loaded(&config(&zookeeper, 3), &recording).await;
    until_ok(&clients, 300).await;
    clients.stop().await.unwrap();

    let operations = pair(&recording.events());
    let refused = completions(&operations, f::CONNECT, Kind::Info);
    assert!(!refused.is_empty());
    for event in refused {
        assert_eq!(event.node.as_deref(), Some("n1"));
        assert!(event.error.as_deref().unwrap().contains("handshake refused"), "{event:?}");
    }
}

#[tokio::test]
async fn clients_without_a_session_are_named() {
    let zookeeper = FakeZooKeeper::start(1).await;
    zookeeper.state().refusing.insert(0);
    let recording = Recording::start();
    let limit = Duration::from_millis(300);
    let opened =
        Clients::open(config(&zookeeper, 2), recording.recorder.clone(), limit).await.err();
    assert_eq!(opened, Some(OpenError::NoSession { missing: vec![0, 1], after: limit }));
}

#[tokio::test]
async fn a_workload_that_cannot_be_run_is_refused() {
    let zookeeper = FakeZooKeeper::start(1).await;
    let recording = Recording::start();
    let none = config(&zookeeper, 0);
    let opened = Clients::open(none, recording.recorder.clone(), LIMIT).await.err();
    assert_eq!(opened, Some(OpenError::Config(ConfigError::NoClients)));
    assert_eq!(recording.events(), []);
}

#[tokio::test]
async fn setup_leaves_existing_znodes_alone_and_says_what_failed() {
    let zookeeper = FakeZooKeeper::start(2).await;
    let config = config(&zookeeper, 1);
    zookeeper.state().refusing.insert(0);
    setup(&config, LIMIT).await.expect("on the other server");
    setup(&config, LIMIT).await.expect("again");

    zookeeper.state().refusing.insert(1);
    let error = setup(&config, Duration::from_millis(200)).await.unwrap_err().to_string();
    assert!(error.contains("handshake refused"), "{error}");
}

#[tokio::test]
async fn final_reads_ask_every_server_for_every_key() {
    let zookeeper = FakeZooKeeper::start(3).await;
    let config = config(&zookeeper, 7);
    setup(&config, LIMIT).await.unwrap();
    let recording = Recording::start();
    let unread = final_reads(Arc::clone(&config), recording.recorder.clone(), LIMIT).await;
    assert_eq!(unread, []);

    let operations = pair(&recording.events());
    let reads = completions(&operations, f::READ, Kind::Ok);
    let asked: BTreeSet<_> =
        reads.iter().map(|e| (e.process.clone(), e.node.clone(), e.key.clone())).collect();
    assert_eq!((reads.len(), asked.len()), (15, 15));
    let readers: BTreeSet<_> =
        asked.into_iter().map(|(process, node, _)| (process, node.unwrap())).collect();
    let reader = |idx: u64| (Process::Client(7 + idx), format!("n{}", idx + 1));
    assert_eq!(readers, (0..3).map(reader).collect());
}

#[tokio::test]
async fn final_reads_report_what_no_server_gave() {
    let zookeeper = FakeZooKeeper::start(2).await;
    let config = config(&zookeeper, 1);
    setup(&config, LIMIT).await.unwrap();
    zookeeper.state().refusing.insert(1);
    let recording = Recording::start();
    let limit = Duration::from_millis(400);
    let unread = final_reads(Arc::clone(&config), recording.recorder.clone(), limit).await;
    let servers: BTreeSet<_> = unread.iter().map(|u| u.server.as_str()).collect();
    assert_eq!((unread.len(), servers), (5, BTreeSet::from(["n2"])));
    let attempts = completions(&pair(&recording.events()), f::CONNECT, Kind::Info).len();
    assert!((2..10).contains(&attempts), "tried again, at a measured pace: {attempts}");
}

#[tokio::test]
async fn roles_are_recorded_when_they_change() {
    let zookeeper = FakeZooKeeper::start(3).await;
    let recording = Recording::start();
    let period = Duration::from_millis(10);
    let watcher = watch_roles(&zookeeper.servers(), None, period, &recording.recorder);
    let mut view = watcher.view();
    tokio::time::timeout(LIMIT, view.until_settled()).await.expect("settled");
    assert_eq!(view.leader(), Some(0));

    zookeeper.state().leader = 2;
    until("n3 leads", || view.leader() == Some(2) && view.settled()).await;
    drop(watcher);
    let role_of = |node: &str| -> Vec<String> {
        let of = |event: &&Event| event.node.as_deref() == Some(node);
        let events = recording.events();
        events.iter().filter(of).map(|e| e.value["role"].as_str().unwrap().into()).collect()
    };
    assert_eq!(role_of("n1"), ["leader", "follower"]);
    assert_eq!(role_of("n2"), ["follower"]);
    assert_eq!(role_of("n3"), ["follower", "leader"]);
    assert!(view.observations().iter().all(|seen| seen.role != Role::Unreachable));
}

#[tokio::test]
async fn a_silent_server_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = workloads::probe(addr, None, Duration::from_millis(50)).await;
    assert_eq!(seen.role, Role::Unreachable);
}
