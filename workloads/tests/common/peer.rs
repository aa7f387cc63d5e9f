//! The server's end of one connection, for scripts.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::{
    ConnectRequest, ConnectResponse, ErrorCode, ReplyHeader, Request, RequestHeader, Response,
    decode_request, encode_reply, frame,
};
use workloads::Endpoint;

/// A listener on a port of its own, and how to reach it.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// An endpoint with short timeouts.
pub(crate) fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint {
        addr,
        source: None,
        session_timeout: Duration::from_millis(3000),
        op_timeout: Duration::from_millis(300),
    }
}

/// One accepted connection.
pub(crate) struct Peer {
    stream: TcpStream,
    buf: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Peer {
        Peer { stream, buf: Vec::new() }
    }

    pub(crate) async fn accept(listener: &TcpListener) -> Peer {
        Peer::new(listener.accept().await.unwrap().0)
    }

    /// Accepts, and opens or resumes whatever session is asked for; a new one gets id 0x77.
    pub(crate) async fn welcome(listener: &TcpListener) -> Peer {
        let mut peer = Peer::accept(listener).await;
        let request = peer.connect_request().await;
        let session = if request.session_id == 0 { 0x77 } else { request.session_id };
        peer.connect_response(&session_response(session, request.timeout_ms)).await;
        peer
    }

    /// The next payload; `None` when the client has closed the connection.
    pub(crate) async fn payload(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(range) = frame::next(&self.buf, frame::MAX_LEN_DEFAULT).unwrap() {
                let payload = self.buf[range.clone()].to_vec();
                self.buf.drain(..range.end);
                return Some(payload);
            }
            match self.stream.read_buf(&mut self.buf).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The first four bytes, if they are a four-letter word and not a frame's length.
    pub(crate) async fn four_letter_word(&mut self) -> Option<frame::FourLetter> {
        while self.buf.len() < 4 {
            if self.stream.read_buf(&mut self.buf).await.ok()? == 0 {
                return None;
            }
        }
        frame::four_letter_word(*self.buf.first_chunk().unwrap())
    }

    pub(crate) async fn connect_request(&mut self) -> ConnectRequest {
        ConnectRequest::decode(&self.payload().await.expect("a handshake")).unwrap()
    }

    pub(crate) async fn connect_response(&mut self, response: &ConnectResponse) {
        let mut out = Vec::new();
        response.encode(&mut out);
        self.send(&out).await;
    }

    pub(crate) async fn request(&mut self) -> Option<(RequestHeader, Request)> {
        self.payload().await.map(|payload| decode_request(&payload).unwrap())
    }

    pub(crate) async fn reply(&mut self, xid: i32, zxid: i64, body: Option<&Response>) {
        let mut out = Vec::new();
        encode_reply(ReplyHeader::ok(xid, zxid), body, &mut out);
        self.send(&out).await;
    }

    pub(crate) async fn refuse(&mut self, xid: i32, zxid: i64, error: ErrorCode) {
        let mut out = Vec::new();
        encode_reply(ReplyHeader::failure(xid, zxid, error), None, &mut out);
        self.send(&out).await;
    }

    /// Sends raw bytes; a client that has gone away is the test's to notice.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }
}

pub(crate) fn session_response(session: i64, timeout_ms: i32) -> ConnectResponse {
    ConnectResponse {
        protocol_version: 0,
        timeout_ms,
        session_id: session,
        password: vec![7; 16],
        read_only: Some(false),
    }
}
