//! Numbers of the operations (`ZooDefs.OpCode`), those that this crate cannot decode included.

/// Create a znode; the reply is its path.
pub const CREATE: i32 = 1;
/// Delete a znode.
pub const DELETE: i32 = 2;
/// A znode's stat, if it exists.
pub const EXISTS: i32 = 3;
/// A znode's data and stat.
pub const GET_DATA: i32 = 4;
/// Replace a znode's data.
pub const SET_DATA: i32 = 5;
/// A znode's access control list and stat.
pub const GET_ACL: i32 = 6;
/// Replace a znode's access control list.
pub const SET_ACL: i32 = 7;
/// Names of a znode's children.
pub const GET_CHILDREN: i32 = 8;
/// Wait until the server has seen everything committed before.
pub const SYNC: i32 = 9;
/// Keep the session alive.
pub const PING: i32 = 11;
/// Names of a znode's children, and its stat.
pub const GET_CHILDREN2: i32 = 12;
/// A version check inside a multi.
pub const CHECK: i32 = 13;
/// Several writes as one transaction.
pub const MULTI: i32 = 14;
/// Create a znode; the reply is its path and stat.
pub const CREATE2: i32 = 15;
/// Change the ensemble's members.
pub const RECONFIG: i32 = 16;
/// Whether a watch is set.
pub const CHECK_WATCHES: i32 = 17;
/// Remove watches.
pub const REMOVE_WATCHES: i32 = 18;
/// Create a container.
pub const CREATE_CONTAINER: i32 = 19;
/// Create a znode with a time to live.
pub const CREATE_TTL: i32 = 21;
/// Several reads.
pub const MULTI_READ: i32 = 22;
/// Present credentials.
pub const AUTH: i32 = 100;
/// Arm watches again after a reconnect.
pub const SET_WATCHES: i32 = 101;
/// A step of SASL authentication.
pub const SASL: i32 = 102;
/// Paths of the session's ephemerals.
pub const GET_EPHEMERALS: i32 = 103;
/// Number of a znode's descendants.
pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
/// `SET_WATCHES` with persistent watches.
pub const SET_WATCHES2: i32 = 105;
/// Set a persistent watch.
pub const ADD_WATCH: i32 = 106;
/// The identities of the connection.
pub const WHO_AM_I: i32 = 107;
/// Ends a multi, and stands for a failed operation in the answer to one.
pub const ERROR: i32 = -1;
/// End the session.
pub const CLOSE_SESSION: i32 = -11;
