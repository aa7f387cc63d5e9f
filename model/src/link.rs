//! The connection of a learner to its leader: first in, first out, until an end closes it or it
//! breaks. The models differ in what tells two connections apart, and in what is said.

use std::collections::VecDeque;

use zab::ServerId;

/// Names a connection, and with it its two ends.
pub(crate) trait Ends: Copy {
    fn learner(self) -> ServerId;
    fn leader(self) -> ServerId;

    fn ends(self) -> [ServerId; 2] {
        [self.learner(), self.leader()]
    }

    fn other(self, end: ServerId) -> ServerId {
        if end == self.learner() { self.leader() } else { self.learner() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link<W> {
    /// It broke: what is sent is lost, and each end will learn of it in its own time.
    pub(crate) cut: bool,
    learner: Half<W>,
    leader: Half<W>,
}

/// One end: what is on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Half<W> {
    pub(crate) open: bool,
    pub(crate) inbox: VecDeque<W>,
}

impl<W> Half<W> {
    fn new() -> Half<W> {
        Half { open: true, inbox: VecDeque::new() }
    }
}

impl<W> Link<W> {
    pub(crate) fn new() -> Link<W> {
        Link { cut: false, learner: Half::new(), leader: Half::new() }
    }

    pub(crate) fn half(&self, id: impl Ends, end: ServerId) -> &Half<W> {
        if end == id.learner() { &self.learner } else { &self.leader }
    }

    pub(crate) fn half_mut(&mut self, id: impl Ends, end: ServerId) -> &mut Half<W> {
        if end == id.learner() { &mut self.learner } else { &mut self.leader }
    }

    /// On its way to `end`, if anything still gets there.
    pub(crate) fn send(&mut self, id: impl Ends, end: ServerId, words: W) {
        let lost = self.cut;
        let half = self.half_mut(id, end);
        if half.open && !lost {
            half.inbox.push_back(words);
        }
    }

    /// What `end` hears next.
    pub(crate) fn receive(&mut self, id: impl Ends, end: ServerId) -> Option<W> {
        self.half_mut(id, end).inbox.pop_front()
    }

    /// `end` neither hears nor speaks any more.
    pub(crate) fn close(&mut self, id: impl Ends, end: ServerId) {
        let half = self.half_mut(id, end);
        half.open = false;
        half.inbox.clear();
    }

    /// May `end` notice now that the connection is gone?
    pub(crate) fn may_notice(&self, id: impl Ends, end: ServerId) -> bool {
        let gone = self.cut || !self.half(id, id.other(end)).open;
        gone && self.half(id, end).open
    }

    pub(crate) fn is_closed(&self) -> bool {
        !self.learner.open && !self.leader.open
    }
}
