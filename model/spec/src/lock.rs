//! A lock with fencing tokens.

use stateright::semantics::SequentialSpec;

use crate::Searchable;

/// A lock that hands a token to whoever gets it, each larger than all before it, so that a holder
/// that was taken for dead is told apart from its successor (M. Burrows, "The Chubby lock
/// service", 2006, section 2.4: sequencers; in ZooKeeper a zxid or a sequence number serves).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lock {
    /// The client that holds it.
    pub holder: Option<u64>,
    /// The largest token handed out; 0 before the first.
    pub token: i64,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Take the lock.
    Acquire {
        /// For whom.
        client: u64,
    },
    /// Give it back.
    Release {
        /// By whom.
        client: u64,
    },
}

/// What it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// It was taken.
    Acquired {
        /// The token, where the client was told one.
        token: Option<i64>,
    },
    /// It was given back.
    Released,
    /// It is held by somebody (of `Acquire`), or not by this client (of `Release`).
    Refused,
}

impl SequentialSpec for Lock {
    type Op = Op;
    type Ret = Ret;

    /// One of the answers possible: the smallest token, which leaves most to later ones.
    fn invoke(&mut self, op: &Op) -> Ret {
        match *op {
            Op::Acquire { client } if self.holder.is_none() => {
                let token = self.token.saturating_add(1);
                *self = Lock { holder: Some(client), token };
                Ret::Acquired { token: Some(token) }
            }
            Op::Release { client } if self.holder == Some(client) => {
                self.holder = None;
                Ret::Released
            }
            Op::Acquire { .. } | Op::Release { .. } => Ret::Refused,
        }
    }

    /// Tokens may skip numbers.
    fn is_valid_step(&mut self, op: &Op, ret: &Ret) -> bool {
        match (self.invoke(op), *ret) {
            (Ret::Acquired { .. }, Ret::Acquired { token: None }) => true,
            (Ret::Acquired { token: Some(least) }, Ret::Acquired { token: Some(token) }) => {
                self.token = token;
                least <= token
            }
            (one, other) => one == other,
        }
    }
}

impl Searchable for Lock {
    fn is_read_only(_: &Op, ret: &Ret) -> bool {
        *ret == Ret::Refused
    }

    /// Tokens only grow.
    fn is_past(&self, _: &Op, ret: Option<&Ret>) -> bool {
        matches!(ret, Some(Ret::Acquired { token: Some(token) }) if *token <= self.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKE: Op = Op::Acquire { client: 1 };
    const GIVE: Op = Op::Release { client: 1 };
    const OTHER: Op = Op::Acquire { client: 2 };

    fn got(token: i64) -> Ret {
        Ret::Acquired { token: Some(token) }
    }

    #[test]
    fn one_client_holds_it_and_tokens_grow() {
        assert!(Lock::default().is_valid_history([
            (GIVE, Ret::Refused),
            (TAKE, got(5)),
            (OTHER, Ret::Refused),
            (TAKE, Ret::Refused),
            (GIVE, Ret::Released),
            (OTHER, got(9)),
            (GIVE, Ret::Refused),
        ]));
        let untold = Ret::Acquired { token: None };
        assert!(Lock::default().is_valid_history([(TAKE, untold), (GIVE, Ret::Released)]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let bad: [&[(Op, Ret)]; 5] = [
            &[(TAKE, got(5)), (OTHER, got(6))],
            &[(TAKE, got(5)), (GIVE, Ret::Released), (OTHER, got(5))],
            &[(TAKE, Ret::Refused)],
            &[(GIVE, Ret::Released)],
            &[(TAKE, got(0))],
        ];
        for history in bad {
            assert!(!Lock::default().is_valid_history(history.iter().copied()), "{history:?}");
        }
    }

    #[test]
    fn an_old_token_is_past() {
        let state = Lock { holder: None, token: 5 };
        assert!(state.is_past(&TAKE, Some(&got(5))) && !state.is_past(&TAKE, Some(&got(6))));
        assert!(!state.is_past(&TAKE, None) && !state.is_past(&TAKE, Some(&Ret::Refused)));
    }
}
