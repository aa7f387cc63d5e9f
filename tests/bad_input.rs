//! What clients send that they should not, and what they do not do that they should. Each time:
//! refused or bounded with ZooKeeper's answer, nothing in the log, and others are served.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::{
    Acl, ConnectRequest, ConnectResponse, CreateMode, ErrorCode, OpResult, ReplyHeader, Request,
    Response, encode_request, frame,
};

use support::client::{Client, exchange, four_letters};
use support::ensemble::Ensemble;
use support::{alone, seconds, until};

/// A server, and a client that behaves.
struct Stage {
    ensemble: Ensemble,
    witness: Client,
}

impl Stage {
    fn new(options: &str) -> Stage {
        let ensemble = Ensemble::started(1, options);
        let mut witness = ensemble.client(1);
        witness.create("/witness", b"").expect("it serves");
        Stage { ensemble, witness }
    }

    /// Whatever happens meanwhile puts no transaction into the log. Sessions must be open before.
    fn unmoved(&mut self, what: &str, happens: impl FnOnce(&Ensemble)) {
        let before = self.witness.set("/witness", b"before").expect("it serves").zxid;
        happens(&self.ensemble);
        let after = self.witness.set("/witness", b"after").expect("others are served").zxid;
        assert_eq!(after, before + 1, "{what}: something is in the log");
    }

    fn variable(&self, name: &str) -> f64 {
        let said = four_letters(self.ensemble.addr(1), "mntr").expect("it answers");
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("zk_{name}\t")));
        line.expect("it is told").parse().expect("a number")
    }

    /// Connections of clients among them, with a session or without.
    fn open_files(&self) -> f64 {
        self.variable("open_file_descriptor_count")
    }
}

fn get(path: &str) -> Request {
    Request::GetData { path: path.into(), watch: false }
}

fn request(xid: i32, request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_request(xid, request, &mut bytes);
    bytes
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes()[..], payload].concat()
}

#[test]
fn frames_that_cannot_be_read_end_the_connection() {
    let _alone = alone();
    let mut stage = Stage::new("");
    let cases = [
        ("a negative length", (-1i32).to_be_bytes().to_vec()),
        ("the most negative length", i32::MIN.to_be_bytes().to_vec()),
        ("an oversized frame", (frame::MAX_LEN_DEFAULT as u32 + 1).to_be_bytes().to_vec()),
        ("an empty frame", framed(&[])),
        ("half a header", framed(&[0, 0, 0, 1, 0, 0, 0])),
    ];
    let cases: Vec<_> = cases.iter().cycle().take(30).collect();
    let clients: Vec<Client> = cases.iter().map(|_| stage.ensemble.client(1)).collect();
    stage.unmoved("frames", |_| {
        for ((what, bytes), client) in cases.iter().zip(clients) {
            let answer = client.cut_off(bytes).expect("the server closes the connection");
            assert!(answer.is_empty(), "{what}: {answer:?}");
        }
    });
    assert!(stage.ensemble.log(1).contains("what it sends makes no sense"));
    assert!(stage.ensemble.log(1).matches("makes no sense").count() <= 10, "it fills the log");
}

/// A refused write has its place in the order, so it takes a zxid; nothing else of it is kept.
#[test]
fn records_that_cannot_be_read_are_answered_and_change_nothing() {
    let _alone = alone();
    let mut stage = Stage::new("");
    let create = Request::Create { path: "/a".into(), data: None, acl: Acl::open(), flags: 0 };
    let whole = request(7, &create).split_off(4);
    let mut cases: Vec<Vec<u8>> = (8..whole.len()).map(|cut| framed(&whole[..cut])).collect();
    cases.push(framed(&[&whole[..], &[0]].concat()));
    // The lengths of path and data, the number of entries, the length of a scheme.
    for at in [8, 14, 18, 26] {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
        cases.push(framed(&bytes));
    }
    let mut client = stage.ensemble.client(1);
    for case in &cases {
        let answer = client.answer_to(case).expect("an answer");
        let header = ReplyHeader::peek(&answer).expect("a header");
        let refused = ErrorCode::MarshallingError.code();
        assert_eq!((header.xid, header.err), (7, refused), "{case:02x?}");
    }
    let missing = stage.witness.call(&get("/a")).expect("others are served").result;
    assert_eq!(missing, Err(ErrorCode::NoNode));
}

