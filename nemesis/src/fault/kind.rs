//! The kinds of fault that a person may ask for, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Ailment, Damage, FaultSpec, Manner, Motion, Shape, Target, Weather};
use crate::disk::Rules;
use crate::scenario::Source;
use crate::trigger::Trigger;

/// A kind of fault: a group such as `kill`, or one member of a group such as `kill:leader`; perhaps with the event
/// that sets it off, as in `kill:leader@epoch-change`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind {
    /// Of [`KINDS`].
    entry: usize,
    on: Option<Trigger>,
}

impl Kind {
    /// All kinds, the groups first, without events.
    pub fn all() -> impl Iterator<Item = Kind> {
        (0..KINDS.len()).map(|entry| Kind { entry, on: None })
    }

    /// Those that together make use of everything that a replicated log promises to survive: the groups,
    /// and what is in none of them.
    pub fn promised() -> impl Iterator<Item = Kind> {
        let is_promised = |kind: &Kind| match kind.name() {
            "wipe" => false,
            "kill:all" | "pause:rolling" => true,
            name => !name.contains(':'),
        };
        Kind::all().filter(is_promised)
    }

    /// The name that [`Kind::from_str`] takes, without the event.
    pub fn name(&self) -> &'static str {
        KINDS[self.entry].0
    }

    /// What sets it off, if it does not come by the clock.
    pub fn on(&self) -> Option<&Trigger> {
        self.on.as_ref()
    }

    /// Its members, each as often as it should be drawn. Most kills and pauses hit the leader,
    /// because most promises hang on a change of leader; partitions take turns, because each
    /// shape finds other defects.
    pub fn members(&self) -> Vec<FaultSpec> {
        let times = |&(weight, spec): &(usize, FaultSpec)| std::iter::repeat_n(spec, weight);
        KINDS[self.entry].1.iter().flat_map(times).collect()
    }

    /// The member that is most worth having if there is time for only one.
    pub fn foremost(&self) -> FaultSpec {
        KINDS[self.entry].1[0].1
    }

    /// Whether it makes sense to let this set it off, or nothing.
    fn set_off_by(self, on: Option<Trigger>) -> Result<Kind, String> {
        let name = self.name();
        let is_for_that = name.ends_with(":that");
        let shows_a_server = on.as_ref().is_some_and(|on| on.sign().is_some());
        match self.foremost() {
            _ if is_for_that && !shows_a_server => Err(format!(
                "`{name}` is for the server in which something happens: write {name}@epoch-change, \
                 or another event of a server"
            )),
            FaultSpec::Scenario { .. } if on.is_some() => {
                Err(format!("`{name}` awaits its events itself: leave out what is behind the @"))
            }
            _ => Ok(Kind { on, ..self }),
        }
    }
}

