//! Scenarios: short scripts of faults, aimed at roles, which wait for things to happen.
//!
//! One step a line; `#` begins a comment.
//!
//! ```text
//! kill follower as straggler        # kill, pause, isolate, power-cut, slow-disk
//! await 20 answers within 5s        # so many operations succeeded since
//! heal straggler                    # ends the faults that concern these servers
//! await straggler changes state|currentEpoch within 8s
//! kill straggler as fallen
//! wait 200ms
//! heal everything
//! await settled
//! ```
//!
//! Who: `leader`, `another` (a leader that is not the one when the scenario began), `follower`, `minority` (followers that
//! a majority can spare), `rest` (whoever has no name yet), `newest`, `most-behind`, `quorum-critical` (a follower without
//! which there is no majority), `all`, or a name given by `as`. `a|b` is b where there is no a.
//! Await: `settled`, `N answers`, `WHO leads`, `WHO changes FILE|FILE` (a file of its disks; `log.*` is a
//! prefix), `WHO logs "TEXT"`; each `within` a time, 10 s if none is given.
//! When all steps are done, everything is healed.

mod compose;
mod parse;
mod script;
mod signs;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use compose::compose;
pub use parse::ScenarioError;
pub use script::{Facts, Move, Script, Seen};
pub use signs::Signs;

/// A script, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    steps: Vec<(String, Step)>,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Name(Who, String),
    Break(Harm, Who, Option<String>),
    Heal(Vec<String>),
    HealEverything,
    Wait(Duration),
    Await(Event, Duration),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Harm {
    Kill,
    Pause,
    Isolate,
    PowerCut,
    SlowDisk,
}

/// Alternatives: the first that there is.
type Who = Vec<Role>;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Role {
    Leader,
    Another,
    Follower,
    Minority,
    Rest,
    Newest,
    MostBehind,
    QuorumCritical,
    All,
    Named(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Event {
    Settled,
    Answers(u64),
    Leads(Who),
    Shows(Who, Sign),
}

/// Something that a server leaves behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sign {
    /// A file of one of these names, or with one of these prefixes if it ends in `*`, is new, longer,
    /// shorter, replaced or gone.
    Changes(Vec<String>),
    /// A line with one of these texts in its output.
    Logs(Vec<String>),
}

/// Where a scenario comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// [`BUILT_IN`], by position.
    BuiltIn(usize),
    /// It was given for the run.
    File,
    /// [`compose`]d anew each time.
    Random,
}

impl Source {
    /// Its text, if it is one that is built in.
    pub fn text(self) -> Option<&'static str> {
        match self {
            Source::BuiltIn(n) => BUILT_IN.get(n).map(|(_, text)| *text),
            Source::File | Source::Random => None,
        }
    }

    /// Is it one that is built in and breaks disks?
    pub(crate) fn needs_disks(self) -> bool {
        let scenario = self.text().and_then(|text| text.parse::<Scenario>().ok());
        scenario.is_some_and(|scenario| scenario.needs_disks())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::BuiltIn(n) => BUILT_IN.get(*n).map_or("unknown", |(name, _)| *name),
            Source::File => "file",
            Source::Random => "random",
        })
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(name: String) -> Result<Source, String> {
        let known = BUILT_IN.iter().position(|(known, _)| *known == name);
        match known {
            Some(n) => Ok(Source::BuiltIn(n)),
            None if name == "file" => Ok(Source::File),
            None if name == "random" => Ok(Source::Random),
            None => Err(format!("no scenario is called `{name}`")),
        }
    }
}

/// Names and texts of the scenarios that come with this package.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("late-joiner", include_str!("../../scenarios/late-joiner.txt")),
    ("unlogged-joiner", include_str!("../../scenarios/unlogged-joiner.txt")),
    ("deposed-leader", include_str!("../../scenarios/deposed-leader.txt")),
    ("cut-off-tail", include_str!("../../scenarios/cut-off-tail.txt")),
    ("crown-chain", include_str!("../../scenarios/crown-chain.txt")),
    ("unwritten-answer", include_str!("../../scenarios/unwritten-answer.txt")),
    ("slow-joiner", include_str!("../../scenarios/slow-joiner.txt")),
    ("left-behind", include_str!("../../scenarios/left-behind.txt")),
];

impl Scenario {
    /// Does it break disks?
    pub fn needs_disks(&self) -> bool {
        let is_of_disks =
            |step: &Step| matches!(step, Step::Break(Harm::PowerCut | Harm::SlowDisk, ..));
        self.steps.iter().any(|(_, step)| is_of_disks(step))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::fault::{Fault, View};
    use crate::host::{Host, NodeId};

    /// An ensemble in which whatever is awaited happens.
    #[derive(Default)]
    struct Willing {
        leader: Option<NodeId>,
        down: BTreeSet<NodeId>,
        cut_off: BTreeSet<NodeId>,
        n_hurt: usize,
        seconds: u64,
    }

    impl Willing {
        fn facts(&mut self) -> Facts {
            self.seconds += 1;
            let nodes = NodeId::first(5);
            let is_well = |node: &NodeId| !self.down.contains(node) && !self.cut_off.contains(node);
            self.leader = self.leader.filter(is_well);
            self.leader = self.leader.or(nodes.iter().copied().find(is_well));
            let (leader, down) = (self.leader, self.down.clone());
            let seen = nodes.iter().map(|node| (*node, Seen { zxid: 1, leads: false }));
            Facts {
                now: Duration::from_secs(self.seconds),
                answers: self.seconds * 1000,
                seen: seen.collect::<BTreeMap<_, _>>(),
                view: View { nodes, leader, down, ..View::default() },
                settled: true,
                sign: true,
            }
        }

        fn hurt(&mut self, fault: &Fault) {
            let before = (self.down.clone(), self.cut_off.clone());
            match fault {
                Fault::Kill { nodes } | Fault::Pause { nodes } | Fault::PowerCut { nodes, .. } => {
                    self.down.extend(nodes);
                }
                Fault::Partition { grudge, .. } => {
                    let one = |node: &NodeId| {
                        grudge.iter().all(|l| [l.src, l.dst].contains(&Host::Node(*node)))
                    };
                    self.cut_off.extend(NodeId::first(5).into_iter().filter(one));
                }
                _ => self.n_hurt += 1,
            }
            self.n_hurt += usize::from(before != (self.down.clone(), self.cut_off.clone()));
        }

        fn heal(&mut self, healed: impl Fn(&NodeId) -> bool) {
            self.down.retain(|node| !healed(node));
            self.cut_off.retain(|node| !healed(node));
        }
    }

    #[test]
    fn those_that_are_built_in_hurt_somebody_and_come_to_an_end() {
        for (name, text) in BUILT_IN {
            let mut script = Script::new(text.parse().expect("it can be read"), 1);
            let mut willing = Willing::default();
            loop {
                assert!(willing.seconds < 1000, "{name} stays at `{}`", script.step());
                match script.next(&willing.facts()).unwrap_or_else(|why| panic!("{name}: {why}")) {
                    Move::Break(fault) => willing.hurt(&fault),
                    Move::Heal(nodes) => willing.heal(|node| nodes.contains(node)),
                    Move::HealEverything => willing.heal(|_| true),
                    Move::Watch(..) | Move::Wait => {}
                    Move::End => break,
                }
            }
            assert!(willing.n_hurt > 0, "{name} hurts nobody");
        }
    }
}
