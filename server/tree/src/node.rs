//! One znode.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::{Acl, Data, Identity, Stat};

use crate::access::{self, Stored};
use crate::owner::Owner;

/// A znode without its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    #[serde(with = "wire::data")]
    pub(crate) data: Data,
    pub(crate) czxid: u64,
    pub(crate) mzxid: u64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    /// `None` if it is as that of most znodes, so that theirs takes no room.
    rare: Option<Box<Rare>>,
}

/// What most znodes do not have: children, an owner, a list of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rare {
    acl: Stored,
    pub(crate) aversion: i32,
    pub(crate) pzxid: u64,
    /// How many children were ever created here: the number of the next sequential child.
    pub(crate) creates: i32,
    /// How many there are now; which, the order of the paths tells.
    pub(crate) children: u32,
    pub(crate) owner: Owner,
}

const NO_RARE: Rare =
    Rare { acl: None, aversion: 0, pzxid: 0, creates: 0, children: 0, owner: Owner::Nobody };

impl Node {
    /// A znode as it is created.
    pub(crate) fn new(data: Data, acl: Stored, zxid: u64, time_ms: i64, owner: Owner) -> Node {
        let (ctime, mtime) = (time_ms, time_ms);
        let usual = acl.is_none() && owner == Owner::Nobody;
        let rare = (!usual).then(|| Box::new(Rare { acl, pzxid: zxid, owner, ..NO_RARE }));
        Node { data, czxid: zxid, mzxid: zxid, ctime, mtime, version: 0, rare }
    }

    /// Changes what most znodes do not have.
    pub(crate) fn change_rare<R>(&mut self, change: impl FnOnce(&mut Rare) -> R) -> R {
        let usual = Rare { pzxid: self.czxid, ..NO_RARE };
        let mut rare = self.rare.take().unwrap_or_else(|| Box::new(usual.clone()));
        let result = change(&mut rare);
        // Equal znodes are equal here too: what is as usual is not kept.
        self.rare = (*rare != usual).then_some(rare);
        result
    }

    fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NO_RARE)
    }

    pub(crate) fn owner(&self) -> Owner {
        self.rare().owner
    }

    pub(crate) fn children(&self) -> u32 {
        self.rare().children
    }

    pub(crate) fn creates(&self) -> i32 {
        self.rare().creates
    }

    pub(crate) fn aversion(&self) -> i32 {
        self.rare().aversion
    }

    /// The metadata as a client sees it. `cversion` counts creations and deletions of children:
    /// with `creates` of the former and some still there, that is `2 * creates - numChildren`.
    pub(crate) fn stat(&self) -> Stat {
        let rare = self.rare();
        let pzxid = self.rare.as_ref().map_or(self.czxid, |rare| rare.pzxid);
        let num_children = rare.children.cast_signed();
        Stat {
            czxid: self.czxid.cast_signed(),
            mzxid: self.mzxid.cast_signed(),
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: rare.creates.wrapping_mul(2).wrapping_sub(num_children),
            aversion: rare.aversion,
            ephemeral_owner: rare.owner.session().unwrap_or(0),
            data_length: self.data_len() as i32,
            num_children,
            pzxid: pzxid.cast_signed(),
        }
    }

    pub(crate) fn acl(&self) -> Vec<Acl> {
        self.rare().acl.as_deref().map_or_else(Acl::open, <[Acl]>::to_vec)
    }

    /// The list, unless it is everything to everybody.
    pub(crate) fn custom_acl(&self) -> Option<&Arc<[Acl]>> {
        self.rare().acl.as_ref()
    }

    pub(crate) fn set_acl(&mut self, acl: Stored) {
        self.change_rare(|rare| rare.acl = acl);
    }

    /// Whether one of these identities has one of these permissions.
    pub(crate) fn allows(&self, perms: i32, who: &[Identity]) -> bool {
        self.rare().acl.as_deref().is_none_or(|list| access::allows(list, perms, who))
    }

    pub(crate) fn data_len(&self) -> usize {
        self.data.as_deref().map_or(0, <[u8]>::len)
    }
}
