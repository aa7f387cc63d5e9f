//! Do the servers' states agree? What a leader makes of the fingerprints that it is told. Pure.
//!
//! At every beat the leader asks what each server's [lineage](tree::Tree::lineage) is at the zxid
//! that it has reached itself. What a quorum has is right, and who has something else stops, the
//! leader too. As long as servers differ and no quorum has the same (one against one, while the third
//! of three is away), nobody knows who is wrong: then nobody is stopped, for that could throw away
//! the right state, and nobody serves, until more servers have answered.

use std::collections::{BTreeMap, BTreeSet};

use zab::ServerId;

/// Questions that may still be answered; a server that lags by more is asked again anyway.
const ROUNDS: usize = 16;

/// The answers to the newest questions.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The one who asks.
    leader: ServerId,
    rounds: BTreeMap<u64, Round>,
}

/// Each server's lineage at one zxid.
type Round = BTreeMap<ServerId, u64>;

/// What the answers for one zxid amount to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Nobody differs.
    Agreed,
    /// Some differ, and no quorum has the same.
    Doubt,
    /// A quorum has `right`; who has what else is in `wrong`.
    Decided { right: u64, wrong: BTreeMap<ServerId, u64> },
}

impl Comparison {
    /// Nothing has been asked.
    pub(crate) fn new(leader: ServerId) -> Comparison {
        Comparison { leader, rounds: BTreeMap::new() }
    }

    /// Opens a question, with the leader's own answer.
    pub(crate) fn ask(&mut self, zxid: u64, lineage: u64) {
        self.rounds.entry(zxid).or_default().insert(self.leader, lineage);
        if self.rounds.len() > ROUNDS {
            self.rounds.pop_first();
        }
    }

    /// Notes an answer to an open question. Is it news that this server and the leader differ?
    pub(crate) fn hear(&mut self, zxid: u64, from: ServerId, lineage: u64) -> bool {
        let Some(round) = self.rounds.get_mut(&zxid) else { return false };
        let former = round.insert(from, lineage);
        former != Some(lineage) && round.get(&self.leader) != Some(&lineage)
    }

    /// The ruling for one zxid. Observers are judged, and judge nobody.
    pub(crate) fn ruling(&self, zxid: u64, voters: &BTreeSet<ServerId>) -> Ruling {
        self.rounds.get(&zxid).map_or(Ruling::Agreed, |round| rule(round, voters))
    }

    /// Is any question in doubt? Looked at when the next is asked, so that there was time to answer.
    pub(crate) fn in_doubt(&self, voters: &BTreeSet<ServerId>) -> bool {
        self.rounds.values().any(|round| rule(round, voters) == Ruling::Doubt)
    }

    /// Drops the answers of learners that have left.
    pub(crate) fn retain(&mut self, stays: impl Fn(ServerId) -> bool) {
        let leader = self.leader;
        for round in self.rounds.values_mut() {
            round.retain(|id, _| *id == leader || stays(*id));
        }
    }
}

