//! From what was asked for to what is done: targets are chosen when a fault is injected, not before.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use rand::Rng;
use rand::seq::{IteratorRandom, SliceRandom};
use serde::{Deserialize, Serialize};

use super::{Ailment, Cut, Fault, FaultSpec, Grudge, Manner, Motion, Ports, Shape, Target, grudge};
use crate::disk::Loss;
use crate::host::NodeId;

/// The ensemble as it stands at the moment of an injection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// All servers, up or not.
    pub nodes: Vec<NodeId>,
    /// The leader, if one is known.
    pub leader: Option<NodeId>,
    /// Servers without a process, and paused ones.
    pub down: BTreeSet<NodeId>,
    /// Servers that are up, and that another fault must leave alone, because it changes the process itself.
    pub held: BTreeSet<NodeId>,
    /// The last transaction that each server has applied, of those that tell.
    pub zxids: BTreeMap<NodeId, u64>,
    /// Where that happened which set the fault off.
    pub that: Option<NodeId>,
    /// Where the servers talk to each other.
    pub ports: Ports,
}

/// Why a fault makes no sense at this moment.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// It is aimed at the leader. Worth another try a little later.
    #[error("no leader is known")]
    NoLeader,
    /// It is aimed at a role that nobody has. Worth another try a little later.
    #[error("nobody is {0}")]
    Nobody(Target),
    /// It is aimed at a server that is killed or paused already.
    #[error("{0} is down already")]
    Down(NodeId),
    /// It would disturb a fault that changes the processes of a server.
    #[error("the clock of {0} is wrong, which would end with its process")]
    Held(NodeId),
    /// It is a script, whose faults have their targets when their turn comes.
    #[error("a scenario is played step by step")]
    Played,
    /// With it, no majority of the servers would be running.
    #[error(
        "{n_down} of {n_nodes} servers are down: one more would leave no spare beyond a majority"
    )]
    Majority {
        /// Servers down now.
        n_down: usize,
        /// All servers.
        n_nodes: usize,
    },
    /// Its shape needs more servers.
    #[error("{shape} needs {needs} servers, and there are {has}")]
    TooFew {
        /// The shape asked for.
        shape: Shape,
        /// The fewest servers for it.
        needs: usize,
        /// All servers.
        has: usize,
    },
}

/// Long enough for the others to notice, with ticks of up to 200 ms and a limit of four.
const TURN_MS: u64 = 1000;
const STOP_MS: u64 = 80;
/// From a cut at any moment to one that finds much unsynced, and shorter than followers wait for a leader.
const STALL_MS: RangeInclusive<u64> = 0..=200;
/// What a server grows by in seconds, or less.
const SPARE_MIB: RangeInclusive<u64> = 0..=4;
/// From before a server answers to when it has joined.
const UP_MS: RangeInclusive<u64> = 20..=400;

