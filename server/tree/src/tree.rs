//! The state, how it is read, and the few primitive changes that keep its sums right.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::{Acl, Data, ErrorCode, Identity, Stat, path, perms};

use crate::access;
use crate::digest;
use crate::map::Map;
use crate::node::{Node, Rare};
use crate::owner::Owner;
use crate::paths::{Path, Paths, at, at_place};
use crate::quota;
use crate::session::Session;
use crate::undo::Undo;

pub(crate) const ROOT: &str = "/";
pub(crate) const SYSTEM: &str = "/zookeeper";
/// The members of the ensemble.
pub const CONFIG: &str = "/zookeeper/config";
pub(crate) const QUOTA: &str = "/zookeeper/quota";

/// Znodes and sessions after some transaction.
///
/// Serialised, it is a complete snapshot: counters of sequential znodes, sessions and digest
/// included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    nodes: Map<Path, Node>,
    sessions: Map<i64, Session>,
    /// Containers and znodes with a time to live.
    pub(crate) reaped: Paths,
    /// Paths that have a quota.
    pub(crate) quotas: Paths,
    pub(crate) last_zxid: u64,
    digest: u64,
    data_size: u64,
    pub(crate) lineage: u64,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

impl Tree {
    /// The tree before the first transaction: `/`, `/zookeeper` and its two znodes, which no
    /// transaction created (so `/` starts with a cversion of -1, as in ZooKeeper).
    #[must_use]
    pub fn new() -> Tree {
        let mut tree = Tree {
            nodes: Map::new(),
            sessions: Map::new(),
            reaped: Paths::default(),
            quotas: Paths::default(),
            last_zxid: 0,
            digest: 0,
            data_size: 0,
            lineage: 0,
        };
        tree.put_in(&ROOT.into(), blank());
        for (path, node) in [(SYSTEM, blank()), (CONFIG, config()), (QUOTA, blank())] {
            tree.put_in(&path.into(), node);
            tree.update_parent(parent_of(path), |parent| parent.children += 1);
        }
        tree
    }

    /// The last transaction applied; 0 before the first.
    #[must_use]
    pub fn last_zxid(&self) -> u64 {
        self.last_zxid
    }

    /// Data and metadata, or `NoNode`.
    pub fn get_data(&self, path: &str) -> Result<(Data, Stat), ErrorCode> {
        let node = self.node(path)?;
        Ok((node.data.clone(), node.stat()))
    }

    /// Metadata, or `NoNode`.
    pub fn exists(&self, path: &str) -> Result<Stat, ErrorCode> {
        self.node(path).map(Node::stat)
    }

    /// Names of the children in order of their bytes, and the parent's metadata; or `NoNode`.
    pub fn get_children(&self, path: &str) -> Result<(Vec<String>, Stat), ErrorCode> {
        let node = self.node(path)?;
        let names = self.children(path).map(|(path, _)| path.place().1.to_owned());
        Ok((names.collect(), node.stat()))
    }

    /// Access control list and metadata, as somebody with these identities may see them: without
    /// hashes of passwords unless they may set it. Else `NoNode`, or `NoAuth`.
    pub fn get_acl(&self, path: &str, who: &[Identity]) -> Result<(Vec<Acl>, Stat), ErrorCode> {
        self.authorize(path, perms::READ | perms::ADMIN, who)?;
        let node = self.node(path)?;
        let acl = node.acl();
        let acl = if node.allows(perms::ADMIN, who) { acl } else { access::masked(acl) };
        Ok((acl, node.stat()))
    }

