//! The single operations: what each checks, in which order, and what it changes.

use std::sync::Arc;

use wire::{Acl, CreateMode, Data, ErrorCode, EventType, Identity, path, perms};

use crate::access::{self, Stored};
use crate::node::Node;
use crate::owner::{Owner, TTL_MAX};
use crate::tree::{CONFIG, QUOTA, ROOT, SYSTEM, Tree, parent_of};
use crate::txn::{Fired, Reply, WriteOp};
use crate::undo::Undo;

const ANY_VERSION: i32 = -1;

/// Where a write stands: the same for all that it changes.
pub(crate) struct Context<'a> {
    pub(crate) zxid: u64,
    pub(crate) time_ms: i64,
    pub(crate) session: i64,
    pub(crate) who: &'a [Identity],
    pub(crate) enforce_quota: bool,
}

/// What one operation did.
pub(crate) struct Effect {
    pub(crate) reply: Reply,
    pub(crate) fired: Vec<Fired>,
    /// Of the change itself, and of what a quota counted.
    pub(crate) undo: [Option<Undo>; 2],
}

/// The fields of [`WriteOp::Create`].
struct Create<'a> {
    path: &'a str,
    data: &'a Data,
    acl: &'a [Acl],
    mode: CreateMode,
    ttl_ms: i64,
    with_stat: bool,
}

/// What a create that may be carried out comes to.
struct Creatable {
    /// With its number.
    path: Arc<str>,
    acl: Stored,
    parent_changed: Fired,
}

impl Tree {
    pub(crate) fn write_one(
        &mut self,
        context: &Context<'_>,
        op: &WriteOp,
    ) -> Result<Effect, ErrorCode> {
        match op {
            WriteOp::Create { path, data, acl, mode, ttl_ms, with_stat } => {
                let (mode, ttl_ms, with_stat) = (*mode, *ttl_ms, *with_stat);
                self.create(context, &Create { path, data, acl, mode, ttl_ms, with_stat })
            }
            WriteOp::Delete { path, version } => self.delete(context, path, *version),
            WriteOp::SetData { path, data, version } => {
                self.set_data(context, path, data, *version)
            }
            WriteOp::SetAcl { path, acl, version } => self.set_acl(context, path, acl, *version),
            WriteOp::Check { path, version } => self.check(context, path, *version),
            WriteOp::Reconfig { members } => self.reconfigure(context, members),
            WriteOp::Error { code } => Err(*code),
            WriteOp::Multi { .. } => unreachable!("a multi is taken apart by the caller"),
        }
    }

    fn create(&mut self, context: &Context<'_>, create: &Create<'_>) -> Result<Effect, ErrorCode> {
        let Creatable { path, acl, parent_changed } = self.check_create(context, create)?;
        let owner = Owner::of(create.mode, context.session, create.ttl_ms);
        let node = Node::new(create.data.clone(), acl, context.zxid, context.time_ms, owner);
        let stat = node.stat();
        let fired = vec![Fired::of(path.clone(), EventType::NodeCreated, &node), parent_changed];
        let undo = Some(self.attach(path.clone(), node, context.zxid));
        let undo = [undo, self.count_created(&path, data_len(create.data))];
        let reply = match create.with_stat {
            true => Reply::Create2 { path, stat },
            false => Reply::Create { path },
        };
        Ok(Effect { reply, fired, undo })
    }

