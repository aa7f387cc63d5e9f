//! ZooKeeper's rules for access control lists, one test each.

use crate::common::{ALICE, Bench, create, delete, set};
use tree::{Reply, WriteOp};
use wire::CreateMode::Persistent;
use wire::{Acl, ErrorCode, Identity, perms};

fn user() -> Identity {
    Identity::new("digest", "user:hash")
}

fn to_user(perms: i32) -> Acl {
    Acl { perms, scheme: "digest".into(), id: "user:hash".into() }
}

fn to_all(perms: i32) -> Acl {
    Acl { perms, scheme: "world".into(), id: "anyone".into() }
}

fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> WriteOp {
    WriteOp::SetAcl { path: path.into(), acl, version }
}

/// `/a` with this list, and `/a/c` that everybody may do everything to.
fn with_list(acl: Vec<Acl>) -> Bench {
    let mut bench = Bench::new();
    for op in [create("/a", Persistent), create("/a/c", Persistent), set_acl("/a", acl, -1)] {
        bench.write(ALICE, op).reply.expect("allowed");
    }
    bench
}

/// What becomes of a write by a stranger, and of the same by the user.
fn outcomes(acl: &[Acl], op: &WriteOp) -> [Option<ErrorCode>; 2] {
    [&[][..], &[user()]].map(|who| {
        let mut bench = with_list(acl.to_vec());
        let before = bench.tree.digest();
        let applied = bench.write_as(ALICE, who, op.clone());
        assert_eq!(applied.reply.is_err(), before == bench.tree.digest());
        applied.reply.err()
    })
}

#[test]
fn each_write_needs_its_permission() {
    let only = |perms| vec![to_user(perms)];
    let refused = [Some(ErrorCode::NoAuth), None];
    assert_eq!(outcomes(&only(perms::CREATE), &create("/a/d", Persistent)), refused);
    assert_eq!(outcomes(&only(perms::DELETE), &delete("/a/c", -1)), refused);
    assert_eq!(outcomes(&only(perms::WRITE), &set("/a", "", -1)), refused);
    assert_eq!(outcomes(&only(perms::ADMIN), &set_acl("/a", Acl::open(), -1)), refused);
}

#[test]
fn no_write_is_allowed_by_another_permission() {
    let all_but = |perm: i32| vec![to_user(perms::ALL & !perm)];
    let refused = [Some(ErrorCode::NoAuth); 2];
    assert_eq!(outcomes(&all_but(perms::CREATE), &create("/a/d", Persistent)), refused);
    assert_eq!(outcomes(&all_but(perms::DELETE), &delete("/a/c", -1)), refused);
    assert_eq!(outcomes(&all_but(perms::WRITE), &set("/a", "", -1)), refused);
    assert_eq!(outcomes(&all_but(perms::ADMIN), &set_acl("/a", Acl::open(), -1)), refused);
}

#[test]
fn a_znode_itself_needs_no_permission_to_be_deleted() {
    let mut bench = with_list(vec![to_user(perms::ALL)]);
    bench.write_as(ALICE, &[user()], delete("/a/c", -1)).reply.expect("allowed");
    bench.write(ALICE, delete("/a", -1)).reply.expect("the root allows it");
}

#[test]
fn the_permission_comes_before_version_and_existence() {
    let mut bench = with_list(vec![to_user(perms::ALL)]);
    for op in [
        create("/a/c", Persistent),
        create("/a/..", Persistent),
        delete("/a/missing", -1),
        set("/a", "", 99),
        set_acl("/a", Acl::open(), 99),
    ] {
        assert_eq!(bench.write(ALICE, op.clone()).reply, Err(ErrorCode::NoAuth), "{op:?}");
    }
    let malformed = set_acl("/a", vec![], -1);
    assert_eq!(bench.write(ALICE, malformed).reply, Err(ErrorCode::InvalidACL));
}

#[test]
fn reads_ask_for_read() {
    let bench = with_list(vec![to_user(perms::READ), to_all(perms::WRITE)]);
    assert_eq!(bench.tree.authorize("/a", perms::READ, &[user()]), Ok(()));
    assert_eq!(bench.tree.authorize("/a", perms::READ, &[]), Err(ErrorCode::NoAuth));
    assert_eq!(bench.tree.authorize("/b", perms::READ, &[]), Err(ErrorCode::NoNode));
}

#[test]
fn a_list_is_seen_by_readers_and_administrators_and_whole_by_the_latter() {
    let bench = with_list(vec![to_user(perms::ADMIN), to_all(perms::READ)]);
    let seen = |who: &[Identity]| {
        let (acl, _) = bench.tree.get_acl("/a", who).expect("allowed");
        acl[0].id.clone()
    };
    assert_eq!((seen(&[]), seen(&[user()])), ("user:x".into(), "user:hash".into()));
    let bench = with_list(vec![to_user(perms::ALL), to_all(perms::WRITE)]);
    assert_eq!(bench.tree.get_acl("/a", &[]), Err(ErrorCode::NoAuth));
}

#[test]
fn set_acl_counts_its_own_version_and_touches_nothing_else() {
    let mut bench = Bench::new();
    bench.write(ALICE, create("/a", Persistent)).reply.expect("created");
    let before = bench.tree.exists("/a").expect("it is there");
    let list = vec![to_all(perms::READ | perms::ADMIN)];
    let applied = bench.write(ALICE, set_acl("/a", list.clone(), 0));
    let stat = wire::Stat { aversion: 1, ..before };
    assert_eq!((applied.reply, applied.fired), (Ok(Reply::SetAcl { stat }), vec![]));
    assert_eq!(bench.tree.get_acl("/a", &[]), Ok((list.clone(), stat)));
    let again = bench.write(ALICE, set_acl("/a", list, 0));
    assert_eq!(again.reply, Err(ErrorCode::BadVersion));
    let missing = bench.write(ALICE, set_acl("/b", Acl::open(), -1));
    assert_eq!(missing.reply, Err(ErrorCode::NoNode));
}

#[test]
fn super_may_do_everything() {
    let mut bench = with_list(vec![to_user(perms::ALL)]);
    let who = [Identity::new("super", "")];
    bench.write_as(ALICE, &who, set("/a", "", -1)).reply.expect("allowed");
    // Nobody writes by hand what a reconfiguration puts in force.
    let config = bench.write_as(ALICE, &who, set("/zookeeper/config", "", -1));
    assert_eq!(config.reply, Err(ErrorCode::BadArguments));
}

#[test]
fn a_change_is_told_only_to_those_who_may_read_the_znode() {
    let mut bench = with_list(vec![to_user(perms::ALL)]);
    let may = |fired: &[tree::Fired]| {
        let of = |who: &[Identity]| fired.iter().map(|f| f.may_be_told(who)).collect::<Vec<_>>();
        [of(&[]), of(&[user()])]
    };
    let fired = bench.write_as(ALICE, &[user()], set("/a", "", -1)).fired;
    assert_eq!(may(&fired), [[false], [true]]);
    let fired = bench.write_as(ALICE, &[user()], create("/a/d", Persistent)).fired;
    assert_eq!(may(&fired), [[true, false], [true, true]], "the child, and its parent");
    let fired = bench.write_as(ALICE, &[user()], delete("/a/d", -1)).fired;
    assert_eq!(may(&fired), [[true, false], [true, true]]);
}
