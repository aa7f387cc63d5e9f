//! ZooKeeper's rules for writes and sessions, one test each.

use crate::common::{ALICE, BOB, Bench, create, data, delete, set};
use tree::{Applied, Fired, Reply, Txn, WriteOp};
use wire::CreateMode::{Ephemeral, EphemeralSequential, Persistent, PersistentSequential};
use wire::{Acl, CreateMode, ErrorCode, EventType, Identity, Response, Stat, perms};

impl Bench {
    fn creates(&mut self, path: &str, mode: CreateMode) -> String {
        match self.write(ALICE, create(path, mode)).reply {
            Ok(Reply::Create2 { path, .. }) => path.to_string(),
            other => panic!("create {path}: {other:?}"),
        }
    }

    fn sets(&mut self, path: &str) {
        self.write(ALICE, set(path, "w", -1)).reply.expect("the znode exists");
    }

    fn deletes(&mut self, path: &str) {
        self.write(ALICE, delete(path, -1)).reply.expect("the znode exists");
    }

    fn stat(&self, path: &str) -> Stat {
        self.tree.exists(path).expect("the znode exists")
    }

    fn children(&self, path: &str) -> Vec<String> {
        self.tree.get_children(path).expect("the znode exists").0
    }

    /// Every one of these writes fails so, and changes nothing but the last zxid; twice.
    fn fails(&mut self, expected: ErrorCode, ops: &[WriteOp]) {
        for op in [ops, ops].concat() {
            let before = self.tree.clone();
            let applied = self.write(ALICE, op.clone());
            let refused = Applied { reply: Err(expected), fired: vec![], closed: None };
            assert_eq!(applied, refused, "{op:?}");
            assert_eq!(self.tree.digest(), before.digest());
            assert!(self.tree.paths().eq(before.paths()));
        }
    }
}

fn fired(events: &[(&str, EventType)]) -> Vec<Fired> {
    events.iter().map(|&(path, event)| Fired::new(path, event)).collect()
}

