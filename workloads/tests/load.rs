//! A load against a server that answers by a script: only the replies expected count.

mod common;

use std::time::Duration;

use common::peer::{Peer, listen};
use tokio::net::TcpListener;
use wire::{ErrorCode, Request, RequestHeader, Response, Stat};
use workloads::{Amount, Load, LoadError, Measured, Work, load};

/// Runs `work`, `requests` for each of two sessions, against servers of `serve`.
async fn run<S>(
    work: Work,
    requests: u64,
    serve: impl Fn(Peer) -> S + Send + 'static,
) -> Result<Measured, LoadError>
where
    S: Future<Output = ()> + Send + 'static,
{
    let amount = Amount::Requests(vec![requests; 2]);
    load(&Load { work, amount, ..two_sessions(serve).await }).await
}

/// Against a server of `serve`, which runs.
async fn two_sessions<S>(serve: impl Fn(Peer) -> S + Send + 'static) -> Load
where
    S: Future<Output = ()> + Send + 'static,
{
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        works(Peer::welcome(&listener).await).await; // the session that creates the root
        accept(listener, serve).await;
    });
    Load {
        servers: vec![addr],
        clients: 2,
        depth: 4,
        work: Work::GetData,
        root: "/r".to_owned(),
        data_len: 3,
        amount: Amount::Requests(vec![50; 2]),
        patience: Duration::from_secs(5),
    }
}

async fn accept<S>(listener: TcpListener, serve: impl Fn(Peer) -> S)
where
    S: Future<Output = ()> + Send + 'static,
{
    loop {
        let peer = Peer::welcome(&listener).await;
        tokio::spawn(serve(peer));
    }
}

/// What a server that works says.
fn right(request: &Request) -> Option<Response> {
    let stat = Stat { data_length: 3, ..Stat::default() };
    match request {
        Request::Create { path, .. } => Some(Response::Create { path: path.clone() }),
        Request::SetData { .. } => Some(Response::SetData { stat }),
        Request::GetData { .. } => Some(Response::GetData { data: Some((*b"zzz").into()), stat }),
        _ => None,
    }
}

async fn works(mut peer: Peer) {
    let mut zxid = 0;
    while let Some((RequestHeader { xid, .. }, request)) = peer.request().await {
        zxid += 1;
        peer.reply(xid, zxid, right(&request).as_ref()).await;
    }
}

#[tokio::test]
async fn what_is_answered_well_is_counted() {
    for work in [Work::Create, Work::SetData, Work::GetData, Work::Mixed, Work::Delete] {
        let measured = run(work, 50, works).await.expect("the server works");
        assert_eq!(measured.requests, 100, "{work}");
        assert_eq!(measured.latencies_us.len(), 100, "{work}");
        assert_eq!(measured.by_client, [50, 50], "{work}");
        assert!(measured.latencies_us.is_sorted(), "{work}");
    }
}

#[tokio::test]
async fn the_lead_in_and_the_tail_do_not_count() {
    let amount =
        Amount::Time { lead_in: Duration::from_millis(100), measured: Duration::from_millis(200) };
    let measured = load(&Load { amount, ..two_sessions(works).await }).await;
    let measured = measured.expect("the server works");
    let in_all: u64 = measured.by_client.iter().sum();
    assert_eq!(measured.elapsed, Duration::from_millis(200));
    assert!(0 < measured.requests && measured.requests < in_all, "{} {in_all}", measured.requests);
}

#[tokio::test]
async fn an_error_is_no_operation() {
    let refused = run(Work::Create, 50, |mut peer: Peer| async move {
        while let Some((RequestHeader { xid, .. }, request)) = peer.request().await {
            match xid {
                7 => peer.refuse(xid, 7, ErrorCode::NodeExists).await,
                _ => peer.reply(xid, xid.into(), right(&request).as_ref()).await,
            }
        }
    });
    let said = refused.await.expect_err("one is refused").to_string();
    assert!(said.contains("answered a create of /r/"), "{said}");
    assert!(said.ends_with("-6 wrongly: NodeExists"), "{said}");
}

#[tokio::test]
async fn a_reply_out_of_order_is_no_operation() {
    let swapped = run(Work::SetData, 50, |mut peer: Peer| async move {
        while let Some((RequestHeader { xid, .. }, request)) = peer.request().await {
            let xid = if xid == 3 { 4 } else { xid };
            peer.reply(xid, xid.into(), right(&request).as_ref()).await;
        }
    });
    let said = swapped.await.expect_err("one reply is not for it").to_string();
    assert!(said.ends_with("wrongly: xid 4 instead of 3"), "{said}");
}

#[tokio::test]
async fn a_zxid_that_goes_back_is_no_operation() {
    let back = run(Work::SetData, 50, |mut peer: Peer| async move {
        while let Some((RequestHeader { xid, .. }, request)) = peer.request().await {
            peer.reply(xid, i64::from(100 - xid), right(&request).as_ref()).await;
        }
    });
    let said = back.await.expect_err("the second zxid is smaller").to_string();
    assert!(said.ends_with("wrongly: zxid 0x62 after 0x63"), "{said}");
}

#[tokio::test]
async fn a_lost_connection_ends_the_load() {
    let lost = run(Work::GetData, 50, |mut peer: Peer| async move {
        peer.request().await;
    });
    let error = lost.await.expect_err("it is closed after one request");
    assert!(matches!(error, LoadError::Lost(..)), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_ends_the_load() {
    let silent =
        two_sessions(|mut peer: Peer| async move { while peer.request().await.is_some() {} });
    let patience = Duration::from_millis(50);
    let error = load(&Load { patience, ..silent.await }).await.expect_err("nothing is answered");
    assert!(matches!(error, LoadError::Silent(..)), "{error}");
}
