//! A path through the model as what is to be done with real servers, so that the same happens there.

use std::hash::{Hash, Hasher};

use serde_json::Value;
use zab::{Command, Configuration, Digest, Durable, Entry, Mapping, Members, Message};
use zab::{Output, Record, ServerId};

use super::action::{self, Action};
use super::disk::Image;
use super::prepare::Prepared;
use super::{App, Setup, Txn, Zab};
use crate::care::Care;

/// The next thing to do, or to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// A server starts, and waits for orders.
    Start {
        /// Which.
        server: ServerId,
        /// With the defect that is planted? What is only read from disks, sound servers write.
        planted: bool,
    },
    /// `kill -9`.
    Kill {
        /// Whom.
        server: ServerId,
    },
    /// A client of a server writes; its answer is not waited for.
    Submit {
        /// Whose client.
        server: ServerId,
    },
    /// A client of a server syncs, and reads.
    Sync {
        /// Whose client.
        server: ServerId,
    },
    /// The client of this turn, counted from 0 over all that was submitted or synced, has its answer.
    Answered {
        /// Whose.
        turn: usize,
    },
    /// An order to a server.
    Order {
        /// To whom.
        server: ServerId,
        /// What.
        command: Command,
    },
    /// A server takes a step.
    Expect {
        /// Who.
        server: ServerId,
        /// Which.
        step: Box<Expected>,
    },
}

/// A step of a server as the model has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    input: Option<Input>,
    out: Vec<Out>,
}

type Input = zab::Input<Digest, u64>;
type Out = Output<Digest, u64>;

/// One action of a counterexample; the first part is the preparation, and has no story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// In words.
    pub story: Option<String>,
    /// What it takes.
    pub moves: Vec<Move>,
}

/// The history that all servers have before the model's first state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base(Image);

impl Base {
    /// What a server found on its disk, of the first line of its trace.
    ///
    /// # Errors
    /// In words, when it is no such line, or the server has a snapshot.
    pub fn of(line: &str) -> Result<Base, String> {
        let record: Record = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let Record::Start { durable, .. } = record else {
            return Err("a trace that does not begin with a start".to_owned());
        };
        let Durable { accepted_epoch, current_epoch, snapshot, log, .. } = durable;
        if snapshot != zab::Zxid::ZERO {
            return Err(format!("a snapshot up to {snapshot}, where a log was expected"));
        }
        let log = log.into_iter().map(|entry| Entry { zxid: entry.zxid, txn: 0 }).collect();
        let image =
            Image { accepted: accepted_epoch, current: current_epoch, log, ..Image::default() };
        Ok(Base(image))
    }
}

/// What was done, if somebody wants to know. No part of a state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    moves: Option<Vec<Move>>,
    /// What clients asked, in turn: whom, and what its server does when it answers.
    asked: Vec<(ServerId, Asked)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Txn(Txn),
    Sync(u64),
}

impl Script {
    pub(crate) fn new(wanted: bool) -> Script {
        Script { moves: wanted.then(Vec::new), asked: Vec::new() }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.moves.is_some()
    }

    pub(crate) fn add(&mut self, one: impl FnOnce() -> Move) {
        if let Some(moves) = &mut self.moves {
            moves.push(one());
        }
    }

    pub(crate) fn order(&mut self, server: ServerId, command: impl FnOnce() -> Command) {
        self.add(|| Move::Order { server, command: command() });
    }

    pub(crate) fn expect(
        &mut self,
        server: ServerId,
        input: Option<zab::Input<Txn, App>>,
        out: &[Output<Txn, App>],
    ) {
        self.add(|| {
            let step = Expected {
                input: input.map(|input| plain_input(input.map(&MAPPING))),
                out: out.iter().filter_map(|out| plain(out.map(&MAPPING))).collect(),
            };
            Move::Expect { server, step: Box::new(step) }
        });
        for out in out {
            self.answered(server, out);
        }
    }

    fn answered(&mut self, server: ServerId, out: &Output<Txn, App>) {
        let answer = match out {
            Output::Deliver(entry) => Asked::Txn(entry.txn),
            Output::SyncDone { token } => Asked::Sync(*token),
            _ => return,
        };
        if let Some(turn) = self.asked.iter().position(|asked| *asked == (server, answer)) {
            self.add(|| Move::Answered { turn });
        }
    }

    fn ask(&mut self, server: ServerId, what: Asked) {
        if self.is_wanted() {
            self.asked.push((server, what));
        }
        self.add(|| match what {
            Asked::Txn(_) => Move::Submit { server },
            Asked::Sync(_) => Move::Sync { server },
        });
    }

