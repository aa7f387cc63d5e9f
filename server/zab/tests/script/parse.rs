//! Events as the scripts write them.

use zab::{
    Config, Configuration, Durable, Entry, Input, Members, Mutant, ServerId, Timer, Timing, Zxid,
};

use super::{State, Txn};

pub(crate) enum Event {
    Start { config: Config, durable: Durable<Txn> },
    Restart { id: ServerId },
    Crash { id: ServerId },
    Input { id: ServerId, input: Input<Txn, State> },
    Stored { id: ServerId, ops: Option<usize> },
    Deliver { from: ServerId, to: ServerId, all: bool },
    Drop { from: ServerId, to: ServerId },
    Connect { learner: ServerId, leader: ServerId },
    Cut { a: ServerId, b: ServerId },
    Run,
}

/// A script that cannot be read ends the test with the line that is wrong.
pub(crate) fn parse(line: &str) -> Event {
    let words: Vec<_> = line.split_whitespace().collect();
    let input = |id: &str, input| Event::Input { id: number(id), input };
    match words[..] {
        ["start", id, "of", n, ref rest @ ..] => start(number(id), number(n), rest),
        ["restart", id] => Event::Restart { id: number(id) },
        ["crash", id] => Event::Crash { id: number(id) },
        ["timer", id, name] => input(id, Input::Timer(timer(name))),
        ["submit", id, txn] => input(id, Input::Submit { txn: number(txn) }),
        ["sync", id, token] => input(id, Input::Sync { token: number(token) }),
        ["forget", id, upto] => input(id, Input::Forget { upto: zxid(upto) }),
        ["compact", id, upto] => input(id, Input::Compact { upto: zxid(upto) }),
        ["stored", id] => Event::Stored { id: number(id), ops: None },
        ["stored", id, n] => Event::Stored { id: number(id), ops: Some(number(n) as usize) },
        ["deliver", from, to] => Event::Deliver { from: number(from), to: number(to), all: false },
        ["deliver", from, to, "all"] => {
            Event::Deliver { from: number(from), to: number(to), all: true }
        }
        ["drop", from, to] => Event::Drop { from: number(from), to: number(to) },
        ["unreachable", id, peer] => input(id, Input::Unreachable { peer: number(peer) }),
        ["connect", learner, leader] => {
            Event::Connect { learner: number(learner), leader: number(leader) }
        }
        ["cut", a, b] => Event::Cut { a: number(a), b: number(b) },
        ["run"] => Event::Run,
        _ => panic!("what is {line:?}?"),
    }
}

fn start(id: ServerId, servers: u64, settings: &[&str]) -> Event {
    let timing =
        Timing { tick_ms: 1000, init_limit: 10, sync_limit: 2, settle_ms: 200, resend_ms: 500 };
    let configuration = Configuration::initial(Members::of_voters(1..=servers));
    let mut config = Config { id, configuration, timing, log_kept: 0, mutant: None };
    let mut durable = Durable::nothing();
    for setting in settings {
        match setting.split_once('=') {
            Some(("accepted", epoch)) => durable.accepted_epoch = number(epoch) as u32,
            Some(("current", epoch)) => durable.current_epoch = number(epoch) as u32,
            Some(("snapshot", end)) => durable.snapshot = zxid(end),
            Some(("log", zxids)) => durable.log = zxids.split(',').map(entry).collect(),
            Some(("observers", ids)) => {
                let members = Members::of(1..=servers, ids.split(',').map(number));
                config.configuration = Configuration::initial(members);
            }
            Some(("kept", entries)) => config.log_kept = number(entries) as usize,
            Some(("mutant", "X1")) => config.mutant = Some(Mutant::X1),
            Some(("mutant", "X11")) => config.mutant = Some(Mutant::X11),
            _ => panic!("what is {setting:?}?"),
        }
    }
    Event::Start { config, durable }
}

/// The transaction of a log that a server starts with is named after its zxid: 2:13 is 213.
fn entry(word: &str) -> Entry<Txn> {
    let zxid = zxid(word);
    Entry { zxid, txn: u64::from(zxid.epoch() * 100 + zxid.counter()) }
}

fn zxid(word: &str) -> Zxid {
    let (epoch, counter) = word.split_once(':').expect("a zxid is epoch:counter");
    Zxid::new(number(epoch) as u32, number(counter) as u32)
}

fn timer(name: &str) -> Timer {
    match name {
        "resend" => Timer::Resend,
        "settle" => Timer::Settle,
        "init" => Timer::Init,
        "beat" => Timer::Beat,
        _ => panic!("what is the timer {name:?}?"),
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("{word:?} is no number"))
}
