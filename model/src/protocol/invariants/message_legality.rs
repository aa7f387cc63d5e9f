//! Nobody is told what makes no sense to him: a COMMIT of what he does not have, a proposal that is
//! not the next one, an acknowledgement out of turn.
//!
//! Source: the during-action flags of ZooKeeper's TLA+ specifications (`commitInconsistent`,
//! `proposalInconsistent`, `ackInconsistent`, `messageIllegal`).

use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(_: &State, event: &Event) -> Option<String> {
    let Event::Nonsense { what, .. } = event else { return None };
    Some(what.clone())
}
