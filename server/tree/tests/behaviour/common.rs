//! Shorthands for tests.

use tree::{Applied, Tree, Txn, WriteOp};
use wire::{Acl, CreateMode, Data, Identity};

/// A session that [`Bench::new`] opens.
pub(crate) const ALICE: i64 = 0xa;
/// Another.
pub(crate) const BOB: i64 = 0xb;

/// A tree and the zxid to come.
pub(crate) struct Bench {
    pub(crate) tree: Tree,
    pub(crate) zxid: u64,
    /// Whether hard limits of quotas are enforced.
    pub(crate) enforce_quota: bool,
}

impl Bench {
    /// A new tree; zxids 1 and 2 open [`ALICE`] and [`BOB`].
    pub(crate) fn new() -> Bench {
        let mut bench = Bench { tree: Tree::new(), zxid: 0, enforce_quota: false };
        for id in [ALICE, BOB] {
            bench.apply(&Txn::CreateSession { id, timeout_ms: 4000, password: [id as u8; 16] });
        }
        bench
    }

    /// Applies at the next zxid and holds the running digest against a fresh one.
    pub(crate) fn apply(&mut self, txn: &Txn) -> Applied {
        self.zxid += 1;
        let applied = self.tree.apply(self.zxid, txn);
        assert_eq!(self.tree.digest(), self.tree.recompute_digest(), "{txn:?}");
        assert_eq!(self.tree.last_zxid(), self.zxid);
        applied
    }

    /// A write by `session`, a thousand milliseconds after the last zxid's.
    pub(crate) fn write(&mut self, session: i64, op: WriteOp) -> Applied {
        self.write_as(session, &[], op)
    }

    /// The same, by somebody with these identities.
    pub(crate) fn write_as(&mut self, session: i64, who: &[Identity], op: WriteOp) -> Applied {
        let time_ms = (self.zxid as i64 + 1) * 1000;
        let enforce_quota = self.enforce_quota;
        self.apply(&Txn::Write { session, xid: 1, time_ms, who: who.into(), enforce_quota, op })
    }
}

pub(crate) fn data(text: &str) -> Data {
    Some(text.as_bytes().into())
}

pub(crate) fn create(path: &str, mode: CreateMode) -> WriteOp {
    let (path, data) = (path.to_owned(), data("v"));
    WriteOp::Create { path, data, acl: Acl::open(), mode, ttl_ms: -1, with_stat: true }
}

pub(crate) fn delete(path: &str, version: i32) -> WriteOp {
    WriteOp::Delete { path: path.to_owned(), version }
}

pub(crate) fn set(path: &str, text: &str, version: i32) -> WriteOp {
    WriteOp::SetData { path: path.to_owned(), data: data(text), version }
}
