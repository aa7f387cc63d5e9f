//! What operators see of a running server: four-letter words, commands and metrics over HTTP,
//! limits.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use nix::sys::signal::Signal;
use serde_json::Value;
use wire::{Acl, CreateMode, Request};

use support::client::{Client, exchange, four_letters};
use support::ensemble::Ensemble;
use support::harness::zoobreak;
use support::{alone, seconds, text, until};

#[test]
fn every_four_letter_word_is_answered_once_it_is_allowed() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "4lw.commands.whitelist=*\n");
    let mut client = ensemble.client(1);
    client.create("/a", b"x").expect("it serves");
    client.call(&Request::GetData { path: "/a".to_owned(), watch: true }).expect("it serves");
    let ask = |word: &str| four_letters(ensemble.addr(1), word).expect("it answers");
    let expected = [
        ("conf", "tickTime=200\nmaxClientCnxns=60\n"),
        ("cons", ",lop=GETD,est="),
        ("crst", "Connection stats reset.\n"),
        ("dirs", "datadir_size: "),
        ("dump", "Session Sets (1)/(1):\n1 expire at "),
        ("envi", "zookeeper.version=3.8.0-zoobreak-"),
        ("gtmk", "306"),
        ("hash", "100000002: "),
        ("isro", "rw"),
        ("mntr", "zk_cnt_fsynctime\t"),
        ("ruok", "imok"),
        ("srvr", "Zxid: 0x100000002\n"),
        ("stat", "Clients:\n /127.0.0.1:"),
        ("wchc", "\n\t/a\n"),
        ("wchp", "/a\n\t0x"),
        ("wchs", "1 connections watching 1 paths\nTotal watches:1\n"),
        ("srst", "Server stats reset.\n"),
    ];
    for (word, part) in expected {
        let said = ask(word);
        assert!(said.contains(part), "{word}: {said}");
    }
    assert!(ask("cons").contains("recved=0,sent=0"), "crst came before");
    assert!(ask("srvr").contains("Received: 0\nSent: 0\n"), "srst came before");
    let answer = exchange(ensemble.addr(1), b"stmk\0\0\0\0\0\0\0\x05").expect("it answers");
    assert_eq!((answer, ask("gtmk")), (b"5".to_vec(), "5".to_owned()));
}

#[test]
fn words_outside_the_whitelist_are_not_answered() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "4lw.commands.whitelist=wchs\n");
    let ask = |word: &str| four_letters(ensemble.addr(1), word).expect("it answers");
    assert_eq!(ask("envi"), "envi is not executed because it is not in the whitelist.\n");
    assert!(ask("wchs").starts_with("0 connections watching"));
    assert!(ask("srvr").contains("Mode: leader"));
    let typed = exchange(ensemble.addr(1), b"wchs\r\n").expect("a typed line ends");
    assert!(typed.starts_with(b"0 connections watching"));
}

#[test]
fn servers_without_a_quorum_say_so() {
    let mut ensemble = Ensemble::new(3, "4lw.commands.whitelist=*\n");
    ensemble.start(1);
    let ask = |word: &str| four_letters(ensemble.addr(1), word).ok();
    until("it answers", seconds(20), || ask("ruok").filter(|said| said == "imok"));
    assert!(ask("stat").is_some_and(|said| said.contains("not currently serving requests")));
    assert_eq!(ask("isro").as_deref(), Some("null"));
}

