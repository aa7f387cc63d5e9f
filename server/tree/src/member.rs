//! Reading the operations of a multi: one level deep, so that no input can exhaust the stack.

use serde::de::{Deserialize, Deserializer, Error};
use wire::{Acl, CreateMode, Data, ErrorCode};

use crate::txn::WriteOp;

/// [`WriteOp`], but that a multi is an error.
#[derive(serde::Deserialize)]
#[serde(remote = "WriteOp")]
enum Member {
    Create {
        path: String,
        data: Data,
        acl: Vec<Acl>,
        mode: CreateMode,
        ttl_ms: i64,
        with_stat: bool,
    },
    Delete {
        path: String,
        version: i32,
    },
    SetData {
        path: String,
        data: Data,
        version: i32,
    },
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
    },
    Check {
        path: String,
        version: i32,
    },
    Multi {
        #[serde(deserialize_with = "refuse")]
        ops: Vec<WriteOp>,
    },
    Reconfig {
        members: String,
    },
    Error {
        code: ErrorCode,
    },
}

#[derive(serde::Deserialize)]
struct One(#[serde(with = "Member")] WriteOp);

pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<WriteOp>, D::Error> {
    let members = Vec::<One>::deserialize(deserializer)?;
    Ok(members.into_iter().map(|One(op)| op).collect())
}

fn refuse<'de, D: Deserializer<'de>>(_: D) -> Result<Vec<WriteOp>, D::Error> {
    Err(D::Error::custom("a multi in a multi"))
}
