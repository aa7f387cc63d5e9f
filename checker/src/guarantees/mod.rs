//! The catalogue: what ZooKeeper promises, one file each, as predicates over a client history.
//!
//! A server hands over its own order of things: a definite answer to a write carries a zxid of
//! its own, a reply to a read names the zxid of the state it saw, a Stat says which zxid wrote the
//! data. C1 to C9 tie these claims to real time and to the data. The two linearizability checks
//! look at no zxid at all, so a server that lies about them consistently is caught too.

mod agreement;
mod durability;
mod fifo;
mod identity;
pub(crate) mod linearizable;
mod logs;
mod osc;
mod phantom;
mod real_time;
mod recovery;
mod replicas;
mod session;
mod state;
mod sync;
mod timeliness;
mod tree;
mod unique;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use history::{History, Operation, Settings, Stat};

use crate::budget::{Budget, Limits};
use crate::verdict::{Check, Outcome, Witness};

/// One guarantee and the check for it.
pub(crate) struct Guarantee {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) source: &'static str,
    /// Does only zoobreak's own server promise it?
    pub(crate) more_than_zookeeper: bool,
    /// Is there anything in the history that it is about? Otherwise it is left out.
    pub(crate) applies: fn(&History) -> bool,
    pub(crate) check: Judge,
}

/// What a check needs to know.
pub(crate) enum Judge {
    /// What happened.
    History(fn(&History, &mut Budget) -> Finding),
    /// How long things may take, too: left out for a history without its run.
    Run(fn(&History, &Settings) -> Finding),
}

/// What a check found.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Items examined.
    pub(crate) examined: u64,
    pub(crate) found: Found,
}

#[derive(Debug)]
pub(crate) enum Found {
    Held,
    Broken(Box<Witness>),
    Undecided(String),
    /// The run gave no occasion, which makes it no worse: why.
    NoOccasion(&'static str),
}

/// In the order of the report.
const CATALOGUE: [&Guarantee; 30] = [
    &linearizable::ALL,
    &linearizable::WRITES,
    &osc::OSC,
    &unique::UNIQUE,
    &session::SESSION,
    &real_time::REAL_TIME,
    &fifo::FIFO,
    &state::STATE,
    &tree::STATE,
    &agreement::AGREEMENT,
    &tree::AGREEMENT,
    &phantom::PHANTOM,
    &tree::PHANTOM,
    &durability::DURABILITY,
    &sync::SYNC,
    &timeliness::TIMELINESS,
    &tree::MULTI,
    &tree::CAS,
    &tree::SEQUENCE,
    &tree::STAT,
    &tree::EPHEMERALS,
    &tree::EARLY,
    &tree::EXPIRY,
    &identity::IDENTITY,
    &tree::ORDER,
    &tree::EVENTS,
    &tree::AGAIN,
    &replicas::REPLICAS,
    &recovery::RECOVERY,
    &logs::LOGS,
];

/// Runs every check that applies. Without the settings of the run everything binds, as with zoobreak's
/// own server, and nothing is said of how long things took.
pub(crate) fn check_all(
    history: &History,
    settings: Option<&Settings>,
    limits: Limits,
) -> Vec<Check> {
    let more = settings.is_none_or(|settings| settings.target.promises_more_than_zookeeper());
    let binding = |guarantee: &Guarantee| more || !guarantee.more_than_zookeeper;
    let applying = CATALOGUE.iter().filter(|one| (one.applies)(history));
    applying.filter_map(|one| run(one, binding(one), history, settings, limits)).collect()
}

/// Of guarantees about registers. The znodes workload has its own of the same ids.
fn registers(history: &History) -> bool {
    !tree::applies(history)
}

/// Of guarantees that every history of clients is about.
fn always(_: &History) -> bool {
    true
}

fn run(
    guarantee: &Guarantee,
    binding: bool,
    history: &History,
    settings: Option<&Settings>,
    limits: Limits,
) -> Option<Check> {
    let start = Instant::now();
    let Finding { examined, found } = match guarantee.check {
        Judge::History(judge) => judge(history, &mut Budget::new(limits)),
        Judge::Run(judge) => judge(history, settings?),
    };
    let binding = binding && !matches!(found, Found::NoOccasion(_));
    let (outcome, reason, witness) = match found {
        Found::Held if examined == 0 => {
            (Outcome::Unknown, Some("nothing to examine".to_owned()), None)
        }
        Found::Held => (Outcome::Valid, None, None),
        Found::Broken(witness) => (Outcome::Invalid, None, Some(*witness)),
        Found::Undecided(reason) => (Outcome::Unknown, Some(reason), None),
        Found::NoOccasion(why) => (Outcome::Unknown, Some(format!("not examined: {why}")), None),
    };
    Some(Check {
        id: guarantee.id.to_owned(),
        name: guarantee.name.to_owned(),
        promise: guarantee.promise.to_owned(),
        source: guarantee.source.to_owned(),
        binding,
        outcome,
        reason,
        reached: None,
        examined,
        millis: start.elapsed().as_secs_f64() * 1e3,
        witness,
    })
}

impl Finding {
    /// Held, unless there is a witness.
    fn new(examined: usize, witness: Option<Witness>) -> Finding {
        let found = witness.map_or(Found::Held, |witness| Found::Broken(Box::new(witness)));
        Finding { examined: examined as u64, found }
    }

    /// If it has nothing to examine, then because the run gave no occasion: `why`.
    fn or_no_occasion(self, why: &'static str) -> Finding {
        match self {
            Finding { examined: 0, found: Found::Held } => {
                Finding { examined: 0, found: Found::NoOccasion(why) }
            }
            finding => finding,
        }
    }
}

/// A reply that says which state it shows: an ok read or write with zxid and Stat.
#[derive(Clone, Copy)]
struct View<'a> {
    op: &'a Operation,
    /// The zxid of the state.
    zxid: u64,
    stat: Stat,
}

impl<'a> View<'a> {
    fn of(op: &'a Operation) -> Option<View<'a>> {
        let ok = op.is_ok() && op.action.key().is_some();
        ok.then_some(View { op, zxid: op.zxid?.0, stat: op.stat? })
    }

    /// The zxid that wrote the data.
    fn mzxid(&self) -> u64 {
        self.stat.mzxid.0
    }

    /// The data.
    fn value(&self) -> Option<i64> {
        self.op.action.written().or(self.op.read)
    }
}

/// The replies that show each znode's state.
fn views(history: &History) -> BTreeMap<Arc<str>, Vec<View<'_>>> {
    let mut by_key: BTreeMap<Arc<str>, Vec<View<'_>>> = BTreeMap::new();
    for view in history.operations.iter().filter_map(View::of) {
        let key = view.op.action.key().expect("a view is of a znode");
        by_key.entry(key.clone()).or_default().push(view);
    }
    by_key
}

/// Answered writes with their zxid.
fn write_zxids(history: &History) -> Vec<(u64, &Operation)> {
    let answered = history.operations.iter().filter(|op| op.is_answered_write());
    answered.filter_map(|op| Some((op.zxid?.0, op))).collect()
}
