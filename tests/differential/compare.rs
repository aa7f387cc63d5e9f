//! What differs between two records of a script, and the shortest script that shows it.

use crate::deliberate::{self, Covers};
use crate::play::{Record, Seen};
use crate::script::Step;

/// The first step whose records differ in a way that is not deliberate.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// `None`: the sessions' opening.
    pub(crate) step: Option<Step>,
    pub(crate) theirs: Vec<Seen>,
    pub(crate) ours: Vec<Seen>,
}

pub(crate) fn first_difference(
    steps: &[Step],
    theirs: &Record,
    ours: &Record,
) -> Option<Difference> {
    let steps = std::iter::once(None).chain(steps.iter().map(Some));
    for ((step, theirs), ours) in steps.zip(theirs).zip(ours) {
        match deliberate::covers(step, theirs, ours) {
            Covers::All => {}
            // What follows says nothing: the servers are in different states, as documented.
            Covers::AllFromHere => return None,
            Covers::NotAll => {
                let (theirs, ours) = (theirs.clone(), ours.clone());
                return Some(Difference { step: step.cloned(), theirs, ours });
            }
        }
    }
    None
}

/// Takes out steps as long as there is a difference; what is left, and the difference.
pub(crate) fn smallest(
    mut steps: Vec<Step>,
    mut found: Difference,
    mut differ: impl FnMut(&[Step]) -> Option<Difference>,
) -> (Vec<Step>, Difference) {
    let mut n = steps.len().div_ceil(2);
    while n > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + n).min(steps.len()));
            match differ(&fewer) {
                Some(difference) => (steps, found) = (fewer, difference),
                None => at += n,
            }
        }
        n /= 2;
    }
    (steps, found)
}

/// For people.
pub(crate) fn explain(seed: u64, steps: &[Step], difference: &Difference) -> String {
    let mut text = format!("seed {seed}, shortened to {} steps:\n", steps.len());
    for step in steps {
        text += &format!("  {step:?}\n");
    }
    match &difference.step {
        Some(step) => text += &format!("differs at\n  {step:?}\n"),
        None => text += "differs when the sessions are opened\n",
    }
    for (who, seen) in [("Apache ZooKeeper", &difference.theirs), ("here", &difference.ours)] {
        text += &format!("{who}:\n");
        for Seen { session, what } in seen {
            text += &format!("  to {session}: {what:?}\n");
        }
    }
    text
}
