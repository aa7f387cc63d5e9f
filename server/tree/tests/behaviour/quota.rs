//! Quotas. Every figure and refusal here is what Apache ZooKeeper 3.8.0 answers to the same writes.

use tree::{Reply, Tree, WriteOp};
use wire::{CreateMode, ErrorCode, OpResult};

use crate::common::{ALICE, Bench, create, data, delete, set};

const LIMITS: &str = "/zookeeper/quota/q/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/q/zookeeper_stats";

fn holding(path: &str, text: &str) -> WriteOp {
    let acl = wire::Acl::open();
    let (path, data, mode) = (path.to_owned(), data(text), CreateMode::Persistent);
    WriteOp::Create { path, data, acl, mode, ttl_ms: -1, with_stat: false }
}

fn make(bench: &mut Bench, nodes: &[(&str, &str)]) {
    for (path, text) in nodes {
        bench.write(ALICE, holding(path, text)).reply.expect("it may be created");
    }
}

/// `/q` with a child, and then a quota with these limits.
fn limited(limits: &str) -> Bench {
    let mut bench = Bench::new();
    bench.enforce_quota = true;
    make(&mut bench, &[("/q", "ab"), ("/q/a", "cde")]);
    let stats = (STATS, "count=0,bytes=0");
    make(&mut bench, &[("/zookeeper/quota/q", ""), (LIMITS, limits), stats]);
    bench
}

fn text(tree: &Tree, path: &str) -> String {
    let (data, _) = tree.get_data(path).expect("it is there");
    String::from_utf8(data.expect("not null").to_vec()).expect("text")
}

#[test]
fn what_is_there_is_counted_when_the_figures_are_created() {
    let bench = limited("count=9,bytes=9");
    assert_eq!(text(&bench.tree, STATS), "count=2,bytes=5");
    let stat = bench.tree.exists(STATS).expect("it is there");
    assert_eq!((stat.version, stat.data_length), (0, 15));
    assert_eq!(stat.mzxid, stat.czxid);
}

#[test]
fn every_change_is_counted() {
    let mut bench = limited("count=-1,bytes=-1");
    let figures = |bench: &Bench| text(&bench.tree, STATS);
    bench.write(ALICE, create("/q/e", CreateMode::EphemeralSequential)).reply.expect("allowed");
    assert_eq!(figures(&bench), "count=3,bytes=6");
    bench.write(ALICE, set("/q/a", "", -1)).reply.expect("allowed");
    assert_eq!(figures(&bench), "count=3,bytes=3");
    bench.write(ALICE, delete("/q/a", -1)).reply.expect("allowed");
    assert_eq!(figures(&bench), "count=2,bytes=3");
    bench.apply(&tree::Txn::CloseSession { id: ALICE });
    assert_eq!(figures(&bench), "count=1,bytes=2");
    let stat = bench.tree.exists(STATS).expect("it is there");
    assert_eq!(stat.version, 0, "no write of its own");
}

#[test]
fn only_the_nearest_quota_counts() {
    let mut bench = limited("count=-1,bytes=-1");
    let inner = "/zookeeper/quota/q/a";
    make(&mut bench, &[(inner, ""), (&format!("{inner}/zookeeper_limits"), "count=1,bytes=-1")]);
    make(&mut bench, &[("/q/a/x", "12345")]);
    assert_eq!(text(&bench.tree, STATS), "count=2,bytes=5", "the inner one has no figures yet");
    make(&mut bench, &[(&format!("{inner}/zookeeper_stats"), "")]);
    assert_eq!(text(&bench.tree, &format!("{inner}/zookeeper_stats")), "count=2,bytes=8");
    make(&mut bench, &[("/q/ab", "1"), ("/qq", "1")]);
    assert_eq!(
        text(&bench.tree, STATS),
        "count=3,bytes=6",
        "names that only begin alike do not count"
    );
    bench.write(ALICE, delete(LIMITS, -1)).reply.expect("allowed");
    make(&mut bench, &[("/q/free", "1")]);
    assert_eq!(text(&bench.tree, STATS), "count=3,bytes=6", "no quota any more");
}

