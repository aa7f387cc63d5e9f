//! Containers and znodes with a time to live.

use crate::common::{ALICE, Bench, create, delete, set};
use tree::{Reply, Txn, WriteOp};
use wire::CreateMode::{Container, Persistent, Ttl, TtlSequential};
use wire::{CreateMode, ErrorCode};

fn with_ttl(path: &str, mode: CreateMode, ms: i64) -> WriteOp {
    match create(path, mode) {
        WriteOp::Create { path, data, acl, mode, with_stat, .. } => {
            WriteOp::Create { path, data, acl, mode, ttl_ms: ms, with_stat }
        }
        other => other,
    }
}

/// Writes happen at 1000 ms times the zxid; [`Bench::new`] used two.
fn reap(bench: &mut Bench, path: &str, time_ms: i64) -> Result<Reply, ErrorCode> {
    let listed = bench.tree.reapable(time_ms, 9).contains(&path.to_owned());
    let reply = bench.apply(&Txn::Reap { path: path.into(), time_ms }).reply;
    assert_eq!(listed, reply.is_ok(), "what is listed goes, and nothing else");
    reply
}

#[test]
fn a_container_goes_once_it_had_children_and_has_none() {
    let mut bench = Bench::new();
    bench.write(ALICE, create("/c", Container)).reply.expect("created");
    assert_eq!(reap(&mut bench, "/c", 1 << 40), Err(ErrorCode::BadVersion), "never used");
    bench.write(ALICE, create("/c/a", Persistent)).reply.expect("created");
    assert_eq!(reap(&mut bench, "/c", 1 << 40), Err(ErrorCode::NotEmpty));
    bench.write(ALICE, delete("/c/a", -1)).reply.expect("deleted");
    assert_eq!(reap(&mut bench, "/c", 0), Ok(Reply::Delete));
    assert_eq!(reap(&mut bench, "/c", 0), Err(ErrorCode::NoNode));
    assert_eq!(bench.tree.reapable(1 << 40, 9), [""; 0]);
}

#[test]
fn a_znode_goes_when_it_was_not_set_for_its_time_to_live() {
    let mut bench = Bench::new();
    bench.write(ALICE, with_ttl("/t", Ttl, 500)).reply.expect("created at 3000");
    assert_eq!(reap(&mut bench, "/t", 3500), Err(ErrorCode::BadVersion));
    bench.write(ALICE, set("/t", "w", -1)).reply.expect("set at 5000");
    assert_eq!(reap(&mut bench, "/t", 5500), Err(ErrorCode::BadVersion));
    bench.write(ALICE, create("/t/c", Persistent)).reply.expect("created");
    assert_eq!(reap(&mut bench, "/t", 5501), Err(ErrorCode::NotEmpty));
    bench.write(ALICE, delete("/t/c", -1)).reply.expect("deleted");
    assert_eq!(reap(&mut bench, "/t", 5501), Ok(Reply::Delete));
}

#[test]
fn other_znodes_are_never_reaped() {
    let mut bench = Bench::new();
    bench.write(ALICE, create("/p", Persistent)).reply.expect("created");
    bench.write(ALICE, create("/e", CreateMode::Ephemeral)).reply.expect("created");
    for path in ["/p", "/e", "/zookeeper/quota"] {
        assert_eq!(reap(&mut bench, path, 1 << 40), Err(ErrorCode::BadVersion), "{path}");
    }
}

#[test]
fn the_kind_is_hidden_from_the_stat_but_not_from_the_digest() {
    let kinds = [(Persistent, -1), (Container, -1), (Ttl, 7), (Ttl, 8)];
    let digests = kinds.map(|(mode, ms)| {
        let mut bench = Bench::new();
        bench.write(ALICE, with_ttl("/a", mode, ms)).reply.expect("created");
        assert_eq!(bench.tree.exists("/a").expect("it is there").ephemeral_owner, 0);
        bench.tree.digest()
    });
    for (i, digest) in digests.iter().enumerate() {
        assert!(!digests[..i].contains(digest), "{:?}", kinds[i]);
    }
}

#[test]
fn a_time_to_live_is_positive_and_fits_and_belongs_to_its_kind() {
    let mut bench = Bench::new();
    let mut outcome = |mode, ms| bench.write(ALICE, with_ttl("/t/", mode, ms)).reply.err();
    for (mode, ms) in [(Ttl, 0), (Ttl, -1), (Ttl, 1 << 40), (Persistent, 5), (Container, 0)] {
        assert_eq!(outcome(mode, ms), Some(ErrorCode::BadArguments), "{mode:?} {ms}");
    }
    assert_eq!(outcome(TtlSequential, (1 << 40) - 1), Some(ErrorCode::NoNode), "judged later");
}

#[test]
fn containers_and_ttl_znodes_may_have_children_and_survive_their_session() {
    let mut bench = Bench::new();
    bench.write(ALICE, create("/c", Container)).reply.expect("created");
    bench.write(ALICE, with_ttl("/t", Ttl, 5)).reply.expect("created");
    bench.write(ALICE, create("/c/a", Persistent)).reply.expect("created");
    bench.apply(&Txn::CloseSession { id: ALICE });
    assert!(bench.tree.exists("/c/a").is_ok() && bench.tree.exists("/t").is_ok());
}

#[test]
fn descendants_are_counted() {
    let mut bench = Bench::new();
    for path in ["/a", "/a/b", "/a/b/c", "/a-b", "/a0"] {
        bench.write(ALICE, create(path, Persistent)).reply.expect("created");
    }
    let count = |path| bench.tree.descendants(path);
    assert_eq!((count("/a"), count("/a/b/c"), count("/")), (Ok(2), Ok(0), Ok(8)));
    assert_eq!(count("/b"), Err(ErrorCode::NoNode));
}