    fn check_create(
        &self,
        context: &Context<'_>,
        create: &Create<'_>,
    ) -> Result<Creatable, ErrorCode> {
        check_ttl(create.mode, create.ttl_ms)?;
        let parent_path = parent_to_be(create.path)?;
        let acl = access::to_store(create.acl, context.who)?;
        let parent = self.node(parent_path)?;
        check_allowed(parent, perms::CREATE, context)?;
        let path = numbered(create.path, create.mode, parent);
        path::validate(&path).map_err(|_| ErrorCode::BadArguments)?;
        if self.node(&path).is_ok() {
            return Err(ErrorCode::NodeExists);
        }
        if parent.owner().session().is_some() {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        if context.enforce_quota {
            self.check_quota(&path, data_len(create.data), 1)?;
        }
        let parent_changed = Fired::of(parent_path, EventType::NodeChildrenChanged, parent);
        Ok(Creatable { path, acl, parent_changed })
    }

    fn delete(
        &mut self,
        context: &Context<'_>,
        path: &str,
        version: i32,
    ) -> Result<Effect, ErrorCode> {
        let parent = parent_to_be(path)?;
        if [ROOT, SYSTEM, CONFIG, QUOTA].contains(&path) {
            return Err(ErrorCode::BadArguments);
        }
        check_allowed(self.node(parent)?, perms::DELETE, context)?;
        let node = self.node(path)?;
        check_version(node.version, version)?;
        if node.children() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        Ok(self.delete_empty(path, context.zxid))
    }

    /// Deletes a znode that exists and has no children.
    pub(crate) fn delete_empty(&mut self, path: &str, zxid: u64) -> Effect {
        let node = self.node(path).expect("the caller has looked it up");
        let fired = self.with_parent(path, EventType::NodeDeleted, node);
        let bytes = data_len(&node.data);
        let undo = Some(self.detach(path, zxid));
        let undo = [undo, self.count(path, -bytes, -1)];
        Effect { reply: Reply::Delete, fired, undo }
    }

    fn set_data(
        &mut self,
        context: &Context<'_>,
        path: &str,
        data: &Data,
        version: i32,
    ) -> Result<Effect, ErrorCode> {
        let node = self.writable(context, path, perms::WRITE)?;
        if path == CONFIG {
            // What it says is in force, and comes about by a reconfiguration alone.
            return Err(ErrorCode::BadArguments);
        }
        let bytes = data_len(data) - data_len(&node.data);
        if context.enforce_quota {
            self.check_quota(path, bytes, 0)?;
        }
        check_version(node.version, version)?;
        let path: Arc<str> = path.into();
        let fired = vec![Fired::of(path.clone(), EventType::NodeDataChanged, node)];
        let (stat, undo) = self.update(path.clone(), |node| {
            node.data.clone_from(data);
            node.version = next_version(node.version);
            node.mzxid = context.zxid;
            node.mtime = context.time_ms;
        });
        let undo = [Some(undo), self.count(&path, bytes, 0)];
        Ok(Effect { reply: Reply::SetData { stat }, fired, undo })
    }

    /// The version of its data is always -1, as in ZooKeeper.
    fn reconfigure(&mut self, context: &Context<'_>, members: &str) -> Result<Effect, ErrorCode> {
        let data: Data = Some(format!("{members}\nversion={:x}", context.zxid).into_bytes().into());
        let (stat, undo) = self.update(CONFIG.into(), |node| {
            node.data.clone_from(&data);
            node.version = ANY_VERSION;
            node.mzxid = context.zxid;
            node.mtime = context.time_ms;
        });
        let fired = vec![Fired::of(CONFIG, EventType::NodeDataChanged, self.node(CONFIG)?)];
        Ok(Effect { reply: Reply::Reconfig { data, stat }, fired, undo: [Some(undo), None] })
    }

    fn set_acl(
        &mut self,
        context: &Context<'_>,
        path: &str,
        acl: &[Acl],
        version: i32,
    ) -> Result<Effect, ErrorCode> {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let acl = access::to_store(acl, context.who)?;
        let node = self.writable(context, path, perms::ADMIN)?;
        check_version(node.aversion(), version)?;
        let (stat, undo) = self.update(path.into(), |node| {
            node.set_acl(acl);
            node.change_rare(|rare| rare.aversion = next_version(rare.aversion));
        });
        Ok(Effect { reply: Reply::SetAcl { stat }, fired: Vec::new(), undo: [Some(undo), None] })
    }

    fn check(&self, context: &Context<'_>, path: &str, version: i32) -> Result<Effect, ErrorCode> {
        let node = self.writable(context, path, perms::READ)?;
        check_version(node.version, version)?;
        Ok(Effect { reply: Reply::Check, fired: Vec::new(), undo: [None, None] })
    }

    fn writable(&self, context: &Context<'_>, path: &str, perms: i32) -> Result<&Node, ErrorCode> {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let node = self.node(path)?;
        check_allowed(node, perms, context)?;
        Ok(node)
    }

    /// What happened to a znode, and that its parent has other children now.
    pub(crate) fn with_parent(&self, path: &str, event: EventType, node: &Node) -> Vec<Fired> {
        let above = parent_of(path);
        let parent = self.node(above).expect("a znode's parent exists");
        vec![Fired::of(path, event, node), Fired::of(above, EventType::NodeChildrenChanged, parent)]
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

fn check_ttl(mode: CreateMode, ttl_ms: i64) -> Result<(), ErrorCode> {
    let fits = if mode.is_ttl() { (1..=TTL_MAX).contains(&ttl_ms) } else { ttl_ms < 0 };
    if fits { Ok(()) } else { Err(ErrorCode::BadArguments) }
}

fn check_allowed(node: &Node, perms: i32, context: &Context<'_>) -> Result<(), ErrorCode> {
    if node.allows(perms, context.who) { Ok(()) } else { Err(ErrorCode::NoAuth) }
}

fn check_version(actual: i32, expected: i32) -> Result<(), ErrorCode> {
    if expected == ANY_VERSION || expected == actual { Ok(()) } else { Err(ErrorCode::BadVersion) }
}

fn data_len(data: &Data) -> i64 {
    data.as_deref().map_or(0, <[u8]>::len) as i64
}

/// A version is never -1, which would mean any (ZOOKEEPER-4743).
fn next_version(version: i32) -> i32 {
    match version.wrapping_add(1) {
        ANY_VERSION => 0,
        next => next,
    }
}

/// Java's `%010d`: ten characters, a sign included.
fn numbered(path: &str, mode: CreateMode, parent: &Node) -> Arc<str> {
    match mode.is_sequential() {
        true => format!("{path}{:010}", parent.creates()).into(),
        false => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txn::Txn;

    #[test]
    fn versions_wrap_around_and_skip_minus_one() {
        assert_eq!(next_version(0), 1);
        assert_eq!(next_version(i32::MAX), i32::MIN);
        assert_eq!(next_version(-2), 0);
    }

    #[test]
    fn numbers_have_ten_characters_and_overflow_to_negative() {
        let number = |creates| {
            let mut parent = Node::new(None, None, 1, 0, Owner::Nobody);
            parent.change_rare(|rare| rare.creates = creates);
            numbered("/n", CreateMode::PersistentSequential, &parent).to_string()
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
        tree.update(ROOT.into(), |root| root.change_rare(|rare| rare.creates = i32::MAX));
        let mut create = |zxid| {
            let op = WriteOp::Create {
                path: "/n".into(),
                data: None,
                acl: Acl::open(),
                mode: CreateMode::PersistentSequential,
                ttl_ms: -1,
                with_stat: false,
            };
            let who = [].into();
            let txn = Txn::Write { session: 1, xid: 1, time_ms: 0, who, enforce_quota: false, op };
            tree.apply(zxid, &txn).reply
        };
        assert_eq!(create(2), Ok(Reply::Create { path: "/n2147483647".into() }));
        assert_eq!(create(3), Ok(Reply::Create { path: "/n-2147483648".into() }));
    }
}