const KILL_LEADER: FaultSpec = FaultSpec::Kill { target: Target::Leader };
const KILL_ONE: FaultSpec = FaultSpec::Kill { target: Target::One };
const KILL_MINORITY: FaultSpec = FaultSpec::Kill { target: Target::Minority };
const PAUSE_LEADER: FaultSpec = FaultSpec::Pause { target: Target::Leader };
const PAUSE_ONE: FaultSpec = FaultSpec::Pause { target: Target::One };
const PAUSE_MINORITY: FaultSpec = FaultSpec::Pause { target: Target::Minority };
const LEADER: FaultSpec = FaultSpec::Partition { shape: Shape::Leader };
const HALVES: FaultSpec = FaultSpec::Partition { shape: Shape::Halves };
const RING: FaultSpec = FaultSpec::Partition { shape: Shape::Ring };
const BRIDGE: FaultSpec = FaultSpec::Partition { shape: Shape::Bridge };
const ONE: FaultSpec = FaultSpec::Partition { shape: Shape::One };
const ONE_WAY: FaultSpec = FaultSpec::Partition { shape: Shape::OneWay };
const CLIENT: FaultSpec = FaultSpec::Partition { shape: Shape::Client };
const QUORUM_PORT: FaultSpec = FaultSpec::Partition { shape: Shape::QuorumPort };
const ELECTION_PORT: FaultSpec = FaultSpec::Partition { shape: Shape::ElectionPort };
const RESET: FaultSpec = FaultSpec::Partition { shape: Shape::Reset };
const KILL_ALL: FaultSpec = FaultSpec::Kill { target: Target::All };
const ROLLING: FaultSpec = FaultSpec::Rolling;
const RESTART_LEADER: FaultSpec = FaultSpec::Restart { target: Target::Leader };
const RESTART_ONE: FaultSpec = FaultSpec::Restart { target: Target::One };
const RESTART_MINORITY: FaultSpec = FaultSpec::Restart { target: Target::Minority };
const SLOW_LEADER: FaultSpec = FaultSpec::Slow { target: Target::Leader };
const SLOW_ONE: FaultSpec = FaultSpec::Slow { target: Target::One };
const SLOW_MINORITY: FaultSpec = FaultSpec::Slow { target: Target::Minority };
const MEMORY_LEADER: FaultSpec = FaultSpec::Memory { target: Target::Leader };
const MEMORY_ONE: FaultSpec = FaultSpec::Memory { target: Target::One };
const MEMORY_MINORITY: FaultSpec = FaultSpec::Memory { target: Target::Minority };
const JUMP: FaultSpec = FaultSpec::Clock { motion: Motion::Jump };
const STROBE: FaultSpec = FaultSpec::Clock { motion: Motion::Strobe };
const DRIFT: FaultSpec = FaultSpec::Clock { motion: Motion::Drift };
const SLOW: FaultSpec = FaultSpec::Link { weather: Weather::Slow };
const LOSSY: FaultSpec = FaultSpec::Link { weather: Weather::Lossy };
const FLAKY: FaultSpec = FaultSpec::Link { weather: Weather::Flaky };
const DUPLICATE: FaultSpec = FaultSpec::Link { weather: Weather::Duplicate };
const REORDER: FaultSpec = FaultSpec::Link { weather: Weather::Reorder };
const CORRUPT: FaultSpec = FaultSpec::Link { weather: Weather::Corrupt };
const NARROW: FaultSpec = FaultSpec::Link { weather: Weather::Narrow };
const POWER_CUT: FaultSpec = power_cut(Rules::Posix, Manner::Plain);
const POWER_CUT_EXT4: FaultSpec = power_cut(Rules::Ext4, Manner::Plain);
const SCATTERED: FaultSpec = power_cut(Rules::Posix, Manner::Scattered);
const BROWN_OUT: FaultSpec = power_cut(Rules::Posix, Manner::BrownOut);
const fn power_cut(rules: Rules, manner: Manner) -> FaultSpec {
    FaultSpec::PowerCut { rules, manner }
}
const FSYNC_ERROR: FaultSpec = FaultSpec::Disk { ailment: Ailment::FsyncError };
const EIO: FaultSpec = FaultSpec::Disk { ailment: Ailment::Eio };
const FULL: FaultSpec = FaultSpec::Disk { ailment: Ailment::Full };
const SLOW_DISK: FaultSpec = FaultSpec::Disk { ailment: Ailment::Slow };
const SLOW_CREATE: FaultSpec = FaultSpec::Disk { ailment: Ailment::SlowCreate };
const fn damage(damage: Damage) -> FaultSpec {
    FaultSpec::Damage { damage }
}
const fn scenario(n: usize) -> FaultSpec {
    FaultSpec::Scenario { scenario: Source::BuiltIn(n) }
}
const RANDOM: FaultSpec = FaultSpec::Scenario { scenario: Source::Random };

const fn kill(target: Target) -> FaultSpec {
    FaultSpec::Kill { target }
}
const fn pause(target: Target) -> FaultSpec {
    FaultSpec::Pause { target }
}
const fn partition(shape: Shape) -> FaultSpec {
    FaultSpec::Partition { shape }
}

/// A name and the members it may draw, each with its weight. The first member is the foremost.
type Entry = (&'static str, &'static [(usize, FaultSpec)]);

