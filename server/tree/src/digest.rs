//! A fingerprint of the state that can be kept up to date change by change.
//!
//! The digest is the sum, modulo 2^64, of three kinds of summand, so that order does not matter
//! and a change costs what it touches:
//! - per znode, its content: path, data, access control list;
//! - per znode, its metadata: path, `Stat` in wire order, with `ephemeralOwner` as ZooKeeper stores
//!   it for containers and times to live, create counter;
//! - per session: id, timeout, password.
//!
//! A summand is a hash of 64-bit words: a tag and the fields, numbers sign-extended, variable
//! ones behind their length (null: -1) as little-endian words, the last one, which may be empty,
//! filled up with zeros. A word is mixed in by exclusive or and a multiplication whose upper half is
//! folded into the lower. The finalizer of SplitMix64 ends it; without it a sum would let
//! small differences cancel. This definition is fixed: servers of different builds compare their
//! digests. It detects accidents, not forgery.

use wire::{Acl, Stat};

use crate::node::Node;
use crate::session::Session;

const CONTENT: u64 = 1;
const METADATA: u64 = 2;
const SESSION: u64 = 3;

/// The summand for data and access control list.
pub(crate) fn content(path: &str, node: &Node) -> u64 {
    let mut hash = Hash::new(CONTENT);
    hash.field(Some(path.as_bytes()));
    hash.field(node.data.as_deref());
    hash.acl(node.custom_acl().map(|list| &**list));
    hash.finish()
}

/// The summand for everything else about a znode. Short, whatever the data: it is renewed for
/// the parent whenever a child is created or deleted.
pub(crate) fn metadata(path: &str, node: &Node) -> u64 {
    let mut hash = Hash::new(METADATA);
    hash.field(Some(path.as_bytes()));
    hash.stat(&Stat { ephemeral_owner: node.owner().code(), ..node.stat() });
    hash.int(node.creates());
    hash.finish()
}

/// The summand of a session. Its ephemerals are in the znodes' metadata.
pub(crate) fn session(id: i64, session: &Session) -> u64 {
    let mut hash = Hash::new(SESSION);
    hash.long(id);
    hash.int(session.timeout_ms);
    hash.field(Some(&session.password));
    hash.finish()
}

/// The lineage after a transaction: that before it, the transaction's zxid, and the digest it left.
/// SplitMix64's finalizer between the three, so that no two of them can make up for each other.
pub(crate) fn link(lineage: u64, zxid: u64, digest: u64) -> u64 {
    finalize(finalize(lineage.wrapping_add(zxid)).wrapping_add(digest))
}

struct Hash(u64);

impl Hash {
    fn new(tag: u64) -> Hash {
        let mut hash = Hash(0xcbf2_9ce4_8422_2325);
        hash.word(tag);
        hash
    }

    /// The halves of the product, one over the other: every bit of it counts.
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn int(&mut self, value: i32) {
        self.long(value.into());
    }

    fn long(&mut self, value: i64) {
        self.word(value.cast_unsigned());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        self.long(bytes.map_or(-1, |bytes| bytes.len() as i64));
        self.bytes(bytes.unwrap_or_default());
    }

    fn acl(&mut self, list: Option<&[Acl]>) {
        self.long(list.map_or(-1, |list| list.len() as i64));
        for acl in list.unwrap_or_default() {
            self.int(acl.perms);
            self.field(Some(acl.scheme.as_bytes()));
            self.field(Some(acl.id.as_bytes()));
        }
    }

    fn stat(&mut self, stat: &Stat) {
        [stat.czxid, stat.mzxid, stat.ctime, stat.mtime].into_iter().for_each(|n| self.long(n));
        [stat.version, stat.cversion, stat.aversion].into_iter().for_each(|n| self.int(n));
        self.long(stat.ephemeral_owner);
        [stat.data_length, stat.num_children].into_iter().for_each(|n| self.int(n));
        self.long(stat.pzxid);
    }

    fn finish(self) -> u64 {
        finalize(self.0)
    }
}

fn finalize(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Owner;
    use crate::paths::Paths;

    /// Computed independently (in Python), so that the definition stays.
    #[test]
    fn the_definition_is_fixed() {
        let node = Node::new(Some([0x76].into()), None, 0x1_0000_0002, 5, Owner::Nobody);
        assert_eq!(content("/a", &node), CONTENT_OF_A);
        assert_eq!(metadata("/a", &node), METADATA_OF_A);
        let open = Session { timeout_ms: 4000, password: [7; 16], ephemerals: Paths::default() };
        assert_eq!(session(0x0100_0000_0000_0001, &open), SESSION_1);
    }

    const CONTENT_OF_A: u64 = 0x75a3_5b99_8e60_7d51;
    const METADATA_OF_A: u64 = 0x0bce_1540_3d76_ca9d;
    const SESSION_1: u64 = 0x2eeb_da0d_84e6_1f84;

    #[test]
    fn null_and_empty_data_differ() {
        let node = |data| Node::new(data, None, 1, 0, Owner::Nobody);
        assert_ne!(content("/a", &node(None)), content("/a", &node(Some([].into()))));
    }
}