    /// What it takes that `server` is given `input`.
    pub(crate) fn bring_about(&mut self, server: ServerId, input: &zab::Input<Txn, App>) {
        use zab::Input;
        match input {
            Input::Timer(timer) => self.order(server, || Command::Timer(*timer)),
            Input::Received { from, message } if message.is_for_election() => {
                self.order(server, || Command::Vote {
                    from: *from,
                    message: message.map(&MAPPING),
                });
            }
            Input::Received { from, .. } => self.order(server, || Command::Frame { from: *from }),
            Input::Connected { peer } => self.order(server, || Command::Up { peer: *peer }),
            Input::Disconnected { peer } => self.order(server, || Command::Down { peer: *peer }),
            Input::Stored { .. } => {
                self.order(server, || Command::Write);
                self.order(server, || Command::Stored);
            }
            Input::Submit { txn } => self.ask(server, Asked::Txn(*txn)),
            Input::Sync { token } => self.ask(server, Asked::Sync(*token)),
            // Not of a preparation that can be rehearsed.
            Input::Unreachable { .. } | Input::Compact { .. } | Input::Forget { .. } => {}
        }
    }

    fn take(&mut self) -> Vec<Move> {
        self.moves.replace(Vec::new()).unwrap_or_default()
    }
}

impl PartialEq for Script {
    fn eq(&self, _: &Script) -> bool {
        true
    }
}

impl Eq for Script {}

impl Hash for Script {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What it takes that real servers, which all have `base`, go the way of `actions`.
pub(crate) fn rehearse(
    model: &Zab,
    actions: &[Value],
    story: &[String],
    base: &Base,
) -> Result<Vec<Part>, String> {
    if matches!(model.prepared, Prepared::Snapshot | Prepared::Votes) {
        return Err("its first state cannot be brought about with processes".to_owned());
    }
    if model.setup.care != Care::Full {
        return Err("what is lost here, no process loses when it is killed".to_owned());
    }
    let setup = Setup { base: base.0.clone(), rehearsed: true, ..model.setup.clone() };
    let mut world = model.prepared.world(&setup);
    let mut parts = vec![Part { story: None, moves: world.script.take() }];
    for (idx, (stored, words)) in actions.iter().zip(story).enumerate() {
        let no_step = |error: &dyn std::fmt::Display| format!("step {}: {error}", idx + 1);
        let action: Action =
            serde_json::from_value(stored.clone()).map_err(|error| no_step(&error))?;
        let next = action::apply(&setup, &world, action);
        world = next.ok_or_else(|| no_step(&"nothing comes of it"))?;
        parts.push(Part { story: Some(words.clone()), moves: world.script.take() });
    }
    Ok(parts)
}

impl Expected {
    /// Is the step that a server has recorded this one, but for the contents of transactions?
    ///
    /// # Errors
    /// What was expected, and what is there.
    pub fn compare(&self, line: &str) -> Result<(), String> {
        let record: Record = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let found = match record {
            Record::Start { out, .. } => Expected { input: None, out: all_plain(&out) },
            Record::Step { input, out, .. } => {
                Expected { input: Some(plain_input(input.map(&CONTENTS))), out: all_plain(&out) }
            }
        };
        if found == *self {
            return Ok(());
        }
        let difference = match found.input == self.input {
            true => format!("the model does {:?}, the server {:?}", self.out, found.out),
            false => format!("the model is given {:?}, the server {:?}", self.input, found.input),
        };
        Err(difference)
    }
}

/// Contents are of no interest.
type Empty<T, S> = Mapping<fn(&T) -> Digest, fn(&S) -> u64>;

const MAPPING: Empty<Txn, App> = Mapping { txn: |_| NOTHING, state: |_| 0 };
const CONTENTS: Empty<Digest, u64> = Mapping { txn: |_| NOTHING, state: |_| 0 };
const NOTHING: Digest = Digest { of: 0, members: None };

fn all_plain(out: &[Out]) -> Vec<Out> {
    out.iter().filter_map(|out| plain(out.map(&CONTENTS))).collect()
}

/// Without what models and servers are configured with: durations, addresses, and numbers of requests.
fn plain(out: Out) -> Option<Out> {
    Some(match out {
        Output::Contacts(_) => return None,
        Output::SetTimer { timer, .. } => Output::SetTimer { timer, ms: 0 },
        Output::SyncDone { .. } => Output::SyncDone { token: 0 },
        Output::Send { to, message } => Output::Send { to, message: plain_message(message) },
        other => other,
    })
}

fn plain_input(input: Input) -> Input {
    use zab::Input;
    match input {
        Input::Received { from, message } => {
            Input::Received { from, message: plain_message(message) }
        }
        Input::Sync { .. } => Input::Sync { token: 0 },
        other => other,
    }
}

fn plain_message(message: Message<Digest, u64>) -> Message<Digest, u64> {
    match message {
        Message::NewLeader { epoch, .. } => {
            let configuration = Configuration::initial(Members::of_voters([]));
            Message::NewLeader { epoch, configuration }
        }
        Message::SyncRequest { .. } => Message::SyncRequest { token: 0 },
        Message::SyncReply { .. } => Message::SyncReply { token: 0 },
        other => other,
    }
}
