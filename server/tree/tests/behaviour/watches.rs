//! ZooKeeper's rules for watches, one test each.

use crate::common::{ALICE, Bench, create, delete, set};
use tree::{Fired, Txn, Watches, WriteOp};
use wire::AddWatchMode::{Persistent as Stays, PersistentRecursive as Recursive};
use wire::CreateMode::{Ephemeral, Persistent};
use wire::EventType::{self, NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
use wire::WatcherType::{self, Any, Children, Data};

/// A server with its connections' watches.
struct Server {
    bench: Bench,
    watches: Watches,
}

impl Server {
    fn new() -> Server {
        let mut server = Server { bench: Bench::new(), watches: Watches::default() };
        server.write(create("/a", Persistent));
        server
    }

    /// The notices that a write causes, in order: connection, event, path.
    fn write(&mut self, op: WriteOp) -> Vec<(u64, EventType, String)> {
        let applied = self.bench.write(ALICE, op);
        self.notices(applied.fired)
    }

    fn notices(&mut self, fired: Vec<Fired>) -> Vec<(u64, EventType, String)> {
        fired
            .into_iter()
            .flat_map(|fired| {
                let conns = self.watches.fire(&fired);
                conns.into_iter().map(move |conn| (conn, fired.event, fired.path.to_string()))
            })
            .collect()
    }

    /// What setWatches of one path fires: as a data, exist and child watch.
    fn set_watches(&mut self, path: &str, relative_zxid: i64) -> [Option<EventType>; 3] {
        let path = [path.to_owned()];
        let lists: [[&[String]; 3]; 3] = [[&path, &[], &[]], [&[], &path, &[]], [&[], &[], &path]];
        lists.map(|[data, exist, child]| {
            let tree = &self.bench.tree;
            let fired = self.watches.set_watches(9, tree, relative_zxid, data, exist, child);
            assert!(fired.len() <= 1);
            fired.first().map(|fired| fired.event)
        })
    }
}

fn notice(conn: u64, event: EventType, path: &str) -> (u64, EventType, String) {
    (conn, event, path.to_owned())
}

#[test]
fn a_data_watch_fires_once() {
    let mut server = Server::new();
    server.watches.watch_data(1, "/a");
    server.watches.watch_data(2, "/a");
    let both = [notice(1, NodeDataChanged, "/a"), notice(2, NodeDataChanged, "/a")];
    assert_eq!(server.write(set("/a", "", -1)), both);
    assert_eq!(server.write(set("/a", "", -1)), []);
    assert_eq!(server.watches.count(), 0);
}

#[test]
fn a_watch_set_twice_is_one_watch() {
    let mut server = Server::new();
    server.watches.watch_data(1, "/a");
    server.watches.watch_data(1, "/a");
    assert_eq!(server.watches.count(), 1);
    assert_eq!(server.write(set("/a", "", -1)).len(), 1);
}

#[test]
fn a_watch_of_what_does_not_exist_fires_on_creation() {
    let mut server = Server::new();
    server.watches.watch_data(1, "/b");
    server.watches.watch_children(1, "/");
    let notices = [notice(1, NodeCreated, "/b"), notice(1, NodeChildrenChanged, "/")];
    assert_eq!(server.write(create("/b", Persistent)), notices);
}

#[test]
fn a_child_watch_is_not_for_data_nor_a_data_watch_for_children() {
    let mut server = Server::new();
    server.watches.watch_children(1, "/a");
    server.watches.watch_data(2, "/a");
    assert_eq!(server.write(create("/a/c", Persistent)), [notice(1, NodeChildrenChanged, "/a")]);
    server.watches.watch_children(1, "/a");
    assert_eq!(server.write(set("/a", "", -1)), [notice(2, NodeDataChanged, "/a")]);
    assert_eq!(server.watches.count(), 1);
}

#[test]
fn a_deletion_is_told_once_per_connection_and_to_the_parents_watchers() {
    let mut server = Server::new();
    server.watches.watch_data(1, "/a");
    server.watches.watch_children(1, "/a");
    server.watches.watch_children(2, "/a");
    server.watches.watch_children(3, "/");
    let notices = [
        notice(1, NodeDeleted, "/a"),
        notice(2, NodeDeleted, "/a"),
        notice(3, NodeChildrenChanged, "/"),
    ];
    assert_eq!(server.write(delete("/a", -1)), notices);
    assert_eq!(server.watches.count(), 0);
}

#[test]
fn a_failed_write_fires_nothing() {
    let mut server = Server::new();
    server.watches.watch_data(1, "/a");
    server.watches.watch_children(1, "/");
    assert_eq!(server.write(set("/a", "", 7)), []);
    assert_eq!(server.write(create("/a", Persistent)), []);
    assert_eq!(server.write(delete("/a", 7)), []);
    assert_eq!(server.watches.count(), 2);
}

#[test]
fn the_end_of_a_session_fires_for_its_ephemerals() {
    let mut server = Server::new();
    server.write(create("/e", Ephemeral));
    server.write(create("/f", Ephemeral));
    server.watches.watch_data(1, "/f");
    server.watches.watch_children(1, "/");
    let fired = server.bench.apply(&Txn::CloseSession { id: ALICE }).fired;
    let notices = [notice(1, NodeChildrenChanged, "/"), notice(1, NodeDeleted, "/f")];
    assert_eq!(server.notices(fired), notices, "one child watch, although two children went");
}

#[test]
fn a_closed_connection_is_told_nothing() {
    let mut server = Server::new();
    server.watches.watch_data(1, "/a");
    server.watches.watch_children(1, "/");
    server.watches.watch_data(2, "/a");
    server.watches.drop_connection(1);
    assert_eq!(server.watches.count(), 1);
    assert_eq!(server.write(delete("/a", -1)), [notice(2, NodeDeleted, "/a")]);
    assert_eq!(server.watches, Watches::default(), "nothing is left behind");
}

#[test]
fn set_watches_arms_what_has_not_changed() {
    let mut server = Server::new();
    assert_eq!(server.set_watches("/a", 3), [None, Some(NodeCreated), None]);
    assert_eq!(server.set_watches("/b", 3), [Some(NodeDeleted), None, Some(NodeDeleted)]);
    assert_eq!(server.watches.count(), 3);
    assert_eq!(server.write(create("/b", Persistent)), [notice(9, NodeCreated, "/b")]);
    assert_eq!(server.write(set("/a", "", -1)), [notice(9, NodeDataChanged, "/a")]);
    assert_eq!(server.write(create("/a/c", Persistent)), [notice(9, NodeChildrenChanged, "/a")]);
}

#[test]
fn set_watches_fires_what_has_changed_since() {
    let mut server = Server::new();
    server.write(set("/a", "", -1));
    server.write(create("/a/c", Persistent));
    let all = [Some(NodeDataChanged), Some(NodeCreated), Some(NodeChildrenChanged)];
    assert_eq!(server.set_watches("/a", 3), all);
    assert_eq!(server.watches.count(), 0);
    assert_eq!(server.set_watches("/a", 4), [None, all[1], all[2]]);
    assert_eq!(server.set_watches("/a", 5), [None, all[1], None]);
}

#[test]
fn a_persistent_watch_stays_and_sees_data_and_children() {
    let mut server = Server::new();
    server.watches.add_watch(1, "/b", Stays);
    assert_eq!(server.write(create("/b", Persistent)), [notice(1, NodeCreated, "/b")]);
    assert_eq!(server.write(set("/b", "", -1)), [notice(1, NodeDataChanged, "/b")]);
    assert_eq!(server.write(create("/b/c", Persistent)), [notice(1, NodeChildrenChanged, "/b")]);
    assert_eq!(server.write(set("/b/c", "", -1)), [], "it does not look deeper");
    assert_eq!(server.write(delete("/b/c", -1)), [notice(1, NodeChildrenChanged, "/b")]);
    assert_eq!(server.write(delete("/b", -1)), [notice(1, NodeDeleted, "/b")]);
    assert_eq!(server.watches.count(), 1);
}

#[test]
fn a_recursive_watch_sees_all_below_but_no_changes_of_children() {
    let mut server = Server::new();
    server.watches.add_watch(1, "/a", Recursive);
    server.watches.add_watch(2, "/", Recursive);
    let both = |event, path| [notice(1, event, path), notice(2, event, path)];
    assert_eq!(server.write(create("/a/c", Persistent)), both(NodeCreated, "/a/c"));
    assert_eq!(server.write(set("/a/c", "", -1)), both(NodeDataChanged, "/a/c"));
    assert_eq!(server.write(delete("/a/c", -1)), both(NodeDeleted, "/a/c"));
    assert_eq!(server.write(set("/a", "", -1)), both(NodeDataChanged, "/a"));
    assert_eq!(server.write(create("/ab", Persistent)), [notice(2, NodeCreated, "/ab")]);
}

#[test]
fn a_connection_with_several_watches_is_told_once() {
    let mut server = Server::new();
    server.watches.watch_data(1, "/a");
    server.watches.add_watch(1, "/a", Stays);
    server.watches.add_watch(1, "/", Recursive);
    assert_eq!(server.write(set("/a", "", -1)), [notice(1, NodeDataChanged, "/a")]);
    assert_eq!(server.watches.count(), 2, "only the one-shot watch is spent");
    assert_eq!(server.write(delete("/a", -1)), [notice(1, NodeDeleted, "/a")]);
}

#[test]
fn kinds_are_found_and_removed_one_by_one() {
    let all = [Children, Data, WatcherType::Persistent, WatcherType::PersistentRecursive];
    let armed = || {
        let mut server = Server::new();
        server.watches.watch_children(1, "/a");
        server.watches.watch_data(1, "/a");
        server.watches.add_watch(1, "/a", Stays);
        server.watches.add_watch(1, "/a", Recursive);
        server
    };
    for kind in all {
        let mut server = armed();
        assert!(server.watches.has(1, "/a", kind));
        assert!(!server.watches.has(2, "/a", kind) && !server.watches.has(1, "/b", kind));
        assert!(!server.watches.remove(2, "/a", kind) && !server.watches.remove(1, "/b", kind));
        assert!(server.watches.remove(1, "/a", kind) && !server.watches.remove(1, "/a", kind));
        let left = all.iter().filter(|other| server.watches.has(1, "/a", **other)).count();
        assert_eq!((left, server.watches.count()), (3, 3), "{kind:?}");
        assert!(server.watches.remove(1, "/a", Any) && !server.watches.has(1, "/a", Any));
        assert_eq!(server.watches, Watches::default());
    }
    let mut server = armed();
    server.watches.drop_connection(1);
    assert_eq!(server.watches, Watches::default(), "nothing is left behind");
}
