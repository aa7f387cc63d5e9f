//! Changes taken back: those of a multi whose later operation failed.

use std::sync::Arc;

use crate::node::Node;
use crate::tree::{Tree, parent_of};

/// How to take a change back. Changes are taken back in reverse order, so each finds the state
/// that it left.
#[derive(Debug)]
pub(crate) enum Undo {
    /// Take a child out again.
    Attach { path: Arc<str>, parent_pzxid: u64 },
    /// Put a child in again.
    Detach { path: Arc<str>, node: Box<Node>, parent_pzxid: u64 },
    /// Return a znode to what it was; its children are the same.
    Update { path: Arc<str>, before: Box<Node> },
}

impl Tree {
    pub(crate) fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Attach { path, parent_pzxid } => {
                self.take_out(&path);
                self.update_parent(parent_of(&path), |parent| {
                    parent.children -= 1;
                    parent.creates = parent.creates.wrapping_sub(1);
                    parent.pzxid = parent_pzxid;
                });
            }
            Undo::Detach { path, node, parent_pzxid } => {
                self.update_parent(parent_of(&path), |parent| {
                    parent.children += 1;
                    parent.pzxid = parent_pzxid;
                });
                self.put_in(&path, *node);
            }
            Undo::Update { path, before } => {
                self.change(&path, |node| *node = *before);
            }
        }
    }
}
