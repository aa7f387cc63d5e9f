//! Requests of the znodes workload on the wire, and replies to them.

use history::Hex;
use history::znode::{Ask, Change, Told, ZnodeStat};
use wire::{Acl, CreateMode, Data, EventType, OpResult, Request, Response, Stat};

use crate::outcome::{Answer, Refusal, Reply};

/// The request, as it is sent.
pub(crate) fn request(ask: &Ask) -> Request {
    match ask {
        Ask::Create { path, value, ephemeral, sequential } => Request::Create2 {
            path: path.clone(),
            data: data(*value),
            acl: Acl::open(),
            flags: mode(*ephemeral, *sequential).flags(),
        },
        Ask::Delete { path, version } => Request::Delete { path: path.clone(), version: *version },
        Ask::Set { path, value, version } => {
            Request::SetData { path: path.clone(), data: data(*value), version: *version }
        }
        Ask::Check { path, version } => Request::Check { path: path.clone(), version: *version },
        Ask::Get { path, watch } => Request::GetData { path: path.clone(), watch: *watch },
        Ask::Exists { path, watch } => Request::Exists { path: path.clone(), watch: *watch },
        Ask::Children { path, watch, .. } => {
            Request::GetChildren2 { path: path.clone(), watch: *watch }
        }
        Ask::Multi { ops } => Request::Multi { ops: ops.iter().map(member).collect() },
        Ask::Close => Request::CloseSession,
    }
}

/// In a multi, a plain create: not every server answers create2 there with a Stat.
fn member(ask: &Ask) -> Request {
    match request(ask) {
        Request::Create2 { path, data, acl, flags } => Request::Create { path, data, acl, flags },
        other => other,
    }
}

fn mode(ephemeral: bool, sequential: bool) -> CreateMode {
    match (ephemeral, sequential) {
        (false, false) => CreateMode::Persistent,
        (true, false) => CreateMode::Ephemeral,
        (false, true) => CreateMode::PersistentSequential,
        (true, true) => CreateMode::EphemeralSequential,
    }
}

fn data(value: i64) -> Data {
    Some(value.to_string().into_bytes().into())
}

/// A multi that failed is answered with success, and with the errors in its results: as an
/// answer of the first error.
pub(crate) fn with_refusal(answer: &Answer) -> Answer {
    let Ok(Reply { zxid, result: Ok(Some(Response::Multi { results })) }) = answer else {
        return answer.clone();
    };
    let error = results.iter().find_map(|result| match result {
        OpResult::Error { code } if *code != 0 => Some(Refusal(*code)),
        _ => None,
    });
    match error {
        Some(refusal) => Ok(Reply { zxid: *zxid, result: Err(refusal) }),
        None => answer.clone(),
    }
}

/// What the reply says; nothing if there is none, or an error.
pub(crate) fn told(answer: &Answer) -> Option<Told> {
    let body = answer.as_ref().ok()?.result.as_ref().ok()?;
    Some(match body {
        None => Told::Done,
        Some(Response::Create2 { path, stat }) => created(path, Some(stat)),
        Some(Response::Create { path }) => created(path, None),
        Some(Response::SetData { stat }) => Told::Set { stat: kept(stat) },
        Some(Response::GetData { data, stat }) => {
            Told::Data { value: integer(data), stat: kept(stat) }
        }
        Some(Response::Exists { stat }) => Told::Exists { stat: kept(stat) },
        Some(Response::GetChildren2 { children, stat }) => {
            Told::Children { names: children.clone(), stat: kept(stat) }
        }
        Some(Response::Multi { results }) => {
            Told::Multi { results: results.iter().map(result).collect() }
        }
        Some(_) => return None,
    })
}

fn result(result: &OpResult) -> Told {
    match result {
        OpResult::Create { path } => created(path, None),
        OpResult::Create2 { path, stat } => created(path, Some(stat)),
        OpResult::SetData { stat } => Told::Set { stat: kept(stat) },
        OpResult::Error { code } => Told::Error { code: *code },
        _ => Told::Done,
    }
}

fn created(path: &str, stat: Option<&Stat>) -> Told {
    Told::Created { path: path.to_owned(), stat: stat.map(kept) }
}

fn kept(stat: &Stat) -> ZnodeStat {
    let hex = |number: i64| Hex(number.cast_unsigned());
    ZnodeStat {
        czxid: hex(stat.czxid),
        mzxid: hex(stat.mzxid),
        pzxid: hex(stat.pzxid),
        version: stat.version,
        cversion: stat.cversion,
        owner: hex(stat.ephemeral_owner),
        length: stat.data_length,
        children: stat.num_children,
    }
}

/// The integer that `data` spells. What spells none was written by nobody: -1, which nobody
/// writes either.
fn integer(data: &Data) -> Option<i64> {
    let bytes = data.as_deref().filter(|bytes| !bytes.is_empty())?;
    Some(std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(-1))
}

/// What an event says; nothing for those that are not of znodes.
pub(crate) fn change(event: EventType) -> Option<Change> {
    Some(match event {
        EventType::NodeCreated => Change::Created,
        EventType::NodeDeleted => Change::Deleted,
        EventType::NodeDataChanged => Change::Changed,
        EventType::NodeChildrenChanged => Change::Children,
        EventType::None => return None,
    })
}