#[test]
fn random_requests_do_no_harm() {
    let _alone = alone();
    let mut stage = Stage::new("extendedTypesEnabled=true\n");
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    for _ in 0..200 {
        let mut bytes = Vec::new();
        for xid in 0..20 {
            let mut body = vec![0; rng.random_range(0..60)];
            rng.fill_bytes(&mut body);
            body.iter_mut().filter(|byte| **byte & 3 > 0).for_each(|byte| *byte = 0);
            let header = [xid, rng.random_range(-12..110)].map(i32::to_be_bytes).concat();
            bytes.extend(framed(&[header, body].concat()));
        }
        stage.ensemble.client(1).exchange(&bytes).expect("the server closes the connection");
    }
    stage.witness.set("/witness", b"x").expect("others are served");
}

#[test]
fn unknown_operations_get_unimplemented_and_no_zxid() {
    let _alone = alone();
    let mut stage = Stage::new("");
    let codes = [10, 13, 20, 999, -1, -5, -10, i32::MAX, i32::MIN];
    let clients: Vec<Client> = codes.iter().map(|_| stage.ensemble.client(1)).collect();
    stage.unmoved("unknown operations", |_| {
        for (opcode, client) in codes.into_iter().zip(clients) {
            let body = [&77i32.to_be_bytes()[..], &opcode.to_be_bytes(), b"whatever"].concat();
            let answer = client.cut_off(&framed(&body)).expect("it closes the connection");
            let header = ReplyHeader::peek(&answer[4..]).expect("a header");
            let expected = ReplyHeader::failure(77, -1, ErrorCode::Unimplemented);
            assert_eq!((header, answer.len()), (expected, 20), "opcode {opcode}");
        }
    });
}

/// As Apache ZooKeeper has it: the operation decides, and the number is only sent back.
#[test]
fn reserved_numbers_are_sent_back_and_mean_nothing() {
    let _alone = alone();
    let mut stage = Stage::new("");
    let numbers = [-1, -2, -4, -8, 0, i32::MIN, i32::MAX, 7, 7];
    let client = stage.ensemble.client(1);
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|xid| request(*xid, &get("/none"))).collect();
    bytes.extend(request(-2, &get("/witness")));
    bytes.extend(request(9, &Request::Ping));
    let mut answers = Vec::new();
    stage.unmoved("reserved numbers", |_| {
        answers = client.exchange(&bytes).expect("it is closed when all is answered");
    });
    let mut rest = &answers[..];
    let mut told = Vec::new();
    while let Some(payload) = frame::next(rest, 9999).expect("frames") {
        let header = ReplyHeader::peek(&rest[payload.clone()]).expect("a header");
        told.push((header.xid, header.err));
        rest = &rest[payload.end..];
    }
    // A ping overtakes what waits.
    told.retain(|told| *told != (9, 0));
    let mut expected = numbers.map(|xid| (xid, ErrorCode::NoNode.code())).to_vec();
    expected.push((-2, 0));
    assert_eq!(told, expected);
}

#[test]
fn paths_may_be_as_long_as_a_request_and_no_shorter_than_a_slash() {
    let _alone = alone();
    let mut stage = Stage::new("");
    let long = |n: usize| format!("/{}", "x".repeat(n));
    let mut client = stage.ensemble.client(1);
    let empty = client.create("", b"").expect("an answer");
    assert_eq!(empty.result, Err(ErrorCode::BadArguments));
    let longest = long(1_000_000);
    let created = client.create(&longest, b"data").expect("an answer");
    assert_eq!(created.result, Ok(Some(Response::Create { path: longest.clone() })));
    stage.unmoved("too long a path", |_| {
        assert!(client.create(&long(1_048_600), b"").is_err(), "above jute.maxbuffer");
    });
    assert_eq!(stage.witness.get(&longest).expect("it is there"), b"data");
}

