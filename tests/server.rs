//! `zoobreak server` in the hands of an operator: wrong files, taken ports, damaged disks, long
//! absences, and clients that send garbage.

mod support;

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::{ErrorCode, Request};

use support::client::{Client, exchange, four_letters};
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
fn a_torn_tail_is_cut_and_what_was_lost_is_fetched() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let follower = a_follower(&mut ensemble);
    write_znodes(&ensemble, "a", 30);
    wait_until_level(&ensemble);
    ensemble.kill(follower);
    let log = ensemble.newest_log_file(follower);
    let whole = fs::read(&log).expect("it is there");
    write(&log, &whole[..whole.len() - 5]);

    ensemble.start(follower);
    wait_until_level(&ensemble);
    let said = ensemble.log(follower);
    let expected = format!("{}: cut a torn tail at byte ", log.display());
    assert!(said.contains(&expected), "{said}");
    assert_serves_znodes(&ensemble, follower, "a", 30);
}

#[test]
fn damage_that_no_crash_can_do_is_refused_with_file_and_offset() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let follower = a_follower(&mut ensemble);
    write_znodes(&ensemble, "a", 30);
    wait_until_level(&ensemble);
    ensemble.kill(follower);
    let log = ensemble.newest_log_file(follower);
    let middle = fs::metadata(&log).expect("it is there").len() / 2;
    flip_byte(&log, middle);
    let spoiled = fs::read(&log).expect("it is there");

    let said = ensemble.refused(follower);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let start = said.stderr.find(&format!("zoobreak: {}: damaged at byte ", log.display()));
    let start = start.unwrap_or_else(|| panic!("{}", said.stderr));
    let offset =
        said.stderr[start..].split("at byte ").nth(1).and_then(|rest| rest.split(':').next());
    let offset: u64 = offset.and_then(|digits| digits.parse().ok()).expect("a number");
    assert!(offset <= middle && middle - offset < 500, "byte {middle} was flipped, not {offset}");
    assert_eq!(fs::read(&log).expect("it is there"), spoiled, "the evidence is left as it was");
}

#[test]
fn a_server_that_was_away_for_long_is_brought_up_by_a_snapshot() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "snapCount=50\ncommitLogCount=20\n");
    let follower = a_follower(&mut ensemble);
    write_znodes(&ensemble, "a", 30);
    wait_until_level(&ensemble);
    ensemble.kill(follower);
    write_znodes(&ensemble, "b", 5);
    ensemble.start(follower);
    wait_until_level(&ensemble);
    assert!(!ensemble.log(follower).contains("state replaced"), "5 transactions are a DIFF");

    ensemble.kill(follower);
    write_znodes(&ensemble, "c", 200);
    ensemble.start(follower);
    wait_until_level(&ensemble);
    let leader = ensemble.settle();
    assert!(ensemble.log(leader).contains("sending a snapshot"), "{}", ensemble.log(leader));
    assert!(ensemble.log(follower).contains("state replaced"), "{}", ensemble.log(follower));
    for (prefix, n) in [("a", 30), ("b", 5), ("c", 200)] {
        assert_serves_znodes(&ensemble, follower, prefix, n);
    }

    // What was installed is on disk: it is there after another kill, without the others' help.
    ensemble.kill(follower);
    ensemble.start(follower);
    wait_until_level(&ensemble);
    assert_eq!(ensemble.log(follower).matches("state replaced").count(), 1);
    assert_serves_znodes(&ensemble, follower, "c", 200);
}

#[test]
fn garbage_closes_the_connection_and_nothing_else() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    write_znodes(&ensemble, "a", 3);
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
    write_znodes(&ensemble, "b", 3);
    wait_until_level(&ensemble);
    (1..=3).for_each(|id| assert_serves_znodes(&ensemble, id, "b", 3));
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

/// The stream is in order, so the session goes on.
fn assert_unknown_operations_are_answered(ensemble: &Ensemble, id: usize) {
    let mut client = ensemble.client(id);
    for opcode in [10, 999, -5, i32::MAX] {
        let answer = client.call(&Request::Unknown { opcode }).expect("it answers");
        assert_eq!(answer.result, Err(ErrorCode::Unimplemented), "opcode {opcode}");
    }
    assert_eq!(client.get("/a0").expect("it answers"), b"a0");
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
        wire::frame::write(&mut frames, |writer| {
            writer.int(xid);
            writer.int(rng.random_range(-12..=25));
            bytes(40, rng).iter().for_each(|byte| writer.boolean(*byte > 127));
        });
    }
    frames
}

fn a_follower(ensemble: &mut Ensemble) -> usize {
    ensemble.settle() % 3 + 1
}

/// Creates `/<prefix>0` and so on, each with its name as data.
fn write_znodes(ensemble: &Ensemble, prefix: &str, n: usize) {
    let mut client: Client = ensemble.client(serving(ensemble));
    for i in 0..n {
        let name = format!("{prefix}{i}");
        let answer = client.create(&format!("/{name}"), name.as_bytes()).expect("it serves");
        assert!(answer.result.is_ok(), "{name}: {:?}", answer.result);
    }
}

fn serving(ensemble: &Ensemble) -> usize {
    until("a server serves", seconds(20), || (1..=3).find(|id| ensemble.zxid(*id).is_some()))
}

/// Waits until all three have applied the same last transaction.
fn wait_until_level(ensemble: &Ensemble) {
    until("all servers are level", seconds(20), || {
        let zxids: Option<Vec<String>> = (1..=3).map(|id| ensemble.zxid(id)).collect();
        zxids?.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
    });
}

/// Asked directly, without `sync`, the server has them all.
fn assert_serves_znodes(ensemble: &Ensemble, id: usize, prefix: &str, n: usize) {
    let mut client = ensemble.client(id);
    for i in 0..n {
        let name = format!("{prefix}{i}");
        assert_eq!(client.get(&format!("/{name}")).expect("it is there"), name.as_bytes());
    }
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

fn flip_byte(path: &Path, at: u64) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path).expect("it is there");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut byte)).expect("in the file");
    byte[0] ^= 0x10;
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&byte)).expect("in the file");
}
