//! Faults as values: what was asked for ([`FaultSpec`]) and what it means at one moment ([`Fault`]).

pub mod grudge;
mod kind;
mod resolve;
mod weather;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::disk::{Loss, Rules};
use crate::host::NodeId;
use crate::scenario::Source;
use crate::switch::{Link, Quality};
pub use grudge::Grudge;
pub use kind::{Kind, KindError};
pub use resolve::{Skip, View, resolve};
pub use weather::Weather;

/// Identity of one injected fault within a run; firewall rules carry it as `zoobreak-f7`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u32);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

/// A fault before its targets are known. The schedule consists of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum FaultSpec {
    /// SIGKILL to every process of some servers; they are started again at the heal.
    Kill {
        /// Which servers.
        target: Target,
    },
    /// SIGSTOP to every process of some servers; SIGCONT at the heal.
    Pause {
        /// Which servers.
        target: Target,
    },
    /// Packets between some hosts are dropped.
    Partition {
        /// Between which.
        shape: Shape,
    },
    /// Links are bad: slow, lossy, ….
    Link {
        /// In which way.
        weather: Weather,
    },
    /// SIGTERM to every process of some servers; they are started again at the heal.
    Restart {
        /// Which servers.
        target: Target,
    },
    /// One server after the other is paused for a while, the leader first.
    Rolling,
    /// Some servers get the processor for a small part of the time: SIGSTOP and SIGCONT in quick turns.
    Slow {
        /// Which servers.
        target: Target,
    },
    /// Some servers get no more memory than they have. Those that end of it are started again at the heal.
    Memory {
        /// Which servers.
        target: Target,
    },
    /// A server is killed soon after each of its starts, again and again.
    CrashLoop,
    /// The wall clock of some servers is wrong by seconds to an hour, in either direction.
    Clock {
        /// How it is wrong.
        motion: Motion,
    },
    /// SIGKILL to one server, which starts again with empty disks.
    ///
    /// No replicated log promises to survive this: what the server acknowledged, it no longer has, and what it
    /// voted, it has forgotten. An ensemble gets over it only if the others are up and stay up until
    /// the server has everything again; so it is done only while all are up, and is no member of any group.
    Wipe,
    /// The power fails for a majority of the servers, the leader among them, or for all: SIGKILL, and of
    /// what was not synced much or all is lost. They are started again at the heal.
    ///
    /// Needs disks of [`crate::Nemesis::mount_disk`], like the other faults of disks.
    PowerCut {
        /// Which names are lost.
        rules: Rules,
        /// How it fails.
        #[serde(default)]
        manner: Manner,
    },
    /// The disks of some servers are ill. Servers that end of it are started again at the heal.
    Disk {
        /// In which way.
        ailment: Ailment,
    },
    /// SIGKILL to one server; something that it had synced is damaged, and it is started again.
    ///
    /// Like [`FaultSpec::Wipe`] more than a replicated log promises to survive, for damage at the log's end
    /// cannot be told from a torn write. It is done only while all are up, and is no member of any group.
    Damage {
        /// In which way.
        damage: Damage,
    },
    /// A script of faults that waits for things to happen, [`crate::scenario`], again and again. Who plays it
    /// injects the faults that it asks for.
    Scenario {
        /// Which.
        scenario: Source,
    },
}

/// How the power fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// At once. Of each file all is lost that was not synced, or all but its first sectors.
    #[default]
    Plain,
    /// At once. Each sector that was not synced is lost or not: disks write in any order.
    Scattered,
    /// The disk fails before the rest does: for a moment fsyncs fail, which a server must not take for done.
    BrownOut,
}

/// What is wrong with a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ailment {
    /// Every fsync fails, and what it should have written is never written.
    FsyncError,
    /// Every read, write and fsync fails.
    Eio,
    /// Little room is left, or none.
    Full,
    /// Every fsync takes long.
    Slow,
    /// Every new file takes long to be made.
    SlowCreate,
}

/// How something durable is not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// A bit is flipped.
    BitFlip,
    /// What was meant for one sector of a file is in the place of another, and zeros are in its own.
    MisdirectedWrite,
    /// A file ends too early.
    TruncatedTail,
}

/// Which servers a kill or a pause is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The leader of the moment.
    Leader,
    /// One server at random.
    One,
    /// A random number of servers that leaves a majority untouched.
    Minority,
    /// All servers at once, if none is down.
    All,
    /// The one that has applied most.
    Newest,
    /// The follower that has applied least.
    MostBehind,
    /// A follower without which there is no majority.
    QuorumCritical,
    /// The one in which that happened which set the fault off.
    That,
}