/// ZooKeeper's own transaction for the end of a session names every path, which made it larger
/// than `jute.maxbuffer` allows (ZOOKEEPER-3496).
#[test]
fn a_session_with_megabytes_of_ephemeral_paths_ends() {
    let _alone = alone();
    // Such paths take a slow machine its time.
    let mut ensemble = Ensemble::new(3, "");
    (1..=3).for_each(|id| ensemble.start_patient(id));
    ensemble.settle();
    let mut owner = ensemble.client(2);
    let paths: Vec<String> = (0..12).map(|i| format!("/{i}{}", "x".repeat(400_000))).collect();
    for path in &paths {
        let flags = CreateMode::Ephemeral.flags();
        let request = Request::Create { path: path.clone(), data: None, acl: Acl::open(), flags };
        owner.call(&request).expect("it serves").result.expect("created");
    }
    owner.call(&Request::CloseSession).expect("it serves").result.expect("closed");
    let gone = |ensemble: &Ensemble| {
        for id in 1..=3 {
            let mut client = ensemble.client(id);
            for path in &paths {
                let answer = client.call(&get(path)).expect("it serves");
                assert_eq!(answer.result, Err(ErrorCode::NoNode));
            }
        }
    };
    ensemble.wait_until_level();
    gone(&ensemble);
    (1..=3).for_each(|id| ensemble.kill(id));
    (1..=3).for_each(|id| ensemble.start(id));
    ensemble.settle();
    gone(&ensemble);
}

#[test]
fn multis_are_as_large_as_a_request_and_flat() {
    let _alone = alone();
    let mut stage = Stage::new("");
    let check = || Request::Check { path: "/no".into(), version: -1 };
    let answer = stage
        .witness
        .call(&Request::Multi { ops: (0..50_000).map(|_| check()).collect() })
        .expect("it is below jute.maxbuffer");
    match answer.result {
        Ok(Some(Response::Multi { results })) => {
            assert_eq!(results.len(), 50_000);
            assert_eq!(results[0], OpResult::Error { code: ErrorCode::NoNode.code() });
            assert_eq!(results[1], OpResult::Error { code: -2 });
        }
        other => panic!("{other:?}"),
    }
    let nested = Request::Multi { ops: vec![Request::Multi { ops: vec![check()] }] };
    let read = Request::Multi { ops: vec![get("/witness")] };
    let sync = Request::MultiRead { ops: vec![Request::Sync { path: "/".into() }] };
    let too_many = Request::Multi { ops: (0..100_000).map(|_| check()).collect() };
    for multi in [nested, read, sync] {
        let refused = stage.witness.call(&multi).expect("an answer").result;
        assert_eq!(refused, Err(ErrorCode::MarshallingError), "{multi:?}");
    }
    let mut client = stage.ensemble.client(1);
    stage.unmoved("too large a multi", |_| assert!(client.call(&too_many).is_err()));
}

/// Some kilobytes that ask for gigabytes.
#[test]
fn a_multi_read_reads_no_more_than_can_be_sent() {
    let _alone = alone();
    let mut stage = Stage::new("");
    stage.witness.create("/big", &[7; 1_000_000]).expect("it serves");
    let ops: Vec<_> = (0..3000).map(|_| get("/big")).collect();
    let mut client = stage.ensemble.client(1);
    let answer = client.call(&Request::MultiRead { ops }).expect("an answer").result;
    let Ok(Some(Response::Multi { results })) = answer else { panic!("no results") };
    let refused = OpResult::Error { code: ErrorCode::MarshallingError.code() };
    let n_read = results.iter().take_while(|result| **result != refused).count();
    assert_eq!((n_read, results.len()), (67, 3000), "64 MiB of 3 GB");
    assert!(results[n_read..].iter().all(|result| *result == refused));
    assert_eq!(stage.witness.get("/big").expect("others are served").len(), 1_000_000);
}

