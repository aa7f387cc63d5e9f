//! Servers that are stopped and started one after another, as an upgrade does it.

mod support;

use std::time::Duration;

use support::alone;
use support::ensemble::Ensemble;
use support::load::Load;

/// What a client that tries again may wait at most.
const STALL_MAX: Duration = Duration::from_secs(1);

#[test]
fn a_rolling_restart_costs_no_write_no_session_and_little_time() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(5, "");
    let leader = ensemble.settle();
    let addrs: Vec<_> = (1..=5).map(|id| ensemble.addr(id)).collect();
    let load = Load::start(6, &addrs);
    let followers = (1..=5).filter(|id| *id != leader);
    for id in followers.chain([leader]) {
        ensemble.stop(id);
        ensemble.start(id);
        ensemble.settle();
    }
    let written = load.finish();
    ensemble.wait_until_level();
    for id in 1..=5 {
        let mut client = ensemble.client(id);
        for path in written.iter().flat_map(|one| &one.acknowledged) {
            assert_eq!(client.get(path).expect("it was acknowledged"), b"x", "{path} on {id}");
        }
    }
    let n: usize = written.iter().map(|one| one.acknowledged.len()).sum();
    let reconnects: usize = written.iter().map(|one| one.reconnects).sum();
    let longest = written.iter().map(|one| one.longest).max().expect("there are clients");
    println!("{n} writes, {reconnects} connections, longest write {longest:?}");
    assert!(longest < STALL_MAX, "a write took {longest:?}");
    assert!(reconnects > 6, "no client was ever cut off");
}
