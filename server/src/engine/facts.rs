//! What the engine tells operators of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use zab::{Role, ServerId};

use super::Engine;
use crate::clients::ConnId;
use crate::desk::{ClientFacts, Facts, Leading, Question, SessionFacts};
use crate::membership;
use crate::metrics::Sizes;

impl Engine {
    pub(super) fn ask(&mut self, question: Question) {
        let Question { want, answer } = question;
        let mut facts = self.facts();
        if want.clients {
            facts.clients = self.client_facts();
        }
        if want.sessions {
            facts.sessions = self.session_facts();
        }
        if want.watches {
            facts.watches = self.watches.by_connection();
        }
        if want.reset {
            (self.received, self.sent, self.latency) = Default::default();
            self.metrics.proposal_bytes = Sizes::default();
        }
        let _gone = answer.send(Box::new(facts));
    }

    fn facts(&self) -> Facts {
        Facts {
            mode: self.mode(),
            leader: self.leader(),
            role: self.role_name(),
            phase: self.phase(),
            servers: membership::addresses(&self.peer.configuration().members),
            version: self.peer.configuration().version.0,
            zxid: self.tree.last_zxid(),
            epoch: self.peer.epochs().current,
            node_count: self.tree.node_count(),
            ephemerals: self.tree.ephemeral_count(),
            data_size: self.tree.data_size(),
            n_watches: self.watches.count(),
            connections: self.clients.len(),
            outstanding: self.clients.values().map(super::Client::outstanding).sum(),
            n_sessions: self.tree.sessions().count(),
            received: self.received,
            sent: self.sent,
            digest: self.tree.digest(),
            lineage: self.tree.lineage(),
            uptime: self.started.elapsed(),
            updates: self.latency.clone(),
            leading: self.leading_facts(),
            metrics: self.metrics.clone(),
            ..Facts::default()
        }
    }

    fn mode(&self) -> Option<&'static str> {
        match self.role {
            _ if self.doubt => None,
            Role::Leading { serving: true, .. } if self.config.servers.is_empty() => {
                Some("standalone")
            }
            Role::Leading { serving: true, .. } => Some("leader"),
            Role::Following { serving: true, .. } => Some("follower"),
            Role::Observing { serving: true, .. } => Some("observer"),
            _ => self.read_only.then_some("read-only"),
        }
    }

    fn role_name(&self) -> &'static str {
        match self.role {
            Role::Looking => "looking",
            Role::Leading { .. } => "leading",
            Role::Following { .. } => "following",
            Role::Observing { .. } => "observing",
        }
    }

    /// Of the protocol, under its names in ZooKeeper.
    fn phase(&self) -> &'static str {
        match self.role {
            Role::Looking => "election",
            role if role.serving() => "broadcast",
            Role::Following { epoch: 0, .. }
            | Role::Observing { epoch: 0, .. }
            | Role::Leading { epoch: 0, .. } => "discovery",
            _ => "synchronization",
        }
    }

    pub(super) fn leader(&self) -> Option<ServerId> {
        if self.leading() { Some(self.config.id) } else { self.upstream() }
    }

    fn leading_facts(&self) -> Option<Leading> {
        let since = self.metrics.leading_since?;
        let participants = self.participants();
        let synced = self.metrics.synced.iter().filter(|id| self.channels.contains_key(id));
        let (followers, observers): (Vec<ServerId>, Vec<ServerId>) =
            synced.partition(|id| participants.contains(id));
        Some(Leading {
            quorum_size: participants.len(),
            learners: self.channels.len(),
            synced: followers.len(),
            observers,
            uptime: Instant::now() - since,
        })
    }

    fn client_facts(&self) -> BTreeMap<ConnId, ClientFacts> {
        let facts = |(conn, client): (&ConnId, &super::Client)| {
            let session = client.session;
            let timeout_ms = self.tree.session(session).map_or(0, |open| open.timeout_ms);
            (*conn, ClientFacts { session, queued: client.outstanding(), timeout_ms })
        };
        self.clients.iter().map(facts).collect()
    }

    fn session_facts(&self) -> Vec<SessionFacts> {
        let now = self.now();
        let expires_in = |id| {
            let left = self.sessions.deadline(id)?.saturating_sub(now);
            self.leading().then(|| Duration::from_millis(left))
        };
        let facts = |(id, session): (i64, &tree::Session)| SessionFacts {
            id,
            timeout_ms: session.timeout_ms,
            expires_in: expires_in(id),
            ephemerals: session.ephemerals.iter().map(ToString::to_string).collect(),
        };
        self.tree.sessions().map(facts).collect()
    }
}
