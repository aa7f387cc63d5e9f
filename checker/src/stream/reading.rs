//! What the events of a register say: calls and their outcomes.

use history::Kind;
use history::stream::{Argument, Refusal, Step, Verb};

use super::call::Act;
use super::window::Stop;

/// Whose vocabulary it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// Reads and writes.
    #[default]
    Register,
    /// Compare-and-sets by value, too.
    CasRegister,
    /// zoobreak's own, with versions.
    Versions,
    /// The same, without its reads.
    VersionsOfWrites,
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It did not happen, or it is not known what it read.
    Nothing,
    /// It happened.
    Happened(Act),
    /// It may have.
    Lost(Act),
}

#[derive(Debug, Default)]
pub(super) struct Reading {
    vocabulary: Vocabulary,
    /// Is it one of zoobreak's own histories? Without versions, its compare-and-sets are writes.
    own: bool,
    /// Operations of registers seen.
    seen: u64,
    /// Others, left out of an own history.
    beside: u64,
    /// Compare-and-sets that became writes.
    weakened: u64,
}

impl Reading {
    pub(super) fn new(vocabulary: Vocabulary) -> Reading {
        Reading { vocabulary, own: vocabulary.has_versions(), ..Reading::default() }
    }

    /// Are all indices there, and does time go forwards?
    pub(super) fn is_strict(&self) -> bool {
        self.vocabulary.has_versions()
    }

    /// Learns from an event whose history it is.
    pub(super) fn see(&mut self, step: &Step) -> Result<(), Stop> {
        if step.process.is_none() {
            return Ok(());
        }
        if step.own && !self.own {
            if self.seen > 0 {
                return Err(Stop::Whole);
            }
            self.own = true;
        }
        let invoked = u64::from(step.kind == Kind::Invoke);
        match step.verb {
            Verb::Other => self.beside += invoked,
            Verb::Read | Verb::Write | Verb::Cas => self.seen += invoked,
        }
        let weak = self.own && !self.vocabulary.has_versions() && step.verb == Verb::Cas;
        self.weakened += if weak { invoked } else { 0 };
        Ok(())
    }

    /// Does it make sense only in an own history, which this is not?
    pub(super) fn is_odd(&self) -> bool {
        !self.own && self.beside > 0
    }

    /// What of an own history was not looked at, in words.
    pub(super) fn left_out(&self) -> Vec<String> {
        let beside = "connections, reads without sync and operations on a tree";
        let beside = (self.beside > 0).then(|| format!("{} {beside}", self.beside));
        let weakened = (self.weakened > 0)
            .then(|| format!("versions: {} compare-and-sets became writes", self.weakened));
        beside.into_iter().chain(weakened).collect()
    }

    /// What an operation is if nobody learns its outcome.
    pub(super) fn lost(&self, verb: Verb, asked: Argument) -> Told {
        match (verb, asked) {
            (Verb::Write, Argument::Int(value)) => Told::Lost(Act::Write(value, 0)),
            (Verb::Cas, Argument::Pair(_, value)) if self.is_weak() => {
                Told::Lost(Act::Write(value, 0))
            }
            (Verb::Cas, Argument::Pair(expected, value)) => {
                Told::Lost(Act::Cas(expected, value, 0))
            }
            _ => Told::Nothing,
        }
    }

    /// What a completion says. What is senseless is left to who holds the whole, which says why.
    pub(super) fn told(&self, verb: Verb, asked: Argument, step: &Step) -> Result<Told, Stop> {
        match verb {
            Verb::Read
                if step.kind == Kind::Ok && self.vocabulary != Vocabulary::VersionsOfWrites =>
            {
                let value = match step.value {
                    Argument::Nil => None,
                    Argument::Int(value) => Some(value),
                    Argument::Pair(..) | Argument::Other => return Err(Stop::Whole),
                };
                Ok(Told::Happened(Act::Read(value, self.version(step)?)))
            }
            Verb::Cas if self.vocabulary == Vocabulary::Register && !self.own => Err(Stop::Whole),
            Verb::Write | Verb::Cas => self.written(verb, asked, step),
            Verb::Read | Verb::Other => Ok(Told::Nothing),
        }
    }

    fn written(&self, verb: Verb, asked: Argument, step: &Step) -> Result<Told, Stop> {
        let Told::Lost(act) = self.lost(verb, asked) else { return Err(Stop::Whole) };
        match step.kind {
            Kind::Ok if self.echoes(asked, step.value) => match act {
                Act::Write(value, _) => Ok(Told::Happened(Act::Write(value, self.version(step)?))),
                Act::Cas(expected, value, _) => {
                    Ok(Told::Happened(Act::Cas(expected, value, self.version(step)?)))
                }
                Act::Read(..) | Act::Differs(_) => Err(Stop::Whole),
            },
            Kind::Ok => Err(Stop::Whole),
            Kind::Fail if step.refusal == self.refusal() => match act {
                Act::Cas(expected, ..) => Ok(Told::Happened(Act::Differs(expected))),
                _ if self.is_weak() => Ok(Told::Nothing),
                _ => Err(Stop::Whole),
            },
            Kind::Fail => Ok(Told::Nothing),
            Kind::Info | Kind::Invoke => Ok(Told::Lost(act)),
        }
    }

    /// A write's result repeats its argument, or is missing.
    fn echoes(&self, asked: Argument, answered: Argument) -> bool {
        self.own || answered == asked || answered == Argument::Nil
    }

    /// How a compare-and-set is refused because of what the register held.
    fn refusal(&self) -> Refusal {
        if self.vocabulary.has_versions() { Refusal::BadVersion } else { Refusal::Differs }
    }

    fn version(&self, step: &Step) -> Result<i32, Stop> {
        match (self.vocabulary.has_versions(), step.version) {
            (false, _) => Ok(0),
            (true, Some(version)) => Ok(version),
            (true, None) => Err(Stop::Whole),
        }
    }

    fn is_weak(&self) -> bool {
        self.own && !self.vocabulary.has_versions()
    }
}

impl Vocabulary {
    fn has_versions(self) -> bool {
        matches!(self, Vocabulary::Versions | Vocabulary::VersionsOfWrites)
    }
}
