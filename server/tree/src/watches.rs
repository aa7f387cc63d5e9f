//! Watches of one server's connections: one-shot, persistent, and persistent recursive ones.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use wire::{AddWatchMode, EventType, WatcherType, path};

use crate::tree::Tree;
use crate::txn::Fired;

/// Who waits for which change. Not replicated, not stored: clients set their watches again when
/// they reconnect. A connection is named by any number that is not used twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watches {
    data: Table,
    children: Table,
    persistent: Table,
    recursive: Table,
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

    /// Waits for every change until the watch is removed: of the znode's data and children, or
    /// of the data and existence of the znode and all below it. The znode need not exist.
    pub fn add_watch(&mut self, conn: u64, path: &str, mode: AddWatchMode) {
        match mode {
            AddWatchMode::Persistent => self.persistent.add(conn, path),
            AddWatchMode::PersistentRecursive => self.recursive.add(conn, path),
        }
    }

    /// Whether the connection has such a watch of the znode. Kinds are kept apart, as in 3.9
    /// (ZOOKEEPER-4466, ZOOKEEPER-4472).
    #[must_use]
    pub fn has(&self, conn: u64, path: &str, kind: WatcherType) -> bool {
        let tables = [&self.data, &self.children, &self.persistent, &self.recursive];
        tables.iter().zip(meant(kind)).any(|(table, meant)| meant && table.has(conn, path))
    }

    /// Removes such watches of the znode. False if the connection has none.
    pub fn remove(&mut self, conn: u64, path: &str, kind: WatcherType) -> bool {
        let had = self.has(conn, path, kind);
        let Watches { data, children, persistent, recursive } = self;
        for (table, meant) in [data, children, persistent, recursive].into_iter().zip(meant(kind)) {
            if meant {
                table.remove(conn, path);
            }
        }
        had
    }

    /// Takes out the one-shot watches that a change satisfies. Returns the connections to notify
    /// of it, each once, in order, however many watches each had.
    pub fn fire(&mut self, fired: &Fired) -> BTreeSet<u64> {
        let mut conns = self.take_one_shot(fired);
        conns.extend(self.persistent.at(&fired.path));
        if fired.event != EventType::NodeChildrenChanged && !self.recursive.is_empty() {
            let upwards = std::iter::successors(Some(&*fired.path), |path| path::parent(path));
            conns.extend(upwards.flat_map(|path| self.recursive.at(path)));
        }
        conns
    }

    fn take_one_shot(&mut self, fired: &Fired) -> BTreeSet<u64> {
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
        self.persistent.drop_connection(conn);
        self.recursive.drop_connection(conn);
    }

    /// The paths that each connection watches, in whichever way.
    #[must_use]
    pub fn by_connection(&self) -> BTreeMap<u64, BTreeSet<String>> {
        let mut paths = self.data.by_conn.clone();
        let others = [&self.children, &self.persistent, &self.recursive];
        for (conn, more) in others.into_iter().flat_map(|table| &table.by_conn) {
            paths.entry(*conn).or_default().extend(more.iter().cloned());
        }
        paths
    }

    /// Number of watches (`zk_watch_count`).
    #[must_use]
    pub fn count(&self) -> usize {
        [&self.data, &self.children, &self.persistent, &self.recursive]
            .into_iter()
            .map(Table::count)
            .sum()
    }
}

/// Which of the four tables a type means: data, children, persistent, recursive.
fn meant(kind: WatcherType) -> [bool; 4] {
    match kind {
        WatcherType::Data => [true, false, false, false],
        WatcherType::Children => [false, true, false, false],
        WatcherType::Persistent => [false, false, true, false],
        WatcherType::PersistentRecursive => [false, false, false, true],
        WatcherType::Any => [true; 4],
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
                Some(event) => fired.push(Fired::new(path.as_str(), event)),
                None => self.add(conn, path),
            }
        }
        fired
    }

    fn at(&self, path: &str) -> impl Iterator<Item = u64> {
        self.by_path.get(path).into_iter().flatten().copied()
    }

    fn has(&self, conn: u64, path: &str) -> bool {
        self.by_path.get(path).is_some_and(|conns| conns.contains(&conn))
    }

    fn remove(&mut self, conn: u64, path: &str) {
        remove(&mut self.by_path, path, &conn);
        remove(&mut self.by_conn, &conn, path);
    }

    fn is_empty(&self) -> bool {
        self.by_path.is_empty()
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
            remove(&mut self.by_path, path.as_str(), &conn);
        }
    }

    fn count(&self) -> usize {
        self.by_path.values().map(BTreeSet::len).sum()
    }
}

/// Takes `value` out of the set at `key`, and the set when it is empty.
fn remove<K, V, P, Q>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &P, value: &Q)
where
    K: Ord + Borrow<P>,
    V: Ord + Borrow<Q>,
    P: Ord + ?Sized,
    Q: Ord + ?Sized,
{
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