#[test]
fn system_znodes_exist_and_no_transaction_made_them() {
    let bench = Bench::new();
    assert!(bench.tree.paths().eq(["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]));
    let root = Stat { cversion: -1, num_children: 1, ..Stat::default() };
    assert_eq!(bench.stat("/"), root);
    assert_eq!(bench.stat("/zookeeper").cversion, -2);
    assert_eq!(bench.children("/zookeeper"), ["config", "quota"]);
}

#[test]
fn system_znodes_cannot_be_deleted() {
    let all = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
    Bench::new().fails(ErrorCode::BadArguments, &all.map(|path| delete(path, -1)));
}

#[test]
fn the_configuration_is_read_only() {
    let below = create("/zookeeper/config/a", Persistent);
    let mut bench = Bench::new();
    bench.fails(ErrorCode::NoAuth, &[set("/zookeeper/config", "", 99), below]);
    let (acl, stat) = bench.tree.get_acl("/zookeeper/config", &[]).expect("exists");
    assert_eq!((acl[0].perms, stat.aversion), (perms::READ, -1));
}

#[test]
fn a_reconfiguration_is_applied_even_if_its_session_is_gone() {
    let mut bench = Bench::new();
    let members = "server.1=h:1:2:participant".to_owned();
    let op = WriteOp::Reconfig { members: members.clone() };
    let gone = 0x77;
    let applied = bench.write_as(gone, &[], op);
    let (data, stat) = bench.tree.get_data("/zookeeper/config").expect("exists");
    let text = format!("{members}\nversion={:x}", bench.tree.last_zxid());
    assert_eq!(data.as_deref(), Some(text.as_bytes()));
    assert_eq!((stat.version, stat.mzxid.cast_unsigned()), (-1, bench.tree.last_zxid()));
    assert_eq!(applied.reply, Ok(Reply::Reconfig { data, stat }));
    assert_eq!(applied.fired.len(), 1);
}

#[test]
fn a_new_znode_has_the_transaction_in_its_stat() {
    let mut bench = Bench::new();
    let applied = bench.write(ALICE, create("/a", Persistent));
    let stat = Stat {
        czxid: 3,
        mzxid: 3,
        pzxid: 3,
        ctime: 3000,
        mtime: 3000,
        data_length: 1,
        ..Stat::default()
    };
    assert_eq!(applied.reply, Ok(Reply::Create2 { path: "/a".into(), stat }));
    assert_eq!(bench.tree.get_data("/a"), Ok((data("v"), stat)));
    let events = [("/a", EventType::NodeCreated), ("/", EventType::NodeChildrenChanged)];
    assert_eq!(applied.fired, fired(&events));
    assert_eq!(bench.stat("/").pzxid, 3);
}

#[test]
fn create_replies_with_the_path_alone_and_create2_with_the_stat_too() {
    let mut bench = Bench::new();
    let op = WriteOp::Create {
        path: "/a".into(),
        data: None,
        acl: Acl::open(),
        mode: Persistent,
        ttl_ms: -1,
        with_stat: false,
    };
    let reply = bench.write(ALICE, op).reply.expect("created");
    assert_eq!(reply.into_response(), Some(Response::Create { path: "/a".into() }));
    let reply = bench.write(ALICE, create("/b", Persistent)).reply.expect("created");
    let stat = bench.stat("/b");
    assert_eq!(reply.into_response(), Some(Response::Create2 { path: "/b".into(), stat }));
}

#[test]
fn null_data_stays_null_and_empty_data_empty() {
    let mut bench = Bench::new();
    bench.creates("/a", Persistent);
    for value in [None, data("")] {
        let op = WriteOp::SetData { path: "/a".into(), data: value.clone(), version: -1 };
        bench.write(ALICE, op).reply.expect("set");
        assert_eq!(bench.tree.get_data("/a").map(|(data, _)| data), Ok(value));
        assert_eq!(bench.stat("/a").data_length, 0);
    }
}

#[test]
fn the_access_control_list_is_kept_and_must_not_be_empty() {
    let mut bench = Bench::new();
    let acl = |perms| vec![Acl { perms, scheme: "ip".into(), id: "10.0.0.1".into() }];
    let who = [Identity::new("ip", "10.0.0.1")];
    let op = |acl| WriteOp::Create {
        path: "/a".into(),
        data: None,
        acl,
        mode: Persistent,
        ttl_ms: -1,
        with_stat: false,
    };
    bench.fails(ErrorCode::InvalidACL, &[op(vec![])]);
    bench.write(ALICE, op(acl(3))).reply.expect("created");
    assert_eq!(bench.tree.get_acl("/a", &who), Ok((acl(3), bench.stat("/a"))));
    assert_eq!(bench.tree.get_acl("/", &[]).map(|(acl, _)| acl), Ok(Acl::open()));
}

#[test]
fn create_below_nothing_is_no_node() {
    Bench::new().fails(ErrorCode::NoNode, &[create("/a/b", Persistent)]);
}

#[test]
fn create_of_what_exists_is_node_exists() {
    let mut bench = Bench::new();
    bench.creates("/a", Persistent);
    let again = ["/a", "/", "/zookeeper"].map(|path| create(path, Persistent));
    bench.fails(ErrorCode::NodeExists, &again);
}

#[test]
fn create_below_an_ephemeral_is_refused() {
    let mut bench = Bench::new();
    bench.creates("/e", Ephemeral);
    bench.fails(ErrorCode::NoChildrenForEphemerals, &[create("/e/c", Ephemeral)]);
}

#[test]
fn malformed_paths_are_bad_arguments() {
    let mut bench = Bench::new();
    bench.creates("/a", Persistent);
    let bad = ["", "a", "/a/", "//a", "/a/.", "/a/..", "/a\0", "/a\u{1}", "/\u{e000}"];
    bench.fails(ErrorCode::BadArguments, &bad.map(|path| create(path, Persistent)));
    bench.fails(ErrorCode::BadArguments, &bad.map(|path| set(path, "", -1)));
    bench.fails(ErrorCode::BadArguments, &["", "a", "/a\0"].map(|path| delete(path, -1)));
}

#[test]
fn checks_come_in_zookeepers_order() {
    let mut bench = Bench::new();
    bench.creates("/p", Persistent);
    bench.creates("/p/c", Persistent);
    let no_acl = |path: &str| WriteOp::Create {
        path: path.into(),
        data: None,
        acl: vec![],
        mode: Persistent,
        ttl_ms: -1,
        with_stat: false,
    };
    bench.fails(ErrorCode::BadArguments, &[no_acl("noslash")]);
    bench.fails(ErrorCode::InvalidACL, &[no_acl("/missing/a"), no_acl("/p")]);
    bench.fails(ErrorCode::NoNode, &[create("/missing/..", Persistent), delete("/missing", 7)]);
    bench.fails(ErrorCode::BadVersion, &[delete("/p", 7)]);
    bench.fails(ErrorCode::NotEmpty, &[delete("/p", 0)]);
    bench.fails(ErrorCode::NoNode, &[set("/missing", "", 7)]);
}

#[test]
fn set_data_counts_versions_and_touches_only_m_fields() {
    let mut bench = Bench::new();
    bench.creates("/a", Persistent);
    let before = bench.stat("/a");
    let applied = bench.write(BOB, set("/a", "two", 0));
    let stat = Stat { mzxid: 4, mtime: 4000, version: 1, data_length: 3, ..before };
    assert_eq!(applied.reply, Ok(Reply::SetData { stat }));
    assert_eq!(applied.fired, fired(&[("/a", EventType::NodeDataChanged)]));
    assert_eq!(bench.tree.get_data("/a"), Ok((data("two"), stat)));
    assert_eq!(bench.stat("/").pzxid, 3, "the parent is not touched");
}

#[test]
fn a_version_must_match_unless_it_is_minus_one() {
    let mut bench = Bench::new();
    bench.creates("/a", Persistent);
    bench.sets("/a");
    bench.fails(ErrorCode::BadVersion, &[set("/a", "", 0), set("/a", "", 2), delete("/a", 0)]);
    bench.fails(ErrorCode::BadVersion, &[set("/a", "", -2), delete("/a", i32::MIN)]);
    bench.write(ALICE, set("/a", "", 1)).reply.expect("the version matches");
    bench.write(ALICE, delete("/a", 2)).reply.expect("the version matches");
}

#[test]
fn delete_takes_the_znode_and_touches_the_parent() {
    let mut bench = Bench::new();
    bench.creates("/a", Persistent);
    let applied = bench.write(BOB, delete("/a", -1));
    let events = [("/a", EventType::NodeDeleted), ("/", EventType::NodeChildrenChanged)];
    assert_eq!(applied, Applied { reply: Ok(Reply::Delete), fired: fired(&events), closed: None });
    assert_eq!(bench.tree.exists("/a"), Err(ErrorCode::NoNode));
    assert_eq!(bench.stat("/").pzxid, 4);
    bench.fails(ErrorCode::NoNode, &[delete("/a", -1)]);
}

#[test]
fn cversion_counts_creates_and_deletes() {
    let mut bench = Bench::new();
    bench.creates("/p", Persistent);
    bench.creates("/p/a", Persistent);
    bench.creates("/p/b", Persistent);
    bench.deletes("/p/a");
    bench.sets("/p/b");
    assert_eq!(bench.stat("/p").cversion, 3);
    assert_eq!(bench.stat("/p").num_children, 1);
}

#[test]
fn a_recreated_znode_starts_anew() {
    let mut bench = Bench::new();
    bench.creates("/a", Persistent);
    bench.creates("/a/c", Persistent);
    bench.sets("/a");
    bench.deletes("/a/c");
    bench.deletes("/a");
    bench.creates("/a", Persistent);
    let stat = bench.stat("/a");
    assert_eq!((stat.czxid, stat.version, stat.cversion), (8, 0, 0));
    assert_eq!(bench.creates("/a/n", PersistentSequential), "/a/n0000000000");
}

#[test]
fn every_create_below_the_parent_advances_its_sequence() {
    let mut bench = Bench::new();
    bench.creates("/p", Persistent);
    assert_eq!(bench.creates("/p/n", PersistentSequential), "/p/n0000000000");
    bench.creates("/p/x", Persistent);
    bench.deletes("/p/x");
    assert_eq!(bench.creates("/p/m-", EphemeralSequential), "/p/m-0000000002");
    bench.fails(ErrorCode::NodeExists, &[create("/p/n0000000000", Persistent)]);
    assert_eq!(bench.creates("/p/", PersistentSequential), "/p/0000000003");
    bench.creates("/p/n0000000005", Persistent);
    bench.fails(ErrorCode::NodeExists, &[create("/p/n", PersistentSequential)]);
}

#[test]
fn the_root_numbers_its_children_from_zero() {
    assert_eq!(Bench::new().creates("/", PersistentSequential), "/0000000000");
}

#[test]
fn an_ephemeral_names_its_owner() {
    let mut bench = Bench::new();
    bench.creates("/e", Ephemeral);
    bench.creates("/p", Persistent);
    assert_eq!(bench.stat("/e").ephemeral_owner, ALICE);
    assert_eq!(bench.stat("/p").ephemeral_owner, 0);
    let session = bench.tree.session(ALICE).expect("open");
    assert!(session.ephemerals.iter().eq(["/e"]));
    assert_eq!(bench.tree.ephemeral_count(), 1);
}

#[test]
fn a_closed_session_takes_its_ephemerals_at_one_zxid_in_order() {
    let mut bench = Bench::new();
    bench.creates("/p", Persistent);
    bench.creates("/p/z", Ephemeral);
    bench.creates("/a", Ephemeral);
    bench.write(BOB, create("/b", Ephemeral)).reply.expect("created");
    let applied = bench.apply(&Txn::CloseSession { id: ALICE });
    let events = [
        ("/a", EventType::NodeDeleted),
        ("/", EventType::NodeChildrenChanged),
        ("/p/z", EventType::NodeDeleted),
        ("/p", EventType::NodeChildrenChanged),
    ];
    let expected =
        Applied { reply: Ok(Reply::SessionClosed), fired: fired(&events), closed: Some(ALICE) };
    assert_eq!(applied, expected);
    assert_eq!(bench.children("/"), ["b", "p", "zookeeper"]);
    assert_eq!([bench.stat("/").pzxid, bench.stat("/p").pzxid], [7, 7]);
    assert_eq!(bench.tree.sessions().map(|(id, _)| id).collect::<Vec<_>>(), [BOB]);
}

#[test]
fn an_ephemeral_deleted_by_hand_is_forgotten_by_its_session() {
    let mut bench = Bench::new();
    bench.creates("/e", Ephemeral);
    bench.write(BOB, delete("/e", -1)).reply.expect("anyone may");
    bench.write(BOB, create("/e", Persistent)).reply.expect("created");
    bench.apply(&Txn::CloseSession { id: ALICE });
    assert_eq!(bench.children("/"), ["e", "zookeeper"]);
}

#[test]
fn a_write_after_the_end_of_its_session_is_session_expired() {
    let mut bench = Bench::new();
    bench.apply(&Txn::CloseSession { id: ALICE });
    let error = WriteOp::Error { code: ErrorCode::Unimplemented };
    let late = [create("/e", Ephemeral), delete("/x", -1), set("/x", "", -1), error];
    bench.fails(ErrorCode::SessionExpired, &late);
}

#[test]
fn closing_twice_changes_nothing_the_second_time() {
    let mut bench = Bench::new();
    bench.creates("/e", Ephemeral);
    bench.apply(&Txn::CloseSession { id: ALICE });
    let again = bench.apply(&Txn::CloseSession { id: ALICE });
    let nothing = Applied { reply: Ok(Reply::SessionClosed), fired: vec![], closed: None };
    assert_eq!(again, nothing);
}

#[test]
fn a_session_keeps_what_it_was_opened_with() {
    let bench = Bench::new();
    let session = bench.tree.session(BOB).expect("open");
    assert_eq!((session.timeout_ms, session.password), (4000, [0xb; 16]));
    assert_eq!(bench.tree.session(0xc), None);
}

#[test]
fn no_session_is_number_zero() {
    let mut bench = Bench::new();
    let applied = bench.apply(&Txn::CreateSession { id: 0, timeout_ms: 1, password: [0; 16] });
    assert_eq!(applied.reply, Err(ErrorCode::BadArguments));
    assert_eq!(bench.tree.session(0), None);
}

#[test]
fn a_write_refused_beforehand_still_takes_a_zxid() {
    let mut bench = Bench::new();
    bench.fails(ErrorCode::Unimplemented, &[WriteOp::Error { code: ErrorCode::Unimplemented }]);
    assert_eq!(bench.tree.last_zxid(), 4);
}

#[test]
fn reads_of_nothing_are_no_node() {
    let tree = Bench::new().tree;
    for path in ["/a", "", "a", "/zookeeper/", "//"] {
        assert_eq!(tree.get_data(path), Err(ErrorCode::NoNode), "{path:?}");
        assert_eq!(tree.exists(path), Err(ErrorCode::NoNode));
        assert_eq!(tree.get_children(path), Err(ErrorCode::NoNode));
        assert_eq!(tree.get_acl(path, &[]), Err(ErrorCode::NoNode));
    }
}

#[test]
fn counts_are_what_mntr_shows() {
    let mut bench = Bench::new();
    let bytes = bench.tree.data_size();
    assert_eq!(bytes, (1 + 10 + 17 + 16) as u64, "the paths of the system's znodes");
    bench.creates("/abc", Persistent);
    assert_eq!((bench.tree.node_count(), bench.tree.data_size()), (5, bytes + 5));
    bench.write(ALICE, set("/abc", "1234", -1)).reply.expect("set");
    assert_eq!(bench.tree.data_size(), bytes + 8);
    bench.deletes("/abc");
    assert_eq!((bench.tree.node_count(), bench.tree.data_size()), (4, bytes));
}

/// A compare-and-set that fails on the replica which wrote once too often brings it back in step.
#[test]
fn a_difference_that_was_made_good_stays_in_the_lineage() {
    let mut benches = [Bench::new(), Bench::new()];
    for bench in &mut benches {
        bench.creates("/a", Persistent);
    }
    let [right, wrong] = &mut benches;
    assert_eq!(right.tree.lineage(), wrong.tree.lineage());
    right.zxid += 1;
    wrong.write(ALICE, set("/a", "never committed", 0));
    for bench in [&mut *right, &mut *wrong] {
        bench.write(BOB, set("/a", "one", 0));
    }
    assert_ne!(right.tree.digest(), wrong.tree.digest());
    for bench in [&mut *right, &mut *wrong] {
        bench.write(BOB, set("/a", "two", 1)).reply.expect("both are at version 1");
    }
    assert_eq!(right.tree.digest(), wrong.tree.digest(), "their states are equal again");
    assert_ne!(right.tree.lineage(), wrong.tree.lineage());
}
