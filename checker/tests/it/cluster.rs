//! A simulated ensemble that keeps every promise, and clients that use it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use history::{Hex, Kind, Phase, f};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::story::{Reply, Story, at};

pub(crate) struct Shape {
    pub(crate) seed: u64,
    pub(crate) operations: usize,
    pub(crate) clients: u64,
    pub(crate) keys: usize,
    /// Share of the operations whose answer is lost.
    pub(crate) lost: f64,
}

/// A correct run: load, three verified faults, two leader changes, final reads on three servers.
pub(crate) fn run(shape: &Shape) -> Story {
    let mut cluster = Cluster::new(shape);
    cluster.story.phase(Phase::Setup);
    cluster.story.leader("n1", 1);
    cluster.story.phase(Phase::Load);
    cluster.load(shape);
    for (fault, kind) in (1..).zip(["kill", "pause", "partition"]) {
        cluster.story.installed(fault, kind);
        cluster.story.leader("n2", 1 + fault);
    }
    cluster.story.phase(Phase::Heal);
    cluster.story.settled();
    cluster.story.phase(Phase::FinalReads);
    cluster.final_reads(shape);
    cluster.story.phase(Phase::End);
    cluster.story
}

struct Cluster {
    story: Story,
    rng: ChaCha8Rng,
    zxid: u64,
    /// Of each key: its states, oldest first.
    states: Vec<Vec<(Reply, Option<i64>)>>,
    clients: Vec<Client>,
    steps: BinaryHeap<Reverse<(u64, u64, Step)>>,
}

#[derive(Clone, Default)]
struct Client {
    written: i64,
    /// The last value that it wrote with effect.
    effected: i64,
    /// Largest zxid shown to its session.
    seen: u64,
    known: Vec<i32>,
    asked: Option<Asked>,
}

#[derive(Clone)]
struct Asked {
    f: &'static str,
    key: usize,
    expected: i32,
    value: i64,
    answer: Option<Answer>,
    lost: bool,
}

#[derive(Clone)]
enum Answer {
    Ok(Value, Reply),
    BadVersion(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Invoke,
    Effect,
    Complete,
    /// A write takes effect after its client gave up, unless the client has written since: (key,
    /// value, expected version or -1).
    Late(usize, i64, i32),
}

impl Cluster {
    fn new(shape: &Shape) -> Cluster {
        let client = Client { known: vec![0; shape.keys], ..Client::default() };
        Cluster {
            story: Story::new(),
            rng: ChaCha8Rng::seed_from_u64(shape.seed),
            zxid: 0x1_0000_0000,
            states: vec![vec![(at(1, 0), None)]; shape.keys],
            clients: (0..shape.clients).map(|_| client.clone()).collect(),
            steps: BinaryHeap::new(),
        }
    }

    fn load(&mut self, shape: &Shape) {
        let mut left = shape.operations;
        for client in 0..shape.clients {
            self.after(client, Step::Invoke);
        }
        while let Some(Reverse((time, client, step))) = self.steps.pop() {
            self.story.now = time;
            match step {
                Step::Invoke if left == 0 => {}
                Step::Invoke => {
                    left -= 1;
                    self.invoke(client, shape);
                    self.after(client, Step::Effect);
                }
                Step::Effect => self.effect(client),
                Step::Complete => {
                    self.complete(client);
                    self.after(client, Step::Invoke);
                }
                Step::Late(_, value, _) if self.clients[client as usize].effected > value => {}
                Step::Late(key, value, expected) => {
                    self.set(key, value, expected);
                }
            }
        }
    }

    fn after(&mut self, client: u64, step: Step) {
        let time = self.story.now + self.rng.random_range(2_000_000..20_000_000);
        self.steps.push(Reverse((time, client, step)));
    }

