//! What a server with a planted defect puts in order, and what it carries out.

use tree::{Applied, Fired, Reply, Tree, Txn, WriteOp};
use wire::{CreateMode, ErrorCode, EventType, OpResult};

use crate::Mutant;

/// The write that is put in order.
pub(super) fn ordered(op: WriteOp, mutant: Option<Mutant>) -> WriteOp {
    match (op, mutant) {
        (WriteOp::SetData { path, data, .. }, Some(Mutant::VersionsUnchecked)) => {
            WriteOp::SetData { path, data, version: -1 }
        }
        (
            WriteOp::Create {
                path,
                data,
                acl,
                mode: CreateMode::EphemeralSequential,
                ttl_ms,
                with_stat,
            },
            Some(Mutant::OwnersForgotten),
        ) => {
            let mode = CreateMode::PersistentSequential;
            WriteOp::Create { path, data, acl, mode, ttl_ms, with_stat }
        }
        (op, _) => op,
    }
}

/// What is put in order when a client closes its session.
pub(super) fn closing(session: i64, mutant: Option<Mutant>) -> Txn {
    if mutant != Some(Mutant::ClosesIgnored) {
        return Txn::CloseSession { id: session };
    }
    let op = WriteOp::Check { path: "/".to_owned(), version: -1 };
    Txn::Write { session, xid: 0, time_ms: 0, who: [].into(), enforce_quota: false, op }
}

/// Carries the next transaction out.
pub(super) fn apply(tree: &mut Tree, zxid: u64, txn: &Txn, mutant: Option<Mutant>) -> Applied {
    match mutant {
        Some(Mutant::EventsOfRefusals) => with_events_of_refusals(tree, zxid, txn),
        Some(Mutant::TornMultis) => despite_refusal(tree, zxid, txn, before_the_culprit),
        Some(Mutant::RefusalsDone) => despite_refusal(tree, zxid, txn, at_any_version),
        Some(Mutant::SequenceByChildren) => match numbered_by_children(tree, txn) {
            Some(numbered) => tree.apply(zxid, &numbered),
            None => tree.apply(zxid, txn),
        },
        _ => tree.apply(zxid, txn),
    }
}

fn with_events_of_refusals(tree: &mut Tree, zxid: u64, txn: &Txn) -> Applied {
    let mut applied = tree.apply(zxid, txn);
    if let (Err(_), Txn::Write { op: WriteOp::SetData { path, .. }, .. }) = (&applied.reply, txn) {
        applied.fired.push(Fired::new(path.as_str(), EventType::NodeDataChanged));
    }
    applied
}

/// Where a write would be refused, something is done in its place, and the refusal is told.
fn despite_refusal(
    tree: &mut Tree,
    zxid: u64,
    txn: &Txn,
    instead: fn(&WriteOp, &Result<Reply, ErrorCode>) -> Option<WriteOp>,
) -> Applied {
    let mut planted = txn.clone();
    let told = tree.clone().apply(zxid, txn).reply;
    if let Txn::Write { op, .. } = &mut planted
        && let Some(other) = instead(op, &told)
    {
        *op = other;
        return Applied { reply: told, ..tree.apply(zxid, &planted) };
    }
    tree.apply(zxid, txn)
}

fn before_the_culprit(op: &WriteOp, told: &Result<Reply, ErrorCode>) -> Option<WriteOp> {
    let (WriteOp::Multi { ops }, Ok(Reply::Multi { results })) = (op, told) else { return None };
    let failed = |result: &OpResult| matches!(result, OpResult::Error { code } if *code != 0);
    let culprit = results.iter().position(failed)?;
    Some(WriteOp::Multi { ops: ops[..culprit].to_vec() })
}

fn at_any_version(op: &WriteOp, told: &Result<Reply, ErrorCode>) -> Option<WriteOp> {
    match (op, told) {
        (WriteOp::SetData { path, data, .. }, Err(ErrorCode::BadVersion)) => {
            Some(WriteOp::SetData { path: path.clone(), data: data.clone(), version: -1 })
        }
        _ => None,
    }
}

