//! Several operations as one. The model holds results and state against copies; here is the rest.

use crate::common::{ALICE, Bench, create, data, delete, set};
use tree::{Fired, Reply, WriteOp};
use wire::CreateMode::{Ephemeral, Persistent, PersistentSequential};
use wire::{Acl, CreateMode, ErrorCode, EventType, OpResult, perms};

fn multi(bench: &mut Bench, ops: Vec<WriteOp>) -> (Vec<OpResult>, Vec<Fired>) {
    let applied = bench.write(ALICE, WriteOp::Multi { ops });
    match applied.reply {
        Ok(Reply::Multi { results }) => (results, applied.fired),
        other => panic!("{other:?}"),
    }
}

fn errors(codes: &[i32]) -> Vec<OpResult> {
    codes.iter().map(|&code| OpResult::Error { code }).collect()
}

#[test]
fn all_operations_happen_at_one_zxid_and_each_sees_those_before() {
    let mut bench = Bench::new();
    let create_only = WriteOp::Create {
        path: "/a/n".into(),
        data: data("v"),
        acl: Acl::open(),
        mode: PersistentSequential,
        ttl_ms: -1,
        with_stat: false,
    };
    let (results, fired) = multi(
        &mut bench,
        vec![
            create("/a", Persistent),
            create_only,
            set("/a", "two", 0),
            WriteOp::Check { path: "/a".into(), version: 1 },
            delete("/a/n0000000000", 0),
        ],
    );
    let [
        OpResult::Create2 { path, stat: born },
        OpResult::Create { path: child },
        OpResult::SetData { stat: set },
        OpResult::Check,
        OpResult::Delete,
    ] = results.as_slice()
    else {
        panic!("{results:?}");
    };
    assert_eq!((path.as_str(), child.as_str()), ("/a", "/a/n0000000000"));
    assert_eq!((born.czxid, born.num_children, set.num_children, set.version), (3, 0, 1, 1));
    let stat = bench.tree.exists("/a").expect("created");
    assert_eq!((stat.czxid, stat.mzxid, stat.pzxid, stat.cversion), (3, 3, 3, 2));
    use EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
    let events: Vec<_> = fired.iter().map(|f| (&*f.path, f.event)).collect();
    let expected = [
        ("/a", NodeCreated),
        ("/", NodeChildrenChanged),
        ("/a/n0000000000", NodeCreated),
        ("/a", NodeChildrenChanged),
        ("/a", NodeDataChanged),
        ("/a/n0000000000", NodeDeleted),
        ("/a", NodeChildrenChanged),
    ];
    assert_eq!(events, expected);
}

#[test]
fn one_failure_takes_everything_back_and_fires_nothing() {
    let mut bench = Bench::new();
    for (path, mode) in [("/a", Persistent), ("/a/c", Persistent), ("/e", Ephemeral)] {
        bench.write(ALICE, create(path, mode)).reply.expect("created");
    }
    let before = bench.tree.clone();
    let ops = vec![
        create("/a/d", Ephemeral),
        create("/a/k", CreateMode::Container),
        delete("/e", -1),
        delete("/a/c", -1),
        set("/a", "other", -1),
        create("/a/c", Persistent),
        delete("/a/d", -1),
        WriteOp::Check { path: "/a".into(), version: 0 },
        set("/a", "never tried", -1),
    ];
    let (results, fired) = multi(&mut bench, ops);
    assert_eq!(results, errors(&[0, 0, 0, 0, 0, 0, 0, -103, -2]));
    assert_eq!(fired, []);
    assert_eq!(bench.tree.last_zxid(), before.last_zxid() + 1, "it takes a zxid all the same");
    let mut untouched = before;
    let nothing = tree::Txn::CloseSession { id: 99 };
    untouched.apply(bench.zxid, &nothing);
    assert_eq!(bench.tree, untouched, "counters, sessions and sums too");
}

#[test]
fn access_is_judged_operation_by_operation() {
    let mut bench = Bench::new();
    let list = vec![Acl { perms: perms::WRITE, scheme: "world".into(), id: "anyone".into() }];
    bench.write(ALICE, create("/a", Persistent)).reply.expect("created");
    let close = WriteOp::SetAcl { path: "/a".into(), acl: list, version: -1 };
    bench.write(ALICE, close).reply.expect("allowed");
    let check = WriteOp::Check { path: "/a".into(), version: 0 };
    let (results, _) = multi(&mut bench, vec![set("/a", "w", 0), check]);
    assert_eq!(results, errors(&[0, ErrorCode::NoAuth.code()]), "a check is a read");
}

#[test]
fn a_multi_has_no_members_that_the_protocol_has_not() {
    let mut bench = Bench::new();
    let nested = WriteOp::Multi { ops: vec![] };
    let set_acl = WriteOp::SetAcl { path: "/".into(), acl: Acl::open(), version: -1 };
    for op in [nested, set_acl] {
        assert_eq!(multi(&mut bench, vec![op]).0, errors(&[ErrorCode::BadArguments.code()]));
    }
    assert_eq!(multi(&mut bench, vec![]).0, []);
}