    /// Whether somebody with these identities has one of these [permissions](perms) on a znode;
    /// else `NoNode`, or `NoAuth`.
    pub fn authorize(&self, path: &str, perms: i32, who: &[Identity]) -> Result<(), ErrorCode> {
        if self.node(path)?.allows(perms, who) { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    /// Number of znodes below this one, or `NoNode`.
    pub fn descendants(&self, path: &str) -> Result<usize, ErrorCode> {
        self.node(path)?;
        if path == ROOT {
            return Ok(self.nodes.len() - 1);
        }
        let (mut count, mut parents) = (0, vec![path]);
        while let Some(parent) = parents.pop() {
            for (path, node) in self.children(parent) {
                count += 1;
                if node.children() > 0 {
                    parents.push(path.as_str());
                }
            }
        }
        Ok(count)
    }

    /// An open session.
    #[must_use]
    pub fn session(&self, id: i64) -> Option<&Session> {
        self.sessions.get(by_id(id))
    }

    /// Every open session by id.
    pub fn sessions(&self) -> impl Iterator<Item = (i64, &Session)> {
        self.sessions.iter().map(|(&id, session)| (id, session))
    }

    /// Every path, ordered by parent, then name.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|(path, _)| path.as_str())
    }

    /// Number of znodes, those of the system included (`zk_znode_count`).
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Number of ephemeral znodes (`zk_ephemerals_count`).
    #[must_use]
    pub fn ephemeral_count(&self) -> usize {
        self.sessions().map(|(_, session)| session.ephemerals.len()).sum()
    }

    /// Bytes of paths and data (`zk_approximate_data_size`).
    #[must_use]
    pub fn data_size(&self) -> u64 {
        self.data_size
    }

    /// A fingerprint of znodes and sessions, equal on all servers after the same transaction.
    /// Failed writes do not change it. Its definition is fixed: see the module `digest`.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// A fingerprint of the digests after every transaction so far, and of their zxids. Replicas that
    /// ever differed, or that one of them applied a transaction more, differ in it for good, even
    /// where later writes have made their states equal again.
    #[must_use]
    pub fn lineage(&self) -> u64 {
        self.lineage
    }

    /// [`Tree::digest`] computed anew from the whole state, to check what was kept up to date,
    /// or a snapshot just read.
    #[must_use]
    pub fn recompute_digest(&self) -> u64 {
        let nodes = self.nodes.iter().map(|(path, node)| node_summand(path.as_str(), node));
        let sessions = self.sessions.iter().map(|(&id, open)| digest::session(id, open));
        nodes.chain(sessions).fold(0, u64::wrapping_add)
    }

    pub(crate) fn node(&self, path: &str) -> Result<&Node, ErrorCode> {
        self.nodes.get(at(path)).ok_or(ErrorCode::NoNode)
    }

    /// The children in order of their names.
    pub(crate) fn children(&self, path: &str) -> impl Iterator<Item = (&Path, &Node)> {
        let parent = if path == ROOT { "" } else { path };
        // The root itself, of no name, stands before its children.
        let from = self.nodes.range(at_place((parent, "")));
        from.filter(|(path, _)| path.as_str() != ROOT)
            .take_while(move |(path, _)| path.place().0 == parent)
    }

    /// Adds a child to its parent, and to its session if it is ephemeral.
    pub(crate) fn attach(&mut self, path: Arc<str>, node: Node, zxid: u64) -> Undo {
        let parent_pzxid = self.update_parent(parent_of(&path), |parent| {
            parent.children += 1;
            parent.creates = parent.creates.wrapping_add(1);
            std::mem::replace(&mut parent.pzxid, zxid)
        });
        self.put_in(&path, node);
        Undo::Attach { path, parent_pzxid }
    }

    /// Takes a child without children out.
    pub(crate) fn detach(&mut self, path: &str, zxid: u64) -> Undo {
        let node = Box::new(self.take_out(path));
        let parent_pzxid = self.update_parent(parent_of(path), |parent| {
            parent.children -= 1;
            std::mem::replace(&mut parent.pzxid, zxid)
        });
        Undo::Detach { path: path.into(), node, parent_pzxid }
    }

    /// Changes a znode's data or list, and metadata with it.
    pub(crate) fn update(
        &mut self,
        path: Arc<str>,
        update: impl FnOnce(&mut Node),
    ) -> (Stat, Undo) {
        let change = |node: &mut Node| {
            let before = Box::new(node.clone());
            update(node);
            (node.stat(), before)
        };
        let (stat, before) = self.change(&path, change);
        (stat, Undo::Update { path, before })
    }

    pub(crate) fn change<R>(&mut self, path: &str, change: impl FnOnce(&mut Node) -> R) -> R {
        let node = self.nodes.get_mut(at(path)).expect("the caller has looked it up");
        let (digest, bytes) = (node_summand(path, node), size(path, node));
        let result = change(node);
        self.digest = self.digest.wrapping_sub(digest).wrapping_add(node_summand(path, node));
        self.data_size = self.data_size - bytes + size(path, node);
        result
    }

    /// Adds a znode, but not to its parent.
    pub(crate) fn put_in(&mut self, path: &Arc<str>, node: Node) {
        match node.owner() {
            Owner::Session(id) => {
                if let Some(session) = self.sessions.get_mut(by_id(id)) {
                    session.ephemerals.insert(path);
                }
            }
            owner if owner.is_reaped() => {
                self.reaped.insert(path);
            }
            _ => {}
        }
        if let Some(limited) = quota::limited_by(path) {
            self.quotas.insert(limited);
        }
        self.digest = self.digest.wrapping_add(node_summand(path, &node));
        self.data_size += size(path, &node);
        let former = self.nodes.insert(path.clone().into(), node, at(path));
        debug_assert!(former.is_none(), "{path} exists");
    }

    /// Takes a znode out, but not from its parent.
    pub(crate) fn take_out(&mut self, path: &str) -> Node {
        let node = self.nodes.remove(at(path)).expect("the caller has looked it up");
        debug_assert!(node.children() == 0, "{path} has children");
        if let Some(limited) = quota::limited_by(path) {
            self.quotas.remove(limited);
        }
        self.digest = self.digest.wrapping_sub(node_summand(path, &node));
        self.data_size -= size(path, &node);
        match node.owner() {
            Owner::Session(id) => {
                if let Some(session) = self.sessions.get_mut(by_id(id)) {
                    session.ephemerals.remove(path);
                }
            }
            owner if owner.is_reaped() => {
                self.reaped.remove(path);
            }
            _ => {}
        }
        node
    }

    pub(crate) fn open_session(&mut self, id: i64, session: Session) {
        self.digest = self.digest.wrapping_add(digest::session(id, &session));
        if let Some(former) = self.sessions.insert(id, session, by_id(id)) {
            self.digest = self.digest.wrapping_sub(digest::session(id, &former));
        }
    }

    pub(crate) fn remove_session(&mut self, id: i64) -> Option<Session> {
        let session = self.sessions.remove(by_id(id))?;
        self.digest = self.digest.wrapping_sub(digest::session(id, &session));
        Some(session)
    }

    /// Changes what a parent knows of its children.
    pub(crate) fn update_parent<T>(
        &mut self,
        path: &str,
        change: impl FnOnce(&mut Rare) -> T,
    ) -> T {
        let node = self.nodes.get_mut(at(path)).expect("a znode's parent exists");
        self.digest = self.digest.wrapping_sub(digest::metadata(path, node));
        let result = node.change_rare(change);
        self.digest = self.digest.wrapping_add(digest::metadata(path, node));
        result
    }
}

fn by_id(id: i64) -> impl Fn(&i64) -> std::cmp::Ordering {
    move |other| other.cmp(&id)
}

fn blank() -> Node {
    Node::new(Some([].into()), None, 0, 0, Owner::Nobody)
}

/// ZooKeeper sets this list without a version: aversion is -1.
fn config() -> Node {
    let read = Acl { perms: perms::READ, scheme: "world".into(), id: "anyone".into() };
    let mut node = Node::new(Some([].into()), Some([read].into()), 0, 0, Owner::Nobody);
    node.change_rare(|rare| rare.aversion = -1);
    node
}

pub(crate) fn parent_of(path: &str) -> &str {
    path::parent(path).expect("only the root has no parent, and it is never touched as a child")
}

fn node_summand(path: &str, node: &Node) -> u64 {
    digest::content(path, node).wrapping_add(digest::metadata(path, node))
}

fn size(path: &str, node: &Node) -> u64 {
    (path.len() + node.data_len()) as u64
}
