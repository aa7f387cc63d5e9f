//! The differences that are meant: each is a row of docs/differences.md.

use wire::{ErrorCode, OpResult, Request, Response};

use crate::MAX_TIMEOUT_MS;
use crate::play::{LONG_MS, Seen, What};
use crate::script::{Action, CONFIG, Step};

/// Whether the rows explain all that differs in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Covers {
    All,
    /// And from here on the servers may be in different states.
    AllFromHere,
    NotAll,
}

/// A row of docs/differences.md.
pub(crate) struct Row {
    /// Its first cell there.
    pub(crate) cell: &'static str,
    /// Is this what differs? Of each two things said, theirs is the first.
    explains: fn(&Step, &What, &What) -> bool,
    /// May the servers be in different states afterwards?
    lasting: bool,
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        cell: "zxid of a watch event",
        explains: |_, theirs, ours| match (theirs, ours) {
            (What::Event { zxid: -1, .. }, What::Event { .. }) => {
                without_zxid(theirs) == without_zxid(ours)
            }
            _ => false,
        },
        lasting: false,
    },
    Row {
        cell: "`checkWatches`, `removeWatches`",
        explains: |step, _, _| matches!(call(step), Some(Request::CheckWatches { .. })),
        lasting: false,
    },
    Row {
        cell: "`checkWatches`, `removeWatches`",
        explains: |step, _, _| matches!(call(step), Some(Request::RemoveWatches { .. })),
        lasting: true,
    },
    Row {
        cell: "`createSession`, `deleteContainer` from a client",
        explains: |step, _, _| matches!(call(step), Some(Request::Unknown { opcode: -10 | 20 })),
        lasting: true,
    },
    Row {
        cell: "`check` alone",
        explains: |step, _, _| matches!(call(step), Some(Request::Check { .. })),
        lasting: true,
    },
    Row {
        cell: "`create2` in a multi",
        explains: |_, theirs, ours| *theirs == with_plain_creates(ours, theirs),
        lasting: false,
    },
    Row {
        cell: "characters above U+FFFF in paths",
        explains: |_, theirs, _| {
            matches!(theirs, What::Garbled(why) if why.starts_with("path at byte ")
                && why.contains("not UTF-8: "))
        },
        lasting: true,
    },
    Row {
        cell: "`exists`",
        explains: |step, theirs, ours| {
            matches!(call(step), Some(Request::Exists { .. }))
                && matches!(theirs, What::Reply { err: 0, .. })
                && matches!(ours, What::Reply { err, .. } if *err == ErrorCode::NoAuth.code())
        },
        lasting: true,
    },
    Row {
        cell: "flags of another kind of znode than the request's",
        explains: |step, _, _| call(step).is_some_and(is_of_another_kind),
        lasting: true,
    },
    Row {
        cell: "timeout of a resumed session",
        explains: |step, theirs, ours| {
            let agreed_anew = asked_ms(step).min(MAX_TIMEOUT_MS);
            matches!(theirs, What::Resumed { timeout_ms, .. } if *timeout_ms == agreed_anew)
                && *ours == with_its_own_timeout(theirs)
        },
        lasting: false,
    },
    Row {
        cell: "a wrong password for a session",
        explains: |step, theirs, _| step.action == Action::Intrude && *theirs == What::Closed,
        lasting: true,
    },
];

/// The row of what is not a thing said differently, but one said twice.
pub(crate) const TOLD_TWICE: &str = "persistent watches of `/zookeeper/config`";

pub(crate) fn covers(step: Option<&Step>, theirs: &[Seen], ours: &[Seen]) -> Covers {
    let theirs = &told_once(theirs)[..];
    if theirs == ours {
        return Covers::All;
    }
    let Some(step) = step else { return Covers::NotAll };
    let mut covers = Covers::All;
    for (theirs, ours) in theirs.iter().zip(ours).filter(|(theirs, ours)| theirs != ours) {
        let row = ROWS.iter().find(|row| {
            theirs.session == ours.session && (row.explains)(step, &theirs.what, &ours.what)
        });
        match row {
            Some(row) if row.lasting => return Covers::AllFromHere,
            Some(_) => {}
            None => covers = Covers::NotAll,
        }
    }
    if theirs.len() == ours.len() { covers } else { Covers::NotAll }
}

fn told_once(seen: &[Seen]) -> Vec<Seen> {
    let mut seen = seen.to_vec();
    let is_config = |what: &What| matches!(what, What::Event { path, .. } if path == CONFIG);
    seen.dedup_by(|one, other| is_config(&one.what) && one == other);
    seen
}

fn call(step: &Step) -> Option<&Request> {
    match &step.action {
        Action::Call(request) => Some(request),
        _ => None,
    }
}

/// Whether a create asks for a container or a time to live in another request's way.
fn is_of_another_kind(request: &Request) -> bool {
    match request {
        Request::Create { flags, .. } | Request::Create2 { flags, .. } => matches!(flags, 4..=6),
        Request::CreateContainer { flags, .. } => *flags != 4,
        Request::CreateTtl { flags, .. } => !matches!(flags, 5 | 6),
        Request::Multi { ops } => ops.iter().any(is_of_another_kind),
        _ => false,
    }
}

/// With the results of creates in a multi as `create` has them, where the others' are so.
fn with_plain_creates(what: &What, theirs: &What) -> What {
    let mut what = what.clone();
    if let What::Reply { body: Some(Response::Multi { results }), .. } = &mut what
        && let What::Reply { body: Some(Response::Multi { results: theirs }), .. } = theirs
    {
        for (result, theirs) in results.iter_mut().zip(theirs) {
            if let (OpResult::Create2 { path, .. }, OpResult::Create { .. }) =
                (&mut *result, theirs)
            {
                *result = OpResult::Create { path: std::mem::take(path) };
            }
        }
    }
    what
}

/// Resumed with the timeout that the session was made with.
fn with_its_own_timeout(what: &What) -> What {
    match what.clone() {
        What::Resumed { made_with_ms, password_bytes, read_only, .. } => {
            What::Resumed { timeout_ms: made_with_ms, made_with_ms, password_bytes, read_only }
        }
        other => other,
    }
}

/// The timeout that a session is resumed with; a request resumes it where the connection was closed before.
fn asked_ms(step: &Step) -> i32 {
    match step.action {
        Action::Reconnect { timeout_ms } => timeout_ms,
        _ => LONG_MS,
    }
}

fn without_zxid(what: &What) -> What {
    match what.clone() {
        What::Event { event, state, path, .. } => What::Event { zxid: 0, event, state, path },
        other => other,
    }
}
