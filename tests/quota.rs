//! Quotas in an ensemble: the same figures everywhere, refusals, and what an operator is told.

mod support;

use wire::ErrorCode;

use support::alone;
use support::client::four_letters;
use support::ensemble::Ensemble;

#[test]
fn a_quota_holds_on_every_server_and_is_told_to_operators() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "enforceQuota=true\nsnapCount=10\n");
    let follower = ensemble.a_follower();
    let mut client = ensemble.client(follower);
    let quota = "/zookeeper/quota/app";
    let limits = "count=2,bytes=-1=;countHardLimit=3";
    for (path, data) in [
        ("/app", ""),
        (quota, ""),
        (&format!("{quota}/zookeeper_limits"), limits),
        (&format!("{quota}/zookeeper_stats"), "count=0,bytes=0"),
        ("/app/a", "12345"),
        ("/app/b", "1"),
    ] {
        let answer = client.create(path, data.as_bytes()).expect("it serves");
        assert!(answer.result.is_ok(), "{path}: {:?}", answer.result);
    }
    for n in 0..10 {
        let answer = client.create("/app/c", b"").expect("it serves");
        assert_eq!(answer.result, Err(ErrorCode::QuotaExceeded), "{n}");
    }
    let told = four_letters(ensemble.addr(follower), "mntr").expect("it answers");
    assert!(told.contains("zk_quota_exceeded_error_count\t10\n"), "{told}");
    assert!(ensemble.log(follower).contains("refused by a hard limit"));

    // Also by a server that has read a snapshot.
    ensemble.kill(follower);
    ensemble.start(follower);
    ensemble.settle();
    ensemble.wait_until_level();
    for id in 1..=3 {
        let mut client = ensemble.client(id);
        let figures = client.get(&format!("{quota}/zookeeper_stats")).expect("it is there");
        assert_eq!(String::from_utf8_lossy(&figures), "count=3,bytes=6", "server {id}");
        let answer = client.create("/app/d", b"").expect("it serves");
        assert_eq!(answer.result, Err(ErrorCode::QuotaExceeded), "server {id}");
    }
}

#[test]
fn without_enforcement_hard_limits_are_only_told() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "");
    let mut client = ensemble.client(1);
    for path in ["/app", "/zookeeper/quota/app"] {
        assert!(client.create(path, b"").expect("it serves").result.is_ok());
    }
    let limits = "/zookeeper/quota/app/zookeeper_limits";
    client.create(limits, b"count=-1,bytes=-1=;byteHardLimit=1").expect("it serves");
    client.create("/zookeeper/quota/app/zookeeper_stats", b"").expect("it serves");
    assert!(client.create("/app/a", b"12").expect("it serves").result.is_ok());
    let told = four_letters(ensemble.addr(1), "mntr").expect("it answers");
    assert!(told.contains("zk_quota_exceeded_count\t1\n"), "{told}");
    assert!(ensemble.log(1).contains("more than the quota"), "{}", ensemble.log(1));
}
