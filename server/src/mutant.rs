//! Planted defects: what a harness must find.

use std::fmt;
use std::str::FromStr;

/// A planted defect. Off unless named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A defect of the protocol.
    Protocol(zab::Mutant),
    /// X2: the log is written, and never synced.
    UnsyncedLog,
    /// X13: a follower that is brought up by log entries does not apply the first of them.
    SkipFirstOfDiff,
    /// X18: a session is resumed on a server that is behind what the client has seen.
    SkipLastZxidCheck,
    /// X19: a write is taken from a server that the session has left.
    FormerOwners,
    /// X21: the leader is not told which sessions a follower has heard of.
    UnreportedTouches,
    /// X22: a new leader lets the sessions of its predecessor's time live for ever.
    SessionsForgotten,
    /// X24: a server that starts again gives out the same session ids again.
    SessionIdsAgain,
    /// X25: the number of a sequential znode is that of the children there are.
    SequenceByChildren,
    /// X26: of a multi that fails, what comes before the culprit is kept.
    TornMultis,
    /// X30: a watch event is sent behind the reply to the write that sets it off.
    LateWatchEvents,
    /// X31: watches that are set again tell of nothing that changed meanwhile.
    WatchesSetBlindly,
    /// X32: watches are told of writes that were refused.
    EventsOfRefusals,
    /// X35: a set at an expected version is done at any version.
    VersionsUnchecked,
    /// X36: checksums of the log are not looked at.
    UncheckedLog,
    /// X37: a write or fsync of the log that failed is taken for done.
    IgnoredDiskErrors,
    /// X38: a new file of the log is synced, its name is not.
    UnsyncedNames,
    /// X46: a follower goes on serving however long it has not heard of its leader.
    PatientFollowers,
    /// X47: a set refused for its version is done all the same.
    RefusalsDone,
    /// X48: a sequential znode that is to be ephemeral is made a persistent one.
    OwnersForgotten,
    /// X49: a session that its client closes is left to run out.
    ClosesIgnored,
}

impl Mutant {
    /// Those that a run can show, by number. X43 to X45, on members, a simulation has (the model has X43
    /// too); with X15, an ensemble gives nobody a session.
    pub const ALL: [Mutant; 30] = [
        Mutant::Protocol(zab::Mutant::X1),
        Mutant::UnsyncedLog,
        Mutant::Protocol(zab::Mutant::X3),
        Mutant::Protocol(zab::Mutant::X4),
        Mutant::Protocol(zab::Mutant::X5),
        Mutant::Protocol(zab::Mutant::X6),
        Mutant::Protocol(zab::Mutant::X7),
        Mutant::Protocol(zab::Mutant::X8),
        Mutant::Protocol(zab::Mutant::X9),
        Mutant::Protocol(zab::Mutant::X11),
        Mutant::SkipFirstOfDiff,
        Mutant::Protocol(zab::Mutant::X17),
        Mutant::SkipLastZxidCheck,
        Mutant::FormerOwners,
        Mutant::UnreportedTouches,
        Mutant::SessionsForgotten,
        Mutant::SessionIdsAgain,
        Mutant::SequenceByChildren,
        Mutant::TornMultis,
        Mutant::LateWatchEvents,
        Mutant::WatchesSetBlindly,
        Mutant::EventsOfRefusals,
        Mutant::VersionsUnchecked,
        Mutant::UncheckedLog,
        Mutant::IgnoredDiskErrors,
        Mutant::UnsyncedNames,
        Mutant::PatientFollowers,
        Mutant::RefusalsDone,
        Mutant::OwnersForgotten,
        Mutant::ClosesIgnored,
    ];

