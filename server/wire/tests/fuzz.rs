//! Nearly right bytes for every decoder: no panic, no memory beyond the input's own size, and what
//! is decoded is what was encoded.

use fuzz::{Counting, Target};
use wire::{
    Acl, ConnectRequest, ConnectResponse, EventType, Identity, OpResult, ReplyHeader, Request,
    Response, Stat, WatcherEvent, decode_notification, decode_reply, decode_request,
    encode_notification, encode_reply, encode_request, frame, opcode,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An operation of a multi takes 9 bytes, and here 150; vectors grow by doubling.
const BYTES_PER_BYTE: usize = 64;

fn target(name: &str, samples: Vec<Vec<u8>>) -> Target<'_> {
    Target { name, samples, bytes_per_byte: BYTES_PER_BYTE, floor: 4 << 10 }
}

#[test]
fn requests() {
    let samples = all_requests().iter().map(payload_of).collect();
    target("decode_request", samples).survives(|bytes| {
        if let Ok((header, request)) = decode_request(bytes) {
            let mut again = Vec::new();
            encode_request(header.xid, &request, &mut again);
            // Nulls and other ways to say true are normalised the first time.
            let decoded = decode_request(&again[4..]).expect("it was just encoded");
            assert_eq!(decoded, (header, request));
        }
    });
}

#[test]
fn replies() {
    for (opcode, response) in all_responses() {
        let mut bytes = Vec::new();
        encode_reply(ReplyHeader::ok(7, 9), Some(&response), &mut bytes);
        let name = format!("decode_reply of opcode {opcode}");
        target(&name, vec![bytes.split_off(4)]).survives(|bytes| {
            if let Ok((header, body)) = decode_reply(bytes, opcode) {
                let mut again = Vec::new();
                encode_reply(header, body.as_ref(), &mut again);
                assert_eq!(decode_reply(&again[4..], opcode), Ok((header, body)));
            }
        });
    }
}

#[test]
fn events() {
    let mut bytes = Vec::new();
    let event = WatcherEvent::new(EventType::NodeDataChanged, "/some/path");
    encode_notification(-1, &event, &mut bytes);
    target("decode_notification", vec![bytes.split_off(4)]).survives(|bytes| {
        if let Ok((header, event)) = decode_notification(bytes) {
            let mut again = Vec::new();
            encode_notification(header.zxid, &event, &mut again);
            let decoded = decode_notification(&again[4..]).expect("it was just encoded");
            assert_eq!((decoded.0.zxid, decoded.1), (header.zxid, event));
        }
    });
}

#[test]
fn handshakes() {
    let mut requests = Vec::new();
    let mut responses = Vec::new();
    for read_only in [None, Some(false), Some(true)] {
        let mut bytes = Vec::new();
        let (session_id, password) = (77, vec![9; 16]);
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 5,
            timeout_ms: 4000,
            session_id,
            password: password.clone(),
            read_only,
        }
        .encode(&mut bytes);
        requests.push(bytes.split_off(4));
        ConnectResponse { protocol_version: 0, timeout_ms: 4000, session_id, password, read_only }
            .encode(&mut bytes);
        responses.push(bytes[4..].to_vec());
    }
    target("ConnectRequest::decode", requests).survives(|bytes| {
        if let Ok(request) = ConnectRequest::decode(bytes) {
            let mut again = Vec::new();
            request.encode(&mut again);
            assert_eq!(ConnectRequest::decode(&again[4..]), Ok(request));
        }
    });
    target("ConnectResponse::decode", responses).survives(|bytes| {
        if let Ok(response) = ConnectResponse::decode(bytes) {
            let mut again = Vec::new();
            response.encode(&mut again);
            assert_eq!(ConnectResponse::decode(&again[4..]), Ok(response));
        }
    });
}

#[test]
fn streams_of_frames() {
    let mut stream = Vec::new();
    for request in all_requests() {
        encode_request(1, &request, &mut stream);
    }
    target("frame::next", vec![stream]).survives(|mut bytes| {
        while let Ok(Some(payload)) = frame::next(bytes, 1000) {
            assert!(payload.len() <= 1000 && payload.end <= bytes.len());
            bytes = &bytes[payload.end..];
        }
    });
}

fn payload_of(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_request(1, request, &mut bytes);
    bytes.split_off(4)
}