/// Chooses the targets of `spec`. Kills and pauses together never take away a majority, except
/// for those of all servers at once, and of one that a majority needs.
pub fn resolve(spec: &FaultSpec, view: &View, rng: &mut impl Rng) -> Result<Fault, Skip> {
    match *spec {
        FaultSpec::Kill { target } => Ok(Fault::Kill { nodes: targets(target, view, rng)? }),
        FaultSpec::Pause { target } => Ok(Fault::Pause { nodes: targets(target, view, rng)? }),
        FaultSpec::Partition { shape } => {
            let cut = cut(shape, view.ports);
            Ok(Fault::Partition { shape, grudge: partition(shape, view, rng)?, cut })
        }
        FaultSpec::Link { weather } => Ok(Fault::Link {
            weather,
            quality: weather.quality(),
            links: bad_links(view, rng),
            seed: rng.random(),
        }),
        FaultSpec::Restart { target } => Ok(Fault::Restart { nodes: targets(target, view, rng)? }),
        FaultSpec::Rolling => Ok(Fault::Rolling { order: rolling(view, rng)?, turn_ms: TURN_MS }),
        FaultSpec::Slow { target } => {
            Ok(Fault::Slow { nodes: targets(target, view, rng)?, stop_ms: STOP_MS })
        }
        FaultSpec::Memory { target } => {
            let nodes = targets(target, view, rng)?;
            Ok(Fault::Memory { nodes, spare: rng.random_range(SPARE_MIB) << 20 })
        }
        FaultSpec::CrashLoop => {
            let nodes = targets(Target::One, view, rng)?;
            Ok(Fault::CrashLoop { nodes, up_ms: rng.random_range(UP_MS) })
        }
        FaultSpec::Clock { motion } => {
            let (nodes, offset_ms) = (leader_few_or_all(view, rng)?, offset_ms(motion, rng));
            Ok(Fault::Clock { nodes, motion, offset_ms })
        }
        FaultSpec::Wipe => {
            running_leader(view)?;
            all_up(view)?;
            Ok(Fault::Wipe { nodes: targets(Target::One, view, rng)? })
        }
        FaultSpec::PowerCut { rules, manner } => Ok(Fault::PowerCut {
            nodes: powerless(view, rng)?,
            rules,
            loss: loss(manner, rng),
            stall_ms: rng.random_range(STALL_MS),
            fsyncs_fail: manner == Manner::BrownOut,
            seed: rng.random(),
        }),
        FaultSpec::Disk { ailment } => {
            let nodes = ill(ailment, view, rng)?;
            Ok(Fault::Disk { nodes, ailment, size: size(ailment, rng) })
        }
        FaultSpec::Scenario { .. } => Err(Skip::Played),
        FaultSpec::Damage { damage } => {
            running_leader(view)?;
            all_up(view)?;
            let nodes = targets(Target::One, view, rng)?;
            Ok(Fault::Damage { nodes, damage, seed: rng.random() })
        }
    }
}

impl View {
    /// How many more servers may go down while a majority keeps running.
    fn n_spare(&self) -> usize {
        let n_minority = self.nodes.len().saturating_sub(1) / 2;
        n_minority.saturating_sub(self.down.len())
    }

    fn up(&self) -> Vec<NodeId> {
        self.nodes.iter().copied().filter(|node| self.is_free(node)).collect()
    }

    fn is_free(&self, node: &NodeId) -> bool {
        !self.down.contains(node) && !self.held.contains(node)
    }
}

fn targets(target: Target, view: &View, rng: &mut impl Rng) -> Result<Vec<NodeId>, Skip> {
    let n_targets = match (view.n_spare(), target) {
        (_, Target::All) => return all_up(view),
        (_, Target::QuorumCritical) => return in_role(target, view, rng).map(|one| vec![one]),
        (0, _) => {
            return Err(Skip::Majority { n_down: view.down.len(), n_nodes: view.nodes.len() });
        }
        (_, Target::Leader) => return running_leader(view).map(|leader| vec![leader]),
        (_, Target::Newest | Target::MostBehind | Target::That) => {
            return in_role(target, view, rng).map(|one| vec![one]);
        }
        (_, Target::One) => 1,
        (n_spare, Target::Minority) => rng.random_range(1..=n_spare),
    };
    let up = view.up();
    match (up.as_slice(), view.held.first()) {
        ([], Some(&held)) => Err(Skip::Held(held)),
        _ => Ok(some_of(&up, n_targets, rng)),
    }
}

/// Who has a role that one server has at most. Leaders are never behind.
fn in_role(target: Target, view: &View, rng: &mut impl Rng) -> Result<NodeId, Skip> {
    let up = view.up();
    let followers = || up.iter().copied().filter(|node| Some(*node) != view.leader);
    let told = |node: &NodeId| view.zxids.contains_key(node);
    let zxid = |node: &NodeId| view.zxids.get(node).copied();
    let n_majority = view.nodes.len() / 2 + 1;
    let one = match target {
        Target::That => view.that.filter(|node| up.contains(node)),
        Target::Newest => up.iter().copied().filter(told).max_by_key(zxid),
        Target::MostBehind => followers().filter(told).min_by_key(zxid),
        Target::QuorumCritical if view.nodes.len() - view.down.len() == n_majority => {
            followers().choose(rng)
        }
        _ => None,
    };
    one.ok_or(Skip::Nobody(target))
}

