//! The other servers: where they are, and the connections with them.

use zab::ServerId;

use super::Engine;
use crate::ServerAddress;
use crate::links;
use crate::membership;
use crate::proposal::Input;

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
}