#[test]
fn figures_of_the_leader_and_of_followers_are_served_over_http() {
    let _alone = alone();
    let ports = free_ports();
    let extra = format!(
        "admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={}\n\
         metricsProvider.httpHost=127.0.0.1\nmetricsProvider.httpPort={}\n",
        ports[0].port(),
        ports[1].port()
    );
    let mut ensemble = Ensemble::new(3, "");
    let config = ensemble.config(1);
    let text = std::fs::read_to_string(&config).expect("it is there");
    std::fs::write(&config, text + &extra).expect("a scratch directory");
    (1..=3).for_each(|id| ensemble.start(id));
    let leader = ensemble.settle();
    let mut client = ensemble.client(1);
    for n in 0..20 {
        client.create(&format!("/n{n}"), b"x").expect("it serves");
    }
    client.get("/n0").expect("it serves");

    let page = get(ports[1], "/metrics");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let figure = |name: &str| -> f64 {
        let prefix = format!("{name} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&prefix));
        value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().expect("a number")
    };
    assert!(figure("znode_count") >= 24.0);
    // A server that lags behind the quorum makes several writes durable at once.
    assert!(figure("fsynctime_count") >= 1.0 && figure("fsynctime_sum") > 0.0);
    assert!(figure("election_time_count") >= 1.0);
    assert!(figure("updatelatency_count") >= 20.0 && figure("readlatency_count") >= 1.0);
    let applied = ["commit_count", "learner_commit_received_count"].map(figure);
    assert!(applied[0] + applied[1] >= 21.0, "{applied:?}");

    let answer = |name: &str| -> Value {
        let page = get(ports[0], &format!("/commands/{name}"));
        let (head, body) = page.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains("200 OK") && head.contains("application/json"), "{head}");
        serde_json::from_str(body).expect("JSON")
    };
    for (name, canonical, member) in [
        ("ruok", "ruok", "error"),
        ("srvr", "server_stats", "server_stats"),
        ("stats", "stats", "connections"),
        ("mntr", "monitor", "znode_count"),
        ("conf", "configuration", "client_port"),
        ("cons", "connections", "connections"),
        ("dump", "dump", "session_id_to_ephemeral_paths"),
        ("watch_summary", "watch_summary", "num_total_watches"),
        ("hash", "hash", "digests"),
        ("is_read_only", "is_read_only", "read_only"),
        ("voting_view", "voting_view", "current_config"),
        ("zabstate", "zabstate", "zab_counter"),
        ("lsnp", "last_snapshot", "timestamp"),
        ("icfg", "initial_configuration", "initial_configuration"),
        ("obsr", "observers", "synced_observers"),
        ("orst", "observer_connection_stat_reset", "error"),
        ("sysp", "system_properties", "os.name"),
        ("gtmk", "get_trace_mask", "tracemask"),
        ("set_trace_mask?traceMask=7", "set_trace_mask", "tracemask"),
    ] {
        let answer = answer(name);
        assert_eq!(answer["command"], canonical, "{answer}");
        assert_eq!(answer["error"], Value::Null, "{answer}");
        assert!(answer.get(member).is_some(), "{name}: {answer}");
    }
    assert_eq!(answer("leader")["leader_id"], leader);
    assert_eq!(answer("zabstate")["zabstate"], "broadcast");
    assert_eq!(answer("zabstate")["is_leader"], leader == 1);
    assert_eq!(answer("gtmk")["tracemask"], 7);
    assert!(answer("stmk")["error"].is_string(), "it has no argument");
    assert_eq!(answer("cons")["connections"][0]["last_operation"], "GETD");
    assert_eq!(answer("nonsense")["error"], "Unknown command: nonsense");
    assert!(get(ports[0], "/elsewhere").starts_with("HTTP/1.1 404"));
    for garbage in [&b"\xff\xff\r\n\r\n"[..], &[b'a'; 20_000]] {
        let answer = exchange(ports[0], garbage).expect("it closes the connection");
        assert!(!answer.windows(6).any(|part| part == b"200 OK"));
    }
    assert!(get(ports[0], "/commands").contains("/commands/monitor"));
}

#[test]
fn an_address_has_only_so_many_connections() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "maxClientCnxns=3\n");
    let addr = ensemble.addr(1);
    let connect = || TcpStream::connect(addr).expect("the system accepts");
    let first = until("three places are free", seconds(10), || Client::connect(addr).ok());
    let held: Vec<Client> = (0..2).map(|_| ensemble.client(1)).collect();
    let mut end = [0];
    assert_eq!(connect().read(&mut end).expect("it is closed"), 0, "the fourth");
    assert!(ensemble.log(1).contains("maxClientCnxns"), "{}", ensemble.log(1));
    drop(first);
    let mut next = until("a place is free", seconds(10), || Client::connect(addr).ok());
    next.create("/a", b"x").expect("it serves");
    drop(held);
}