/// A majority with the leader in it, or all that are up: a minority would lose nothing that others lack.
fn powerless(view: &View, rng: &mut impl Rng) -> Result<Vec<NodeId>, Skip> {
    let leader = running_leader(view)?;
    let up = view.up();
    let n_majority = view.nodes.len() / 2 + 1;
    if rng.random() || up.len() <= n_majority {
        return Ok(up);
    }
    let others: Vec<NodeId> = up.into_iter().filter(|node| *node != leader).collect();
    let mut nodes = some_of(&others, n_majority - 1, rng);
    nodes.push(leader);
    nodes.sort_unstable();
    Ok(nodes)
}

fn loss(manner: Manner, rng: &mut impl Rng) -> Loss {
    match (rng.random_ratio(2, 3), manner) {
        (_, Manner::Scattered) => Loss::Scattered,
        (true, _) => Loss::Everything,
        (false, _) => Loss::Torn,
    }
}

/// A disk may be slow anywhere; of another ailment a server may end, so a majority is spared.
fn ill(ailment: Ailment, view: &View, rng: &mut impl Rng) -> Result<Vec<NodeId>, Skip> {
    match (ailment, rng.random()) {
        (ailment, _) if !ailment.refuses() => leader_few_or_all(view, rng),
        (_, true) => targets(Target::Leader, view, rng),
        (_, false) => targets(Target::Minority, view, rng),
    }
}

fn size(ailment: Ailment, rng: &mut impl Rng) -> u64 {
    match ailment {
        Ailment::Full => rng.random_range(0..=16) * 4096,
        Ailment::Slow => rng.random_range(10..=200),
        Ailment::SlowCreate => rng.random_range(100..=1000),
        Ailment::FsyncError | Ailment::Eio => 0,
    }
}

/// The leader alone, a few, or all that are up.
fn leader_few_or_all(view: &View, rng: &mut impl Rng) -> Result<Vec<NodeId>, Skip> {
    let up = view.up();
    let leader = view.leader.filter(|leader| up.contains(leader));
    match (up.len(), rng.random_range(0..3), leader) {
        (0, ..) => Err(view.held.first().map_or(
            Skip::Majority { n_down: view.down.len(), n_nodes: view.nodes.len() },
            |&held| Skip::Held(held),
        )),
        (_, 0, _) => Ok(up),
        (_, _, Some(leader)) => Ok(vec![leader]),
        (n_up, ..) => Ok(some_of(&up, rng.random_range(1..=n_up), rng)),
    }
}

/// Ten seconds to an hour for a jump; a fifth of a second to ten seconds, to and fro; from a half too
/// slow to thrice as fast, which is a gain of 2 s in each second.
fn offset_ms(motion: Motion, rng: &mut impl Rng) -> i64 {
    let size = match motion {
        Motion::Jump => rng.random_range(10_000..=3_600_000),
        Motion::Strobe => rng.random_range(200..=10_000),
        Motion::Drift if rng.random() => return -rng.random_range(20..=500),
        Motion::Drift => return rng.random_range(20..=2_000),
    };
    if rng.random() { size } else { -size }
}

/// All, if all are up.
fn all_up(view: &View) -> Result<Vec<NodeId>, Skip> {
    if let Some(&held) = view.held.first() {
        return Err(Skip::Held(held));
    }
    view.down.first().map_or_else(|| Ok(view.nodes.clone()), |&node| Err(Skip::Down(node)))
}

/// All servers, the leader first.
fn rolling(view: &View, rng: &mut impl Rng) -> Result<Vec<NodeId>, Skip> {
    if view.n_spare() == 0 {
        return Err(Skip::Majority { n_down: view.down.len(), n_nodes: view.nodes.len() });
    }
    let leader = running_leader(view)?;
    let mut order = shuffled(&all_up(view)?, rng);
    order.sort_by_key(|node| *node != leader);
    Ok(order)
}

