//! The client against servers that follow a script.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::peer::{Peer, endpoint, listen, session_response};
use history::Kind;
use tokio::net::TcpListener;
use wire::{
    ConnectResponse, ErrorCode, EventType, Request, Response, Stat, WatcherEvent,
    encode_notification, xid,
};
use workloads::{Client, ConnectError, Effect, NoReply, Refusal, Resume, outcome};

fn set() -> Request {
    Request::SetData { path: "/r0".into(), data: Some((*b"1").into()), version: -1 }
}

async fn connected(addr: SocketAddr) -> Client {
    Client::connect(&endpoint(addr), None).await.expect("the script lets it in")
}

/// Lets a client in, receives one request, and hands the connection and the request's xid over.
async fn one_request(listener: &TcpListener) -> (Peer, i32) {
    let mut peer = Peer::welcome(listener).await;
    let (header, _) = peer.request().await.expect("a request");
    (peer, header.xid)
}

#[tokio::test]
async fn a_reply_is_ok_with_zxid_and_stat() {
    let (listener, addr) = listen().await;
    let server = tokio::spawn(async move {
        let (mut peer, xid) = one_request(&listener).await;
        let stat = Stat { version: 3, ..Stat::default() };
        peer.reply(xid, 42, Some(&Response::SetData { stat })).await;
    });
    let mut client = connected(addr).await;
    assert_eq!(client.session(), 0x77);
    let answer = client.call(&set()).await;
    assert_eq!(outcome(Effect::Write, &answer), Kind::Ok);
    let reply = answer.unwrap();
    assert_eq!(reply.zxid, 42);
    assert!(matches!(reply.result, Ok(Some(Response::SetData { stat })) if stat.version == 3));
    assert_eq!(client.leave().last_zxid, 42);
    server.await.unwrap();
}

#[tokio::test]
async fn bad_version_is_a_definite_fail_with_a_zxid() {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        let (mut peer, xid) = one_request(&listener).await;
        peer.refuse(xid, 43, ErrorCode::BadVersion).await;
    });
    let mut client = connected(addr).await;
    let answer = client.call(&set()).await;
    assert_eq!(outcome(Effect::Write, &answer), Kind::Fail);
    let reply = answer.unwrap();
    assert_eq!((reply.zxid, reply.result), (43, Err(Refusal(-103))));
    assert!(client.is_connected());
}

#[tokio::test]
async fn a_connection_closed_after_the_request_leaves_a_write_unknown() {
    let (listener, addr) = listen().await;
    tokio::spawn(async move { drop(one_request(&listener).await) });
    let mut client = connected(addr).await;
    let answer = client.call(&set()).await;
    assert!(matches!(answer, Err(NoReply::Lost(_))), "{answer:?}");
    assert_eq!(outcome(Effect::Write, &answer), Kind::Info);
    assert_eq!(outcome(Effect::Read, &answer), Kind::Fail);
    assert!(!client.is_connected());
}

#[tokio::test]
async fn no_answer_in_time_leaves_a_write_unknown_and_ends_the_connection() {
    let (listener, addr) = listen().await;
    let server = tokio::spawn(async move {
        let (mut peer, _) = one_request(&listener).await;
        peer.payload().await
    });
    let mut client = connected(addr).await;
    let answer = client.call(&set()).await;
    assert_eq!(answer, Err(NoReply::TimedOut(Duration::from_millis(300))));
    assert_eq!(outcome(Effect::Write, &answer), Kind::Info);
    assert_eq!(server.await.unwrap(), None, "the client closes the connection, unasked");
    let next = client.call(&set()).await;
    assert!(matches!(next, Err(NoReply::Unsent(_))), "{next:?}");
    assert_eq!(outcome(Effect::Write, &next), Kind::Fail);
}

#[tokio::test]
async fn a_reply_to_another_request_is_no_answer() {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        let (mut peer, xid) = one_request(&listener).await;
        peer.reply(xid + 1, 42, Some(&Response::SetData { stat: Stat::default() })).await;
        peer.payload().await
    });
    let mut client = connected(addr).await;
    let answer = client.call(&set()).await;
    assert!(matches!(&answer, Err(NoReply::Lost(why)) if why.contains("not open")), "{answer:?}");
    assert_eq!(client.leave().last_zxid, 0, "its zxid is not believed");
}

