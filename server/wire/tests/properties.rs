//! Whatever is encoded decodes to itself, and whatever bytes come do no harm.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use wire::{
    Acl, ConnectRequest, ConnectResponse, Data, ErrorCode, EventType, Identity, OpResult,
    ReplyHeader, Request, Response, Stat, WatcherEvent, decode_notification, decode_reply,
    decode_request, encode_notification, encode_reply, encode_request, frame, opcode,
};

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..5)
}

fn data() -> impl Strategy<Value = Data> {
    proptest::option::of(vec(any::<u8>(), 0..40).prop_map(Arc::from))
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    let entry = (any::<i32>(), text(), text());
    vec(
        entry.prop_map(|(perms, scheme, id)| Acl { perms, scheme: scheme.into(), id: id.into() }),
        0..4,
    )
}

fn stat() -> impl Strategy<Value = Stat> {
    (any::<[i64; 6]>(), any::<[i32; 5]>()).prop_map(|(long, int)| Stat {
        czxid: long[0],
        mzxid: long[1],
        ctime: long[2],
        mtime: long[3],
        ephemeral_owner: long[4],
        pzxid: long[5],
        version: int[0],
        cversion: int[1],
        aversion: int[2],
        data_length: int[3],
        num_children: int[4],
    })
}

fn request() -> impl Strategy<Value = Request> {
    let writes = op().prop_filter("no read", |op| !is_read(op));
    let reads = op().prop_filter("a read", is_read);
    prop_oneof![
        10 => single(),
        2 => vec(writes, 0..4).prop_map(|ops| Request::Multi { ops }),
        1 => vec(reads, 0..4).prop_map(|ops| Request::MultiRead { ops }),
    ]
}

fn is_read(op: &Request) -> bool {
    matches!(op, Request::GetData { .. } | Request::GetChildren { .. })
}

/// What may stand in a multi or multiRead.
fn op() -> impl Strategy<Value = Request> {
    let create = || (text(), data(), acl(), any::<i32>());
    let read = || (text(), any::<bool>());
    let version = || (text(), any::<i32>());
    prop_oneof![
        create().prop_map(|(path, data, acl, flags)| Request::Create { path, data, acl, flags }),
        create().prop_map(|(path, data, acl, flags)| Request::Create2 { path, data, acl, flags }),
        create().prop_map(|(path, data, acl, flags)| Request::CreateContainer {
            path,
            data,
            acl,
            flags
        }),
        (create(), any::<i64>()).prop_map(|((path, data, acl, flags), ttl)| Request::CreateTtl {
            path,
            data,
            acl,
            flags,
            ttl
        }),
        version().prop_map(|(path, version)| Request::Delete { path, version }),
        version().prop_map(|(path, version)| Request::Check { path, version }),
        (version(), data()).prop_map(|((path, version), data)| Request::SetData {
            path,
            data,
            version
        }),
        read().prop_map(|(path, watch)| Request::GetData { path, watch }),
        read().prop_map(|(path, watch)| Request::GetChildren { path, watch }),
    ]
}

fn single() -> impl Strategy<Value = Request> {
    prop_oneof![basic(), newer()]
}

/// Requests that came with 3.5 and later, and setACL.
fn newer() -> impl Strategy<Value = Request> {
    let number = || (text(), any::<i32>());
    prop_oneof![
        (number(), acl()).prop_map(|((path, version), acl)| Request::SetAcl { path, acl, version }),
        number().prop_map(|(path, mode)| Request::AddWatch { path, mode }),
        number().prop_map(|(path, watcher_type)| Request::CheckWatches { path, watcher_type }),
        number().prop_map(|(path, watcher_type)| Request::RemoveWatches { path, watcher_type }),
        text().prop_map(|prefix| Request::GetEphemerals { prefix }),
        text().prop_map(|path| Request::GetAllChildrenNumber { path }),
        Just(Request::WhoAmI),
    ]
}

