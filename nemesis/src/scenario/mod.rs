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
    /// A line with this text in its output.
    Logs(String),
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
];

impl Scenario {
    /// Does it break disks?
    pub fn needs_disks(&self) -> bool {
        let is_of_disks =
            |step: &Step| matches!(step, Step::Break(Harm::PowerCut | Harm::SlowDisk, ..));
        self.steps.iter().any(|(_, step)| is_of_disks(step))
    }
}
