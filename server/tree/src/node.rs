//! One znode.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wire::{Acl, Data, Stat};

/// A znode without its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) data: Data,
    /// `None` is everything to everybody: nearly every znode's list, so it takes no room.
    acl: Option<Box<[Acl]>>,
    pub(crate) czxid: u64,
    pub(crate) mzxid: u64,
    pub(crate) pzxid: u64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    pub(crate) aversion: i32,
    /// How many children were ever created here: the number of the next sequential child.
    pub(crate) creates: i32,
    pub(crate) ephemeral_owner: i64,
    pub(crate) children: BTreeSet<Box<str>>,
}

impl Node {
    /// A znode as it is created. `owner` is 0 if it is not ephemeral.
    pub(crate) fn new(data: Data, acl: Vec<Acl>, zxid: u64, time_ms: i64, owner: i64) -> Node {
        Node {
            data,
            acl: (acl != Acl::open()).then(|| acl.into_boxed_slice()),
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time_ms,
            mtime: time_ms,
            version: 0,
            aversion: 0,
            creates: 0,
            ephemeral_owner: owner,
            children: BTreeSet::new(),
        }
    }

    /// The metadata as a client sees it. `cversion` counts creations and deletions of children:
    /// with `creates` of the former and some still there, that is `2 * creates - numChildren`.
    pub(crate) fn stat(&self) -> Stat {
        let num_children = self.children.len() as i32;
        Stat {
            czxid: self.czxid.cast_signed(),
            mzxid: self.mzxid.cast_signed(),
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.creates.wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: self.ephemeral_owner,
            data_length: self.data_len() as i32,
            num_children,
            pzxid: self.pzxid.cast_signed(),
        }
    }

    pub(crate) fn acl(&self) -> Vec<Acl> {
        self.acl.as_deref().map_or_else(Acl::open, <[Acl]>::to_vec)
    }

    pub(crate) fn custom_acl(&self) -> Option<&[Acl]> {
        self.acl.as_deref()
    }

    pub(crate) fn data_len(&self) -> usize {
        self.data.as_deref().map_or(0, <[u8]>::len)
    }
}
