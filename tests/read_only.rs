//! Reads without a quorum, for clients that can do with them.

mod support;

use std::io::ErrorKind;

use wire::{ErrorCode, Request};

use support::client::{Client, four_letters, srvr};
use support::ensemble::Ensemble;
use support::{alone, seconds, until};

#[test]
fn a_server_without_a_quorum_serves_reads_until_there_is_one() {
    let _alone = alone();
    let mut ensemble =
        Ensemble::started(3, "readonlymode.enabled=true\n4lw.commands.whitelist=*\n");
    ensemble.write_znodes("a", 3);
    ensemble.wait_until_level();
    let (mut ordinary, read_only) =
        Client::connect_read_only(ensemble.addr(1)).expect("there is a quorum");
    assert!(!read_only);
    assert!(ordinary.create("/b", b"").expect("it serves").result.is_ok());
    ensemble.wait_until_level();

    [2, 3].into_iter().for_each(|id| ensemble.kill(id));
    let addr = ensemble.addr(1);
    let (mut client, read_only) =
        until("it serves reads", seconds(20), || Client::connect_read_only(addr).ok());
    assert!(read_only);
    assert_eq!(client.get("/a2").expect("a read"), b"a2");
    let exists = Request::Exists { path: "/b".to_owned(), watch: true };
    assert!(client.call(&exists).expect("a read").result.is_ok());
    for request in [
        Request::Sync { path: "/".to_owned() },
        Request::Delete { path: "/b".to_owned(), version: -1 },
        Request::Multi { ops: vec![] },
    ] {
        let answer = client.call(&request).expect("it answers");
        assert_eq!(answer.result, Err(ErrorCode::NotReadOnly), "{request:?}");
    }
    let refused = client.create("/c", b"").expect("it answers");
    assert_eq!(refused.result, Err(ErrorCode::NotReadOnly));
    assert!(client.call(&Request::Ping).expect("it answers").result.is_ok());

    let unwilling = Client::connect(addr).err().expect("it did not say that reads will do");
    assert_ne!(unwilling.kind(), ErrorKind::WouldBlock, "the connection was left open");
    assert_eq!(four_letters(addr, "isro").expect("it answers"), "ro");
    assert_eq!(srvr(addr, "Mode").as_deref(), Some("read-only"));
    let (mut brief, _) = Client::connect_read_only(addr).expect("it still does");
    assert!(brief.call(&Request::CloseSession).expect("it answers").result.is_ok());

    [2, 3].into_iter().for_each(|id| ensemble.start(id));
    until("its clients are sent away", seconds(20), || client.get("/a2").err());
    let mut client = ensemble.client(1);
    assert!(client.create("/c", b"").expect("it serves").result.is_ok());
    let (_, read_only) = Client::connect_read_only(addr).expect("there is a quorum");
    assert!(!read_only);
    assert_eq!(four_letters(addr, "isro").expect("it answers"), "rw");
}

#[test]
fn a_client_that_is_silent_loses_its_connection() {
    let _alone = alone();
    let mut ensemble = Ensemble::new(3, "readonlymode.enabled=true\nmaxSessionTimeout=500\n");
    let config = std::fs::read_to_string(ensemble.config(1)).expect("it is there");
    let once = config.replace("maxSessionTimeout=60000\n", "");
    std::fs::write(ensemble.config(1), once).expect("a scratch directory");
    ensemble.start(1);
    let connect = || Client::connect_read_only(ensemble.addr(1)).ok();
    let (mut client, _) = until("it serves reads", seconds(20), connect);
    assert!(client.get("/").is_ok());
    let closed = client.event().expect_err("it has nothing to say");
    assert_eq!(closed.kind(), ErrorKind::UnexpectedEof, "the server did not close it");
}

#[test]
fn nobody_reads_without_a_quorum_unless_it_is_configured() {
    let _alone = alone();
    let mut ensemble = Ensemble::new(3, "");
    let mut allowed = Ensemble::new(3, "readonlymode.enabled=true\n");
    ensemble.start(1);
    allowed.start(1);
    until("the other one does", seconds(20), || Client::connect_read_only(allowed.addr(1)).ok());
    assert!(Client::connect_read_only(ensemble.addr(1)).is_err());
}
