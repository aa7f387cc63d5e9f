//! Leader-learner connections: first in, first out, until one end closes.

use std::collections::VecDeque;

use zab::{Message, ServerId};

use super::oracle::{App, Txn};

pub(crate) type Words = Message<Txn, App>;
pub(crate) type ConnId = usize;

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Learner,
    Leader,
}

impl End {
    pub(crate) fn other(self) -> End {
        match self {
            End::Learner => End::Leader,
            End::Leader => End::Learner,
        }
    }
}

/// What travels towards an end.
#[derive(Debug)]
pub(crate) enum Item {
    Words(Words),
    /// The other end is closed.
    Eof,
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) learner: Half,
    pub(crate) leader: Half,
}

/// One end, and what travels towards it.
#[derive(Debug)]
pub(crate) struct Half {
    pub(crate) id: ServerId,
    pub(crate) open: bool,
    pub(crate) inbox: VecDeque<Item>,
    /// When the newest item arrives: those after it do not arrive before.
    pub(crate) busy_until: u64,
}

impl Half {
    fn new(id: ServerId) -> Half {
        Half { id, open: true, inbox: VecDeque::new(), busy_until: 0 }
    }
}

impl Conn {
    pub(crate) fn new(learner: ServerId, leader: ServerId) -> Conn {
        Conn { learner: Half::new(learner), leader: Half::new(leader) }
    }

    pub(crate) fn half(&mut self, end: End) -> &mut Half {
        match end {
            End::Learner => &mut self.learner,
            End::Leader => &mut self.leader,
        }
    }
}