    /// Its number in the catalogue: `X9`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mutant::Protocol(zab::Mutant::X1) => "X1",
            Mutant::Protocol(zab::Mutant::X3) => "X3",
            Mutant::Protocol(zab::Mutant::X4) => "X4",
            Mutant::Protocol(zab::Mutant::X5) => "X5",
            Mutant::Protocol(zab::Mutant::X6) => "X6",
            Mutant::Protocol(zab::Mutant::X7) => "X7",
            Mutant::Protocol(zab::Mutant::X8) => "X8",
            Mutant::Protocol(zab::Mutant::X9) => "X9",
            Mutant::Protocol(zab::Mutant::X11) => "X11",
            Mutant::Protocol(zab::Mutant::X15) => "X15",
            Mutant::Protocol(zab::Mutant::X17) => "X17",
            Mutant::Protocol(zab::Mutant::X43) => "X43",
            Mutant::Protocol(zab::Mutant::X44) => "X44",
            Mutant::Protocol(zab::Mutant::X45) => "X45",
            Mutant::UnsyncedLog => "X2",
            Mutant::SkipFirstOfDiff => "X13",
            Mutant::SkipLastZxidCheck => "X18",
            Mutant::FormerOwners => "X19",
            Mutant::UnreportedTouches => "X21",
            Mutant::SessionsForgotten => "X22",
            Mutant::SessionIdsAgain => "X24",
            Mutant::SequenceByChildren => "X25",
            Mutant::TornMultis => "X26",
            Mutant::LateWatchEvents => "X30",
            Mutant::WatchesSetBlindly => "X31",
            Mutant::EventsOfRefusals => "X32",
            Mutant::VersionsUnchecked => "X35",
            Mutant::UncheckedLog => "X36",
            Mutant::IgnoredDiskErrors => "X37",
            Mutant::UnsyncedNames => "X38",
            Mutant::PatientFollowers => "X46",
            Mutant::RefusalsDone => "X47",
            Mutant::OwnersForgotten => "X48",
            Mutant::ClosesIgnored => "X49",
        }
    }

    /// What is wrong with a server that has it.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Mutant::Protocol(zab::Mutant::X1) => {
                "a follower acknowledges a proposal before it is on disk"
            }
            Mutant::Protocol(zab::Mutant::X3) => {
                "a leader counts its own entry before it is on its disk"
            }
            Mutant::Protocol(zab::Mutant::X4) => {
                "a follower says that it has the new leader's history before it is on its disk"
            }
            Mutant::Protocol(zab::Mutant::X5) => {
                "a follower is of the new epoch on disk before it has that epoch's history there"
            }
            Mutant::Protocol(zab::Mutant::X6) => {
                "the promise to follow nobody of an older epoch is not kept on disk"
            }
            Mutant::Protocol(zab::Mutant::X7) => {
                "the leader is chosen by its last zxid, whichever epoch its history is of"
            }
            Mutant::Protocol(zab::Mutant::X8) => {
                "the leader is chosen by server id alone, however far behind it is"
            }
            Mutant::Protocol(zab::Mutant::X9) => "half of the servers count as a quorum",
            Mutant::Protocol(zab::Mutant::X11) => {
                "a server told to drop entries that were never committed keeps them"
            }
            Mutant::Protocol(zab::Mutant::X15) => {
                "transactions that are committed at the same time are applied newest first"
            }
            Mutant::Protocol(zab::Mutant::X17) => {
                "sync is answered by the server asked, without asking a quorum"
            }
            Mutant::Protocol(zab::Mutant::X43) => "observers count as participants do",
            Mutant::Protocol(zab::Mutant::X44) => {
                "a reconfiguration under way counts alone: the one before it has no say"
            }
            Mutant::Protocol(zab::Mutant::X45) => {
                "a reconfiguration under way does not count before it is committed"
            }
            Mutant::UnsyncedLog => "the log is written, and never synced",
            Mutant::UncheckedLog => "checksums of the log are not looked at",
            Mutant::IgnoredDiskErrors => {
                "a write or fsync of the log that failed is taken for done"
            }
            Mutant::UnsyncedNames => "a new file of the log is synced, its name is not",
            Mutant::SkipFirstOfDiff => {
                "a follower that is brought up by log entries does not apply the first of them"
            }
            Mutant::SkipLastZxidCheck => {
                "a session is resumed on a server that is behind what the client has seen"
            }
            Mutant::FormerOwners => {
                "a write is taken from a server that the session has left for another"
            }
            Mutant::UnreportedTouches => {
                "the leader is not told which sessions a follower has heard of"
            }
            Mutant::SessionsForgotten => {
                "a new leader lets the sessions of its predecessor's time live for ever"
            }
            Mutant::SessionIdsAgain => {
                "a server that starts again gives out the same session ids again"
            }
            Mutant::SequenceByChildren => {
                "the number of a sequential znode is that of the children there are"
            }
            Mutant::TornMultis => "of a multi that fails, what comes before the culprit is kept",
            Mutant::RefusalsDone => "a set refused for its version is done all the same",
            Mutant::OwnersForgotten => {
                "a sequential znode that is to be ephemeral is made a persistent one"
            }
            Mutant::ClosesIgnored => "a session that its client closes is left to run out",
            Mutant::EventsOfRefusals => "watches are told of writes that were refused",
            Mutant::VersionsUnchecked => "a set at an expected version is done at any version",
            Mutant::PatientFollowers => {
                "a follower goes on serving however long it has not heard of its leader"
            }
            Mutant::WatchesSetBlindly => {
                "watches set again after a reconnect tell of nothing that changed meanwhile"
            }
            Mutant::LateWatchEvents => {
                "a watch event is sent behind the reply to the write that sets it off"
            }
        }
    }

    pub(crate) fn protocol(self) -> Option<zab::Mutant> {
        match self {
            Mutant::Protocol(mutant) => Some(mutant),
            _ => None,
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = String;

    fn from_str(text: &str) -> Result<Mutant, String> {
        Mutant::ALL.into_iter().find(|mutant| mutant.name().eq_ignore_ascii_case(text)).ok_or_else(
            || {
                let names = Mutant::ALL.map(Mutant::name).join(", ");
                format!("no mutant is called {text:?}; there are {names}")
            },
        )
    }
}