fn basic() -> impl Strategy<Value = Request> {
    let create = || (text(), data(), acl(), any::<i32>());
    let read = || (text(), any::<bool>());
    let watches = || (any::<i64>(), texts(), texts(), texts());
    prop_oneof![
        create().prop_map(|(path, data, acl, flags)| Request::Create { path, data, acl, flags }),
        create().prop_map(|(path, data, acl, flags)| Request::Create2 { path, data, acl, flags }),
        (text(), any::<i32>()).prop_map(|(path, version)| Request::Delete { path, version }),
        read().prop_map(|(path, watch)| Request::Exists { path, watch }),
        read().prop_map(|(path, watch)| Request::GetData { path, watch }),
        (text(), data(), any::<i32>()).prop_map(|(path, data, version)| Request::SetData {
            path,
            data,
            version
        }),
        text().prop_map(|path| Request::GetAcl { path }),
        read().prop_map(|(path, watch)| Request::GetChildren { path, watch }),
        read().prop_map(|(path, watch)| Request::GetChildren2 { path, watch }),
        text().prop_map(|path| Request::Sync { path }),
        Just(Request::Ping),
        (any::<i32>(), text(), data()).prop_map(|(auth_type, scheme, auth)| Request::Auth {
            auth_type,
            scheme,
            auth
        }),
        watches().prop_map(|(relative_zxid, data, exist, child)| Request::SetWatches {
            relative_zxid,
            data,
            exist,
            child
        }),
        (watches(), texts(), texts()).prop_map(
            |((relative_zxid, data, exist, child), persistent, persistent_recursive)| {
                Request::SetWatches2 {
                    relative_zxid,
                    data,
                    exist,
                    child,
                    persistent,
                    persistent_recursive,
                }
            }
        ),
        Just(Request::CloseSession),
        (1000..i32::MAX).prop_map(|opcode| Request::Unknown { opcode }),
    ]
}

/// A body and the opcode it answers.
fn response() -> impl Strategy<Value = (i32, Response)> {
    prop_oneof![
        text().prop_map(|path| (opcode::CREATE, Response::Create { path })),
        (text(), stat())
            .prop_map(|(path, stat)| (opcode::CREATE2, Response::Create2 { path, stat })),
        stat().prop_map(|stat| (opcode::EXISTS, Response::Exists { stat })),
        (data(), stat())
            .prop_map(|(data, stat)| (opcode::GET_DATA, Response::GetData { data, stat })),
        stat().prop_map(|stat| (opcode::SET_DATA, Response::SetData { stat })),
        (acl(), stat()).prop_map(|(acl, stat)| (opcode::GET_ACL, Response::GetAcl { acl, stat })),
        texts().prop_map(|children| (opcode::GET_CHILDREN, Response::GetChildren { children })),
        (texts(), stat()).prop_map(|(children, stat)| {
            (opcode::GET_CHILDREN2, Response::GetChildren2 { children, stat })
        }),
        text().prop_map(|path| (opcode::SYNC, Response::Sync { path })),
        stat().prop_map(|stat| (opcode::SET_ACL, Response::SetAcl { stat })),
        vec(result(), 0..4).prop_map(|results| (opcode::MULTI, Response::Multi { results })),
        any::<i32>().prop_map(|err| (opcode::ADD_WATCH, Response::AddWatch { err })),
        texts().prop_map(|paths| (opcode::GET_EPHEMERALS, Response::GetEphemerals { paths })),
        any::<i32>().prop_map(|number| {
            (opcode::GET_ALL_CHILDREN_NUMBER, Response::GetAllChildrenNumber { number })
        }),
        vec((text(), text()), 0..3).prop_map(|pairs| {
            let identities =
                pairs.into_iter().map(|(scheme, id)| Identity::new(scheme, id)).collect();
            (opcode::WHO_AM_I, Response::WhoAmI { identities })
        }),
    ]
}

fn result() -> impl Strategy<Value = OpResult> {
    prop_oneof![
        text().prop_map(|path| OpResult::Create { path }),
        (text(), stat()).prop_map(|(path, stat)| OpResult::Create2 { path, stat }),
        Just(OpResult::Delete),
        stat().prop_map(|stat| OpResult::SetData { stat }),
        Just(OpResult::Check),
        (data(), stat()).prop_map(|(data, stat)| OpResult::GetData { data, stat }),
        texts().prop_map(|children| OpResult::GetChildren { children }),
        any::<i32>().prop_map(|code| OpResult::Error { code }),
    ]
}

