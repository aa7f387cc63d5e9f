//! A request gets through on the server that works, with the session that it began with.

mod common;

use std::time::Duration;

use common::peer::{Peer, listen};
use tokio::net::TcpListener;
use wire::{ErrorCode, RequestHeader, Response, Stat};
use workloads::Retrying;

const WITHIN: Duration = Duration::from_secs(10);

/// Answers setData until it has answered `n`, and is gone then.
async fn serve(listener: TcpListener, n: usize) {
    let mut peer = Peer::welcome(&listener).await;
    for _ in 0..n {
        let Some((RequestHeader { xid, .. }, _)) = peer.request().await else { return };
        peer.reply(xid, xid.into(), Some(&Response::SetData { stat: Stat::default() })).await;
    }
}

#[tokio::test]
async fn it_goes_on_to_the_next_server_with_its_session() {
    let (first, first_addr) = listen().await;
    let (second, second_addr) = listen().await;
    let mut retrying = Retrying::new(vec![first_addr, second_addr], 0);
    let dying = tokio::spawn(serve(first, 1));
    retrying.set("/x", WITHIN).await.expect("the first server works");
    dying.await.expect("no panic");

    let asked = tokio::spawn(async move {
        let mut peer = Peer::accept(&second).await;
        let request = peer.connect_request().await;
        let response = common::peer::session_response(request.session_id, 1000);
        peer.connect_response(&response).await;
        let (RequestHeader { xid, .. }, _) = peer.request().await.expect("it asks again");
        peer.reply(xid, 9, Some(&Response::SetData { stat: Stat::default() })).await;
        (request.session_id, peer)
    });
    retrying.set("/x", WITHIN).await.expect("the second server works");
    assert_eq!(asked.await.expect("no panic").0, 0x77);
}

#[tokio::test]
async fn a_refusal_is_no_success() {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        loop {
            let mut peer = Peer::welcome(&listener).await;
            let Some((RequestHeader { xid, .. }, _)) = peer.request().await else { continue };
            peer.refuse(xid, xid.into(), ErrorCode::NoNode).await;
        }
    });
    let mut retrying = Retrying::new(vec![addr], 0);
    let error = retrying.set("/x", Duration::from_millis(100)).await.expect_err("it is refused");
    assert!(error.to_string().contains("-101"), "{error}");
}

#[tokio::test]
async fn a_read_of_other_data_is_no_success() {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        for data in [&b"short"[..], b"long enough"] {
            let mut peer = Peer::welcome(&listener).await;
            let (RequestHeader { xid, .. }, _) = peer.request().await.expect("a request");
            let body = Response::GetData { data: Some(data.into()), stat: Stat::default() };
            peer.reply(xid, xid.into(), Some(&body)).await;
        }
    });
    let mut retrying = Retrying::new(vec![addr], 0);
    retrying.read("/x", "long enough".len(), WITHIN).await.expect("the second answer is right");
}
