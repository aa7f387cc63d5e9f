use std::time::Duration;

use super::*;

fn facts() -> Facts {
    let client = |session| super::super::ClientFacts { session, queued: 1, timeout_ms: 4000 };
    let watch = |paths: &[&str]| paths.iter().map(ToString::to_string).collect();
    Facts {
        mode: Some("leader"),
        zxid: 0x1_0000_0007,
        lineage: 9,
        node_count: 5,
        n_watches: 3,
        clients: [(1, client(0xa)), (2, client(0xb))].into(),
        watches: [(1, watch(&["/a", "/b"])), (2, watch(&["/a"]))].into(),
        sessions: vec![super::super::SessionFacts {
            id: 0xa,
            timeout_ms: 4000,
            expires_in: Some(Duration::from_secs(4)),
            ephemerals: vec!["/a/e".to_owned()],
        }],
        ..Facts::default()
    }
}

#[test]
fn srvr_has_the_lines_that_monitoring_reads() {
    let mut latencies = Latencies::default();
    latencies.all.add(Duration::from_millis(2));
    latencies.all.add(Duration::from_millis(5));
    let text = server(&facts(), &latencies);
    let expected = format!(
        "Zookeeper version: {}\nLatency min/avg/max: 2/3.5000/5\nReceived: 0\nSent: 0\n\
         Connections: 0\nOutstanding: 0\nZxid: 0x100000007\nMode: leader\nNode count: 5\n",
        version()
    );
    assert_eq!(text, expected);
}

#[test]
fn mntr_is_key_tab_value_and_a_summary_is_five_lines() {
    let mut fsync = crate::summary::Summary::default();
    fsync.add(Duration::from_micros(1500));
    let text = monitor(&[
        ("server_state", Variable::Text("leader".to_owned())),
        ("znode_count", Variable::Gauge(5.0)),
        ("avg_latency", Variable::Gauge(0.25)),
        ("fsynctime", Variable::Summary(fsync)),
    ]);
    assert_eq!(
        text,
        "zk_server_state\tleader\nzk_znode_count\t5\nzk_avg_latency\t0.2500\n\
         zk_avg_fsynctime\t1.5000\nzk_min_fsynctime\t1\nzk_max_fsynctime\t1\nzk_cnt_fsynctime\t1\n\
         zk_sum_fsynctime\t1.5000\n"
    );
}

#[test]
fn watches_are_listed_by_session_and_by_path() {
    let facts = facts();
    assert_eq!(watch_summary(&facts), "2 connections watching 2 paths\nTotal watches:3\n");
    assert_eq!(watches_by_session(&facts), "0xa\n\t/a\n\t/b\n0xb\n\t/a\n\n");
    assert_eq!(watches_by_path(&facts), "/a\n\t0xa\n\t0xb\n/b\n\t0xa\n\n");
}

#[test]
fn dump_tells_expiries_on_the_leader_and_timeouts_elsewhere() {
    let mut facts = facts();
    let text = dump(&facts, &[]);
    assert!(text.contains("Global Sessions(1):\n0xa\t4000ms\n"), "{text}");
    assert!(text.contains("Sessions with Ephemerals (1):\n0xa:\n\t/a/e\n"), "{text}");
    facts.leading = Some(super::super::Leading {
        quorum_size: 3,
        learners: 2,
        synced: 2,
        observers: vec![],
        uptime: Duration::ZERO,
    });
    let text = dump(&facts, &[]);
    assert!(text.contains("Session Sets (1)/(1):\n1 expire at "), "{text}");
    assert!(text.contains(":\n\t0xa\nephemeral nodes dump:\n"), "{text}");
}

#[test]
fn hash_ends_with_the_state_now() {
    let mut facts = facts();
    facts.metrics.digest(0x1_0000_0000, 8);
    facts.metrics.digest(0x1_0000_0001, 8);
    assert_eq!(digests(&facts), "100000000: 8\n100000007: 9\n");
}

#[test]
fn a_date_is_printed_as_java_does() {
    assert_eq!(date(0), "Thu Jan 01 00:00:00 UTC 1970");
    assert_eq!(date(951_782_400), "Tue Feb 29 00:00:00 UTC 2000");
    assert_eq!(date(1_795_215_135), "Fri Nov 20 22:52:15 UTC 2026");
}

#[test]
fn a_server_without_a_leader_says_so() {
    assert!(not_serving(FourLetter::Srvr).contains("not currently serving"));
    assert_eq!(not_serving(FourLetter::Isro), "null");
    assert!(not_allowed(FourLetter::Stat).starts_with("stat is not executed"));
}
