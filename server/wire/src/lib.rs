//! ZooKeeper's client protocol, both directions: bytes in, values out. No sockets, no clock.
//!
//! A server splits the stream with [`frame::next`], reads the first payload of a connection as a
//! [`ConnectRequest`] and every later one with [`decode_request`]; it answers with
//! [`encode_reply`] and [`encode_notification`]. A client does the reverse with
//! [`encode_request`], [`ReplyHeader::peek`], [`decode_reply`] and [`decode_notification`].
//!
//! Decoders take one payload (a frame without its length) and refuse one that is too short or
//! too long for its record. Encoders append a whole frame, length included.
//!
//! Source: `zookeeper.jute` and the "ZooKeeper Programmer's Guide" of Apache ZooKeeper 3.8.

mod connect;
pub mod data;
mod error_code;
mod event;
pub mod frame;
pub mod jute;
mod multi;
pub mod opcode;
pub mod path;
mod records;
mod request;
mod response;
mod text;

pub use connect::{ConnectRequest, ConnectResponse};
pub use error_code::ErrorCode;
pub use event::{AddWatchMode, EventType, WatcherEvent, WatcherType, state};
pub use jute::{Data, Error, Problem, Reader, Writer};
pub use multi::OpResult;
pub use records::{Acl, CreateMode, Identity, ReplyHeader, RequestHeader, Stat, perms, xid};
pub use request::{Request, decode_request, encode_request, unreadable_request};
pub use response::{
    Response, decode_notification, decode_reply, encode_notification, encode_reply,
};