fn running_leader(view: &View) -> Result<NodeId, Skip> {
    let leader = view.leader.ok_or(Skip::NoLeader)?;
    match leader {
        _ if view.down.contains(&leader) => Err(Skip::Down(leader)),
        _ if view.held.contains(&leader) => Err(Skip::Held(leader)),
        _ => Ok(leader),
    }
}

fn partition(shape: Shape, view: &View, rng: &mut impl Rng) -> Result<Grudge, Skip> {
    let (needs, has) = (fewest(shape), view.nodes.len());
    if has < needs {
        return Err(Skip::TooFew { shape, needs, has });
    }
    let order = shuffled(&view.nodes, rng);
    Ok(match shape {
        Shape::Halves => grudge::halves(&order),
        Shape::One => grudge::isolate(order[0], &view.nodes),
        Shape::Leader => grudge::isolate(view.leader.ok_or(Skip::NoLeader)?, &view.nodes),
        Shape::Newest => grudge::isolate(in_role(Target::Newest, view, rng)?, &view.nodes),
        Shape::MostBehind => grudge::isolate(in_role(Target::MostBehind, view, rng)?, &view.nodes),
        Shape::QuorumCritical => {
            grudge::isolate(in_role(Target::QuorumCritical, view, rng)?, &view.nodes)
        }
        Shape::That => grudge::isolate(in_role(Target::That, view, rng)?, &view.nodes),
        Shape::Ring => grudge::majorities_ring(&order),
        Shape::Bridge => grudge::bridge(&order),
        Shape::OneWay => one_way(&order, rng),
        Shape::Client => grudge::client_cut(&some_of(&order, rng.random_range(1..=has), rng)),
        Shape::QuorumPort | Shape::ElectionPort | Shape::Reset => two_sides(&order, view, rng),
    })
}

fn cut(shape: Shape, ports: Ports) -> Cut {
    match shape {
        Shape::QuorumPort => Cut::Port(ports.quorum),
        Shape::ElectionPort => Cut::Port(ports.election),
        Shape::Reset => Cut::Reset,
        _ => Cut::Everything,
    }
}

/// Halves, or the leader and the others; without a known leader, any server and the others.
fn two_sides(order: &[NodeId], view: &View, rng: &mut impl Rng) -> Grudge {
    match rng.random() {
        true => grudge::halves(order),
        false => grudge::isolate(view.leader.unwrap_or(order[0]), order),
    }
}

/// All links between the servers, or every link of one server, that to the clients included; in half of
/// those cases it is the leader.
fn bad_links(view: &View, rng: &mut impl Rng) -> Grudge {
    if view.nodes.len() > 1 && rng.random() {
        return grudge::deaf(&view.nodes, &view.nodes);
    }
    let one = shuffled(&view.nodes, rng)[0];
    let one = if rng.random() { view.leader.unwrap_or(one) } else { one };
    grudge::isolate(one, &view.nodes).into_iter().chain(grudge::client_cut(&[one])).collect()
}

fn fewest(shape: Shape) -> usize {
    match shape {
        Shape::Client => 1,
        Shape::Bridge => 3,
        Shape::Ring => 5,
        _ => 2,
    }
}

/// A minority that is deaf, or one that is mute.
fn one_way(order: &[NodeId], rng: &mut impl Rng) -> Grudge {
    let n_minority = rng.random_range(1..=(order.len() / 2));
    let (few, rest) = order.split_at(n_minority);
    if rng.random() { grudge::deaf(few, rest) } else { grudge::deaf(rest, few) }
}

fn shuffled(nodes: &[NodeId], rng: &mut impl Rng) -> Vec<NodeId> {
    let mut order = nodes.to_vec();
    order.shuffle(rng);
    order
}

fn some_of(nodes: &[NodeId], n_wanted: usize, rng: &mut impl Rng) -> Vec<NodeId> {
    let mut chosen = shuffled(nodes, rng);
    chosen.truncate(n_wanted);
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests;