const KINDS: &[Entry] = &[
    ("kill", &[(2, KILL_LEADER), (1, KILL_ONE), (1, KILL_MINORITY)]),
    ("pause", &[(2, PAUSE_LEADER), (1, PAUSE_ONE), (1, PAUSE_MINORITY)]),
    (
        "partition",
        &[(1, LEADER), (1, HALVES), (1, RING), (1, BRIDGE), (1, ONE), (1, ONE_WAY), (1, CLIENT)],
    ),
    (
        "link",
        &[
            (2, SLOW),
            (2, LOSSY),
            (2, FLAKY),
            (1, DUPLICATE),
            (1, REORDER),
            (1, CORRUPT),
            (1, NARROW),
        ],
    ),
    ("restart", &[(2, RESTART_LEADER), (1, RESTART_ONE), (1, RESTART_MINORITY)]),
    ("slow", &[(2, SLOW_LEADER), (1, SLOW_ONE), (1, SLOW_MINORITY)]),
    ("memory", &[(2, MEMORY_LEADER), (1, MEMORY_ONE), (1, MEMORY_MINORITY)]),
    ("clock", &[(1, JUMP), (1, STROBE), (1, DRIFT)]),
    (
        "disk",
        &[
            (3, POWER_CUT),
            (1, SCATTERED),
            (1, BROWN_OUT),
            (1, FSYNC_ERROR),
            (1, EIO),
            (1, FULL),
            (2, SLOW_DISK),
            (1, SLOW_CREATE),
        ],
    ),
    (
        "scenario",
        &[
            (1, scenario(0)),
            (1, scenario(1)),
            (1, scenario(2)),
            (1, scenario(3)),
            (1, scenario(4)),
            (3, RANDOM),
        ],
    ),
    ("kill:leader", &[(1, KILL_LEADER)]),
    ("kill:one", &[(1, KILL_ONE)]),
    ("kill:minority", &[(1, KILL_MINORITY)]),
    ("pause:leader", &[(1, PAUSE_LEADER)]),
    ("pause:one", &[(1, PAUSE_ONE)]),
    ("pause:minority", &[(1, PAUSE_MINORITY)]),
    ("partition:leader", &[(1, LEADER)]),
    ("partition:halves", &[(1, HALVES)]),
    ("partition:ring", &[(1, RING)]),
    ("partition:bridge", &[(1, BRIDGE)]),
    ("partition:one", &[(1, ONE)]),
    ("partition:one-way", &[(1, ONE_WAY)]),
    ("partition:client", &[(1, CLIENT)]),
    ("kill:all", &[(1, KILL_ALL)]),
    ("pause:rolling", &[(1, ROLLING)]),
    ("restart:leader", &[(1, RESTART_LEADER)]),
    ("restart:one", &[(1, RESTART_ONE)]),
    ("restart:minority", &[(1, RESTART_MINORITY)]),
    ("restart:all", &[(1, FaultSpec::Restart { target: Target::All })]),
    ("slow:leader", &[(1, SLOW_LEADER)]),
    ("slow:one", &[(1, SLOW_ONE)]),
    ("slow:minority", &[(1, SLOW_MINORITY)]),
    ("memory:leader", &[(1, MEMORY_LEADER)]),
    ("memory:one", &[(1, MEMORY_ONE)]),
    ("memory:minority", &[(1, MEMORY_MINORITY)]),
    ("crash-loop", &[(1, FaultSpec::CrashLoop)]),
    ("clock:jump", &[(1, JUMP)]),
    ("clock:strobe", &[(1, STROBE)]),
    ("clock:drift", &[(1, DRIFT)]),
    ("disk:power-cut", &[(1, POWER_CUT)]),
    ("disk:power-cut-ext4", &[(1, POWER_CUT_EXT4)]),
    ("disk:power-cut-scattered", &[(1, SCATTERED)]),
    ("disk:brown-out", &[(1, BROWN_OUT)]),
    ("disk:fsync-error", &[(1, FSYNC_ERROR)]),
    ("disk:eio", &[(1, EIO)]),
    ("disk:full", &[(1, FULL)]),
    ("disk:slow", &[(1, SLOW_DISK)]),
    ("disk:slow-create", &[(1, SLOW_CREATE)]),
    ("disk:bit-flip", &[(1, damage(Damage::BitFlip))]),
    ("disk:misdirected-write", &[(1, damage(Damage::MisdirectedWrite))]),
    ("disk:truncated-tail", &[(1, damage(Damage::TruncatedTail))]),
    ("wipe", &[(1, FaultSpec::Wipe)]),
    ("scenario:late-joiner", &[(1, scenario(0))]),
    ("scenario:unlogged-joiner", &[(1, scenario(1))]),
    ("scenario:deposed-leader", &[(1, scenario(2))]),
    ("scenario:cut-off-tail", &[(1, scenario(3))]),
    ("scenario:crown-chain", &[(1, scenario(4))]),
    ("scenario:unwritten-answer", &[(1, scenario(5))]),
    ("scenario:slow-joiner", &[(1, scenario(6))]),
    ("scenario:left-behind", &[(1, scenario(7))]),
    ("scenario:random", &[(1, RANDOM)]),
    ("scenario:file", &[(1, FaultSpec::Scenario { scenario: Source::File })]),
    ("kill:that", &[(1, kill(Target::That))]),
    ("pause:that", &[(1, pause(Target::That))]),
    ("partition:that", &[(1, partition(Shape::That))]),
    ("kill:newest", &[(1, kill(Target::Newest))]),
    ("kill:most-behind", &[(1, kill(Target::MostBehind))]),
    ("kill:quorum-critical", &[(1, kill(Target::QuorumCritical))]),
    ("pause:newest", &[(1, pause(Target::Newest))]),
    ("pause:most-behind", &[(1, pause(Target::MostBehind))]),
    ("pause:quorum-critical", &[(1, pause(Target::QuorumCritical))]),
    ("partition:newest", &[(1, partition(Shape::Newest))]),
    ("partition:most-behind", &[(1, partition(Shape::MostBehind))]),
    ("partition:quorum-critical", &[(1, partition(Shape::QuorumCritical))]),
    ("partition:quorum-port", &[(1, QUORUM_PORT)]),
    ("partition:election-port", &[(1, ELECTION_PORT)]),
    ("partition:reset", &[(1, RESET)]),
    ("link:slow", &[(1, SLOW)]),
    ("link:lossy", &[(1, LOSSY)]),
    ("link:flaky", &[(1, FLAKY)]),
    ("link:duplicate", &[(1, DUPLICATE)]),
    ("link:reorder", &[(1, REORDER)]),
    ("link:corrupt", &[(1, CORRUPT)]),
    ("link:narrow", &[(1, NARROW)]),
];

