//! One znode.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::{Acl, Data, Identity, Stat};

use crate::access;
use crate::owner::Owner;

/// A znode without its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    #[serde(with = "wire::data")]
    pub(crate) data: Data,
    /// `None` is everything to everybody: nearly every znode's list, so it takes no room.
    pub(crate) acl: Option<Arc<[Acl]>>,
    pub(crate) czxid: u64,
    pub(crate) mzxid: u64,
    pub(crate) pzxid: u64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    pub(crate) aversion: i32,
    /// How many children were ever created here: the number of the next sequential child.
    pub(crate) creates: i32,
    pub(crate) owner: Owner,
    /// How many there are now; which, the order of the paths tells.
    pub(crate) children: u32,
}

impl Node {
    /// A znode as it is created.
    pub(crate) fn new(data: Data, acl: Vec<Acl>, zxid: u64, time_ms: i64, owner: Owner) -> Node {
        Node {
            data,
            acl: shared(acl),
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time_ms,
            mtime: time_ms,
            version: 0,
            aversion: 0,
            creates: 0,
            owner,
            children: 0,
        }
    }

    /// The metadata as a client sees it. `cversion` counts creations and deletions of children:
    /// with `creates` of the former and some still there, that is `2 * creates - numChildren`.
    pub(crate) fn stat(&self) -> Stat {
        let num_children = self.children.cast_signed();
        Stat {
            czxid: self.czxid.cast_signed(),
            mzxid: self.mzxid.cast_signed(),
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.creates.wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: self.owner.session().unwrap_or(0),
            data_length: self.data_len() as i32,
            num_children,
            pzxid: self.pzxid.cast_signed(),
        }
    }

    pub(crate) fn acl(&self) -> Vec<Acl> {
        self.acl.as_deref().map_or_else(Acl::open, <[Acl]>::to_vec)
    }

    /// The list, unless it is everything to everybody.
    pub(crate) fn custom_acl(&self) -> Option<&Arc<[Acl]>> {
        self.acl.as_ref()
    }

    pub(crate) fn set_acl(&mut self, acl: Vec<Acl>) {
        self.acl = shared(acl);
    }

    /// Whether one of these identities has one of these permissions.
    pub(crate) fn allows(&self, perms: i32, who: &[Identity]) -> bool {
        self.acl.as_deref().is_none_or(|list| access::allows(list, perms, who))
    }

    pub(crate) fn data_len(&self) -> usize {
        self.data.as_deref().map_or(0, <[u8]>::len)
    }
}

fn shared(acl: Vec<Acl>) -> Option<Arc<[Acl]>> {
    (acl != Acl::open()).then(|| acl.into())
}
