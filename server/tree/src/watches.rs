//! One-shot watches of one server's connections.

use std::collections::{BTreeMap, BTreeSet};

use wire::EventType;

use crate::tree::Tree;
use crate::txn::Fired;

/// Who waits for which change. Not replicated, not stored: clients set their watches again when
/// they reconnect. A connection is named by any number that is not used twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watches {
    data: Table,
    children: Table,
}

impl Watches {
    /// Waits for the znode's creation, deletion or next change of data. Set after a getData that
    /// succeeded, and after an exists either way.
    pub fn watch_data(&mut self, conn: u64, path: &str) {
        self.data.add(conn, path);
    }

    /// Waits for the znode's deletion or the next change of its children. Set after a
    /// getChildren that succeeded.
    pub fn watch_children(&mut self, conn: u64, path: &str) {
        self.children.add(conn, path);
    }

    /// Takes out the watches that a change satisfies. Returns the connections to notify of it,
    /// each once, in order: one that watched both data and children is told of a deletion once.
    pub fn fire(&mut self, fired: &Fired) -> BTreeSet<u64> {
        match fired.event {
            EventType::NodeCreated | EventType::NodeDataChanged => self.data.take(&fired.path),
            EventType::NodeChildrenChanged => self.children.take(&fired.path),
            EventType::NodeDeleted => {
                let mut conns = self.data.take(&fired.path);
                conns.append(&mut self.children.take(&fired.path));
                conns
            }
            EventType::None => BTreeSet::new(),
        }
    }

    /// Sets the watches that a client had on another connection, as of `relative_zxid`, the last
    /// that it has seen. Those whose change has happened since are not set but returned: notify
    /// the connection of them, in order, before the reply. `exist` has the paths that did
    /// not exist when they were watched.
    pub fn set_watches(
        &mut self,
        conn: u64,
        tree: &Tree,
        relative_zxid: i64,
        data: &[String],
        exist: &[String],
        child: &[String],
    ) -> Vec<Fired> {
        let changed = |zxid: i64, event| (zxid > relative_zxid).then_some(event);
        let on_data = |path: &str| match tree.exists(path) {
            Ok(stat) => changed(stat.mzxid, EventType::NodeDataChanged),
            Err(_) => Some(EventType::NodeDeleted),
        };
        let on_exist = |path: &str| tree.exists(path).ok().map(|_| EventType::NodeCreated);
        let on_child = |path: &str| match tree.exists(path) {
            Ok(stat) => changed(stat.pzxid, EventType::NodeChildrenChanged),
            Err(_) => Some(EventType::NodeDeleted),
        };
        let mut fired = self.data.add_or_fire(conn, data, on_data);
        fired.append(&mut self.data.add_or_fire(conn, exist, on_exist));
        fired.append(&mut self.children.add_or_fire(conn, child, on_child));
        fired
    }

    /// Forgets a connection that is closed.
    pub fn drop_connection(&mut self, conn: u64) {
        self.data.drop_connection(conn);
        self.children.drop_connection(conn);
    }

    /// The paths that each connection watches, in whichever way.
    #[must_use]
    pub fn by_connection(&self) -> BTreeMap<u64, BTreeSet<String>> {
        let mut paths = self.data.by_conn.clone();
        for (conn, more) in &self.children.by_conn {
            paths.entry(*conn).or_default().extend(more.iter().cloned());
        }
        paths
    }

    /// Number of watches (`zk_watch_count`).
    #[must_use]
    pub fn count(&self) -> usize {
        self.data.count() + self.children.count()
    }
}

/// Watches of one kind, by path and by connection: the two maps hold the same pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    by_path: BTreeMap<String, BTreeSet<u64>>,
    by_conn: BTreeMap<u64, BTreeSet<String>>,
}

impl Table {
    fn add(&mut self, conn: u64, path: &str) {
        self.by_path.entry(path.to_owned()).or_default().insert(conn);
        self.by_conn.entry(conn).or_default().insert(path.to_owned());
    }

    fn add_or_fire(
        &mut self,
        conn: u64,
        paths: &[String],
        event: impl Fn(&str) -> Option<EventType>,
    ) -> Vec<Fired> {
        let mut fired = Vec::new();
        for path in paths {
            match event(path) {
                Some(event) => fired.push(Fired::new(path, event)),
                None => self.add(conn, path),
            }
        }
        fired
    }

    fn take(&mut self, path: &str) -> BTreeSet<u64> {
        let conns = self.by_path.remove(path).unwrap_or_default();
        for conn in &conns {
            remove(&mut self.by_conn, conn, path);
        }
        conns
    }

    fn drop_connection(&mut self, conn: u64) {
        for path in self.by_conn.remove(&conn).unwrap_or_default() {
            remove(&mut self.by_path, &path, &conn);
        }
    }

    fn count(&self) -> usize {
        self.by_path.values().map(BTreeSet::len).sum()
    }
}

/// Takes `value` out of the set at `key`, and the set when it is empty.
fn remove<K: Ord, V, Q: Ord + ?Sized>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &Q)
where
    V: Ord + std::borrow::Borrow<Q>,
{
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