    fn invoke(&mut self, client: u64, shape: &Shape) {
        let key = self.rng.random_range(0..shape.keys);
        let lost = self.rng.random_bool(shape.lost);
        let dice = self.rng.random_range(0..100);
        let who = &mut self.clients[client as usize];
        who.written += 1;
        let value = client as i64 * 1_000_000 + who.written;
        let expected = who.known[key];
        let (f, argument) = match dice {
            0..35 => (f::READ, Value::Null),
            35..55 => (f::LOCAL_READ, Value::Null),
            55..80 => (f::WRITE, json!(value)),
            _ => (f::CAS, json!([expected, value])),
        };
        who.asked = Some(Asked { f, key, expected, value, answer: None, lost });
        self.story.invoke(client, f, &format!("/r{key}"), argument);
    }

    fn effect(&mut self, client: u64) {
        let mut asked = self.clients[client as usize].asked.clone().expect("invoked");
        let expected = if asked.f == f::CAS { asked.expected } else { -1 };
        let writes = asked.f == f::WRITE || asked.f == f::CAS;
        if asked.lost && writes && self.rng.random_bool(0.5) {
            if self.rng.random_bool(0.5) {
                let late = self.story.now + self.rng.random_range(0..2_000_000_000);
                self.steps.push(Reverse((
                    late,
                    client,
                    Step::Late(asked.key, asked.value, expected),
                )));
            }
        } else if writes {
            asked.answer = Some(self.set(asked.key, asked.value, expected));
            self.clients[client as usize].effected = asked.value;
        } else {
            asked.answer = Some(self.get(client, asked.key, asked.f == f::LOCAL_READ));
        }
        self.clients[client as usize].asked = Some(asked);
        self.after(client, Step::Complete);
    }

    fn set(&mut self, key: usize, value: i64, expected: i32) -> Answer {
        self.zxid += 1;
        let version = self.states[key].last().expect("never empty").0.version;
        if expected >= 0 && expected != version {
            return Answer::BadVersion(self.zxid);
        }
        let reply = at(self.zxid, version + 1);
        self.states[key].push((reply, Some(value)));
        Answer::Ok(json!(value), reply)
    }

    /// A read without sync shows any state that its session may still be shown.
    fn get(&mut self, client: u64, key: usize, local: bool) -> Answer {
        let seen = self.clients[client as usize].seen.max(0x1_0000_0000);
        let oldest = if local { seen.max(self.zxid.saturating_sub(20)) } else { self.zxid };
        let zxid = self.rng.random_range(oldest..=self.zxid);
        let states = &self.states[key];
        let until = states.partition_point(|(reply, _)| reply.zxid <= zxid);
        let (reply, value) = states[until - 1];
        Answer::Ok(json!(value), reply.later(zxid))
    }

    fn complete(&mut self, client: u64) {
        let who = &mut self.clients[client as usize];
        let asked = who.asked.take().expect("invoked");
        match asked.answer {
            Some(Answer::Ok(value, reply)) if !asked.lost => {
                who.known[asked.key] = reply.version;
                who.seen = who.seen.max(reply.zxid);
                let asked_cas = asked.f == f::CAS;
                let value = if asked_cas { json!([asked.expected, asked.value]) } else { value };
                self.story.ok(client, asked.f, value, reply);
            }
            Some(Answer::BadVersion(zxid)) if !asked.lost => {
                who.known[asked.key] += 1;
                who.seen = who.seen.max(zxid);
                let event = self.story.complete(client, Kind::Fail, asked.f, Value::Null);
                event.error = Some("BadVersion".into());
                event.zxid = Some(Hex(zxid));
            }
            _ => self.story.info(client, asked.f),
        }
    }

    fn final_reads(&mut self, shape: &Shape) {
        for node in 1..=3 {
            for key in 0..shape.keys {
                let (reply, value) = *self.states[key].last().expect("never empty");
                let process = shape.clients + node - 1;
                self.story.invoke(process, f::READ, &format!("/r{key}"), Value::Null);
                let event = self.story.ok(process, f::READ, json!(value), reply.later(self.zxid));
                event.node = Some(format!("n{node}"));
            }
        }
    }
}