/// At least one of each kind.
fn all_requests() -> Vec<Request> {
    let path = || "/a/path".to_owned();
    let paths = || vec![path(), "/ä".to_owned()];
    let (data, acl) = (Some([1, 2, 3].into()), Acl::open());
    let writes = vec![
        Request::Create { path: path(), data: data.clone(), acl: acl.clone(), flags: 0 },
        Request::Create2 { path: path(), data: None, acl: vec![], flags: 3 },
        Request::CreateContainer { path: path(), data: data.clone(), acl: acl.clone(), flags: 4 },
        Request::CreateTtl { path: path(), data: data.clone(), acl: acl.clone(), flags: 5, ttl: 9 },
        Request::Delete { path: path(), version: -1 },
        Request::SetData { path: path(), data: data.clone(), version: 2 },
    ];
    let check = Request::Check { path: path(), version: 2 };
    let (joining, leaving, new_members) = ("server.1=h:1:2;3".into(), "2".into(), None);
    let reconfig = Request::Reconfig { joining, leaving, new_members, cur_config_id: -1 };
    let reads = vec![
        Request::GetData { path: path(), watch: true },
        Request::GetChildren { path: path(), watch: false },
    ];
    let others = vec![
        Request::Multi { ops: writes.iter().cloned().chain([check]).collect() },
        Request::MultiRead { ops: reads.clone() },
        Request::Exists { path: path(), watch: true },
        Request::GetAcl { path: path() },
        Request::SetAcl { path: path(), acl, version: 0 },
        Request::GetChildren2 { path: path(), watch: false },
        Request::Sync { path: path() },
        Request::Ping,
        Request::Auth { auth_type: 0, scheme: "digest".into(), auth: data },
        Request::SetWatches { relative_zxid: 1, data: paths(), exist: paths(), child: paths() },
        Request::SetWatches2 {
            relative_zxid: 1,
            data: paths(),
            exist: paths(),
            child: paths(),
            persistent: paths(),
            persistent_recursive: paths(),
        },
        Request::AddWatch { path: path(), mode: 1 },
        Request::CheckWatches { path: path(), watcher_type: 1 },
        Request::RemoveWatches { path: path(), watcher_type: 1 },
        Request::GetEphemerals { prefix: path() },
        Request::GetAllChildrenNumber { path: path() },
        Request::WhoAmI,
        reconfig,
        Request::CloseSession,
        Request::Unknown { opcode: 999 },
    ];
    [writes, reads, others].concat()
}

fn all_responses() -> Vec<(i32, Response)> {
    let stat = Stat { czxid: 1, version: 2, ..Stat::default() };
    let path = || "/a/path".to_owned();
    let paths = || vec![path(), "/ä".to_owned()];
    let results = vec![
        OpResult::Create { path: path() },
        OpResult::Create2 { path: path(), stat },
        OpResult::Delete,
        OpResult::SetData { stat },
        OpResult::Check,
        OpResult::GetData { data: Some([1, 2].into()), stat },
        OpResult::GetChildren { children: paths() },
        OpResult::Error { code: -101 },
    ];
    vec![
        (opcode::CREATE, Response::Create { path: path() }),
        (opcode::CREATE2, Response::Create2 { path: path(), stat }),
        (opcode::EXISTS, Response::Exists { stat }),
        (opcode::GET_DATA, Response::GetData { data: Some([1, 2].into()), stat }),
        (opcode::RECONFIG, Response::GetData { data: Some([1, 2].into()), stat }),
        (opcode::SET_DATA, Response::SetData { stat }),
        (opcode::GET_ACL, Response::GetAcl { acl: Acl::open(), stat }),
        (opcode::SET_ACL, Response::SetAcl { stat }),
        (opcode::MULTI, Response::Multi { results }),
        (opcode::ADD_WATCH, Response::AddWatch { err: 0 }),
        (opcode::GET_EPHEMERALS, Response::GetEphemerals { paths: paths() }),
        (opcode::GET_ALL_CHILDREN_NUMBER, Response::GetAllChildrenNumber { number: 7 }),
        (opcode::WHO_AM_I, Response::WhoAmI { identities: vec![Identity::new("ip", "::1")] }),
        (opcode::GET_CHILDREN, Response::GetChildren { children: paths() }),
        (opcode::GET_CHILDREN2, Response::GetChildren2 { children: paths(), stat }),
        (opcode::SYNC, Response::Sync { path: path() }),
    ]
}