/// How a clock is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// It jumps, and jumps back at the heal.
    Jump,
    /// It jumps to and fro, 20 times a second.
    Strobe,
    /// It runs too fast or too slow, so that it is ever more wrong.
    Drift,
}

/// The form of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A random majority and the rest do not hear each other.
    Halves,
    /// One random server hears no other and is heard by none. Clients still reach it.
    One,
    /// The same for the leader of the moment.
    Leader,
    /// The same for the server that has applied most.
    Newest,
    /// The same for the follower that has applied least.
    MostBehind,
    /// The same for a follower without which there is no majority.
    QuorumCritical,
    /// The same for the server in which that happened which set the fault off.
    That,
    /// Every server hears a majority, and no two the same one. Needs five servers.
    Ring,
    /// Two groups that hear each other only through one server that hears all. Needs three servers.
    Bridge,
    /// One group does not hear the other, which does hear it.
    OneWay,
    /// The clients and some servers do not hear each other; the servers do.
    Client,
    /// Two sides hear each other except on the port of the quorum: an election may be won, and the
    /// followers do not find the leader.
    QuorumPort,
    /// The reverse: the ensemble works until the leader is missed, and nobody can be elected.
    ElectionPort,
    /// Two sides; who speaks to the other has the connection reset instead of silence.
    Reset,
}

/// What is cut on the links of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// Every packet is dropped.
    #[default]
    Everything,
    /// TCP segments from or to this port are dropped.
    Port(u16),
    /// TCP segments are answered with a reset. Other packets pass.
    Reset,
}

/// Where servers talk to each other, the same on each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ports {
    /// Where followers connect to their leader.
    pub quorum: u16,
    /// Where votes go.
    pub election: u16,
}

impl Default for Ports {
    /// As in the examples of the ZooKeeper Administrator's Guide: `server.1=zoo1:2888:3888`.
    fn default() -> Ports {
        Ports { quorum: 2888, election: 3888 }
    }
}