/// A sequential create, with the number of children that there are.
fn numbered_by_children(tree: &Tree, txn: &Txn) -> Option<Txn> {
    let mut numbered = txn.clone();
    let Txn::Write { op: WriteOp::Create { path, mode, .. }, .. } = &mut numbered else {
        return None;
    };
    *mode = match mode {
        CreateMode::PersistentSequential => CreateMode::Persistent,
        CreateMode::EphemeralSequential => CreateMode::Ephemeral,
        _ => return None,
    };
    let parent = path.rsplit_once('/')?.0;
    let children = tree.exists(if parent.is_empty() { "/" } else { parent }).ok()?.num_children;
    *path = format!("{path}{children:010}");
    Some(numbered)
}

#[cfg(test)]
mod tests {
    use wire::Acl;

    use super::*;

    const SESSION: i64 = 7;

    fn write(op: WriteOp) -> Txn {
        let (xid, time_ms, enforce_quota) = (1, 0, false);
        Txn::Write { session: SESSION, xid, time_ms, who: [].into(), enforce_quota, op }
    }

    fn create(path: &str, mode: CreateMode) -> WriteOp {
        let acl = Acl::open();
        let (path, data) = (path.to_owned(), Some(b"old".to_vec().into()));
        WriteOp::Create { path, data, acl, mode, ttl_ms: -1, with_stat: false }
    }

    fn set(path: &str, version: i32) -> WriteOp {
        WriteOp::SetData { path: path.to_owned(), data: Some(b"new".to_vec().into()), version }
    }

    /// A session, and `/a` at version 0.
    fn tree() -> Tree {
        let mut tree = Tree::new();
        tree.apply(1, &Txn::CreateSession { id: SESSION, timeout_ms: 9, password: [0; 16] });
        tree.apply(2, &write(create("/a", CreateMode::Persistent)));
        tree
    }

    /// What a correct server and one with the defect tell, and leave of `/a`.
    fn both(txn: &Txn, mutant: Mutant) -> [(Result<Reply, ErrorCode>, i32); 2] {
        [None, Some(mutant)].map(|mutant| {
            let mut tree = tree();
            let told = apply(&mut tree, 3, txn, mutant).reply;
            (told, tree.exists("/a").expect("it was made").version)
        })
    }

    #[test]
    fn what_is_refused_is_done_and_the_refusal_told() {
        let nowhere = WriteOp::Check { path: "/nowhere".to_owned(), version: 0 };
        let multi = WriteOp::Multi { ops: vec![set("/a", 0), nowhere] };
        for (op, mutant) in [(set("/a", 5), Mutant::RefusalsDone), (multi, Mutant::TornMultis)] {
            let [right, planted] = both(&write(op), mutant);
            assert_eq!(right.0, planted.0, "{mutant}: the same is told");
            assert_eq!((right.1, planted.1), (0, 1), "{mutant}: and something done");
        }
    }

    #[test]
    fn a_number_is_given_again_when_a_child_has_gone() {
        let mut tree = tree();
        let mutant = Some(Mutant::SequenceByChildren);
        let mut made = |zxid| {
            let txn = write(create("/s-", CreateMode::PersistentSequential));
            apply(&mut tree, zxid, &txn, mutant).reply
        };
        let (first, second) = (made(3), made(4));
        let Ok(Reply::Create { path }) = first.clone() else { panic!("{first:?}") };
        assert_ne!(first, second);
        tree.apply(5, &write(WriteOp::Delete { path: path.to_string(), version: -1 }));
        let txn = write(create("/s-", CreateMode::PersistentSequential));
        assert_eq!(apply(&mut tree, 6, &txn, mutant).reply, Err(ErrorCode::NodeExists));
    }

    #[test]
    fn what_is_put_in_order_differs() {
        let op = create("/q-", CreateMode::EphemeralSequential);
        assert_eq!(ordered(op.clone(), None), op);
        let planted = create("/q-", CreateMode::PersistentSequential);
        assert_eq!(ordered(op, Some(Mutant::OwnersForgotten)), planted);
        assert_eq!(closing(SESSION, None), Txn::CloseSession { id: SESSION });
        let mut tree = tree();
        tree.apply(3, &closing(SESSION, Some(Mutant::ClosesIgnored)));
        assert!(tree.session(SESSION).is_some(), "it is left to run out");
    }
}