/// Half a frame and then nothing: before a session a client has ten seconds, in a session as long
/// as the session has. Others from elsewhere are served meanwhile.
#[test]
fn clients_that_stop_in_the_middle_of_a_frame_are_let_go() {
    let _alone = alone();
    let stage = Stage::new("maxClientCnxns=40\n");
    let addr = stage.ensemble.addr(1);
    let before = stage.open_files();
    let mut slow = Vec::new();
    for n in 0..30 {
        let mut stream = TcpStream::connect(addr).expect("there is room");
        let hello = connect_request(1, 0, &[0; 16]);
        let half: &[u8] = match n % 3 {
            0 => &hello[..2],
            1 => &hello[..hello.len() - 1],
            _ => &[&hello[..], &0xf_ffffu32.to_be_bytes(), &[0; 100]].concat(),
        };
        stream.write_all(half).expect("the server reads");
        slow.push(stream);
    }
    until("they are accepted", seconds(5), || (stage.open_files() >= before + 20.0).then_some(()));
    until("they are let go", seconds(18), || (stage.open_files() <= before).then_some(()));
    assert!(stage.variable("process_resident_memory_bytes") < 300e6);
    drop(slow);
}

/// Its session runs out, since no more of its requests are read; then its connection goes too,
/// although what it was sent is still not read.
#[test]
fn a_client_that_never_reads_is_let_go_with_its_session() {
    let _alone = alone();
    let mut stage = Stage::new("");
    stage.witness.create("/big", &[7; 1_000_000]).expect("it serves");
    let before = stage.open_files();
    let mut stream = TcpStream::connect(stage.ensemble.addr(1)).expect("there is room");
    stream.write_all(&connect_request(1, 0, &[0; 16])).expect("the server reads");
    // More than the system takes for it, and less than makes the server cut it off at once.
    for xid in 1..=30 {
        stream.write_all(&request(xid, &get("/big"))).expect("the server reads");
    }
    until("it is let go", seconds(15), || (stage.open_files() <= before).then_some(()));
    assert_eq!(stage.witness.get("/big").expect("others are served").len(), 1_000_000);
}

#[test]
fn more_clients_than_files_do_not_stop_the_server() {
    let _alone = alone();
    let mut ensemble = Ensemble::new(1, "maxClientCnxns=0\nsnapCount=20\n");
    ensemble.start_with_files(1, 200);
    ensemble.settle();
    let addr = ensemble.addr(1);
    let mut witness = ensemble.client(1);
    let crowd: Vec<TcpStream> = (0..1000).filter_map(|_| TcpStream::connect(addr).ok()).collect();
    assert!(crowd.len() > 200, "the system accepts them");
    // New files for the log and for snapshots are needed meanwhile.
    for n in 0..200 {
        witness.create(&format!("/{n}"), b"x").expect("the first is served").result.expect("new");
    }
    assert!(ensemble.log(1).contains("too many connections (maxCnxns"), "{}", ensemble.log(1));
    drop(crowd);
    let mut next = ensemble.client(1);
    assert_eq!(next.get("/199").expect("it serves"), b"x");
    ensemble.kill(1);
}

#[test]
fn all_clients_together_have_only_so_many_connections() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "maxCnxns=3\n");
    let addr = ensemble.addr(1);
    let held: Vec<Client> = (0..3).map(|_| ensemble.client(1)).collect();
    let mut end = [0];
    let mut fourth = TcpStream::connect(addr).expect("the system accepts");
    fourth.set_read_timeout(Some(seconds(5))).expect("a socket");
    assert_eq!(fourth.read(&mut end).expect("it is closed"), 0);
    drop(held);
    ensemble.client(1).create("/a", b"x").expect("there is room again");
}

