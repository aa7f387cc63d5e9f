//! Transactions: those of sessions, of clients' writes, and of the ensemble's own clean-up.

use wire::{ErrorCode, OpResult};

use crate::digest;
use crate::owner::Owner;
use crate::session::Session;
use crate::tree::Tree;
use crate::txn::{Applied, Reply, Txn, WriteOp};
use crate::undo::Undo;
use crate::writes::{Context, Effect};

impl Tree {
    /// Applies the next transaction. `zxid` is larger than [`Tree::last_zxid`], and becomes it
    /// even if the transaction fails.
    pub fn apply(&mut self, zxid: u64, txn: &Txn) -> Applied {
        debug_assert!(zxid > self.last_zxid, "{zxid:#x} after {:#x}", self.last_zxid);
        self.last_zxid = zxid;
        let applied = self.carry_out(zxid, txn);
        self.lineage = digest::link(self.lineage, zxid, self.digest());
        applied
    }

    fn carry_out(&mut self, zxid: u64, txn: &Txn) -> Applied {
        match txn {
            Txn::CreateSession { id, timeout_ms, password } => {
                self.create_session(*id, *timeout_ms, *password)
            }
            Txn::CloseSession { id } => self.close_session(zxid, *id),
            Txn::Write { session, xid: _, time_ms, who, enforce_quota, op } => {
                let (time_ms, session, enforce_quota) = (*time_ms, *session, *enforce_quota);
                let context = Context { zxid, time_ms, session, who, enforce_quota };
                applied(self.write(&context, op))
            }
            Txn::Reap { path, time_ms } => applied(self.reap(zxid, path, *time_ms)),
        }
    }

    /// Paths that [`Txn::Reap`] would delete at this time, at most `max` of them.
    pub fn reapable(&self, time_ms: i64, max: usize) -> Vec<String> {
        self.reaped
            .iter()
            .filter(|path| self.check_reap(path, time_ms).is_ok())
            .take(max)
            .map(ToOwned::to_owned)
            .collect()
    }

    /// 0 is what a client sends to have a new session, and the owner of what is not ephemeral:
    /// no session has it.
    fn create_session(&mut self, id: i64, timeout_ms: i32, password: [u8; 16]) -> Applied {
        if id == 0 {
            let reply = Err(ErrorCode::BadArguments);
            return Applied { reply, fired: Vec::new(), closed: None };
        }
        let ephemerals = self.session(id).map(|open| open.ephemerals.clone()).unwrap_or_default();
        self.open_session(id, Session { timeout_ms, password, ephemerals });
        Applied { reply: Ok(Reply::SessionCreated), fired: Vec::new(), closed: None }
    }

    /// Deletes the session's ephemerals in order of parents and names, all at one zxid.
    fn close_session(&mut self, zxid: u64, id: i64) -> Applied {
        let session = self.remove_session(id);
        let closed = session.is_some().then_some(id);
        let mut fired = Vec::new();
        for path in session.iter().flat_map(|session| session.ephemerals.iter()) {
            fired.append(&mut self.delete_empty(path, zxid).fired);
        }
        Applied { reply: Ok(Reply::SessionClosed), fired, closed }
    }

    fn write(&mut self, context: &Context<'_>, op: &WriteOp) -> Result<Effect, ErrorCode> {
        // A reconfiguration is in force whatever has become of who asked for it.
        let is_in_force = matches!(op, WriteOp::Reconfig { .. });
        if !is_in_force && self.session(context.session).is_none() {
            return Err(ErrorCode::SessionExpired);
        }
        match op {
            WriteOp::Multi { ops } => Ok(self.multi(context, ops)),
            op => self.write_one(context, op),
        }
    }

    /// All operations or none.
    fn multi(&mut self, context: &Context<'_>, ops: &[WriteOp]) -> Effect {
        let (mut results, mut fired, mut undos) = (Vec::new(), Vec::new(), Vec::<Undo>::new());
        for op in ops {
            match self.write_member(context, op) {
                Ok(mut effect) => {
                    results.push(result(effect.reply));
                    fired.append(&mut effect.fired);
                    undos.extend(effect.undo.into_iter().flatten());
                }
                Err(code) => {
                    undos.into_iter().rev().for_each(|undo| self.take_back(undo));
                    let reply = Reply::Multi { results: failed(code, results.len(), ops.len()) };
                    return Effect { reply, fired: Vec::new(), undo: [None, None] };
                }
            }
        }
        Effect { reply: Reply::Multi { results }, fired, undo: [None, None] }
    }

    fn write_member(&mut self, context: &Context<'_>, op: &WriteOp) -> Result<Effect, ErrorCode> {
        match op {
            // The protocol has none in a multi.
            WriteOp::SetAcl { .. } | WriteOp::Multi { .. } | WriteOp::Reconfig { .. } => {
                Err(ErrorCode::BadArguments)
            }
            op => self.write_one(context, op),
        }
    }

    fn reap(&mut self, zxid: u64, path: &str, time_ms: i64) -> Result<Effect, ErrorCode> {
        self.check_reap(path, time_ms)?;
        Ok(self.delete_empty(path, zxid))
    }

    /// A container goes when it had children and has none, a znode with a time to live when it
    /// has none and was not set for that long.
    fn check_reap(&self, path: &str, time_ms: i64) -> Result<(), ErrorCode> {
        let node = self.node(path)?;
        if node.children() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        let due = match node.owner() {
            Owner::Children => node.creates() != 0,
            Owner::Ttl(ttl_ms) => time_ms.saturating_sub(node.mtime) > ttl_ms,
            Owner::Nobody | Owner::Session(_) => false,
        };
        if due { Ok(()) } else { Err(ErrorCode::BadVersion) }
    }
}

fn applied(result: Result<Effect, ErrorCode>) -> Applied {
    match result {
        Ok(Effect { reply, fired, .. }) => Applied { reply: Ok(reply), fired, closed: None },
        Err(code) => Applied { reply: Err(code), fired: Vec::new(), closed: None },
    }
}

fn result(reply: Reply) -> OpResult {
    match reply {
        Reply::Create { path } => OpResult::Create { path: path.to_string() },
        Reply::Create2 { path, stat } => OpResult::Create2 { path: path.to_string(), stat },
        Reply::SetData { stat } => OpResult::SetData { stat },
        Reply::Delete => OpResult::Delete,
        Reply::Check => OpResult::Check,
        Reply::SessionCreated
        | Reply::SessionClosed
        | Reply::SetAcl { .. }
        | Reply::Reconfig { .. }
        | Reply::Multi { .. } => unreachable!("no operation of a multi answers so"),
    }
}

/// The results of a multi of `count` operations whose operation number `culprit` failed.
fn failed(code: ErrorCode, culprit: usize, count: usize) -> Vec<OpResult> {
    (0..count)
        .map(|i| match i.cmp(&culprit) {
            std::cmp::Ordering::Less => OpResult::Error { code: 0 },
            std::cmp::Ordering::Equal => OpResult::Error { code: code.code() },
            std::cmp::Ordering::Greater => {
                OpResult::Error { code: ErrorCode::RuntimeInconsistency.code() }
            }
        })
        .collect()
}