fn opcode() -> impl Strategy<Value = i32> {
    prop_oneof![0..23i32, 100..108i32, Just(opcode::CLOSE_SESSION)]
}

fn event() -> impl Strategy<Value = WatcherEvent> {
    let codes = prop_oneof![Just(-1), 1..=4i32];
    (codes, any::<i32>(), text()).prop_map(|(code, state, path)| WatcherEvent {
        event_type: EventType::from_i32(code).expect("listed above"),
        state,
        path,
    })
}

/// The payload of the only frame in `out`.
fn payload(out: &[u8]) -> &[u8] {
    let range = frame::next(out, out.len()).expect("a good length").expect("a whole frame");
    assert_eq!(range.end, out.len());
    &out[range]
}

/// No cut of a payload is taken for a whole one.
fn no_prefix_decodes<T>(payload: &[u8], decode: impl Fn(&[u8]) -> Option<T>) -> bool {
    (0..payload.len()).all(|len| decode(&payload[..len]).is_none())
}

proptest! {
    #[test]
    fn requests(number: i32, request in request()) {
        let mut out = Vec::new();
        encode_request(number, &request, &mut out);
        let (header, decoded) = decode_request(payload(&out)).expect("decodes");
        prop_assert_eq!(header.xid, number);
        prop_assert_eq!(header.opcode, request.opcode());
        prop_assert_eq!(decoded, request);
        prop_assert!(no_prefix_decodes(payload(&out), |cut| decode_request(cut).ok()));
    }

    #[test]
    fn replies(xid: i32, zxid: i64, (opcode, body) in response()) {
        let header = ReplyHeader::ok(xid, zxid);
        let mut out = Vec::new();
        encode_reply(header, Some(&body), &mut out);
        prop_assert_eq!(decode_reply(payload(&out), opcode), Ok((header, Some(body))));
        prop_assert!(no_prefix_decodes(payload(&out), |cut| decode_reply(cut, opcode).ok()));
    }

    #[test]
    fn failures(
        xid: i32, zxid: i64, opcode: i32, error in proptest::sample::select(ErrorCode::ALL),
    ) {
        let header = ReplyHeader::failure(xid, zxid, error);
        let mut out = Vec::new();
        encode_reply(header, None, &mut out);
        prop_assert_eq!(decode_reply(payload(&out), opcode), Ok((header, None)));
        prop_assert_eq!(ErrorCode::from_i32(header.err), Some(error));
    }

    #[test]
    fn notifications(zxid: i64, event in event()) {
        let mut out = Vec::new();
        encode_notification(zxid, &event, &mut out);
        let (header, decoded) = decode_notification(payload(&out)).expect("decodes");
        prop_assert_eq!(header.zxid, zxid);
        prop_assert_eq!(decoded, event);
    }

    #[test]
    fn handshakes(
        last_zxid_seen: i64, timeout_ms: i32, session_id: i64,
        password in vec(any::<u8>(), 0..20), read_only: Option<bool>,
    ) {
        let mut out = Vec::new();
        let request = ConnectRequest {
            protocol_version: 0, last_zxid_seen, timeout_ms, session_id,
            password: password.clone(), read_only,
        };
        request.encode(&mut out);
        prop_assert_eq!(ConnectRequest::decode(payload(&out)), Ok(request));
        out.clear();
        let response =
            ConnectResponse { protocol_version: 0, timeout_ms, session_id, password, read_only };
        response.encode(&mut out);
        prop_assert_eq!(ConnectResponse::decode(payload(&out)), Ok(response));
    }

    /// A panic would fail the test.
    #[test]
    fn random_bytes_never_panic(
        mut bytes in vec(any::<u8>(), 0..80), opcode in opcode(), max in 0..1usize << 31,
    ) {
        let _ = frame::next(&bytes, max);
        let _ = ConnectRequest::decode(&bytes);
        let _ = ConnectResponse::decode(&bytes);
        let _ = decode_notification(&bytes);
        let _ = ReplyHeader::peek(&bytes);
        if bytes.len() >= 16 {
            bytes[4..8].copy_from_slice(&opcode.to_be_bytes());
            let _ = decode_request(&bytes);
            bytes[12..16].fill(0);
            let _ = decode_reply(&bytes, opcode);
        }
    }
}
