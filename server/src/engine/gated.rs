//! Events that wait for an order.

use zab::{Command, Message, ServerId};

use super::{Engine, Events};
use crate::ServerError;
use crate::gate::{self, Gate};
use crate::links::{Frame, LinkEvent};
use crate::proposal::Input;
use crate::trace::without_contents;

impl Engine {
    /// Lets nothing happen but what is ordered, and what clients ask, until the gate is opened. Returns
    /// at once where there is none.
    ///
    /// # Errors
    /// When nobody orders anything any more, or a write fails.
    pub(super) async fn gated(&mut self, events: &mut Events) -> Result<(), ServerError> {
        let mut order = None;
        while self.gate.is_some() {
            if let Some(wanted) = &order
                && self.obey(wanted, events).await
            {
                order = None;
                gate::done();
                continue;
            }
            tokio::select! {
                next = events.orders.recv(), if order.is_none() => {
                    order = Some(next.ok_or(ServerError::Gate)?);
                }
                Some(event) = events.links.recv() => self.hold(event),
                Some(event) = events.clients.recv() => self.client(event),
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
        }
        Ok(())
    }

    fn hold(&mut self, event: LinkEvent) {
        match &mut self.gate {
            Some(gate) => gate.events.push_back(event),
            None => self.link(event),
        }
    }

    /// False while what is ordered cannot happen yet.
    async fn obey(&mut self, order: &Command, events: &mut Events) -> bool {
        match order {
            Command::Vote { from, message } => self.hear(*from, message),
            Command::Frame { from } => self.receive(*from),
            Command::Frames { from, count } => self.held_from(*from) >= *count,
            Command::Up { peer } => self.join(*peer),
            Command::Down { peer } => self.part(*peer),
            Command::Cut { peer } => {
                self.held().cut.insert(*peer);
                true
            }
            Command::Write => return self.write_one(events).await,
            Command::Stored => self.held().reports.pop_front().is_some_and(|report| {
                self.report(report);
                true
            }),
            Command::Timer(timer) => {
                self.timers.cancel(*timer);
                self.input(Input::Timer(*timer));
                true
            }
            Command::Open => self.let_go(),
        }
    }

    fn held(&mut self) -> &mut Gate {
        self.gate.as_mut().expect("orders are obeyed while there is a gate")
    }

    fn hear(&mut self, from: ServerId, wanted: &Message<zab::Digest, u64>) -> bool {
        let found = self.held().events.iter().position(|event| {
            matches!(event, LinkEvent::Vote { from: sender, message }
                if *sender == from && without_contents(message) == *wanted)
        });
        let Some(vote) = self.take(found) else { return false };
        self.link(vote);
        true
    }

    /// What servers tell each other beside the protocol arrives with what follows it.
    fn receive(&mut self, from: ServerId) -> bool {
        while let Some(frame) = self.take_where(|engine, event| engine.is_from(event, from)) {
            let protocol = is_protocol(&frame);
            self.link(frame);
            if protocol {
                return true;
            }
        }
        false
    }

    fn held_from(&self, from: ServerId) -> usize {
        let events = self.gate.iter().flat_map(|gate| &gate.events);
        events.filter(|event| self.is_from(event, from) && is_protocol(event)).count()
    }

    fn is_from(&self, event: &LinkEvent, from: ServerId) -> bool {
        matches!(event, LinkEvent::Frame { peer, id, .. } if *peer == from && self.is_current(from, *id))
    }

    fn join(&mut self, wanted: ServerId) -> bool {
        let up = |_: &Engine, event: &LinkEvent| matches!(event, LinkEvent::Up { peer, .. } if *peer == wanted);
        let Some(up) = self.take_where(up) else { return false };
        self.held().cut.remove(&wanted);
        self.link(up);
        true
    }

    fn part(&mut self, from: ServerId) -> bool {
        let gone = |engine: &Engine, event: &LinkEvent| match event {
            LinkEvent::Down { peer, id } => *peer == from && engine.is_current(from, *id),
            LinkEvent::Unreachable { peer } => *peer == from && engine.dials(from),
            _ => false,
        };
        let gone = match self.held().cut.remove(&from) {
            true => None,
            false => match self.take_where(gone) {
                None => return false,
                found => found,
            },
        };
        while self.take_where(|engine, event| engine.is_from(event, from)).is_some() {}
        match gone {
            Some(gone) => self.link(gone),
            None => self.lose(from),
        }
        true
    }

    /// A channel that was cut is given up.
    fn lose(&mut self, peer: ServerId) {
        self.channels.remove(&peer);
        self.input(Input::Disconnected { peer });
    }

    async fn write_one(&mut self, events: &mut Events) -> bool {
        let Some(write) = self.held().writes.pop_front() else { return false };
        self.worker.store(write);
        let report = events.storage.recv().await;
        self.held().reports.extend(report);
        true
    }

    /// Everything that waits happens, in order.
    fn let_go(&mut self) -> bool {
        let Some(gate) = self.gate.take() else { return true };
        let Gate { events, writes, reports, cut } = gate;
        writes.into_iter().for_each(|write| self.worker.store(write));
        reports.into_iter().for_each(|report| self.report(report));
        cut.into_iter().for_each(|peer| self.lose(peer));
        events.into_iter().for_each(|event| self.link(event));
        true
    }

    fn take_where(&mut self, wanted: impl Fn(&Engine, &LinkEvent) -> bool) -> Option<LinkEvent> {
        let mut events = self.gate.iter().flat_map(|gate| &gate.events);
        let found = events.position(|event| wanted(self, event));
        self.take(found)
    }

    fn take(&mut self, place: Option<usize>) -> Option<LinkEvent> {
        place.and_then(|place| self.held().events.remove(place))
    }
}

fn is_protocol(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::Frame { frame: Frame::Zab(_), .. })
}
