//! A scenario that is being played: what it does next, as a function of what is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Event, Harm, Role, Scenario, Sign, Step, Who};
use crate::disk::{Loss, Rules};
use crate::fault::{Ailment, Cut, Fault, Shape, View, grudge};
use crate::host::NodeId;

/// How it goes on. It forgets everything at its end, and begins again.
#[derive(Debug)]
pub struct Script {
    scenario: Scenario,
    at: usize,
    names: BTreeMap<String, Vec<NodeId>>,
    first_leader: Option<NodeId>,
    begun: Option<Begun>,
    rng: ChaCha8Rng,
}

/// When the present step began.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Duration,
    answers: u64,
}

/// What is seen of the ensemble at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Since the faults' part of the run began.
    pub now: Duration,
    /// The processes, and who leads.
    pub view: View,
    /// What each server that answers says of itself.
    pub seen: BTreeMap<NodeId, Seen>,
    /// One server leads and all the others follow it.
    pub settled: bool,
    /// Operations that succeeded so far.
    pub answers: u64,
    /// The sign that was to be watched for has shown.
    pub sign: bool,
}

/// What a server says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The last transaction that it applied.
    pub zxid: u64,
    /// It claims to lead.
    pub leads: bool,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Move {
    /// Put this in force.
    Break(Fault),
    /// End every fault of the script that concerns one of these servers.
    Heal(Vec<NodeId>),
    /// End every fault of the script.
    HealEverything,
    /// Look out for a sign of these servers, from now on.
    Watch(Vec<NodeId>, Sign),
    /// Ask again a moment later.
    Wait,
    /// Every step was done.
    End,
}

impl Script {
    /// A script at its beginning.
    pub fn new(scenario: Scenario, seed: u64) -> Script {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let names = BTreeMap::new();
        Script { scenario, at: 0, names, first_leader: None, begun: None, rng }
    }

    /// The step that it is at, as it was written.
    pub fn step(&self) -> &str {
        self.scenario.steps.get(self.at).map_or("(the end)", |(text, _)| text)
    }

    /// Back to the beginning.
    pub fn rewind(&mut self) {
        self.at = 0;
        self.names.clear();
        self.first_leader = None;
        self.begun = None;
    }

    /// What to do now. An error says why it cannot go on: there is nobody in a role, or what was awaited did
    /// not come.
    pub fn next(&mut self, facts: &Facts) -> Result<Move, String> {
        let Some((_, step)) = self.scenario.steps.get(self.at).cloned() else {
            return Ok(Move::End);
        };
        if self.at == 0 && self.begun.is_none() {
            self.first_leader = facts.view.leader;
        }
        let entered = self.begun.is_none();
        let begun = *self.begun.get_or_insert(Begun { at: facts.now, answers: facts.answers });
        let passed = facts.now.saturating_sub(begun.at);
        let next = match step {
            Step::Name(who, name) => {
                let nodes = self.find(&who, facts)?;
                self.names.insert(name, nodes);
                Move::Wait
            }
            Step::Break(harm, who, name) => {
                let nodes = self.find(&who, facts)?;
                if let Some(name) = name {
                    self.names.insert(name, nodes.clone());
                }
                Move::Break(self.fault(harm, nodes, &facts.view))
            }
            Step::Heal(names) => {
                Move::Heal(names.iter().flat_map(|name| self.named(name)).collect())
            }
            Step::HealEverything => Move::HealEverything,
            Step::Wait(time) if passed < time => return Ok(Move::Wait),
            Step::Wait(_) => Move::Wait,
            Step::Await(Event::Shows(who, sign), _) if entered => {
                return Ok(Move::Watch(self.find(&who, facts)?, sign));
            }
            Step::Await(event, _) if self.happened(&event, facts, begun) => Move::Wait,
            Step::Await(_, within) if passed > within => {
                return Err(format!("`{}`: not within {within:?}", self.step()));
            }
            Step::Await(..) => return Ok(Move::Wait),
        };
        self.at += 1;
        self.begun = None;
        Ok(next)
    }