fn rule(round: &Round, voters: &BTreeSet<ServerId>) -> Ruling {
    let mut answers = round.values();
    let first = answers.next();
    if answers.all(|lineage| Some(lineage) == first) {
        return Ruling::Agreed;
    }
    let backers = |lineage: u64| {
        round.iter().filter(|(id, other)| **other == lineage && voters.contains(id)).count()
    };
    let quorum = voters.len() / 2 + 1;
    match round.values().find(|lineage| backers(**lineage) >= quorum) {
        Some(&right) => {
            let wrong = round.iter().filter(|(_, lineage)| **lineage != right);
            Ruling::Decided { right, wrong: wrong.map(|(id, lineage)| (*id, *lineage)).collect() }
        }
        None => Ruling::Doubt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: u64 = 7;
    const WRONG: u64 = 8;

    /// Server 1 leads; the others have answered so for zxid 100.
    fn asked(n_voters: u64, answers: &[(ServerId, u64)]) -> (Comparison, BTreeSet<ServerId>) {
        let mut comparison = Comparison::new(1);
        comparison.ask(100, answers[0].1);
        for &(server, lineage) in &answers[1..] {
            let news = comparison.hear(100, server, lineage);
            assert_eq!(news, lineage != answers[0].1);
            assert!(!comparison.hear(100, server, lineage), "it was said before");
        }
        (comparison, (1..=n_voters).collect())
    }

    fn ruling(n_voters: u64, answers: &[(ServerId, u64)]) -> Ruling {
        let (comparison, voters) = asked(n_voters, answers);
        comparison.ruling(100, &voters)
    }

    fn decided(wrong: &[(ServerId, u64)]) -> Ruling {
        Ruling::Decided { right: RIGHT, wrong: wrong.iter().copied().collect() }
    }

    #[test]
    fn whom_a_quorum_contradicts_is_wrong_even_if_it_leads() {
        let all_right = [(1, RIGHT), (2, RIGHT), (3, RIGHT)];
        assert_eq!(ruling(3, &all_right), Ruling::Agreed);
        assert_eq!(ruling(3, &[(1, RIGHT), (2, WRONG), (3, RIGHT)]), decided(&[(2, WRONG)]));
        assert_eq!(ruling(3, &[(1, WRONG), (2, RIGHT), (3, RIGHT)]), decided(&[(1, WRONG)]));
        let two_of_five = [(1, RIGHT), (2, WRONG), (3, RIGHT), (4, 9), (5, RIGHT)];
        assert_eq!(ruling(5, &two_of_five), decided(&[(2, WRONG), (4, 9)]));
    }

    #[test]
    fn without_a_quorum_for_either_nobody_is_wrong_yet() {
        assert_eq!(ruling(3, &[(1, RIGHT), (2, WRONG)]), Ruling::Doubt);
        assert_eq!(ruling(3, &[(1, RIGHT), (2, WRONG), (3, 9)]), Ruling::Doubt);
        assert_eq!(ruling(5, &[(1, RIGHT), (2, RIGHT), (3, WRONG)]), Ruling::Doubt);
        let halves = [(1, RIGHT), (2, RIGHT), (3, WRONG), (4, WRONG)];
        assert_eq!(ruling(4, &halves), Ruling::Doubt);
        assert_eq!(ruling(3, &[(1, RIGHT)]), Ruling::Agreed, "silence contradicts nobody");
    }

    #[test]
    fn observers_are_judged_and_judge_nobody() {
        let observers_wrong = [(1, RIGHT), (2, RIGHT), (8, WRONG), (9, WRONG)];
        assert_eq!(ruling(3, &observers_wrong), decided(&[(8, WRONG), (9, WRONG)]));
        let one_voter = [(1, RIGHT), (8, WRONG), (9, WRONG)];
        assert_eq!(ruling(3, &one_voter), Ruling::Doubt);
    }

    #[test]
    fn doubt_ends_with_the_answer_that_decides_or_with_him_who_differs() {
        let (mut comparison, voters) = asked(3, &[(1, RIGHT), (2, WRONG)]);
        comparison.ask(101, RIGHT);
        assert!(comparison.in_doubt(&voters), "of the former question");
        comparison.hear(100, 3, RIGHT);
        assert!(!comparison.in_doubt(&voters));
        let (mut comparison, voters) = asked(3, &[(1, RIGHT), (2, WRONG)]);
        comparison.retain(|id| id != 2);
        assert!(!comparison.in_doubt(&voters));
    }

    #[test]
    fn only_the_newest_questions_may_be_answered() {
        let mut comparison = Comparison::new(1);
        (100..120).for_each(|zxid| comparison.ask(zxid, RIGHT));
        assert_eq!(comparison.rounds.len(), ROUNDS);
        let voters = (1..=3).collect();
        for never_asked_or_too_old in [100, 120] {
            assert!(!comparison.hear(never_asked_or_too_old, 2, WRONG));
            assert_eq!(comparison.ruling(never_asked_or_too_old, &voters), Ruling::Agreed);
        }
        comparison.hear(119, 2, WRONG);
        assert!(comparison.in_doubt(&voters));
    }
}
