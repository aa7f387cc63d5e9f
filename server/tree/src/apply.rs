//! Transactions: what each checks, in which order, and what it changes.

use wire::{Acl, CreateMode, Data, ErrorCode, EventType, path};

use crate::node::Node;
use crate::session::Session;
use crate::tree::{CONFIG, QUOTA, ROOT, SYSTEM, Tree};
use crate::txn::{Applied, Fired, Reply, Txn, WriteOp};

const ANY_VERSION: i32 = -1;

/// Where a write stands: the same for all that it changes.
struct Context {
    zxid: u64,
    time_ms: i64,
    session: i64,
}

impl Tree {
    /// Applies the next transaction. `zxid` is larger than [`Tree::last_zxid`], and becomes it
    /// even if the transaction fails.
    pub fn apply(&mut self, zxid: u64, txn: &Txn) -> Applied {
        debug_assert!(zxid > self.last_zxid, "{zxid:#x} after {:#x}", self.last_zxid);
        self.last_zxid = zxid;
        match txn {
            Txn::CreateSession { id, timeout_ms, password } => {
                self.create_session(*id, *timeout_ms, *password)
            }
            Txn::CloseSession { id } => self.close_session(zxid, *id),
            Txn::Write { session, xid: _, time_ms, op } => {
                let context = Context { zxid, time_ms: *time_ms, session: *session };
                self.write(&context, op)
            }
        }
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

    /// Deletes the session's ephemerals in order of their paths, all at one zxid.
    fn close_session(&mut self, zxid: u64, id: i64) -> Applied {
        let session = self.remove_session(id);
        let closed = session.is_some().then_some(id);
        let mut fired = Vec::new();
        for path in session.into_iter().flat_map(|session| session.ephemerals) {
            self.detach(&path, zxid);
            fired.extend(deleted(&path));
        }
        Applied { reply: Ok(Reply::SessionClosed), fired, closed }
    }

    fn write(&mut self, context: &Context, op: &WriteOp) -> Applied {
        match self.try_write(context, op) {
            Ok((reply, fired)) => Applied { reply: Ok(reply), fired, closed: None },
            Err(code) => Applied { reply: Err(code), fired: Vec::new(), closed: None },
        }
    }

    fn try_write(
        &mut self,
        context: &Context,
        op: &WriteOp,
    ) -> Result<(Reply, Vec<Fired>), ErrorCode> {
        if self.session(context.session).is_none() {
            return Err(ErrorCode::SessionExpired);
        }
        match op {
            WriteOp::Create { path, data, acl, mode, with_stat } => {
                let path = self.create(context, path, data, acl, *mode)?;
                let fired = created(&path);
                Ok((self.create_reply(path, *with_stat)?, fired))
            }
            WriteOp::Delete { path, version } => {
                self.delete(context, path, *version)?;
                Ok((Reply::Delete, deleted(path)))
            }
            WriteOp::SetData { path, data, version } => {
                let reply = self.set_data(context, path, data, *version)?;
                Ok((reply, vec![Fired::new(path, EventType::NodeDataChanged)]))
            }
            WriteOp::Error { code } => Err(*code),
        }
    }

    fn create(
        &mut self,
        context: &Context,
        path: &str,
        data: &Data,
        acl: &[Acl],
        mode: CreateMode,
    ) -> Result<String, ErrorCode> {
        let path = self.check_create(path, acl, mode)?;
        let owner = if mode.is_ephemeral() { context.session } else { 0 };
        let node = Node::new(data.clone(), acl.to_vec(), context.zxid, context.time_ms, owner);
        self.attach(&path, node, context.zxid);
        Ok(path)
    }

    /// The path of the znode to be, with its number, if it may be created.
    fn check_create(&self, path: &str, acl: &[Acl], mode: CreateMode) -> Result<String, ErrorCode> {
        let parent_path = parent_to_be(path)?;
        if acl.is_empty() {
            return Err(ErrorCode::InvalidACL);
        }
        let parent = self.node(parent_path)?;
        check_writable(parent_path)?;
        let path = numbered(path, mode, parent);
        path::validate(&path).map_err(|_| ErrorCode::BadArguments)?;
        if self.node(&path).is_ok() {
            return Err(ErrorCode::NodeExists);
        }
        if parent.ephemeral_owner != 0 {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        Ok(path)
    }

    fn create_reply(&self, path: String, with_stat: bool) -> Result<Reply, ErrorCode> {
        if !with_stat {
            return Ok(Reply::Create { path });
        }
        let stat = self.exists(&path)?;
        Ok(Reply::Create2 { path, stat })
    }

    fn delete(&mut self, context: &Context, path: &str, version: i32) -> Result<(), ErrorCode> {
        parent_to_be(path)?;
        if [ROOT, SYSTEM, CONFIG, QUOTA].contains(&path) {
            return Err(ErrorCode::BadArguments);
        }
        let node = self.node(path)?;
        check_version(node, version)?;
        if !node.children.is_empty() {
            return Err(ErrorCode::NotEmpty);
        }
        self.detach(path, context.zxid);
        Ok(())
    }

    fn set_data(
        &mut self,
        context: &Context,
        path: &str,
        data: &Data,
        version: i32,
    ) -> Result<Reply, ErrorCode> {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let node = self.node(path)?;
        check_writable(path)?;
        check_version(node, version)?;
        let stat = self.update(path, |node| {
            node.data.clone_from(data);
            node.version = next_version(node.version);
            node.mzxid = context.zxid;
            node.mtime = context.time_ms;
        });
        Ok(Reply::SetData { stat })
    }
}

/// The path of the parent that a create or delete looks for, before the path itself is judged:
/// so a malformed path below a missing parent is `NoNode`, as in ZooKeeper.
fn parent_to_be(path: &str) -> Result<&str, ErrorCode> {
    match path.rfind('/') {
        None => Err(ErrorCode::BadArguments),
        Some(_) if path.contains('\0') => Err(ErrorCode::BadArguments),
        Some(0) => Ok(ROOT),
        Some(slash) => Ok(&path[..slash]),
    }
}

/// ZooKeeper gives the ensemble's configuration a list that allows reading only.
fn check_writable(path: &str) -> Result<(), ErrorCode> {
    if path == CONFIG { Err(ErrorCode::NoAuth) } else { Ok(()) }
}

fn check_version(node: &Node, expected: i32) -> Result<(), ErrorCode> {
    if expected == ANY_VERSION || expected == node.version {
        Ok(())
    } else {
        Err(ErrorCode::BadVersion)
    }
}

/// A version is never -1, which would mean any (ZOOKEEPER-4743).
fn next_version(version: i32) -> i32 {
    match version.wrapping_add(1) {
        ANY_VERSION => 0,
        next => next,
    }
}

/// Java's `%010d`: ten characters, a sign included.
fn numbered(path: &str, mode: CreateMode, parent: &Node) -> String {
    if mode.is_sequential() { format!("{path}{:010}", parent.creates) } else { path.to_owned() }
}

fn created(path: &str) -> Vec<Fired> {
    vec![Fired::new(path, EventType::NodeCreated), parent_changed(path)]
}

fn deleted(path: &str) -> Vec<Fired> {
    vec![Fired::new(path, EventType::NodeDeleted), parent_changed(path)]
}

fn parent_changed(path: &str) -> Fired {
    Fired::new(path::parent(path).unwrap_or(ROOT), EventType::NodeChildrenChanged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_wrap_around_and_skip_minus_one() {
        assert_eq!(next_version(0), 1);
        assert_eq!(next_version(i32::MAX), i32::MIN);
        assert_eq!(next_version(-2), 0);
    }

    #[test]
    fn numbers_have_ten_characters_and_overflow_to_negative() {
        let number = |creates| {
            let mut parent = Node::new(None, Acl::open(), 1, 0, 0);
            parent.creates = creates;
            numbered("/n", CreateMode::PersistentSequential, &parent)
        };
        assert_eq!(number(7), "/n0000000007");
        assert_eq!(number(i32::MAX), "/n2147483647");
        assert_eq!(number(i32::MIN), "/n-2147483648");
        assert_eq!(number(-5), "/n-000000005");
    }

    #[test]
    fn the_create_counter_overflows_without_panic() {
        let mut tree = Tree::new();
        let open = Txn::CreateSession { id: 1, timeout_ms: 4000, password: [0; 16] };
        tree.apply(1, &open).reply.expect("a session");
        tree.update(ROOT, |root| root.creates = i32::MAX);
        let mut create = |zxid| {
            let op = WriteOp::Create {
                path: "/n".into(),
                data: None,
                acl: Acl::open(),
                mode: CreateMode::PersistentSequential,
                with_stat: false,
            };
            let txn = Txn::Write { session: 1, xid: 1, time_ms: 0, op };
            tree.apply(zxid, &txn).reply
        };
        assert_eq!(create(2), Ok(Reply::Create { path: "/n2147483647".into() }));
        assert_eq!(create(3), Ok(Reply::Create { path: "/n-2147483648".into() }));
    }
}
