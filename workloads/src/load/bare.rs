//! What the machine allows: three servers that answer every request at once and keep nothing.
//!
//! Where each session has one read in flight, most of the time goes to the kernel, which sends and
//! wakes once for each request and once for each reply. These servers show how many such exchanges
//! there can be on the machine; a ratio that would need more is out of any server's reach.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{oneshot, watch};
use wire::{
    ConnectRequest, ConnectResponse, ReplyHeader, Request, Response, Stat, decode_request,
    encode_reply, frame,
};

/// As many as of every target.
const SERVERS: usize = 3;
/// Many requests in one read.
const INBOX_BYTES: usize = 64 << 10;

/// The servers, each with a thread of its own; they end with this.
#[derive(Debug)]
pub struct Bare {
    /// Where they listen: loopback.
    pub servers: Vec<SocketAddr>,
    _end: watch::Sender<()>,
}

impl Bare {
    /// Servers whose znodes all have `data_len` bytes.
    ///
    /// # Errors
    /// When the machine has no thread or port for them.
    pub async fn start(data_len: usize) -> io::Result<Bare> {
        let (end, ended) = watch::channel(());
        let mut servers = Vec::new();
        for _ in 0..SERVERS {
            let (told, addr) = oneshot::channel();
            let mut ended = ended.clone();
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            let until_ended = async move {
                tokio::select! {
                    done = serve(data_len, told) => done,
                    _ = ended.changed() => Ok(()),
                }
            };
            let thread = thread::Builder::new().name("bare".to_owned());
            thread.spawn(move || runtime.block_on(until_ended))?;
            servers.push(addr.await.map_err(io::Error::other)?);
        }
        Ok(Bare { servers, _end: end })
    }
}

async fn serve(data_len: usize, told: oneshot::Sender<SocketAddr>) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    // Who does not wait for the address has ended.
    let _ = told.send(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // How a connection ends is its client's to say.
        tokio::spawn(async move { converse(stream, data_len).await.ok() });
    }
}

/// The handshake, and then an answer to every request in turn.
async fn converse(mut stream: TcpStream, data_len: usize) -> io::Result<()> {
    let (mut inbox, mut outbox) = (Vec::with_capacity(INBOX_BYTES), Vec::new());
    let mut n_answered = 0;
    while stream.read_buf(&mut inbox).await? > 0 {
        let mut used = 0;
        while let Some(payload) =
            frame::next(&inbox[used..], frame::MAX_LEN_DEFAULT).map_err(io::Error::other)?
        {
            let (start, end) = (used + payload.start, used + payload.end);
            let done = match n_answered {
                0 => welcome(&inbox[start..end], &mut outbox),
                _ => answer(&inbox[start..end], data_len, &mut outbox),
            };
            done.map_err(io::Error::other)?;
            n_answered += 1;
            used = end;
        }
        inbox.drain(..used);
        stream.write_all(&outbox).await?;
        outbox.clear();
    }
    Ok(())
}

fn welcome(payload: &[u8], out: &mut Vec<u8>) -> Result<(), wire::Error> {
    let ConnectRequest { timeout_ms, .. } = ConnectRequest::decode(payload)?;
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms,
        session_id: 1,
        password: vec![0; 16],
        read_only: Some(false),
    };
    response.encode(out);
    Ok(())
}

fn answer(payload: &[u8], data_len: usize, out: &mut Vec<u8>) -> Result<(), wire::Error> {
    let (header, request) = decode_request(payload)?;
    let body = match request {
        Request::Create { path, .. } => Some(Response::Create { path }),
        Request::GetData { .. } => {
            let data = Some(vec![b'z'; data_len].into());
            Some(Response::GetData { data, stat: Stat::default() })
        }
        _ => None,
    };
    encode_reply(ReplyHeader::ok(header.xid, 1), body.as_ref(), out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Amount, Load, Work, load};

    #[tokio::test]
    async fn its_replies_are_those_that_a_load_expects() {
        let bare = Bare::start(100).await.expect("ports on loopback");
        let wanted = Load {
            servers: bare.servers.clone(),
            clients: 6,
            depth: 2,
            work: Work::GetData,
            root: "/keys".to_owned(),
            data_len: 100,
            amount: Amount::Requests(vec![50; 6]),
            patience: Duration::from_secs(60),
        };
        assert_eq!(load(&wanted).await.expect("every reply is right").requests, 300);
        let wrong = load(&Load { data_len: 99, ..wanted }).await.expect_err("of another length");
        assert!(wrong.to_string().contains("100 bytes"), "{wrong}");
    }
}
