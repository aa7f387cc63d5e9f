//! What established leaders have committed only grows and never changes: what one has delivered
//! goes on from where it was established, and a later one's goes on from an earlier one's.
//!
//! Source: `CommittedLogMonotonicity` of Remix (there also `monotonicRead`).

use super::{Invariant, list};
use crate::zab::ghost::Reign;
use crate::zab::world::World;

pub(crate) struct CommittedLogMonotonicity;

impl Invariant for CommittedLogMonotonicity {
    const NAME: &'static str = "CommittedLogMonotonicity";

    fn broken(world: &World) -> Option<String> {
        let reigns = &world.ghost.reigns;
        let mut pairs = reigns.iter().flat_map(|one| reigns.iter().map(move |other| (one, other)));
        reigns.iter().find_map(rewritten).or_else(|| {
            let shrunk = |(one, other): &(&Reign, &Reign)| {
                one.epoch < other.epoch && !other.last.starts_with(&one.last)
            };
            let (one, other) = pairs.find(shrunk)?;
            Some(format!(
                "{} had committed {}, {} {}",
                who(one),
                list(&one.last),
                who(other),
                list(&other.last)
            ))
        })
    }
}

fn rewritten(reign: &Reign) -> Option<String> {
    let Reign { first, last, .. } = reign;
    let what = || format!("{} had committed {}, and then {}", who(reign), list(first), list(last));
    (!last.starts_with(first)).then(what)
}

fn who(reign: &Reign) -> String {
    format!("leader n{} of epoch {}", reign.leader, reign.epoch)
}
