//! What established leaders have committed only grows and never changes: a later leader's goes on
//! from an earlier one's.
//!
//! Source: `CommittedLogMonotonicity` of Remix (there also `monotonicRead`).

use super::{before, list};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let Event::Established { leader, epoch } = event else { return None };
    let mut earlier = state.ghost.reigns.iter().filter(|reign| reign.epoch < *epoch);
    let history = state.server(*leader).history();
    let committed = &state.ghost.committed;
    let due = before(committed, *epoch);
    let broken = earlier.find(|reign| {
        let end = reign.last.min(due);
        history.get(..end) != Some(&committed[..end])
    })?;
    Some(format!(
        "leader n{} of epoch {} had committed {}, leader n{leader} of epoch {epoch} begins with {}",
        broken.leader,
        broken.epoch,
        list(&committed[..broken.last.min(committed.len())]),
        list(history)
    ))
}
