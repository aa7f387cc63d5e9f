//! States that differ in the servers' numbers alone are searched once.
//!
//! This is sound because no rule compares numbers: the oracle may name any server, and every server
//! is offered the same actions as others that vote, or observe, as it does. (It would not be where elections are decided by number.)

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use zab::ServerId;

use super::link::LinkId;
use super::state::{Role, Server, State};

/// New numbers for old ones.
type Numbers = BTreeMap<ServerId, ServerId>;

impl Hash for State {
    /// Equal for states that are equal but for numbers, almost always: servers that look alike by
    /// themselves keep their order, whatever their connections.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.hash_as(&self.numbers(), hasher);
    }
}

impl State {
    /// The hash of the state in which servers have these numbers.
    fn hash_as<H: Hasher>(&self, numbers: &Numbers, hasher: &mut H) {
        let servers: BTreeMap<ServerId, Server> = self
            .servers
            .iter()
            .map(|(id, server)| (numbers[id], server.renamed(numbers)))
            .collect();
        servers.hash(hasher);
        let links: BTreeMap<LinkId, _> =
            self.links.iter().map(|(id, link)| (id.renamed(numbers), link)).collect();
        links.hash(hasher);
        self.hash_ghost(numbers, hasher);
        self.used.hash(hasher);
    }

    /// Observers, then the others, in the order of what they look like.
    fn numbers(&self) -> Numbers {
        let looks = |(id, server): (&ServerId, &Arc<Server>)| {
            (!self.observes(*id), server.looks_like(), *id)
        };
        let mut order: Vec<(bool, u64, ServerId)> = self.servers.iter().map(looks).collect();
        order.sort_unstable();
        order.into_iter().zip(1..).map(|((_, _, id), number)| (id, number)).collect()
    }

    fn hash_ghost(&self, numbers: &Numbers, hasher: &mut impl Hasher) {
        let ghost = &self.ghost;
        (ghost.submitted, &ghost.proposals, &ghost.committed, &ghost.broken).hash(hasher);
        for (epoch, (leader, delivered)) in &ghost.began {
            (epoch, numbers[leader], delivered).hash(hasher);
        }
        for (epoch, leader) in &ghost.prospective {
            (epoch, numbers[leader]).hash(hasher);
        }
        for reign in &ghost.reigns {
            (reign.epoch, numbers[&reign.leader], reign.first, reign.last).hash(hasher);
        }
        for ((asker, token), due) in &ghost.syncs {
            (numbers[asker], token, due).hash(hasher);
        }
    }
}

impl Server {
    /// All that does not name others.
    fn looks_like(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.up, &self.disk, &self.written, self.delivered, self.snapshot).hash(&mut hasher);
        match &self.role {
            Role::Looking { waiting } => waiting.len().hash(&mut hasher),
            Role::Following(follower) => {
                (1, follower.epoch, follower.stage, &follower.due, follower.committed)
                    .hash(&mut hasher);
            }
            Role::Leading(leader) => {
                let mut learners: Vec<_> =
                    leader.learners.values().map(|l| (l.stage, l.sent, l.acked)).collect();
                learners.sort_unstable();
                (2, leader.epoch, leader.phase, learners).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn renamed(&self, numbers: &Numbers) -> Server {
        let mut server = self.clone();
        match &mut server.role {
            Role::Looking { waiting } => {
                *waiting = std::mem::take(waiting)
                    .into_iter()
                    .map(|(id, (link, accepted))| (numbers[&id], (link.renamed(numbers), accepted)))
                    .collect();
            }
            Role::Following(follower) => {
                follower.leader = numbers[&follower.leader];
                follower.link = follower.link.map(|link| link.renamed(numbers));
            }
            Role::Leading(leader) => {
                for (asker, _, _) in &mut leader.syncs {
                    *asker = numbers[asker];
                }
                leader.learners = std::mem::take(&mut leader.learners)
                    .into_iter()
                    .map(|(id, mut learner)| {
                        learner.link = learner.link.renamed(numbers);
                        (numbers[&id], learner)
                    })
                    .collect();
            }
        }
        server
    }
}

impl LinkId {
    fn renamed(self, numbers: &Numbers) -> LinkId {
        let LinkId { learner, leader, via } = self;
        LinkId { learner: numbers[&learner], leader: numbers[&leader], via }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet, VecDeque};

    use super::super::{Flaw, Prepared, action};
    use super::*;
    use crate::catalogue::Bounds;

    /// What a search saw.
    #[derive(Default)]
    struct Seen {
        states: usize,
        /// States up to numbers, exactly.
        orbits: BTreeSet<u64>,
        broken: BTreeSet<&'static str>,
    }

    fn hash(state: &State, numbers: &Numbers) -> u64 {
        let mut hasher = DefaultHasher::new();
        state.hash_as(numbers, &mut hasher);
        hasher.finish()
    }

    /// The same for all states that differ in numbers alone, and for no others.
    fn orbit(state: &State) -> u64 {
        const ALL: [[ServerId; 3]; 6] =
            [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];
        let numbers = ALL.map(|order| (1..).zip(order).collect::<Numbers>());
        numbers.iter().map(|numbers| hash(state, numbers)).min().expect("there are six")
    }

    /// Breadth first, one of the states with the same `key` alone.
    fn search<K: Eq + Hash>(
        prepared: Prepared,
        bounds: &Bounds,
        flaw: Option<Flaw>,
        key: impl Fn(&State) -> K,
    ) -> Seen {
        let (mut seen, mut keys) = (Seen::default(), HashSet::new());
        let mut waiting = VecDeque::from([prepared.state(bounds, flaw)]);
        while let Some(state) = waiting.pop_front() {
            if !keys.insert(key(&state)) {
                continue;
            }
            seen.states += 1;
            seen.orbits.insert(orbit(&state));
            seen.broken.extend(state.ghost.broken.iter().map(|(name, _)| *name));
            let mut actions = Vec::new();
            action::offer(&state, bounds, &mut actions);
            waiting.extend(actions.iter().filter_map(|next| action::apply(&state, next)));
        }
        seen
    }

    #[test]
    fn the_reduced_search_sees_what_the_whole_one_does() {
        let bounds = Bounds { servers: 3, elections: 1, ..Bounds::default() };
        for (prepared, bounds, flaw, breaks) in [
            (Prepared::Boot, Bounds { txns: 1, ..bounds }, None, false),
            (Prepared::Join, Bounds { txns: 1, ..bounds }, None, false),
            (Prepared::Recovery, bounds, None, false),
            (Prepared::Boot, Bounds { txns: 1, observers: 1, ..bounds }, None, false),
            (Prepared::Recovery, bounds, Some(Flaw::HalfQuorum), true),
            (Prepared::Join, Bounds { txns: 2, ..bounds }, Some(Flaw::NarrowBroadcast), true),
        ] {
            let reduced = search(prepared, &bounds, flaw, |state| hash(state, &state.numbers()));
            // Two states are equal when their numbers are, too.
            let whole = search(prepared, &bounds, flaw, State::clone);
            assert_eq!(reduced.orbits, whole.orbits, "{prepared:?} {flaw:?}");
            assert_eq!(reduced.broken, whole.broken, "{prepared:?} {flaw:?}");
            assert_eq!(!whole.broken.is_empty(), breaks, "{prepared:?} {flaw:?}");
            assert!(reduced.states >= reduced.orbits.len(), "no two of them are one");
            assert!(reduced.states < whole.states, "{prepared:?} {flaw:?}: {}", whole.states);
        }
    }
}
