//! What scripts get to see: a comparison of refusals alone would say little.

use wire::{ErrorCode, xid};

use crate::play::{Record, What};
use crate::script::{Action, Step};

/// All of this the usual scripts must reach: each request with success, the errors that
/// Apache ZooKeeper has for them, and every kind of event.
pub(crate) const EXPECTED: &[&str] = &[
    "Create",
    "Create2",
    "CreateContainer",
    "CreateTtl",
    "Delete",
    "Exists",
    "GetData",
    "SetData",
    "GetAcl",
    "SetAcl",
    "GetChildren",
    "GetChildren2",
    "Sync",
    "Multi",
    "MultiRead",
    "Auth",
    "SetWatches",
    "SetWatches2",
    "AddWatch",
    "CheckWatches",
    "RemoveWatches",
    "GetEphemerals",
    "GetAllChildrenNumber",
    "WhoAmI",
    "CloseSession",
    "NoNode",
    "NodeExists",
    "NotEmpty",
    "BadVersion",
    "NoAuth",
    "InvalidACL",
    "AuthFailed",
    "BadArguments",
    "MarshallingError",
    "Unimplemented",
    "NoChildrenForEphemerals",
    "NoWatcher",
    "NodeCreated",
    "NodeDeleted",
    "NodeDataChanged",
    "NodeChildrenChanged",
    "Refused",
    "Closed",
    "expiry",
];

/// Names of requests that succeeded, of errors, and of events.
pub(crate) fn reached(steps: &[Step], record: &Record) -> Vec<String> {
    let mut reached = Vec::new();
    for (step, seen) in steps.iter().zip(&record[1..]) {
        let is_reply = |what: &What| matches!(what, What::Reply { .. });
        // The others are answers to what follows each step.
        let first = seen.iter().find(|seen| is_reply(&seen.what));
        let others = seen.iter().filter(|seen| !is_reply(&seen.what));
        for seen in first.into_iter().chain(others) {
            reached.extend(match &seen.what {
                What::Reply { xid, err: 0, .. } => (*xid != xid::PING).then(|| name(step)),
                What::Reply { err, .. } => ErrorCode::from_i32(*err).map(|code| code.to_string()),
                What::Event { event, .. } => Some(format!("{event:?}")),
                What::Refused => Some("Refused".to_owned()),
                What::Closed => Some("Closed".to_owned()),
                What::Opened { .. } | What::Resumed { .. } | What::Silence | What::Garbled(_) => {
                    None
                }
            });
        }
    }
    reached
}

fn name(step: &Step) -> String {
    match &step.action {
        Action::Call(request) => {
            let text = format!("{request:?}");
            text.split([' ', '{']).next().unwrap_or_default().to_owned()
        }
        Action::Expire { .. } => "expiry".to_owned(),
        Action::Reconnect { .. } | Action::Intrude => String::new(),
    }
}
