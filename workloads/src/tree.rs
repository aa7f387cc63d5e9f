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
        Ask::SetWatches { since, data, exist, child } => Request::SetWatches {
            relative_zxid: since.0.cast_signed(),
            data: data.clone(),
            exist: exist.clone(),
            child: child.clone(),
        },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::NoReply;

    fn multi(codes: &[i32]) -> Answer {
        let results = codes.iter().map(|&code| OpResult::Error { code }).collect();
        Ok(Reply { zxid: 7, result: Ok(Some(Response::Multi { results })) })
    }

    #[test]
    fn a_multi_is_refused_for_its_first_error() {
        let refused = Ok(Reply { zxid: 7, result: Err(Refusal(-103)) });
        assert_eq!(with_refusal(&multi(&[0, -103, -2])), refused);
        let results = vec![OpResult::Check, OpResult::Delete];
        let done = Ok(Reply { zxid: 7, result: Ok(Some(Response::Multi { results })) });
        assert_eq!(with_refusal(&done), done);
        let lost = Err(NoReply::Lost("reset".into()));
        assert_eq!(with_refusal(&lost), lost);
    }

    #[test]
    fn results_are_told_though_the_multi_was_refused() {
        let errors = [0, -103, -2].map(|code| Told::Error { code });
        assert_eq!(told(&multi(&[0, -103, -2])), Some(Told::Multi { results: errors.into() }));
    }

    #[test]
    fn flags_say_what_kind_of_znode_and_multis_have_plain_creates() {
        let create = |ephemeral, sequential| Ask::Create {
            path: "/a".into(),
            value: 5,
            ephemeral,
            sequential,
        };
        for (ephemeral, sequential, expected) in
            [(false, false, 0), (true, false, 1), (false, true, 2), (true, true, 3)]
        {
            let Request::Create2 { flags, data, .. } = request(&create(ephemeral, sequential))
            else {
                panic!("create2");
            };
            assert_eq!((flags, data.as_deref()), (expected, Some(&b"5"[..])));
        }
        let Request::Multi { ops } = request(&Ask::Multi { ops: vec![create(false, false)] })
        else {
            panic!("multi");
        };
        assert!(matches!(ops[..], [Request::Create { .. }]));
    }

    #[test]
    fn data_that_nobody_writes_is_evidence() {
        let data = |text: &str| Some(text.as_bytes().into());
        let read = [data("3000017"), data(""), None, data("x")].map(|data| integer(&data));
        assert_eq!(read, [Some(3_000_017), None, None, Some(-1)]);
    }
}