#[test]
fn handshakes_that_make_no_sense_give_no_session_of_others() {
    let _alone = alone();
    let mut stage = Stage::new("");
    let addr = stage.ensemble.addr(1);
    let response = |bytes: &[u8]| {
        let answer = exchange(addr, bytes).expect("it closes the connection");
        (!answer.is_empty()).then(|| ConnectResponse::decode(&answer[4..]).expect("a response"))
    };
    for (asked, granted) in [(0, 400), (-1, 400), (i32::MIN, 400), (i32::MAX, 60_000)] {
        let given = response(&connect_request(asked, 0, &[0; 16])).expect("a session");
        assert_eq!(given.timeout_ms, granted, "timeout {asked}");
        assert_ne!(given.session_id, 0);
    }
    let owner = response(&connect_request(20_000, 0, &[])).expect("no password is needed");
    stage.unmoved("bad handshakes", |_| {
        let empty = ConnectResponse::refusal(Some(false));
        for password in [&owner.password[..15], &[], &[0; 16], &[0; 17], &[7; 1_000_000]] {
            let refused = response(&connect_request(20_000, owner.session_id, password));
            assert_eq!(refused.as_ref(), Some(&empty), "{} bytes", password.len());
        }
        for id in [-1, i64::MIN, i64::MAX, 1] {
            assert_eq!(response(&connect_request(20_000, id, &[0; 16])), Some(empty.clone()));
        }
        for (zxid, is_answered) in [(i64::MAX, false), (-1, false), (i64::MIN, false)] {
            let mut bytes = connect_request(20_000, owner.session_id, &owner.password);
            bytes[8..16].copy_from_slice(&zxid.to_be_bytes());
            assert_eq!(response(&bytes).is_some(), is_answered, "zxid {zxid}");
        }
        let whole = connect_request(20_000, 0, &[0; 16]);
        for cut in [0, 4, 20, 40] {
            assert_eq!(response(&framed(&whole[4..4 + cut])), None, "cut at {cut}");
        }
    });
    let again = response(&connect_request(20_000, owner.session_id, &owner.password));
    assert_eq!(again.expect("a session").session_id, owner.session_id, "its owner still has it");
}

/// Every write carries them to every server.
#[test]
fn identities_have_bounded_names() {
    let _alone = alone();
    let stage = Stage::new("");
    let mut client = stage.ensemble.client(1);
    let mut log_in = |n: usize| {
        let auth = Some([vec![b'u'; n], b":password".to_vec()].concat().into());
        client.call(&Request::Auth { auth_type: 0, scheme: "digest".into(), auth })
    };
    assert_eq!(log_in(30_000).expect("an answer").result, Ok(None));
    assert_eq!(log_in(60_000).expect("an answer").result, Err(ErrorCode::AuthFailed));
    assert!(log_in(1).is_err(), "the connection is closed");
}

#[test]
fn a_connection_has_only_so_many_identities() {
    let _alone = alone();
    let stage = Stage::new("");
    let mut client = stage.ensemble.client(1);
    let mut log_in = |n: usize| {
        let auth = Some(format!("user{n}:password").into_bytes().into());
        let request = Request::Auth { auth_type: 0, scheme: "digest".into(), auth };
        client.call(&request).expect("an answer").result
    };
    // Its address is the first of a hundred.
    (1..100).for_each(|n| assert_eq!(log_in(n), Ok(None), "identity {n}"));
    assert_eq!(log_in(1), Ok(None), "it has this one");
    assert_eq!(log_in(100), Err(ErrorCode::AuthFailed));
}

fn connect_request(timeout_ms: i32, session_id: i64, password: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms,
        session_id,
        password: password.to_vec(),
        read_only: Some(false),
    }
    .encode(&mut bytes);
    bytes
}