#[test]
fn a_slow_sync_of_the_log_and_keys_that_are_ignored_are_logged() {
    let _alone = alone();
    let ensemble =
        Ensemble::started(1, "fsync.warningthresholdms=0\nflushDelay=1\npreAllocSize=64\n");
    let slow = || -> Option<()> {
        // Some disks sync within a millisecond.
        ensemble.write_znodes(&format!("n{}-", rand::random::<u32>()), 1);
        let said = four_letters(ensemble.addr(1), "mntr").expect("it answers");
        let count = said.lines().find_map(|l| l.strip_prefix("zk_fsync_threshold_exceed_count\t"));
        (count.expect("it is serving") != "0").then_some(())
    };
    until("a sync takes a millisecond", seconds(20), slow);
    let log = ensemble.log(1);
    assert!(log.contains("writing the log takes long"), "{log}");
    assert!(log.contains("preAllocSize is ignored: log files grow as they are written"), "{log}");
}

#[test]
fn requests_past_the_limit_of_all_clients_wait_and_none_is_lost() {
    // Some wait for the others' answers.
    requests_wait("globalOutstandingLimit=5\n", 2, 30, |outstanding, waits| {
        outstanding == 5 && waits > 0
    });
}

#[test]
fn requests_past_the_limit_of_one_client_wait_and_none_is_lost() {
    requests_wait("globalOutstandingLimit=100000\n", 1, 1500, |outstanding, _| outstanding == 1000);
}

/// Clients create so many znodes each, while no quorum can answer: until then only so many requests are
/// outstanding, and so often one had to wait.
fn requests_wait(limit: &str, n_clients: usize, each: i32, are_held: fn(u64, u64) -> bool) {
    let _alone = alone();
    let mut ensemble = Ensemble::new(3, limit);
    (1..=3).for_each(|id| ensemble.start_patient(id));
    let leader = ensemble.settle();
    let clients: Vec<Client> = (0..n_clients).map(|_| ensemble.client(leader)).collect();
    let mut watcher = ensemble.client(leader);
    let figure = |name: &str| -> u64 {
        let said = four_letters(ensemble.addr(leader), "mntr").expect("it answers");
        let prefix = format!("zk_{name}\t");
        let line = said.lines().find_map(|line| line.strip_prefix(&prefix));
        line.expect("it is serving").parse().expect("a number")
    };
    let followers: Vec<usize> = (1..=3).filter(|id| *id != leader).collect();
    followers.iter().for_each(|id| ensemble.signal(*id, Signal::SIGSTOP));
    let busy: Vec<Client> =
        (0..).zip(clients).map(|(n, client)| client.send_only(&creates(n, each))).collect();
    until("the limit is reached", seconds(20), || {
        are_held(figure("outstanding_requests"), figure("request_throttle_wait_count"))
            .then_some(())
    });

    followers.iter().for_each(|id| ensemble.signal(*id, Signal::SIGCONT));
    for n in 0..n_clients {
        let last = format!("/n{n}-{}", each - 1);
        until("the last one is done", seconds(40), || watcher.get(&last).ok());
    }
    assert_eq!(figure("outstanding_requests"), 0);
    drop(busy);
}

/// `count` creates of `/n<client>-<number>`.
fn creates(client: usize, count: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..count {
        let (path, flags) = (format!("/n{client}-{number}"), CreateMode::Persistent.flags());
        let request = Request::Create { path, data: None, acl: Acl::open(), flags };
        wire::encode_request(number + 1, &request, &mut bytes);
    }
    bytes
}

#[test]
fn a_client_that_does_not_read_takes_bounded_memory_and_has_its_answers_once_it_does() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "");
    let mut client = ensemble.client(1);
    client.create("/big", &[7; 1_000_000]).expect("it serves");
    let memory = || -> f64 {
        let said = four_letters(ensemble.addr(1), "mntr").expect("it answers");
        let line = said.lines().find_map(|l| l.strip_prefix("zk_process_resident_memory_bytes\t"));
        line.expect("Linux tells it").parse().expect("a number")
    };
    let before = memory();
    let mut greedy = ensemble.client(1);
    // By its last answer the server knows what the next ones will take.
    greedy.get("/big").expect("it serves");
    let mut requests = Vec::new();
    for xid in 2..=901 {
        let request = Request::GetData { path: "/big".to_owned(), watch: false };
        wire::encode_request(xid, &request, &mut requests);
    }
    let mut greedy = greedy.send_only(&requests);
    let received = || -> u64 {
        let said = four_letters(ensemble.addr(1), "srvr").expect("it answers");
        let line = said.lines().find_map(|line| line.strip_prefix("Received: "));
        line.expect("it is serving").parse().expect("a number")
    };
    let mut last = 0;
    until("the server has taken in what it will", seconds(20), || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let now = received();
        (std::mem::replace(&mut last, now) == now && now > 3).then_some(())
    });
    assert!(memory() - before < 300e6, "{} MB more", (memory() - before) / 1e6);
    assert_eq!(client.get("/big").expect("others are served").len(), 1_000_000);
    for _ in 0..900 {
        assert!(greedy.receive().expect("it was not cut off").len() > 1_000_000);
    }
}

