//! The other servers: where they are, and the connections with them.

use tracing::warn;
use zab::ServerId;

use super::Engine;
use crate::ServerAddress;
use crate::links::{self, Channel, Frame, LinkEvent};
use crate::membership;
use crate::proposal::Input;
use crate::tls::Stream;

impl Engine {
    pub(super) fn connect(&mut self, to: ServerId) {
        self.disconnect(to);
        let address = self.voters.as_ref().and_then(|voters| voters.address(to)).cloned();
        let (Some(caller), Some(address)) = (self.caller.clone(), address) else {
            // Where it is, is not known: as good as unreachable.
            return self.input(Input::Disconnected { peer: to });
        };
        let dial = links::dial(caller, to, address, self.door.clone(), self.links.clone());
        self.dialling = Some((to, tokio::spawn(dial).abort_handle()));
    }

    /// Whom to speak to is news.
    pub(super) fn meet(&mut self, members: &zab::Members) {
        self.contacts = members.0.keys().copied().collect();
        self.members_changed();
        let Some(voters) = &mut self.voters else { return };
        for (peer, address) in membership::addresses(members) {
            voters.meet(peer, address);
        }
    }

    /// A server called that may be no member. Where a member is, the configuration says.
    pub(super) fn met(&mut self, peer: ServerId, address: ServerAddress) {
        if let Some(voters) = &mut self.voters
            && !self.contacts.contains(&peer)
        {
            voters.meet(peer, address);
        }
    }

    pub(super) fn disconnect(&mut self, peer: ServerId) {
        self.channels.remove(&peer);
        if self.dials(peer)
            && let Some((_, task)) = self.dialling.take()
        {
            task.abort();
        }
    }

    pub(super) fn link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Vote { from, message } => self.input(Input::Received { from, message }),
            LinkEvent::Met { peer, address } => self.met(peer, address),
            LinkEvent::Silent { peer } => self.input(Input::Unreachable { peer }),
            LinkEvent::Up { peer, stream, dialled } => self.channel_up(peer, stream, dialled),
            LinkEvent::Frame { peer, id, frame } if self.is_current(peer, id) => {
                self.frame(peer, frame);
            }
            LinkEvent::Down { peer, id } if self.is_current(peer, id) => {
                self.channels.remove(&peer);
                self.input(Input::Disconnected { peer });
            }
            LinkEvent::Unreachable { peer } if self.dials(peer) => {
                self.dialling = None;
                self.input(Input::Disconnected { peer });
            }
            // From a connection that has been given up.
            LinkEvent::Frame { .. } | LinkEvent::Down { .. } | LinkEvent::Unreachable { .. } => {}
        }
    }

    pub(super) fn is_current(&self, peer: ServerId, id: u64) -> bool {
        self.channels.get(&peer).is_some_and(|channel| channel.id == id)
    }

    pub(super) fn dials(&self, peer: ServerId) -> bool {
        self.dialling.as_ref().is_some_and(|(dialled, _)| *dialled == peer)
    }

    fn channel_up(&mut self, peer: ServerId, stream: Stream, dialled: bool) {
        if dialled && !self.dials(peer) {
            return;
        }
        if self.channels.remove(&peer).is_some() {
            self.input(Input::Disconnected { peer });
        }
        self.channels.insert(peer, Channel::start(peer, stream, dialled, &self.links));
        if dialled {
            self.dialling = None;
            self.input(Input::Connected { peer });
        }
    }

    fn frame(&mut self, peer: ServerId, frame: Frame) {
        match frame {
            Frame::Zab(zab::Message::Forward { txn }) => match txn.decode() {
                Ok(proposal) => self.forwarded(peer, txn, &proposal),
                // In the log it would end every server that applies it.
                Err(error) => {
                    warn!(peer, %error, "a transaction that cannot be read");
                    self.channels.remove(&peer);
                    self.input(Input::Disconnected { peer });
                }
            },
            Frame::Zab(message) => self.input(Input::Received { from: peer, message }),
            Frame::Touched(sessions) => {
                let now = self.now();
                sessions.into_iter().for_each(|id| self.sessions.touch(id, now));
            }
            Frame::Claim(session) => self.sessions.claim(session, peer),
            Frame::Reconfigure(ask) => self.reconfigure(peer, *ask),
            Frame::Moved(origin) => self.moved(origin),
            Frame::Compare { zxid, lineage, doubt } => {
                self.compare_with(peer, zxid, lineage, doubt);
            }
            Frame::Lineage { zxid, lineage } => self.compared(peer, zxid, lineage),
            Frame::Outvoted(note) => self.outvoted(peer, note),
        }
    }
}
