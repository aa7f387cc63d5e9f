//! `zoobreak server` in the hands of others: wrong configurations, taken ports, an ensemble without a
//! quorum, and clients that send garbage.

mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::{Acl, ErrorCode, Request, Response, decode_reply, encode_request, frame, opcode, xid};

use support::client::{Client, Session, dial, exchange, four_letters};
use support::ensemble::Ensemble;
use support::{alone, seconds, until};

#[test]
fn a_wrong_configuration_is_refused_with_file_and_line() {
    let cases: [(&str, Spoil, &str); 6] = [
        (
            "no myid",
            |e| fs::remove_file(e.home(1).join("myid")).expect("it is there"),
            "n1/myid: No such file",
        ),
        (
            "myid not in the list",
            |e| write(&e.home(1).join("myid"), "7\n"),
            "n1/myid: this is server 7, but zoo.cfg has no line server.7",
        ),
        (
            "duplicate id",
            |e| append(&e.config(1), "server.2=127.0.0.1:1:2\n"),
            "n1/zoo.cfg:11: server.2 is set already in line 9",
        ),
        (
            "unknown mutant",
            |e| append(&e.config(1), "mutant=X99\n"),
            "n1/zoo.cfg:11: mutant: no mutant is called \"X99\"",
        ),
        (
            "no dataDir",
            |e| replace(&e.config(1), "dataDir=", "datadir="),
            "n1/zoo.cfg: dataDir is missing",
        ),
        (
            "no number",
            |e| replace(&e.config(1), "syncLimit=4", "syncLimit=four"),
            "n1/zoo.cfg:3: syncLimit: expected a number",
        ),
    ];
    for (what, spoil, expected) in cases {
        let ensemble = Ensemble::new(3, "");
        spoil(&ensemble);
        let said = ensemble.refused(1);
        assert_eq!(said.code, 64, "{what}: {}", said.stderr);
        assert!(said.stderr.contains(expected), "{what}: {}", said.stderr);
        assert!(!ensemble.home(1).join("zoobreak").exists(), "{what}: something was written");
    }
}

type Spoil = fn(&Ensemble);

/// Its promises are there: a server that votes by another's may vote twice.
#[test]
fn the_data_of_another_server_are_refused_and_left_alone() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    ensemble.write_znodes("a", 3);
    ensemble.wait_until_level();
    [1, 2].into_iter().for_each(|id| ensemble.stop(id));
    let [first, second] = [1, 2].map(|id| ensemble.home(id).join("zoobreak"));
    let lost = ensemble.home(2).join("lost");
    fs::rename(&second, &lost).expect("it has run");
    fs::rename(&first, &second).expect("it has run");
    let state = fs::read(second.join("state")).expect("it has run");
    let said = ensemble.refused(2);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("the data of server 1, and this is server 2"), "{}", said.stderr);
    assert_eq!(fs::read(second.join("state")).expect("it was left"), state);

    // What an earlier version has left has no mark, and is taken to be its own.
    fs::rename(&second, &first).expect("it was left");
    fs::rename(&lost, &second).expect("it was moved away");
    fs::remove_file(second.join("owner")).expect("it has run");
    [1, 2].into_iter().for_each(|id| ensemble.start(id));
    ensemble.settle();
    ensemble.wait_until_level();
    (1..=3).for_each(|id| ensemble.assert_serves_znodes(id, "a", 3));
}

#[test]
fn a_port_in_use_is_named() {
    let ensemble = Ensemble::new(3, "");
    let [learners, votes] = ensemble.peer_addrs(1);
    for addr in [ensemble.addr(1), learners, votes] {
        let _holder = TcpListener::bind(addr).expect("it was free a moment ago");
        let said = ensemble.refused(1);
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(
            said.stderr.contains(&format!("zoobreak: {addr}: Address already in use")),
            "{}",
            said.stderr
        );
        assert!(said.stderr.contains("is another server running"), "{}", said.stderr);
    }
}