#[test]
fn hard_limits_refuse_and_soft_ones_do_not() {
    for (limits, count, bytes) in [
        ("count=3,bytes=7", None, None),
        ("count=1,bytes=1=;countHardLimit=3", Some("count"), None),
        ("count=9,bytes=9=;byteHardLimit=7", None, Some("bytes")),
        ("count=-1,bytes=-1=;byteHardLimit=7;countHardLimit=3", Some("count"), Some("bytes")),
    ] {
        let mut bench = limited(limits);
        let refused = |kind: Option<_>| kind.map(|_| ErrorCode::QuotaExceeded);
        let mut reply = |op| bench.write(ALICE, op).reply.err();
        assert_eq!(reply(holding("/q/b", "12")), None, "{limits}");
        assert_eq!(reply(holding("/q/c", "")), refused(count), "{limits}");
        assert_eq!(reply(set("/q/b", "123", -1)), refused(bytes), "{limits}");
        assert_eq!(reply(set("/q/b", "1", -1)), None, "{limits}");
        assert_eq!(reply(delete("/q/b", -1)), None, "{limits}");
    }
}

#[test]
fn limits_are_not_enforced_unless_asked_for() {
    let mut bench = limited("count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=2");
    bench.enforce_quota = false;
    make(&mut bench, &[("/q/b", "12")]);
    assert_eq!(text(&bench.tree, STATS), "count=3,bytes=7");
    let over: Vec<_> = bench.tree.exceeded("/q/b");
    assert_eq!(over.len(), 2);
    assert_eq!((over[0].what, over[0].hard, over[0].used, over[0].limit), ("count", true, 3, 2));
    assert_eq!((over[1].what, over[1].path.as_str()), ("bytes", "/q"));
    assert_eq!(bench.tree.exceeded("/elsewhere"), []);
}

#[test]
fn a_multi_that_fails_has_counted_nothing() {
    let mut bench = limited("count=-1,bytes=-1=;countHardLimit=3");
    // Figures that are not in ZooKeeper's form come back as they were.
    bench.write(ALICE, set(STATS, "count=2,odd,bytes=5", -1)).reply.expect("allowed");
    let before = bench.tree.clone();
    let ops = vec![
        delete("/q/a", -1),
        holding("/q/b", "1"),
        set("/q/b", "12", -1),
        holding("/q/c", "1"),
        holding("/q/d", "1"),
    ];
    let reply = bench.write(ALICE, WriteOp::Multi { ops }).reply.expect("errors inside");
    let Reply::Multi { results } = reply else { panic!("{reply:?}") };
    assert_eq!(results[4], OpResult::Error { code: ErrorCode::QuotaExceeded.code() });
    assert_eq!(bench.tree.digest(), before.digest());
    assert_eq!(text(&bench.tree, STATS), "count=2,odd,bytes=5");

    let ops = vec![delete(LIMITS, -1), delete("/absent", -1)];
    bench.write(ALICE, WriteOp::Multi { ops }).reply.expect("errors inside");
    assert_eq!(bench.tree.exceeded("/q").len(), 0);
    make(&mut bench, &[("/q/b", "1")]);
    assert_eq!(bench.write(ALICE, holding("/q/c", "1")).reply, Err(ErrorCode::QuotaExceeded));
}

#[test]
fn quotas_that_make_no_sense_hurt_nobody() {
    let mut bench = limited("nonsense=;=,,count=many");
    make(&mut bench, &[("/zookeeper/quota/zookeeper_limits", "count=0,bytes=0=;countHardLimit=0")]);
    make(&mut bench, &[("/zookeeper/quota/zookeeper_stats", "")]);
    make(&mut bench, &[("/q/b", "1"), ("/elsewhere", "1")]);
    bench.write(ALICE, delete(STATS, -1)).reply.expect("allowed");
    make(&mut bench, &[("/q/c", "1")]);
}
