//! The circuit breaker under load: what it refuses, what it lets through, and what it leaves alone.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use wire::{Acl, CreateMode, ErrorCode, Request};

use support::client::{Client, four_letters};
use support::ensemble::Ensemble;
use support::{alone, seconds, until};

const OPTIONS: &str = "circuitBreaker.enabled=true\ncircuitBreaker.requestVolumeThreshold=10\n\
    circuitBreaker.minimumResponseTime=300\ncircuitBreaker.sleepWindowSize=3\n";
const CLOSED: f64 = 0.0;
const OPEN: f64 = 2.0;
/// Each has one request on its way.
const WRITERS: usize = 20;
/// So short that it matters how a session is kept alive while the circuit is open.
const TIMEOUT_MS: i32 = 1000;
/// Between a refusal and the next attempt.
const PACE: Duration = Duration::from_millis(5);

#[test]
fn under_load_it_refuses_while_a_quorum_hangs_and_closes_when_probes_succeed() {
    let _alone = alone();
    let mut ensemble = Ensemble::new(3, OPTIONS);
    (1..=3).for_each(|id| ensemble.start_patient(id));
    let leader = ensemble.settle();
    let followers: Vec<usize> = (1..=3).filter(|id| *id != leader).collect();
    let figure = |name: &str| figure(&ensemble, leader, name);
    let mut owners = ["/pings", "/refused", "/silent"].map(|path| owner(&ensemble, leader, path));
    assert_eq!(figure("circuit_breaker_state"), CLOSED);
    let stop = AtomicBool::new(false);
    let done = thread::scope(|scope| {
        let stop = &stop;
        let write = |(n, client)| scope.spawn(move || Writer::new(n, client).work(stop));
        let mut clients =
            (0..2 * WRITERS).map(|_| ensemble.client(leader)).enumerate().collect::<Vec<_>>();
        let later = clients.split_off(WRITERS);
        let mut writers: Vec<_> = clients.into_iter().map(write).collect();
        // Without a quorum no write is answered.
        followers.iter().for_each(|id| ensemble.signal(*id, Signal::SIGSTOP));
        until("the circuit is open", seconds(10), || {
            (figure("circuit_breaker_state") == OPEN).then_some(())
        });
        writers.extend(later.into_iter().map(write));
        // For longer than a session lasts: pings are answered, requests refused, and both keep a
        // session alive.
        let since = Instant::now();
        let [pings, refused, _] = &mut owners;
        until("two seconds are over", seconds(10), || {
            assert!(pings.call(&Request::Ping).expect("it answers").result.is_ok());
            let answer = refused.create("/no", b"").expect("it answers while nothing is committed");
            assert_eq!(answer.result, Err(ErrorCode::ThrottledOp));
            (since.elapsed() > seconds(2)).then_some(())
        });
        followers.iter().for_each(|id| ensemble.signal(*id, Signal::SIGCONT));
        until("the circuit is closed", seconds(20), || {
            assert!(pings.call(&Request::Ping).expect("it answers").result.is_ok());
            let _probe_or_refused = refused.create("/no", b"").expect("it answers");
            (figure("circuit_breaker_state") == CLOSED).then_some(())
        });
        assert_eq!(exists(pings, "/pings"), Ok(()));
        assert_eq!(exists(refused, "/refused"), Ok(()));
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().expect("it is served")).collect::<Vec<_>>()
    });
    assert_effects(&ensemble, leader, &done);
    // Only who was silent has lost its session.
    let mut client = ensemble.client(leader);
    until("the silent one's session expires", seconds(20), || {
        (exists(&mut client, "/silent") == Err(ErrorCode::NoNode)).then_some(())
    });
    let refused: usize = done.iter().map(|writer| writer.refused.len()).sum();
    assert!(figure("throttled_ops") >= refused as f64 && refused > 0);
    for (change, step) in [
        ("opened", "from=Closed to=Open"),
        ("half_opened", "from=Open to=HalfOpen"),
        ("closed", "from=HalfOpen to=Closed"),
    ] {
        assert!(figure(&format!("circuit_breaker_{change}_count")) >= 1.0, "{change}");
        assert!(ensemble.log(leader).contains(step), "{step} in {}", ensemble.log(leader));
    }
}

/// What was refused was not done, and what was acknowledged was.
fn assert_effects(ensemble: &Ensemble, leader: usize, done: &[Writer]) {
    let mut client = ensemble.client(leader);
    for writer in done {
        for path in &writer.refused {
            assert_eq!(exists(&mut client, path), Err(ErrorCode::NoNode), "{path} was refused");
        }
        for path in &writer.acknowledged {
            assert_eq!(exists(&mut client, path), Ok(()), "{path} was acknowledged");
        }
    }
    assert!(done.iter().any(|writer| !writer.acknowledged.is_empty()));
}

/// A client with an ephemeral znode.
fn owner(ensemble: &Ensemble, id: usize, path: &str) -> Client {
    let mut client = Client::connect_for(ensemble.addr(id), TIMEOUT_MS).expect("it serves");
    let (path, flags) = (path.to_owned(), CreateMode::Ephemeral.flags());
    let create = Request::Create { path, data: None, acl: Acl::open(), flags };
    client.call(&create).expect("it serves").result.expect("it is new");
    client
}

fn exists(client: &mut Client, path: &str) -> Result<(), ErrorCode> {
    let request = Request::Exists { path: path.to_owned(), watch: false };
    client.call(&request).expect("it answers").result.map(|_| ())
}

fn figure(ensemble: &Ensemble, id: usize, name: &str) -> f64 {
    let said = four_letters(ensemble.addr(id), "mntr").expect("it answers");
    let prefix = format!("zk_{name}\t");
    let line = said.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("no {name} in {said}")).parse().expect("a number")
}

/// Creates one znode after another.
struct Writer {
    n: usize,
    client: Client,
    acknowledged: Vec<String>,
    refused: Vec<String>,
}

impl Writer {
    fn new(n: usize, client: Client) -> Writer {
        Writer { n, client, acknowledged: Vec::new(), refused: Vec::new() }
    }

    fn work(mut self, stop: &AtomicBool) -> Writer {
        for i in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let path = format!("/w{}-{i}", self.n);
            let answer = self.client.create(&path, b"").expect("its session lives");
            match answer.result {
                Ok(_) => self.acknowledged.push(path),
                Err(ErrorCode::ThrottledOp) => {
                    self.refused.push(path);
                    thread::sleep(PACE);
                }
                Err(code) => panic!("{path}: {code:?}"),
            }
        }
        self
    }
}