/// A text that is no kind of fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindError {
    /// No kind has this name. The message lists what exists, the nearest name first.
    Unknown(String),
    /// What is behind the `@` is no event, or none for this kind; in words.
    Trigger(String),
}

impl fmt::Display for KindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = match self {
            KindError::Unknown(name) => name,
            KindError::Trigger(why) => return f.write_str(why),
        };
        let mut names: Vec<_> = Kind::all().map(|kind| kind.name()).collect();
        names.sort_by(|a, b| {
            let likeness = |name: &str| strsim::jaro_winkler(name, wrong);
            likeness(b).total_cmp(&likeness(a))
        });
        write!(f, "no fault is called `{wrong}`; there are: {}", names.join(", "))
    }
}

impl std::error::Error for KindError {}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Kind, KindError> {
        let (name, event) = match text.split_once('@') {
            Some((name, event)) => (name, Some(event)),
            None => (text, None),
        };
        let kind = Kind::all().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| KindError::Unknown(name.to_owned()))?;
        let on = event.map(str::parse).transpose().map_err(KindError::Trigger)?;
        kind.set_off_by(on).map_err(KindError::Trigger)
    }
}

impl TryFrom<String> for Kind {
    type Error = KindError;

    fn try_from(text: String) -> Result<Kind, KindError> {
        text.parse()
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> String {
        kind.to_string()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.on.as_ref().map_or(Ok(()), |on| write!(f, "@{on}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_and_every_member_has_its_own_name() {
        let (of_that, others): (Vec<_>, Vec<_>) =
            Kind::all().partition(|kind| kind.name().ends_with(":that"));
        for kind in others {
            for (_, member) in KINDS[kind.entry].1 {
                let own: Kind = member.to_string().parse().expect("members are kinds");
                assert_eq!(own.foremost(), *member);
            }
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        for kind in of_that {
            let on = format!("{}@role-change", kind.name()).parse();
            assert_eq!(on, Ok(Kind { on: Some(Trigger::RoleChange), ..kind }));
        }
    }

    #[test]
    fn events_are_read_with_the_kind_and_refused_where_they_make_no_sense() {
        let kind: Kind = "kill@changes:log.*|state".parse().expect("it is one");
        assert_eq!((kind.name(), kind.to_string().as_str()), ("kill", "kill@changes:log.*|state"));
        let told = |text: &str| text.parse::<Kind>().expect_err("it is none").to_string();
        assert!(
            told("kill@dawn").starts_with("nothing happens that is called `dawn`; there are: ")
        );
        assert!(
            told("kil@epoch-change").starts_with("no fault is called `kil`; there are: kill, ")
        );
        for alone in ["kill:that", "kill:that@answers:5"] {
            assert!(told(alone).ends_with("kill:that@epoch-change, or another event of a server"));
        }
        assert!(told("scenario@epoch-change").starts_with("`scenario` awaits its events itself"));
    }

    #[test]
    fn what_is_promised_has_each_group_and_nothing_that_is_not() {
        let names: Vec<_> = Kind::promised().map(|kind| kind.name()).collect();
        let expected = "kill pause partition link restart slow memory clock disk scenario kill:all \
                        pause:rolling crash-loop";
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn a_scenario_that_breaks_disks_needs_them() {
        let needs_disks =
            |name: &str| name.parse::<Kind>().expect("a kind").foremost().needs_disks();
        assert!(needs_disks("disk:slow-create") && needs_disks("scenario:unwritten-answer"));
        assert!(!needs_disks("scenario:late-joiner") && !needs_disks("kill"));
    }

    #[test]
    fn a_mistyped_name_gets_the_nearest_first() {
        let message = "partition:leeder".parse::<Kind>().unwrap_err().to_string();
        assert!(message.contains("there are: partition:leader, "), "{message}");
        assert!(message.contains("pause:one"), "{message}");
    }
}
