//! The tree of znodes.

mod apply;
mod path;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stateright::semantics::SequentialSpec;

use crate::Searchable;

pub use path::{is_path, parent};

/// A tree that starts with its root alone (ZooKeeper Programmer's Guide, "The ZooKeeper Data Model").
///
/// It is blind to zxids and times, which are the server's names for places in the order: what else
/// a Stat shows follows from the order alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Znodes {
    /// Each znode by its path. Shared, since most operations only read.
    pub nodes: Arc<BTreeMap<Arc<str>, Znode>>,
    /// Sessions that are over.
    pub closed: Arc<BTreeSet<u64>>,
}

/// One znode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Znode {
    /// Its data.
    pub data: Arc<str>,
    /// Changes of its data since creation.
    pub version: i32,
    /// Children it was ever given, the number of its next sequential one. Apache ZooKeeper counts all
    /// children for it, not only sequential ones.
    pub created: i32,
    /// The session that it goes with; none of a persistent one.
    pub owner: Option<u64>,
}

/// What a client asks. A version of -1 is any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `create`: the parent must be there, and not ephemeral.
    Create {
        /// Its path; of a sequential one, without the number.
        path: String,
        /// Its data.
        data: String,
        /// The session that it goes with, if it is ephemeral.
        owner: Option<u64>,
        /// Is the parent's counter appended to the path?
        sequential: bool,
    },
    /// `delete` of a znode without children.
    Delete {
        /// Its path.
        path: String,
        /// The version it must have.
        version: i32,
    },
    /// `setData`.
    Set {
        /// Its path.
        path: String,
        /// Its data.
        data: String,
        /// The version it must have.
        version: i32,
    },
    /// `check`.
    Check {
        /// Its path.
        path: String,
        /// The version it must have.
        version: i32,
    },
    /// `getData`.
    Get {
        /// Its path.
        path: String,
    },
    /// `exists`.
    Exists {
        /// Its path.
        path: String,
    },
    /// `getChildren`.
    Children {
        /// The parent's path.
        path: String,
    },
    /// `multi`: all of these in their order, or none.
    Multi(Vec<Op>),
    /// The end of a session, on its own wish or by expiry: its ephemeral znodes are deleted.
    Close {
        /// Which one.
        session: u64,
    },
}

/// What it is answered; a Stat as far as the client was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// Of `Create`.
    Created {
        /// Its path, with its number.
        path: String,
        /// Its Stat.
        stat: Stat,
    },
    /// Of `Set` and `Exists`.
    Stat(Stat),
    /// Of `Get`.
    Data {
        /// The data.
        data: String,
        /// Its Stat.
        stat: Stat,
    },
    /// Of `Children`.
    Children {
        /// Their names.
        names: BTreeSet<String>,
        /// The parent's Stat.
        stat: Stat,
    },
    /// Of a multi, each operation's.
    Multi(Vec<Ret>),
    /// Of `Delete`, `Check` and `Close`.
    Done,
    /// Nothing was done; of a multi, why the first operation that could not be done was not.
    Refused(Refusal),
}

/// Why an operation is not done, by the names of `KeeperException`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The znode, or the parent of one to be created, is not there.
    NoNode,
    /// It is there already.
    NodeExists,
    /// It has another version than expected.
    BadVersion,
    /// It has children.
    NotEmpty,
    /// The parent is ephemeral.
    NoChildrenForEphemerals,
    /// The session is over.
    SessionExpired,
    /// The root cannot be deleted.
    BadArguments,
}

/// "ZooKeeper Stat Structure", without zxids and times; where the client was not told, none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stat {
    /// Changes of its data.
    pub version: Option<i32>,
    /// Changes of its children: creations and deletions.
    pub cversion: Option<i32>,
    /// The session that it goes with; 0 of a persistent one.
    pub owner: Option<u64>,
    /// Bytes of data.
    pub length: Option<usize>,
    /// Number of children.
    pub children: Option<usize>,
}

impl Default for Znodes {
    fn default() -> Znodes {
        let root = (Arc::from("/"), Znode::default());
        Znodes { nodes: Arc::new(BTreeMap::from([root])), closed: Arc::default() }
    }
}

impl SequentialSpec for Znodes {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        self.apply(op).unwrap_or_else(Ret::Refused)
    }

    /// What the client was not told of a Stat may be anything.
    fn is_valid_step(&mut self, op: &Op, ret: &Ret) -> bool {
        fits(&self.invoke(op), ret)
    }
}

impl Searchable for Znodes {
    fn is_read_only(op: &Op, ret: &Ret) -> bool {
        let reads = Self::is_query(op) || matches!(op, Op::Check { .. });
        reads || matches!(ret, Ret::Refused(_))
    }

    fn is_query(op: &Op) -> bool {
        matches!(op, Op::Get { .. } | Op::Exists { .. } | Op::Children { .. })
    }

    /// Its own share, though copies share what they have in common.
    fn held(&self) -> usize {
        self.nodes.len() * (size_of::<(Arc<str>, Znode)>() + 2 * size_of::<usize>())
    }
}

/// Is the answer `told` the `right` one, as far as it goes?
fn fits(right: &Ret, told: &Ret) -> bool {
    match (right, told) {
        (Ret::Created { path, stat }, Ret::Created { path: other, stat: told }) => {
            path == other && stat.fits(told)
        }
        (Ret::Stat(stat), Ret::Stat(told)) => stat.fits(told),
        (Ret::Data { data, stat }, Ret::Data { data: other, stat: told }) => {
            data == other && stat.fits(told)
        }
        (Ret::Children { names, stat }, Ret::Children { names: other, stat: told }) => {
            names == other && stat.fits(told)
        }
        (Ret::Multi(each), Ret::Multi(told)) => {
            each.len() == told.len() && each.iter().zip(told).all(|(each, told)| fits(each, told))
        }
        (right, told) => right == told,
    }
}

impl Stat {
    fn fits(&self, told: &Stat) -> bool {
        fn agree<T: PartialEq + Copy>(right: Option<T>, told: Option<T>) -> bool {
            told.is_none() || told == right
        }
        agree(self.version, told.version)
            && agree(self.cversion, told.cversion)
            && agree(self.owner, told.owner)
            && agree(self.length, told.length)
            && agree(self.children, told.children)
    }
}
