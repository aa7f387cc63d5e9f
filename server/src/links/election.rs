//! Election links: each server dials every other one and sends its votes there.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedSender, channel};
use tokio::time::timeout;
use tracing::debug;
use zab::ServerId;

use super::{Caller, GREETING, LinkEvent, accept, encode, greeted, read_frame};
use crate::ServerAddress;
use crate::proposal::Message;
use crate::tls::{Door, REFUSALS};

/// Votes not yet sent to one server. They are repeated, so few are enough.
const QUEUE: usize = 8;

/// Sends votes to other servers.
#[derive(Debug)]
pub(crate) struct Voters {
    caller: Caller,
    door: Door,
    events: UnboundedSender<LinkEvent>,
    links: BTreeMap<ServerId, Link>,
}

#[derive(Debug)]
struct Link {
    address: ServerAddress,
    votes: Sender<Message>,
}

impl Voters {
    pub(crate) fn new(caller: Caller, door: Door, events: UnboundedSender<LinkEvent>) -> Voters {
        Voters { caller, door, events, links: BTreeMap::new() }
    }

    /// From now on this server is there. A link to where it was is given up.
    pub(crate) fn meet(&mut self, peer: ServerId, address: ServerAddress) {
        if peer == self.caller.id || self.address(peer) == Some(&address) {
            return;
        }
        let (votes, queue) = channel(QUEUE);
        let (caller, door) = (self.caller.clone(), self.door.clone());
        let sender = send_votes(caller, peer, address.clone(), door, queue, self.events.clone());
        tokio::spawn(sender);
        self.links.insert(peer, Link { address, votes });
    }

    /// Where a server is that this one has met.
    pub(crate) fn address(&self, peer: ServerId) -> Option<&ServerAddress> {
        self.links.get(&peer).map(|link| &link.address)
    }

    /// Sends at best effort: a vote that finds the queue full is dropped, for the peer repeats it.
    pub(crate) fn send(&self, to: ServerId, vote: Message) {
        if let Some(link) = self.links.get(&to)
            && link.votes.try_send(vote).is_err()
        {
            debug!(to, "vote dropped");
        }
    }
}

async fn send_votes(
    caller: Caller,
    peer: ServerId,
    address: ServerAddress,
    door: Door,
    mut votes: Receiver<Message>,
    events: UnboundedSender<LinkEvent>,
) {
    while let Some(vote) = votes.recv().await {
        if let Err(error) = converse(&caller, &address, &door, vote, &mut votes).await {
            REFUSALS.log(&address.host, &error);
            debug!(host = address.host, %error, "election link");
            let _stopping = events.send(LinkEvent::Silent { peer });
        }
    }
}

/// One connection's life: it ends when the other side closes it, so that the next vote is not
/// written into a dead socket.
async fn converse(
    caller: &Caller,
    address: &ServerAddress,
    door: &Door,
    first: Message,
    votes: &mut Receiver<Message>,
) -> std::io::Result<()> {
    let calling = door.call(&address.host, address.election_port);
    let mut stream = timeout(GREETING, calling).await??;
    let stream = stream.any();
    stream.write_all(&caller.greeting()).await?;
    let mut next = Some(first);
    while let Some(vote) = next {
        let mut bytes = Vec::new();
        encode(&vote, &mut bytes);
        while let Ok(newer) = votes.try_recv() {
            encode(&newer, &mut bytes);
        }
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
    let receive = |stream| receive_votes(stream, door.clone(), events.clone());
    accept(listener, "election port", receive).await;
}

async fn receive_votes(stream: TcpStream, door: Door, events: UnboundedSender<LinkEvent>) {
    let Ok(Ok(mut stream)) = timeout(GREETING, door.answer(stream)).await else { return };
    let Ok(Caller { id: from, address }) = greeted(stream.any()).await else { return };
    let _stopping = events.send(LinkEvent::Met { peer: from, address });
    let mut stream = BufReader::new(stream.any());
    loop {
        match read_frame(&mut stream).await {
            Ok(message) if Message::is_for_election(&message) => {
                if events.send(LinkEvent::Vote { from, message }).is_err() {
                    return;
                }
            }
            Ok(other) => return tracing::warn!(from, ?other, "not a vote, on the election port"),
            Err(error) => return debug!(from, %error, "election link"),
        }
    }
}