    fn happened(&mut self, event: &Event, facts: &Facts, begun: Begun) -> bool {
        match event {
            Event::Settled => facts.settled,
            Event::Answers(n) => facts.answers >= begun.answers + n,
            Event::Leads(who) => self
                .find(who, facts)
                .is_ok_and(|nodes| facts.view.leader.is_some_and(|leader| nodes.contains(&leader))),
            Event::Shows(..) => facts.sign,
        }
    }

    fn named(&self, name: &str) -> Vec<NodeId> {
        self.names.get(name).cloned().unwrap_or_default()
    }

    /// Whoever has the first role that somebody has.
    fn find(&mut self, who: &Who, facts: &Facts) -> Result<Vec<NodeId>, String> {
        for role in who {
            let nodes = self.in_role(role, facts);
            if !nodes.is_empty() {
                return Ok(nodes);
            }
        }
        Err(format!("`{}`: there is nobody in that role now", self.step()))
    }

    fn in_role(&mut self, role: &Role, facts: &Facts) -> Vec<NodeId> {
        let view = &facts.view;
        let up: Vec<NodeId> =
            view.nodes.iter().copied().filter(|node| !view.down.contains(node)).collect();
        let leader = view.leader.filter(|leader| up.contains(leader));
        let mut followers = up.clone();
        followers.retain(|node| Some(*node) != leader);
        followers.shuffle(&mut self.rng);
        let n_majority = view.nodes.len() / 2 + 1;
        let named: BTreeSet<NodeId> = self.names.values().flatten().copied().collect();
        let zxid = |node: &NodeId| facts.seen.get(node).map(|seen| seen.zxid);
        let some = |nodes: &[NodeId], n: usize| nodes.iter().take(n).copied().collect();
        match role {
            Role::Leader => leader.into_iter().collect(),
            Role::Another => leader.filter(|l| Some(*l) != self.first_leader).into_iter().collect(),
            Role::Follower => some(&followers, 1),
            Role::Minority => some(&followers, up.len().saturating_sub(n_majority)),
            Role::Rest => up.into_iter().filter(|node| !named.contains(node)).collect(),
            Role::Newest => up.into_iter().max_by_key(zxid).into_iter().collect(),
            Role::MostBehind => followers.into_iter().min_by_key(zxid).into_iter().collect(),
            Role::QuorumCritical if up.len() == n_majority => some(&followers, 1),
            Role::QuorumCritical => Vec::new(),
            Role::All => up,
            Role::Named(name) => self.named(name),
        }
    }

