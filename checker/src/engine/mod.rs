//! Is a history of one object linearizable? Generic over the specification.
//!
//! Just-in-time linearization (G. Lowe, "Testing for linearizability", 2017): sweep the history by
//! time with a frontier of configurations, each a state and the open calls that have taken effect
//! in it. A call is placed only when its answer forces it; at an answer, configurations that
//! cannot contain the call are dropped. Memory follows the number of calls that are open at once,
//! not the length of the history. What keeps the frontier small:
//!
//! - a call that only reads takes effect in the first state that allows it;
//! - a configuration in which an open call has come too late ([`Searchable::is_past`]) is dropped;
//! - calls of unknown outcome with equal operations are used in order of invocation;
//! - of two configurations that differ only in which calls of unknown outcome were used, the one
//!   that used fewer is kept;
//! - at first only a few configurations are kept, for there are mostly many orders or none.

mod counter;
mod frontier;
mod levels;
mod open;
mod queue;
mod returns;
mod search;
mod sessions;
mod set;
mod shortcut;
mod zones;

use spec::Searchable;

/// The register that `bench` generates histories of.
pub use spec::{CasRegister, plain};

pub use sessions::{Asked, RealTime, Sessions, decide_sessions};
pub use shortcut::{Decidable, Shortcut};

use crate::budget::{Budget, Exhausted};

/// One call of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<S: Searchable> {
    /// What was asked.
    pub op: S::Op,
    /// What was answered; none where that is not known.
    pub ret: Option<S::Ret>,
    /// When it was invoked: a position in one order of all invocations and answers.
    pub start: u64,
    /// When it was answered, in the same order; none where it may take effect at any later time,
    /// or never.
    pub end: Option<u64>,
}

/// What the engine found.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<S> {
    /// There is an order.
    Linearizable,
    /// There is none.
    Broken {
        /// Position of the first call, in order of answers, that has no place.
        call: usize,
        /// The states that the object may have been in when this call was answered.
        states: Vec<S>,
    },
    /// The budget was used up.
    GaveUp {
        /// Answers placed by then.
        placed: usize,
        /// Answers in all.
        of: usize,
        /// Which limit was reached.
        exhausted: Exhausted,
    },
}

/// Decides whether `calls`, in order of `start`, are linearizable from the state `initial`.
///
/// # Panics
/// When the calls are not in order of `start`, or one was answered (`end`) without saying what
/// (`ret`).
#[must_use]
pub fn decide<S: Searchable>(initial: S, calls: &[Call<S>], budget: &mut Budget) -> Decision<S> {
    assert!(calls.is_sorted_by_key(|call| call.start), "calls must be in order of start");
    assert!(calls.iter().all(|call| call.ret.is_some() || call.end.is_none()));
    search::run(initial, calls, budget)
}

/// The polynomial answer for histories that start from the default state, where the specification
/// and the shape of the calls allow one; none leaves them to [`decide`].
///
/// # Panics
/// When the calls are not in order of `start`.
#[must_use]
pub fn shortcut<S: Decidable>(calls: &[Call<S>]) -> Option<Shortcut> {
    assert!(calls.is_sorted_by_key(|call| call.start), "calls must be in order of start");
    // An answer without an end, of an operation that need not have happened, fits no shortcut.
    let plain = calls.iter().all(|call| call.ret.is_none() || call.end.is_some());
    plain.then(|| S::shortcut(calls)).flatten()
}
