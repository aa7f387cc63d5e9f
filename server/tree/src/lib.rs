//! The replicated state: znodes and sessions. Apply a transaction, get a reply and what changed.
//! No IO, no clock, no randomness.
//!
//! [`Tree::apply`] is the only way in, and a function of the state and the transaction alone:
//! replicas that apply the same transactions in the same order are equal, with equal
//! [digests](Tree::digest). A transaction is a *request*: it is judged when it is applied, so a
//! write that fails has its place in the order, and its zxid, like one that succeeds.
//!
//! ```text
//! let applied = tree.apply(zxid, &txn);               // on every server
//! for fired in &applied.fired {
//!     for conn in watches.fire(fired) { notify(conn, zxid, fired); }
//! }
//! reply(applied.reply);                               // on the client's server; notices go first
//! ```
//!
//! [`Watches`] is the one part that is not replicated: each server has those of its connections.
//!
//! Rules and errors are those of Apache ZooKeeper's `PrepRequestProcessor` and `DataTree`. A write
//! is judged by the identities in its transaction; before a read ask [`Tree::authorize`].

mod access;
mod apply;
mod digest;
mod map;
mod member;
mod node;
mod owner;
mod paths;
mod quota;
mod session;
mod tree;
mod txn;
mod undo;
mod watches;
mod writes;

pub use paths::Paths;
pub use quota::Exceeded;
pub use session::Session;
pub use tree::{CONFIG, Tree};
pub use txn::{Applied, Fired, Reply, Txn, WriteOp};
pub use watches::Watches;
