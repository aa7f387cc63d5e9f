//! Sequential specifications: what a history is checked against. No IO.
//!
//! Each is a [`SequentialSpec`] of stateright, written from ZooKeeper's documentation and not
//! from any server's code, and describes one object: a history is split by object first. The tree of
//! [`Znodes`] is one object.

mod cas_register;
pub mod counter;
pub mod kv;
pub mod lock;
pub mod queue;
mod register;
pub mod set;
pub mod znodes;

use std::fmt::Debug;
use std::hash::Hash;

use stateright::semantics::SequentialSpec;

pub use cas_register::CasRegister;
pub use counter::Counter;
pub use kv::Entry;
pub use lock::Lock;
pub use queue::Queue;
pub use register::Register;
pub use set::Set;
pub use znodes::Znodes;

/// Operations and results of the [`Register`].
pub mod versioned {
    pub use crate::register::{Op, Ret};
}

/// Operations and results of the [`CasRegister`].
pub mod plain {
    pub use crate::cas_register::{Op, Ret};
}

/// A specification that can be searched: its states are plain values that can be compared, and it
/// tells what the search may rely on.
pub trait Searchable:
    SequentialSpec<Op: Clone + Eq + Debug, Ret: Clone + Eq + Debug> + Clone + Eq + Hash + Debug
{
    /// Does `op` with this result leave every state as it is? Such an operation is placed in the
    /// first state that allows it; a write that happens to change nothing must not be, because
    /// later it may change something.
    #[must_use]
    fn is_read_only(op: &Self::Op, ret: &Self::Ret) -> bool;

    /// Does whoever asks this only ask? Such an operation may be answered by any server from what it
    /// holds, where only changes are promised to be linearizable.
    ///
    /// Unlike [`Searchable::is_read_only`], whatever the answer: a change that is refused is none.
    #[must_use]
    fn is_query(op: &Self::Op) -> bool {
        let _ = op;
        false
    }

    /// Is it certain that `op` with this result is impossible now and in every later state? With
    /// no result (its outcome is unknown): that it changes nothing, now and in every later state.
    ///
    /// `false` is always right; `true` lets a search stop early.
    #[must_use]
    fn is_past(&self, op: &Self::Op, ret: Option<&Self::Ret>) -> bool {
        let _ = (op, ret);
        false
    }

    /// Bytes that the state holds beside itself, about: what a search may hold is limited.
    #[must_use]
    fn held(&self) -> usize {
        0
    }
}
