//! Says when clients of this server meet the limits of a quota.

use tracing::warn;
use tree::{Reply, WriteOp};
use wire::{ErrorCode, OpResult};

use super::Engine;
use crate::proposal::Proposal;
use crate::seldom::Seldom;

static WARNINGS: Seldom = Seldom::new();

impl Engine {
    /// Counts a write past a limit, and logs it: one that was refused, or one past a soft limit.
    pub(super) fn note_quota(&mut self, proposal: &Proposal, reply: &Result<Reply, ErrorCode>) {
        let tree::Txn::Write { op, .. } = &proposal.txn else { return };
        if !self.tree.has_quotas() || proposal.origin.server != self.config.id {
            return;
        }
        if refused(reply) {
            self.metrics.quota_refused += 1;
            if WARNINGS.may() {
                warn!(path = ?added_to(op), "a write is refused by a hard limit of a quota");
            }
        } else if reply.is_ok() {
            added_to(op).into_iter().for_each(|path| self.note_exceeded(path));
        }
    }

    fn note_exceeded(&mut self, path: &str) {
        for over in self.tree.exceeded(path) {
            self.metrics.quota_exceeded += 1;
            if WARNINGS.may() {
                let tree::Exceeded { path, what, used, limit, .. } = over;
                warn!(path, what, used, limit, "more than the quota");
            }
        }
    }
}

fn refused(reply: &Result<Reply, ErrorCode>) -> bool {
    let code = ErrorCode::QuotaExceeded;
    match reply {
        Err(error) => *error == code,
        Ok(Reply::Multi { results }) => {
            results.iter().any(|result| *result == OpResult::Error { code: code.code() })
        }
        Ok(_) => false,
    }
}

/// The paths of creates and sets.
fn added_to(op: &WriteOp) -> Vec<&str> {
    match op {
        WriteOp::Create { path, .. } | WriteOp::SetData { path, .. } => vec![path],
        WriteOp::Multi { ops } => ops.iter().flat_map(added_to).collect(),
        _ => Vec::new(),
    }
}