    fn fault(&mut self, harm: Harm, nodes: Vec<NodeId>, view: &View) -> Fault {
        match harm {
            Harm::Kill => Fault::Kill { nodes },
            Harm::Pause => Fault::Pause { nodes },
            Harm::Isolate => {
                let cut = nodes.iter().flat_map(|node| grudge::isolate(*node, &view.nodes));
                Fault::Partition { shape: Shape::One, grudge: cut.collect(), cut: Cut::Everything }
            }
            Harm::PowerCut => {
                let (rules, loss) = (Rules::Posix, Loss::Everything);
                Fault::PowerCut {
                    nodes,
                    rules,
                    loss,
                    stall_ms: 0,
                    fsyncs_fail: false,
                    seed: self.rng.random(),
                }
            }
            Harm::SlowDisk => Fault::Disk { nodes, ailment: Ailment::Slow, size: 200 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        Script::new(text.parse().expect("the tests write scenarios"), 1)
    }

    fn facts(leader: u8, down: &[u8]) -> Facts {
        let down = down.iter().copied().map(NodeId).collect();
        let view =
            View { nodes: NodeId::first(5), leader: Some(NodeId(leader)), down, ..View::default() };
        Facts { view, ..Facts::default() }
    }

    fn at(seconds: u64, facts: Facts) -> Facts {
        Facts { now: Duration::from_secs(seconds), ..facts }
    }

    fn killed(next: Result<Move, String>) -> Vec<NodeId> {
        match next {
            Ok(Move::Break(Fault::Kill { nodes })) => nodes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_goes_from_step_to_step_as_things_happen() {
        let mut script = script("kill leader as a\nawait 5 answers\nheal a\nwait 1s");
        assert_eq!(killed(script.next(&facts(3, &[]))), [NodeId(3)]);
        let mut seen = facts(4, &[3]);
        seen.answers = 100;
        assert_eq!(script.next(&seen), Ok(Move::Wait));
        seen.answers = 104;
        assert_eq!(script.next(&seen), Ok(Move::Wait));
        assert_eq!(script.step(), "await 5 answers");
        seen.answers = 105;
        assert_eq!(script.next(&seen), Ok(Move::Wait));
        assert_eq!(script.next(&seen), Ok(Move::Heal(vec![NodeId(3)])));
        assert_eq!(script.next(&at(7, seen.clone())), Ok(Move::Wait));
        assert_eq!(script.step(), "wait 1s");
        assert_eq!(script.next(&at(8, seen.clone())), Ok(Move::Wait));
        assert_eq!(script.next(&seen), Ok(Move::End));
        script.rewind();
        assert_eq!(killed(script.next(&facts(1, &[]))), [NodeId(1)]);
    }

    #[test]
    fn what_does_not_come_in_time_ends_it_with_its_line() {
        let mut script = script("await settled within 2s");
        assert_eq!(script.next(&facts(1, &[])), Ok(Move::Wait));
        let told = script.next(&at(3, facts(1, &[]))).expect_err("it is late");
        assert_eq!(told, "`await settled within 2s`: not within 2s");
    }

    #[test]
    fn a_sign_is_watched_for_from_the_step_on() {
        let mut script = script("await leader changes state\nkill leader");
        let sign = Sign::Changes(vec!["state".into()]);
        assert_eq!(script.next(&facts(2, &[])), Ok(Move::Watch(vec![NodeId(2)], sign)));
        assert_eq!(script.next(&facts(2, &[])), Ok(Move::Wait));
        assert_eq!(script.next(&Facts { sign: true, ..facts(2, &[]) }), Ok(Move::Wait));
        assert_eq!(killed(script.next(&facts(2, &[]))), [NodeId(2)]);
    }

    #[test]
    fn roles_are_those_of_the_moment() {
        let who = |role: &str, facts: &Facts| killed(script(&format!("kill {role}")).next(facts));
        let healthy = facts(3, &[]);
        assert!(who("follower", &healthy) != [NodeId(3)]);
        assert_eq!(who("minority", &healthy).len(), 2);
        assert_eq!(who("all", &healthy), NodeId::first(5));
        let zxids = [(1, 7), (2, 9), (3, 8), (4, 5), (5, 6)];
        let seen = zxids.map(|(n, zxid)| (NodeId(n), Seen { zxid, leads: n == 3 })).into();
        let uneven = Facts { seen, ..facts(3, &[]) };
        assert_eq!(who("newest", &uneven), [NodeId(2)]);
        assert_eq!(who("most-behind", &uneven), [NodeId(4)]);
        let critical = who("quorum-critical", &facts(3, &[1, 2]));
        assert!(critical == [NodeId(4)] || critical == [NodeId(5)], "{critical:?}");
        assert_eq!(who("quorum-critical|leader", &healthy), [NodeId(3)]);
        let nobody = script("kill quorum-critical").next(&healthy).expect_err("two can be spared");
        assert_eq!(nobody, "`kill quorum-critical`: there is nobody in that role now");
    }

    #[test]
    fn another_leader_and_the_rest_depend_on_what_was_before() {
        let mut script = script("kill leader as old\nawait another leads\nkill rest");
        assert_eq!(killed(script.next(&facts(5, &[]))), [NodeId(5)]);
        assert_eq!(script.next(&facts(5, &[5])), Ok(Move::Wait), "it still claims to");
        assert_eq!(script.step(), "await another leads");
        assert_eq!(script.next(&facts(4, &[5])), Ok(Move::Wait));
        assert_eq!(killed(script.next(&facts(4, &[5]))), NodeId::first(4));
    }
}