/// A fault whose targets are known: what the nemesis injects and what the history records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// See [`FaultSpec::Kill`].
    Kill {
        /// The servers.
        nodes: Vec<NodeId>,
    },
    /// See [`FaultSpec::Pause`].
    Pause {
        /// The servers.
        nodes: Vec<NodeId>,
    },
    /// See [`FaultSpec::Partition`].
    Partition {
        /// The form that was asked for.
        shape: Shape,
        /// Who drops whose packets.
        grudge: Grudge,
        /// Which of them.
        #[serde(default)]
        cut: Cut,
    },
    /// See [`FaultSpec::Link`].
    Link {
        /// What was asked for.
        weather: Weather,
        /// What it means.
        quality: Quality,
        /// The bad links.
        links: BTreeSet<Link>,
        /// Seed of every packet's luck.
        seed: u64,
    },
    /// See [`FaultSpec::Restart`].
    Restart {
        /// The servers.
        nodes: Vec<NodeId>,
    },
    /// See [`FaultSpec::Rolling`].
    Rolling {
        /// Whose turn it is first, second, …; and again.
        order: Vec<NodeId>,
        /// How long each is paused.
        turn_ms: u64,
    },
    /// See [`FaultSpec::Slow`].
    Slow {
        /// The servers.
        nodes: Vec<NodeId>,
        /// How long they stand still; then they run for a quarter of that.
        stop_ms: u64,
    },
    /// See [`FaultSpec::Memory`].
    Memory {
        /// The servers.
        nodes: Vec<NodeId>,
        /// By so many bytes each process may grow.
        spare: u64,
    },
    /// See [`FaultSpec::CrashLoop`].
    CrashLoop {
        /// The servers.
        nodes: Vec<NodeId>,
        /// How long they run before they are killed again.
        up_ms: u64,
    },
    /// See [`FaultSpec::Clock`].
    Clock {
        /// The servers.
        nodes: Vec<NodeId>,
        /// How it is wrong.
        motion: Motion,
        /// By how much; of a drift, by how much more in each second.
        offset_ms: i64,
    },
    /// See [`FaultSpec::Wipe`].
    Wipe {
        /// The servers.
        nodes: Vec<NodeId>,
    },
    /// See [`FaultSpec::PowerCut`].
    PowerCut {
        /// The servers.
        nodes: Vec<NodeId>,
        /// Which names are lost.
        rules: Rules,
        /// How much of the rest is lost.
        loss: Loss,
        /// For so long no fsync is answered, before the power fails: there shall be something to lose.
        stall_ms: u64,
        /// Meanwhile every fsync is answered with an error instead.
        #[serde(default)]
        fsyncs_fail: bool,
        /// Seed of what stays.
        seed: u64,
    },
    /// See [`FaultSpec::Disk`].
    Disk {
        /// The servers.
        nodes: Vec<NodeId>,
        /// What is wrong.
        ailment: Ailment,
        /// Bytes left on a full disk; milliseconds of each fsync, or new file, of a slow one; otherwise 0.
        size: u64,
    },
    /// See [`FaultSpec::Damage`].
    Damage {
        /// The server.
        nodes: Vec<NodeId>,
        /// In which way.
        damage: Damage,
        /// Seed of which file, and where.
        seed: u64,
    },
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultSpec::Kill { target } => write!(f, "kill:{target}"),
            FaultSpec::Pause { target } => write!(f, "pause:{target}"),
            FaultSpec::Partition { shape } => write!(f, "partition:{shape}"),
            FaultSpec::Link { weather } => write!(f, "link:{weather}"),
            FaultSpec::Restart { target } => write!(f, "restart:{target}"),
            FaultSpec::Rolling => f.write_str("pause:rolling"),
            FaultSpec::Slow { target } => write!(f, "slow:{target}"),
            FaultSpec::Memory { target } => write!(f, "memory:{target}"),
            FaultSpec::CrashLoop => f.write_str("crash-loop"),
            FaultSpec::Wipe => f.write_str("wipe"),
            FaultSpec::PowerCut { manner: Manner::Scattered, .. } => {
                f.write_str("disk:power-cut-scattered")
            }
            FaultSpec::PowerCut { manner: Manner::BrownOut, .. } => f.write_str("disk:brown-out"),
            FaultSpec::PowerCut { rules: Rules::Posix, .. } => f.write_str("disk:power-cut"),
            FaultSpec::PowerCut { rules: Rules::Ext4, .. } => f.write_str("disk:power-cut-ext4"),
            FaultSpec::Disk { ailment } => write!(f, "disk:{ailment}"),
            FaultSpec::Damage { damage } => write!(f, "disk:{damage}"),
            FaultSpec::Scenario { scenario } => write!(f, "scenario:{scenario}"),
            FaultSpec::Clock { motion: Motion::Jump } => f.write_str("clock:jump"),
            FaultSpec::Clock { motion: Motion::Strobe } => f.write_str("clock:strobe"),
            FaultSpec::Clock { motion: Motion::Drift } => f.write_str("clock:drift"),
        }
    }
}

impl FaultSpec {
    /// Can it be done only to disks of [`crate::Nemesis::mount_disk`]?
    pub fn needs_disks(self) -> bool {
        match self {
            FaultSpec::PowerCut { .. } | FaultSpec::Disk { .. } | FaultSpec::Damage { .. } => true,
            FaultSpec::Scenario { scenario } => scenario.needs_disks(),
            _ => false,
        }
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ailment::FsyncError => "fsync-error",
            Ailment::Eio => "eio",
            Ailment::Full => "full",
            Ailment::Slow => "slow",
            Ailment::SlowCreate => "slow-create",
        })
    }
}

impl Ailment {
    /// Does it refuse requests, so that a server may end of it?
    pub(crate) fn refuses(self) -> bool {
        !matches!(self, Ailment::Slow | Ailment::SlowCreate)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::BitFlip => "bit-flip",
            Damage::MisdirectedWrite => "misdirected-write",
            Damage::TruncatedTail => "truncated-tail",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Target::Leader => "leader",
            Target::One => "one",
            Target::Minority => "minority",
            Target::All => "all",
            Target::Newest => "newest",
            Target::MostBehind => "most-behind",
            Target::QuorumCritical => "quorum-critical",
            Target::That => "that",
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Halves => "halves",
            Shape::One => "one",
            Shape::Leader => "leader",
            Shape::Newest => "newest",
            Shape::MostBehind => "most-behind",
            Shape::QuorumCritical => "quorum-critical",
            Shape::That => "that",
            Shape::Ring => "ring",
            Shape::Bridge => "bridge",
            Shape::OneWay => "one-way",
            Shape::Client => "client",
            Shape::QuorumPort => "quorum-port",
            Shape::ElectionPort => "election-port",
            Shape::Reset => "reset",
        })
    }
}