#[test]
fn without_a_quorum_no_session_is_given_and_none_is_kept() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let leader = ensemble.settle();
    let mut client = ensemble.client(leader);
    let followers: Vec<usize> = (1..=3).filter(|id| *id != leader).collect();
    followers.iter().for_each(|id| ensemble.kill(*id));
    let addr = ensemble.addr(leader);
    until("the leader steps down", seconds(20), || ensemble.zxid(leader).is_none().then_some(()));
    let cut_off = client.create("/a", b"").err().expect("its server does not serve");
    assert_ne!(cut_off.kind(), ErrorKind::WouldBlock, "the connection was left open");
    let refused = Client::connect(addr).err().expect("no quorum could agree on it");
    assert_ne!(refused.kind(), ErrorKind::WouldBlock, "the connection was left open");
    assert_eq!(four_letters(addr, "ruok").expect("it answers"), "imok");
    let said = four_letters(addr, "srvr").expect("it answers");
    assert!(said.contains("not currently serving requests"), "{said}");

    followers.iter().for_each(|id| ensemble.start(*id));
    ensemble.settle();
    ensemble.write_znodes("a", 1);
}

#[test]
fn garbage_closes_the_connection_and_nothing_else() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    ensemble.write_znodes("a", 3);
    let leader = ensemble.settle();
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    for id in 1..=3 {
        let addr = ensemble.addr(id);
        assert_garbage_is_refused(addr, &mut rng);
        assert_unknown_operations_are_answered(&ensemble, id);
        for _ in 0..20 {
            let client = ensemble.client(id);
            client.exchange(&frames(20, &mut rng)).expect("the server closes the connection");
        }
        for peer in ensemble.peer_addrs(id) {
            for _ in 0..50 {
                exchange(peer, &bytes(64, &mut rng)).expect("the server closes the connection");
            }
        }
        assert_eq!(four_letters(addr, "ruok").expect("it answers"), "imok");
    }
    assert_eq!(ensemble.settle(), leader, "nobody was disturbed");
    ensemble.write_znodes("b", 3);
    ensemble.wait_until_level();
    (1..=3).for_each(|id| ensemble.assert_serves_znodes(id, "b", 3));
}

/// Apache ZooKeeper 3.8.0 answers the same.
#[test]
fn a_request_that_cannot_be_read_is_answered_in_its_place() {
    let _alone = alone();
    let ensemble = Ensemble::started(3, "");
    ensemble.write_znodes("a", 1);
    let request = |xid: i32, opcode: i32, body: &[u8]| {
        let length = 8 + i32::try_from(body.len()).expect("short");
        let head = [length, xid, opcode].map(i32::to_be_bytes).concat();
        [&head, body].concat()
    };
    let unreadable = ErrorCode::MarshallingError.code();
    for id in 1..=3 {
        let mut client = ensemble.client(id);
        for (xid, opcode, body, err) in [
            (1, opcode::SET_DATA, &b"\x7f\xff\xff\xff/"[..], unreadable),
            (2, opcode::GET_DATA, b"\0\0\0\x05/", unreadable),
            (3, opcode::MULTI, b"", unreadable),
            (4, opcode::PING, b"", 0),
        ] {
            let reply = client.answer_to(&request(xid, opcode, body)).expect("it answers");
            let (header, _) = decode_reply(&reply, opcode::PING).expect("a header alone");
            assert_eq!((header.xid, header.err), (xid, err), "server {id}");
        }
        let credentials = request(xid::AUTH, opcode::AUTH, b"\0");
        let closed = client.answer_to(&credentials).expect_err("nobody can tell who it is");
        assert_ne!(closed.kind(), ErrorKind::WouldBlock, "the connection was left open");
        assert!(ensemble.log(id).contains("a request that cannot be read"), "{}", ensemble.log(id));
    }
    (1..=3).for_each(|id| ensemble.assert_serves_znodes(id, "a", 1));
}

