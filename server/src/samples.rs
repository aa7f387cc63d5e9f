//! For the tests of decoders: one of each kind of what servers send and store.

use std::sync::Arc;

use fuzz::Counting;
use tree::WriteOp;
use wire::{Acl, CreateMode, ErrorCode, Identity};
use zab::{Configuration, Entry, Member, Members, Stance, Vote, Zxid};

use crate::proposal::{Message, Origin, State, Txn};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Serde makes room at once for as many items as a count claims, up to so many bytes.
pub(crate) const CAUTIOUS: usize = 1 << 20;

pub(crate) fn origin() -> Origin {
    Origin { server: 2, incarnation: 99, number: 5 }
}

/// What a client's write becomes.
pub(crate) fn proposal(op: WriteOp) -> Txn {
    let (session, xid, time_ms, who) = (7, 1, 99, [Identity::new("ip", "::1")].into());
    let enforce_quota = true;
    let txn = tree::Txn::Write { session, xid, time_ms, who, op, enforce_quota };
    Txn::new(origin(), txn)
}

pub(crate) fn entries() -> Vec<Entry<Txn>> {
    let path = || "/a/path".to_owned();
    let others = [
        tree::Txn::CreateSession { id: 7, timeout_ms: 4000, password: [3; 16] },
        tree::Txn::CloseSession { id: 7 },
        tree::Txn::Reap { path: path(), time_ms: 99 },
    ];
    let members = configuration().members;
    let others = others.map(|txn| Txn::new(origin(), txn).with_members(Some(members.clone())));
    let txns = others.into_iter().chain(operations().into_iter().map(proposal));
    (1..).zip(txns).map(|(n, txn)| Entry { zxid: Zxid::new(3, n), txn }).collect()
}

pub(crate) fn messages() -> Vec<Message> {
    let zxid = Zxid::new(3, 9);
    let (vote, stance) = (Vote { epoch: 3, zxid, leader: 2 }, Stance::Looking);
    let words = [
        Message::Notification { round: 4, vote, stance, version: zxid, logged: zxid },
        Message::Members(configuration()),
        Message::FollowerInfo { accepted_epoch: 3 },
        Message::LeaderInfo { epoch: 3 },
        Message::AckEpoch { current_epoch: 3, last: zxid, snapshot: zxid },
        Message::Truncate { after: zxid },
        Message::Snapshot { zxid, state: State::default() },
        Message::NewLeader { epoch: 3, configuration: configuration() },
        Message::AckLeader { epoch: 3 },
        Message::UpToDate { committed: zxid },
        Message::Ack { zxid },
        Message::Commit { zxid },
        Message::Ping { seq: 4 },
        Message::Pong { seq: 4 },
        Message::SyncRequest { token: 8 },
        Message::SyncReply { token: 8 },
    ];
    let proposals = entries().into_iter().map(Message::Propose);
    let forwards = operations().into_iter().map(|op| Message::Forward { txn: proposal(op) });
    words.into_iter().chain(proposals).chain(forwards).collect()
}

fn configuration() -> Configuration {
    let member = |votes| Member { votes, address: "host:1:2:participant".to_owned() };
    let members = Members([(1, member(true)), (2, member(false))].into());
    Configuration { version: Zxid::new(3, 1), members: Arc::new(members) }
}

fn operations() -> Vec<WriteOp> {
    let path = || "/a/path".to_owned();
    let data = Some([1, 2, 3].into());
    let mode = CreateMode::Persistent;
    let (acl, ttl_ms, with_stat) = (Acl::open(), -1, true);
    let single = vec![
        WriteOp::Create { path: path(), data: data.clone(), acl, mode, ttl_ms, with_stat },
        WriteOp::Delete { path: path(), version: -1 },
        WriteOp::SetData { path: path(), data, version: 2 },
        WriteOp::SetAcl { path: path(), acl: Acl::open(), version: 2 },
        WriteOp::Check { path: path(), version: 2 },
        WriteOp::Reconfig { members: "server.1=h:1:2:participant".to_owned() },
        WriteOp::Error { code: ErrorCode::NoNode },
    ];
    let multi = WriteOp::Multi { ops: single.clone() };
    single.into_iter().chain([multi]).collect()
}
