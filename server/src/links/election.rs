//! Election links: each server dials every other one and sends its votes there.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Sender, UnboundedSender, channel};
use tokio::time::timeout;
use tracing::debug;
use zab::ServerId;

use super::{GREETING, LinkEvent, encode, greeted, greeting, read_frame};
use crate::ServerAddress;
use crate::proposal::Message;
use crate::tls::{Door, REFUSALS};

/// Votes not yet sent to one server. A vote supersedes the one before, so few are enough.
const QUEUE: usize = 8;

/// Sends votes to the other servers.
#[derive(Debug)]
pub(crate) struct Voters {
    queues: BTreeMap<ServerId, Sender<Message>>,
}

impl Voters {
    /// Starts a sender for each of `others`.
    pub(crate) fn start(
        me: ServerId,
        others: &BTreeMap<ServerId, ServerAddress>,
        door: &Door,
    ) -> Voters {
        let queues = others
            .iter()
            .map(|(id, address)| {
                let (queue, votes) = channel(QUEUE);
                tokio::spawn(send_votes(me, address.clone(), door.clone(), votes));
                (*id, queue)
            })
            .collect();
        Voters { queues }
    }

    /// Sends at best effort: a vote that finds the queue full is dropped, for the peer repeats it.
    pub(crate) fn send(&self, to: ServerId, vote: Message) {
        if let Some(queue) = self.queues.get(&to)
            && queue.try_send(vote).is_err()
        {
            debug!(to, "vote dropped");
        }
    }
}

async fn send_votes(
    me: ServerId,
    address: ServerAddress,
    door: Door,
    mut votes: tokio::sync::mpsc::Receiver<Message>,
) {
    while let Some(vote) = votes.recv().await {
        if let Err(error) = converse(me, &address, &door, vote, &mut votes).await {
            REFUSALS.log(&address.host, &error);
            debug!(host = address.host, %error, "election link");
        }
    }
}

/// One connection's life: it ends when the other side closes it, so that the next vote is not
/// written into a dead socket.
async fn converse(
    me: ServerId,
    address: &ServerAddress,
    door: &Door,
    first: Message,
    votes: &mut tokio::sync::mpsc::Receiver<Message>,
) -> std::io::Result<()> {
    let calling = door.call(&address.host, address.election_port);
    let mut stream = timeout(GREETING, calling).await??;
    let stream = stream.any();
    stream.write_all(&greeting(me)).await?;
    let mut next = Some(first);
    while let Some(mut vote) = next {
        while let Ok(newer) = votes.try_recv() {
            vote = newer;
        }
        let mut bytes = Vec::new();
        encode(&vote, &mut bytes);
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        next = tokio::select! {
            vote = votes.recv() => vote,
            closed = stream.read_u8() => {
                if let Err(error) = &closed {
                    REFUSALS.log(&address.host, error);
                }
                debug!(?closed, "election link closed by the other side");
                None
            }
        };
    }
    Ok(())
}

/// Accepts the others' election links.
pub(crate) async fn accept_votes(
    listener: TcpListener,
    door: Door,
    events: UnboundedSender<LinkEvent>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(receive_votes(stream, door.clone(), events.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "election port");
                tokio::time::sleep(GREETING).await;
            }
        }
    }
}

async fn receive_votes(stream: TcpStream, door: Door, events: UnboundedSender<LinkEvent>) {
    let Ok(Ok(mut stream)) = timeout(GREETING, door.answer(stream)).await else { return };
    let Ok(from) = greeted(stream.any()).await else { return };
    let mut stream = BufReader::new(stream.any());
    loop {
        match read_frame(&mut stream).await {
            Ok(message @ Message::Notification { .. }) => {
                if events.send(LinkEvent::Vote { from, message }).is_err() {
                    return;
                }
            }
            Ok(other) => return tracing::warn!(from, ?other, "not a vote, on the election port"),
            Err(error) => return debug!(from, %error, "election link"),
        }
    }
}
