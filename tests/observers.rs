//! Observers serve clients and count for nothing.

mod support;

use std::net::SocketAddr;

use support::alone;
use support::client::{Client, four_letters, srvr};
use support::ensemble::Ensemble;
use support::{seconds, until};
use wire::{EventType, Request};

#[test]
fn observers_serve_and_are_never_counted() {
    let _alone = alone();
    let mut ensemble = Ensemble::with_observers(3, 2, "");
    (1..=5).for_each(|id| ensemble.start(id));
    let leader = ensemble.settle();
    assert!(leader <= 3, "an observer leads");
    for observer in [4, 5] {
        assert_eq!(srvr(ensemble.addr(observer), "Mode").as_deref(), Some("observer"));
    }
    let leader_addr = ensemble.addr(leader);
    until("the leader counts them apart", seconds(20), || {
        let synced =
            (figure(leader_addr, "synced_followers"), figure(leader_addr, "synced_observers"));
        (synced == (Some(2), Some(2))).then_some(())
    });
    assert_eq!(figure(leader_addr, "quorum_size"), Some(3));

    // A write through an observer is read on every server; a watch on another one fires.
    let mut watcher = ensemble.client(5);
    let exists = Request::Exists { path: "/a".into(), watch: true };
    watcher.call(&exists).expect("it serves").result.expect_err("nothing is there yet");
    let mut client = ensemble.client(4);
    client.create("/a", b"one").expect("it serves").result.expect("it is new");
    let event = watcher.event().expect("the watch fires");
    assert_eq!((event.path.as_str(), event.event_type), ("/a", EventType::NodeCreated));
    ensemble.wait_until_level();
    (1..=5).for_each(|id| assert_eq!(ensemble.client(id).get("/a").expect("it is there"), b"one"));

    // Without one participant all goes on.
    ensemble.kill(leader);
    ensemble.settle();
    let mut client = ensemble.client(4);
    client.set("/a", b"two").expect("it serves").result.expect("two participants are enough");

    // Without two of them nothing does, whatever the observers make of it.
    let second = (1..=3).find(|id| *id != leader).expect("there were three");
    ensemble.kill(second);
    until("nobody serves", seconds(20), || {
        (1..=5).all(|id| ensemble.zxid(id).is_none()).then_some(())
    });
    assert!(Client::connect(ensemble.addr(5)).is_err(), "an observer gave a session");

    // One comes back: the observers find the new leader, and nothing is lost.
    ensemble.start(second);
    ensemble.settle();
    assert_eq!(ensemble.client(5).get("/a").expect("it is there"), b"two");
}

fn figure(addr: SocketAddr, name: &str) -> Option<u64> {
    let text = four_letters(addr, "mntr").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("zk_{name}\t")))?;
    line.parse().ok()
}