/// A session, new or resumed, is not there before a quorum has said so; what came in the meantime waits.
#[test]
fn what_is_asked_with_the_handshake_is_answered_after_it() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let leader = ensemble.settle();
    let data = |id: usize| format!("of {id}").into_bytes();
    for id in 1..=3 {
        let path = format!("/{id}");
        let create = Request::Create {
            path: path.clone(),
            data: Some(data(id).into()),
            acl: Acl::open(),
            flags: 0,
        };
        let read = Request::GetData { path, watch: false };
        let new = Session::default();
        let known = ensemble.client(leader).session();
        for (session, first) in [(new, create), (known, Request::Sync { path: "/".into() })] {
            let answers = all_at_once(ensemble.addr(id), &session, &[first, read.clone()]);
            let (header, body) = decode_reply(&answers[2], opcode::GET_DATA).expect("a reply");
            assert_eq!((header.xid, header.err), (2, 0), "server {id}");
            let Some(Response::GetData { data: found, .. }) = body else { panic!("{body:?}") };
            assert_eq!(found.as_deref(), Some(&data(id)[..]), "server {id}");
        }
    }
}

/// The server's frames, the handshake's first, when everything is sent in one piece.
fn all_at_once(addr: SocketAddr, session: &Session, requests: &[Request]) -> Vec<Vec<u8>> {
    let mut bytes = session.handshake(10_000, false);
    for (xid, request) in (1..).zip(requests.iter().chain([&Request::CloseSession])) {
        encode_request(xid, request, &mut bytes);
    }
    let mut stream = dial(addr).expect("it listens");
    stream.write_all(&bytes).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers, and closes the connection");
    let mut frames = Vec::new();
    while let Some(payload) = frame::next(&answer, frame::MAX_LEN_DEFAULT).expect("frames") {
        frames.push(answer[payload.clone()].to_vec());
        answer.drain(..payload.end);
    }
    assert_eq!(frames.len(), requests.len() + 2, "each is answered");
    frames
}

fn assert_garbage_is_refused(addr: SocketAddr, rng: &mut ChaCha8Rng) {
    let lengths = [-1, i32::MIN, i32::MAX, 0x10_0000, 0, 3];
    for length in lengths {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend([0; 16]);
        let answer = exchange(addr, &bytes).expect("the server closes the connection");
        assert!(answer.is_empty(), "length {length}: {answer:?}");
    }
    for _ in 0..100 {
        exchange(addr, &bytes(64, rng)).expect("the server closes the connection");
        exchange(addr, &frames(3, rng)).expect("the server closes the connection");
    }
}

/// The stream is in order, so there is an answer; it is the connection's last.
fn assert_unknown_operations_are_answered(ensemble: &Ensemble, id: usize) {
    for opcode in [10, 999, -5, i32::MAX] {
        let mut client = ensemble.client(id);
        let answer = client.call(&Request::Unknown { opcode }).expect("it answers");
        assert_eq!(answer.result, Err(ErrorCode::Unimplemented), "opcode {opcode}");
        client.get("/a0").expect_err("the connection is closed");
    }
    assert_eq!(ensemble.client(id).get("/a0").expect("it answers"), b"a0");
}

/// Up to `len_max` random bytes.
fn bytes(len_max: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(1..=len_max)];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Frames of the right length, which look like requests at first.
fn frames(n: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut frames = Vec::new();
    for xid in 0..n as i32 {
        frame::write(&mut frames, |writer| {
            writer.int(xid);
            writer.int(rng.random_range(-12..=25));
            bytes(40, rng).iter().for_each(|byte| writer.boolean(*byte > 127));
        });
    }
    frames
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).expect("a scratch directory");
}

fn append(path: &Path, line: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("it is there");
    file.write_all(line.as_bytes()).expect("a scratch directory");
}

fn replace(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).expect("it is there");
    assert!(text.contains(old), "{text}");
    write(path, text.replace(old, new));
}