#[tokio::test]
async fn bytes_that_make_no_sense_are_no_answer() {
    for garbage in [&[0xff_u8; 8][..], &[0, 0, 0, 2, 1, 1]] {
        let (listener, addr) = listen().await;
        tokio::spawn(async move {
            let (mut peer, _) = one_request(&listener).await;
            peer.send(garbage).await;
            peer.payload().await
        });
        let answer = connected(addr).await.call(&set()).await;
        assert!(matches!(answer, Err(NoReply::Lost(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn notifications_are_passed_over_and_their_zxid_does_not_count() {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        let (mut peer, xid) = one_request(&listener).await;
        let mut event = Vec::new();
        let changed = WatcherEvent::new(EventType::NodeDataChanged, "/r0");
        encode_notification(99, &changed, &mut event);
        peer.send(&event).await;
        peer.reply(xid, 42, Some(&Response::SetData { stat: Stat::default() })).await;
    });
    let mut client = connected(addr).await;
    assert!(client.call(&set()).await.is_ok());
    assert_eq!(client.leave().last_zxid, 42);
}

#[tokio::test]
async fn an_idle_client_pings_and_learns_the_zxid() {
    let (listener, addr) = listen().await;
    let server = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.connect_request().await;
        peer.connect_response(&session_response(1, 150)).await;
        for zxid in [50, 51, 52] {
            let (header, request) = peer.request().await.expect("a ping");
            assert_eq!((header.xid, request), (xid::PING, Request::Ping));
            peer.reply(xid::PING, zxid, None).await;
        }
        // Dropped: the client notices while idle.
    });
    let mut client = connected(addr).await;
    let lost = tokio::time::timeout(Duration::from_secs(5), client.keep_alive()).await;
    assert!(matches!(lost, Ok(NoReply::Lost(_))), "{lost:?}");
    assert!(!client.is_connected());
    assert_eq!(client.leave().last_zxid, 52);
    server.await.unwrap();
}

#[tokio::test]
async fn a_ping_without_an_answer_ends_the_connection() {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.connect_request().await;
        peer.connect_response(&session_response(1, 150)).await;
        while peer.payload().await.is_some() {}
    });
    let mut client = connected(addr).await;
    let lost = tokio::time::timeout(Duration::from_secs(5), client.keep_alive()).await;
    let why = lost.expect("it notices by itself").to_string();
    assert!(why.contains("a ping was not answered"), "{why}");
}

/// `keep_alive` is dropped whenever an operation is due: replies to its pings may come later.
#[tokio::test]
async fn a_late_ping_reply_does_not_disturb_a_request() {
    let (listener, addr) = listen().await;
    let (pinged, ping_seen) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.connect_request().await;
        peer.connect_response(&session_response(1, 3000)).await;
        assert_eq!(peer.request().await.expect("a ping").0.xid, xid::PING);
        pinged.send(()).unwrap();
        let (header, _) = peer.request().await.expect("a request");
        peer.reply(xid::PING, 60, None).await;
        peer.reply(header.xid, 61, Some(&Response::SetData { stat: Stat::default() })).await;
        peer.payload().await
    });
    let mut client = connected(addr).await;
    tokio::select! {
        seen = ping_seen => seen.unwrap(),
        lost = client.keep_alive() => panic!("{lost}"),
    }
    assert_eq!(client.call(&set()).await.unwrap().zxid, 61);
}

#[tokio::test]
async fn resuming_shows_session_password_and_last_zxid() {
    let (listener, addr) = listen().await;
    let server = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        let request = peer.connect_request().await;
        peer.connect_response(&session_response(request.session_id, 3000)).await;
        request
    });
    let resume = Resume { session: 0xff00_0000_0000_0001, password: vec![9; 16], last_zxid: 17 };
    let client = Client::connect(&endpoint(addr), Some(&resume)).await.unwrap();
    let request = server.await.unwrap();
    assert_eq!(request.session_id.cast_unsigned(), resume.session);
    assert_eq!((request.password, request.last_zxid_seen), (vec![9; 16], 17));
    assert_eq!(client.leave().last_zxid, 17, "kept for the next server");
}

/// Connects to a server that answers the handshake with `answer`, or hangs up.
async fn refused(answer: Option<ConnectResponse>) -> ConnectError {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.connect_request().await;
        if let Some(response) = answer {
            peer.connect_response(&response).await;
            peer.payload().await;
        }
    });
    let resume = Resume { session: 5, password: vec![0; 16], last_zxid: 9 };
    Client::connect(&endpoint(addr), Some(&resume)).await.expect_err("refused")
}

#[tokio::test]
async fn an_expired_session_is_a_definite_refusal() {
    let error = refused(Some(ConnectResponse::refusal(Some(false)))).await;
    assert!(matches!(error, ConnectError::Expired), "{error}");
    assert_eq!(error.outcome(), Kind::Fail);
}

#[tokio::test]
async fn a_server_that_hangs_up_has_refused() {
    let error = refused(None).await;
    assert!(matches!(error, ConnectError::Closed(_)), "{error}");
    assert_eq!(error.outcome(), Kind::Info);
}

#[tokio::test]
async fn another_session_than_ours_is_not_taken() {
    let error = refused(Some(session_response(6, 3000))).await;
    assert!(matches!(error, ConnectError::OtherSession(6)), "{error}");
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let (listener, addr) = listen().await;
    let server = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.connect_request().await;
        peer.payload().await
    });
    let error = Client::connect(&endpoint(addr), None).await.expect_err("no answer");
    assert!(matches!(error, ConnectError::HandshakeTimedOut(_)), "{error}");
    assert_eq!(error.outcome(), Kind::Info);
    assert_eq!(server.await.unwrap(), None, "and the connection is closed");
}

#[tokio::test]
async fn a_closed_port_is_a_definite_refusal() {
    let (listener, addr) = listen().await;
    drop(listener);
    let error = Client::connect(&endpoint(addr), None).await.expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error}");
    assert_eq!(error.outcome(), Kind::Fail);
}

#[tokio::test]
async fn connections_come_from_the_given_address() {
    let (listener, addr) = listen().await;
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 200));
    let mut to = endpoint(addr);
    to.source = Some(source);
    let (accepted, _) = tokio::join!(listener.accept(), Client::connect(&to, None));
    assert_eq!(accepted.unwrap().1.ip(), source);
}