/// Its answers wait, but events are told at once.
#[test]
fn a_client_that_does_not_read_its_events_is_cut_off() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "");
    let path = format!("/{}", "x".repeat(900_000));
    let mut writer = ensemble.client(1);
    writer.create(&path, b"").expect("it serves").result.expect("a new one");
    let mut deaf = Client::connect_for(ensemble.addr(1), 60_000).expect("a session");
    let watch = Request::AddWatch { path: path.clone(), mode: 0 };
    deaf.call(&watch).expect("it serves").result.expect("a watch");
    until("64 MiB are unread", seconds(50), || {
        writer.set(&path, b"x").expect("it serves");
        ensemble.log(1).contains("does not read its replies is cut off").then_some(())
    });
    assert_eq!(writer.get(&path).expect("others are served"), b"x");
    drop(deaf);
}

#[test]
fn a_client_that_asks_for_much_at_once_and_reads_has_all_of_it() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "");
    let mut client = ensemble.client(1);
    client.create("/big", &[7; 1_000_000]).expect("it serves");
    // Nothing has told the server how long the replies will be.
    let mut requests = Vec::new();
    for xid in 1..=200 {
        let request = Request::GetData { path: "/big".to_owned(), watch: false };
        wire::encode_request(xid, &request, &mut requests);
    }
    let mut greedy = ensemble.client(1).send_only(&requests);
    for _ in 0..200 {
        assert!(greedy.receive().expect("it was not cut off").len() > 1_000_000);
    }
}

#[test]
fn inspect_tells_what_a_start_then_does() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "snapCount=20\n");
    let leader = ensemble.settle();
    let mut client = ensemble.client(leader);
    for n in 0..50 {
        client.create(&format!("/n{n}"), b"twelve bytes").expect("it serves");
    }
    until("a snapshot is on disk", seconds(10), || {
        let directory = std::fs::read_dir(ensemble.home(leader).join("zoobreak/g0")).ok()?;
        let names = directory.flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.into_string().ok()).find(|n| n.starts_with("snapshot."))
    });
    // The followers' disks were enough for the acknowledgement.
    until("the last write is on this disk", seconds(10), || {
        let log = std::fs::read(ensemble.newest_log_file(leader)).ok()?;
        log.windows(4).any(|part| part == b"/n49").then_some(())
    });
    ensemble.kill(leader);
    let home = ensemble.home(leader);
    let inspect = || zoobreak(&["server", "inspect", text(&home)], seconds(20));
    let sound = inspect();
    assert_eq!(sound.code, 0, "{}", sound.all());
    for part in ["create /n49, Persistent, 12 bytes of data", "load snapshot.", "fine: everything"]
    {
        assert!(sound.stdout.contains(part), "{part} in {}", sound.all());
    }

    let log = ensemble.newest_log_file(leader);
    let whole = std::fs::read(&log).expect("it is there");
    std::fs::write(&log, &whole[..whole.len() - 5]).expect("a scratch directory");
    let torn = inspect();
    assert_eq!(torn.code, 3, "{}", torn.all());
    let start = torn.stdout.find("at byte ").expect("it says where") + 8;
    let digits: String = torn.stdout[start..].chars().take_while(char::is_ascii_digit).collect();
    ensemble.start(leader);
    ensemble.settle();
    let said = ensemble.log(leader);
    assert!(said.contains(&format!("cut a torn tail at byte {digits}: ")), "{digits}: {said}");
    assert_eq!(zoobreak(&["server", "inspect", "/nowhere"], seconds(20)).code, 64);
}

fn get(addr: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream.set_read_timeout(Some(seconds(10))).expect("a duration");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

fn free_ports() -> [SocketAddr; 2] {
    let held = [0, 1].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("free ports"));
    held.map(|listener| listener.local_addr().expect("it is bound"))
}
