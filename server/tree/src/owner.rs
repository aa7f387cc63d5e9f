//! To whom a znode belongs: what decides when it goes.

use serde::{Deserialize, Serialize};
use wire::CreateMode;

/// What keeps a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Owner {
    /// Nothing: it stays until it is deleted.
    Nobody,
    /// This session: it is ephemeral.
    Session(i64),
    /// Its children: it is a container.
    Children,
    /// Its children, and this many milliseconds after it was last set.
    Ttl(i64),
}

/// The longest time to live, in milliseconds: it has 40 bits in ZooKeeper's `ephemeralOwner`.
pub(crate) const TTL_MAX: i64 = 0xff_ffff_ffff;

impl Owner {
    /// The owner of a znode that `session` creates.
    pub(crate) fn of(mode: CreateMode, session: i64, ttl_ms: i64) -> Owner {
        match mode {
            CreateMode::Persistent | CreateMode::PersistentSequential => Owner::Nobody,
            CreateMode::Ephemeral | CreateMode::EphemeralSequential => Owner::Session(session),
            CreateMode::Container => Owner::Children,
            CreateMode::Ttl | CreateMode::TtlSequential => Owner::Ttl(ttl_ms),
        }
    }

    /// ZooKeeper's `ephemeralOwner`.
    pub(crate) fn code(self) -> i64 {
        match self {
            Owner::Nobody => 0,
            Owner::Session(id) => id,
            Owner::Children => i64::MIN,
            Owner::Ttl(ms) => (0xff00_0000_0000_0000_u64).cast_signed() | ms,
        }
    }

    /// The session that the znode goes with.
    pub(crate) fn session(self) -> Option<i64> {
        if let Owner::Session(id) = self { Some(id) } else { None }
    }

    /// Whether the ensemble deletes it by itself when its time has come.
    pub(crate) fn is_reaped(self) -> bool {
        matches!(self, Owner::Children | Owner::Ttl(_))
    }
}
