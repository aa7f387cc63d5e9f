//! Connections between a learner and its leader, of which there is one at a time.

use std::fmt;

use serde::{Deserialize, Serialize};
use zab::ServerId;

use super::Words;
use crate::link::Ends;

/// Which connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LinkId {
    pub(crate) learner: ServerId,
    pub(crate) leader: ServerId,
}

/// The learner first: `n1-n3`.
impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}-n{}", self.learner, self.leader)
    }
}

impl Ends for LinkId {
    fn learner(self) -> ServerId {
        self.learner
    }

    fn leader(self) -> ServerId {
        self.leader
    }
}

pub(crate) type Link = crate::link::Link<Words>;
