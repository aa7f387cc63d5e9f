//! Bytes written by hand from ZooKeeper's record definitions, not taken from our encoder.

use std::sync::Arc;

use wire::{
    Acl, ConnectRequest, ConnectResponse, Data, ErrorCode, EventType, Identity, OpResult,
    ReplyHeader, Request, RequestHeader, Response, Stat, WatcherEvent, decode_notification,
    decode_reply, decode_request, encode_notification, encode_reply, encode_request, opcode, state,
    xid,
};

/// Reads hexadecimal digits; blanks are for the reader.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn data(text: &str) -> Data {
    Some(Arc::from(text.as_bytes()))
}

/// A payload with its length in front.
fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}

/// The request encodes to these bytes, and they decode to the request.
fn assert_request(number: i32, request: &Request, payload: &str) {
    let payload = hex(payload);
    let mut out = Vec::new();
    encode_request(number, request, &mut out);
    assert_eq!(out, framed(&payload), "{request:?}");
    let header = RequestHeader { xid: number, opcode: request.opcode() };
    assert_eq!(decode_request(&payload), Ok((header, request.clone())));
}

fn assert_reply(header: ReplyHeader, body: Option<&Response>, opcode: i32, payload: &str) {
    let payload = hex(payload);
    let mut out = Vec::new();
    encode_reply(header, body, &mut out);
    assert_eq!(out, framed(&payload), "{body:?}");
    assert_eq!(decode_reply(&payload, opcode), Ok((header, body.cloned())));
}

const STAT_BYTES: &str = "
    0000000100000002 0000000100000003 0000000000000004 0000000000000005
    00000006 00000007 00000008 0100000000000009 0000000a 0000000b 000000010000000c";

const STAT: Stat = Stat {
    czxid: 0x1_0000_0002,
    mzxid: 0x1_0000_0003,
    ctime: 4,
    mtime: 5,
    version: 6,
    cversion: 7,
    aversion: 8,
    ephemeral_owner: 0x0100_0000_0000_0009,
    data_length: 10,
    num_children: 11,
    pzxid: 0x1_0000_000c,
};

#[test]
fn a_stat_has_68_bytes() {
    assert_eq!(hex(STAT_BYTES).len(), 68);
}

#[test]
fn connect_request_as_kazoo_sends_it() {
    let payload = hex("00000000 0000000000000000 00002710 0000000000000000
         00000010 00000000000000000000000000000000 00");
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 10_000,
        session_id: 0,
        password: vec![0; 16],
        read_only: Some(false),
    };
    assert_eq!(ConnectRequest::decode(&payload), Ok(request.clone()));
    let mut out = Vec::new();
    request.encode(&mut out);
    assert_eq!(out, framed(&payload));
}

#[test]
fn connect_request_of_an_old_client_has_no_read_only() {
    let payload = hex("00000000 0000000200000005 00000fa0 0100000000000001
         00000010 000102030405060708090a0b0c0d0e0f");
    let request = ConnectRequest::decode(&payload).expect("a whole record");
    assert_eq!(request.read_only, None);
    assert_eq!(request.last_zxid_seen, 0x2_0000_0005);
    assert_eq!(request.session_id, 0x0100_0000_0000_0001);
    assert_eq!(request.password, (0..16).collect::<Vec<u8>>());
}

#[test]
fn connect_response_carries_read_only_only_if_asked() {
    let bytes = "00000000 00000fa0 0100000000000001 00000010 000102030405060708090a0b0c0d0e0f";
    let mut response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 4_000,
        session_id: 0x0100_0000_0000_0001,
        password: (0..16).collect(),
        read_only: None,
    };
    let mut out = Vec::new();
    response.encode(&mut out);
    assert_eq!(out, framed(&hex(bytes)));
    response.read_only = Some(false);
    assert_eq!(ConnectResponse::decode(&hex(&format!("{bytes} 00"))), Ok(response));
}

#[test]
fn a_refused_session_has_no_timeout_no_id_and_a_blank_password() {
    let mut out = Vec::new();
    ConnectResponse::refusal(Some(false)).encode(&mut out);
    let payload = "00000000 00000000 0000000000000000
         00000010 00000000000000000000000000000000 00";
    assert_eq!(out, framed(&hex(payload)));
}

#[test]
fn create_and_create2_differ_in_the_opcode_alone() {
    let body = "00000002 2f61 00000001 76
         00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000003";
    let (path, data, acl, flags) = ("/a".to_owned(), data("v"), Acl::open(), 3);
    let create =
        Request::Create { path: path.clone(), data: data.clone(), acl: acl.clone(), flags };
    assert_request(7, &create, &format!("00000007 00000001 {body}"));
    let create2 = Request::Create2 { path, data, acl, flags };
    assert_request(7, &create2, &format!("00000007 0000000f {body}"));
}

#[test]
fn null_data_is_minus_one_and_empty_data_is_zero() {
    let set = |data| Request::SetData { path: "/a".into(), data, version: -1 };
    assert_request(1, &set(None), "00000001 00000005 00000002 2f61 ffffffff ffffffff");
    assert_request(1, &set(data("")), "00000001 00000005 00000002 2f61 00000000 ffffffff");
}

#[test]
fn requests_with_a_path() {
    let path = || "/a".to_owned();
    let bytes = "00000002 2f61";
    let delete = Request::Delete { path: path(), version: 4 };
    assert_request(2, &delete, &format!("00000002 00000002 {bytes} 00000004"));
    let exists = Request::Exists { path: path(), watch: true };
    assert_request(3, &exists, &format!("00000003 00000003 {bytes} 01"));
    let get = Request::GetData { path: path(), watch: false };
    assert_request(4, &get, &format!("00000004 00000004 {bytes} 00"));
    let acl = Request::GetAcl { path: path() };
    assert_request(5, &acl, &format!("00000005 00000006 {bytes}"));
    let children = Request::GetChildren { path: path(), watch: true };
    assert_request(6, &children, &format!("00000006 00000008 {bytes} 01"));
    let children2 = Request::GetChildren2 { path: path(), watch: false };
    assert_request(7, &children2, &format!("00000007 0000000c {bytes} 00"));
    let sync = Request::Sync { path: path() };
    assert_request(8, &sync, &format!("00000008 00000009 {bytes}"));
}

#[test]
fn requests_with_special_xids() {
    assert_request(xid::PING, &Request::Ping, "fffffffe 0000000b");
    let auth = Request::Auth { auth_type: 0, scheme: "digest".into(), auth: data("u:p") };
    let bytes = "fffffffc 00000064 00000000 00000006 646967657374 00000003 753a70";
    assert_request(xid::AUTH, &auth, bytes);
    let (data, exist, child) = (vec!["/a".to_owned()], vec![], vec!["/b".to_owned()]);
    let watches = Request::SetWatches {
        relative_zxid: 0x1_0000_0002,
        data: data.clone(),
        exist: exist.clone(),
        child: child.clone(),
    };
    let lists = "0000000100000002 00000001 00000002 2f61 00000000 00000001 00000002 2f62";
    assert_request(xid::SET_WATCHES, &watches, &format!("fffffff8 00000065 {lists}"));
    let watches2 = Request::SetWatches2 {
        relative_zxid: 0x1_0000_0002,
        data,
        exist,
        child,
        persistent: vec![],
        persistent_recursive: vec!["/".to_owned()],
    };
    let bytes = format!("fffffff8 00000069 {lists} 00000000 00000001 00000001 2f");
    assert_request(xid::SET_WATCHES, &watches2, &bytes);
}

/// kazoo sends an empty string as null: `CREATOR_ALL_ACL` is `auth` for nobody in particular.
#[test]
fn an_identity_may_be_null() {
    let payload = hex("00000001 00000007 00000002 2f61
         00000001 0000001f 00000004 61757468 ffffffff 00000003");
    let (_, request) = decode_request(&payload).expect("a whole record");
    let acl = vec![Acl { perms: 31, scheme: "auth".into(), id: "".into() }];
    assert_eq!(request, Request::SetAcl { path: "/a".into(), acl, version: 3 });
    let payload = hex("00000001 00000067 ffffffff");
    let (_, request) = decode_request(&payload).expect("a whole record");
    assert_eq!(request, Request::GetEphemerals { prefix: String::new() });
}

#[test]
fn close_session_has_a_negative_opcode_and_no_body() {
    assert_request(9, &Request::CloseSession, "00000009 fffffff5");
}

#[test]
fn an_unknown_opcode_is_a_request_whatever_follows() {
    for (opcode, bytes) in [(opcode::SASL, "00000066"), (opcode::CHECK, "0000000d")] {
        let payload = hex(&format!("00000005 {bytes} 00000002 2f61 00000001"));
        let (header, request) = decode_request(&payload).expect("the stream is in order");
        assert_eq!(header, RequestHeader { xid: 5, opcode });
        assert_eq!(request, Request::Unknown { opcode }, "a check alone is none");
    }
}

#[test]
fn a_reconfig_has_three_texts_and_a_version() {
    let request = |joining: &str, leaving: &str, new_members: Option<&str>| Request::Reconfig {
        joining: joining.to_owned(),
        leaving: leaving.to_owned(),
        new_members: new_members.map(str::to_owned),
        cur_config_id: -1,
    };
    let bytes = "00000001 00000010 00000001 61 00000001 62 00000001 63 ffffffffffffffff";
    assert_request(1, &request("a", "b", Some("c")), bytes);
    // Clients say null for what they do not ask.
    let bytes = "00000001 00000010 ffffffff 00000001 62 ffffffff ffffffffffffffff";
    let (_, decoded) = decode_request(&hex(bytes)).unwrap();
    assert_eq!(decoded, request("", "b", None));
    let body = Response::GetData { data: data("v"), stat: STAT };
    let bytes = format!("00000003 0000000000000009 00000000 00000001 76 {STAT_BYTES}");
    assert_reply(ReplyHeader::ok(3, 9), Some(&body), opcode::RECONFIG, &bytes);
}

#[test]
fn a_multi_is_operations_behind_headers() {
    let path = || "/a".to_owned();
    let acl = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";
    let ops = vec![
        Request::Create { path: path(), data: data("v"), acl: Acl::open(), flags: 0 },
        Request::CreateTtl { path: path(), data: None, acl: Acl::open(), flags: 5, ttl: 7 },
        Request::SetData { path: path(), data: data("v"), version: 2 },
        Request::Check { path: path(), version: 3 },
        Request::Delete { path: path(), version: -1 },
    ];
    let bytes = format!(
        "00000001 0000000e
         00000001 00 ffffffff 00000002 2f61 00000001 76 {acl} 00000000
         00000015 00 ffffffff 00000002 2f61 ffffffff {acl} 00000005 0000000000000007
         00000005 00 ffffffff 00000002 2f61 00000001 76 00000002
         0000000d 00 ffffffff 00000002 2f61 00000003
         00000002 00 ffffffff 00000002 2f61 ffffffff
         ffffffff 01 ffffffff"
    );
    assert_request(1, &Request::Multi { ops }, &bytes);
    assert_request(1, &Request::Multi { ops: vec![] }, "00000001 0000000e ffffffff 01 ffffffff");
    let reads = vec![
        Request::GetData { path: path(), watch: false },
        Request::GetChildren { path: path(), watch: false },
    ];
    let bytes = "00000001 00000016 00000004 00 ffffffff 00000002 2f61 00
         00000008 00 ffffffff 00000002 2f61 00 ffffffff 01 ffffffff";
    assert_request(1, &Request::MultiRead { ops: reads }, bytes);
}

#[test]
fn the_answer_to_a_multi_has_a_header_before_each_result() {
    let path = || "/a".to_owned();
    let results = vec![
        OpResult::Create { path: path() },
        OpResult::Create2 { path: path(), stat: STAT },
        OpResult::Delete,
        OpResult::SetData { stat: STAT },
        OpResult::Check,
    ];
    let bytes = format!(
        "00000001 0000000000000009 00000000
         00000001 00 00000000 00000002 2f61
         0000000f 00 00000000 00000002 2f61 {STAT_BYTES}
         00000002 00 00000000
         00000005 00 00000000 {STAT_BYTES}
         0000000d 00 00000000
         ffffffff 01 ffffffff"
    );
    let header = ReplyHeader::ok(1, 9);
    assert_reply(header, Some(&Response::Multi { results }), opcode::MULTI, &bytes);
}

#[test]
fn a_failed_multi_is_a_list_of_errors() {
    let results = [0, -101, -2].map(|code| OpResult::Error { code }).to_vec();
    let bytes = "00000001 0000000000000009 00000000
         ffffffff 00 00000000 00000000
         ffffffff 00 ffffff9b ffffff9b
         ffffffff 00 fffffffe fffffffe
         ffffffff 01 ffffffff";
    let header = ReplyHeader::ok(1, 9);
    assert_reply(header, Some(&Response::Multi { results }), opcode::MULTI, bytes);
}

#[test]
fn requests_about_lists_watches_and_identities() {
    let path = || "/a".to_owned();
    let acl = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";
    let set = Request::SetAcl { path: path(), acl: Acl::open(), version: 3 };
    assert_request(1, &set, &format!("00000001 00000007 00000002 2f61 {acl} 00000003"));
    let add = Request::AddWatch { path: path(), mode: 1 };
    assert_request(1, &add, "00000001 0000006a 00000002 2f61 00000001");
    let check = Request::CheckWatches { path: path(), watcher_type: 3 };
    assert_request(1, &check, "00000001 00000011 00000002 2f61 00000003");
    let remove = Request::RemoveWatches { path: path(), watcher_type: 2 };
    assert_request(1, &remove, "00000001 00000012 00000002 2f61 00000002");
    let mine = Request::GetEphemerals { prefix: path() };
    assert_request(1, &mine, "00000001 00000067 00000002 2f61");
    let number = Request::GetAllChildrenNumber { path: path() };
    assert_request(1, &number, "00000001 00000068 00000002 2f61");
    assert_request(1, &Request::WhoAmI, "00000001 0000006b");
    let container = Request::CreateContainer { path: path(), data: None, acl: vec![], flags: 4 };
    let bytes = "00000001 00000013 00000002 2f61 ffffffff 00000000 00000004";
    assert_request(1, &container, bytes);
}

#[test]
fn replies_about_lists_watches_and_identities() {
    let reply = |body: &Response, opcode, bytes: &str| {
        let bytes = format!("00000003 0000000000000009 00000000 {bytes}");
        assert_reply(ReplyHeader::ok(3, 9), Some(body), opcode, &bytes);
    };
    reply(&Response::SetAcl { stat: STAT }, opcode::SET_ACL, STAT_BYTES);
    reply(&Response::AddWatch { err: 0 }, opcode::ADD_WATCH, "00000000");
    let paths = Response::GetEphemerals { paths: vec!["/a".to_owned()] };
    reply(&paths, opcode::GET_EPHEMERALS, "00000001 00000002 2f61");
    let number = Response::GetAllChildrenNumber { number: 7 };
    reply(&number, opcode::GET_ALL_CHILDREN_NUMBER, "00000007");
    let identities = vec![Identity::new("ip", "::1")];
    let bytes = "00000001 00000002 6970 00000003 3a3a31";
    reply(&Response::WhoAmI { identities }, opcode::WHO_AM_I, bytes);
}

#[test]
fn replies_with_a_body() {
    let header = ReplyHeader::ok(3, 0x1_0000_0002);
    let head = "00000003 0000000100000002 00000000";
    let path = "00000002 2f61";
    let reply = |body: &Response, opcode, bytes: &str| {
        assert_reply(header, Some(body), opcode, &format!("{head} {bytes}"));
    };
    reply(&Response::Create { path: "/a".into() }, opcode::CREATE, path);
    let create2 = Response::Create2 { path: "/a".into(), stat: STAT };
    reply(&create2, opcode::CREATE2, &format!("{path} {STAT_BYTES}"));
    reply(&Response::Exists { stat: STAT }, opcode::EXISTS, STAT_BYTES);
    let get = Response::GetData { data: data("v"), stat: STAT };
    reply(&get, opcode::GET_DATA, &format!("00000001 76 {STAT_BYTES}"));
    let null = Response::GetData { data: None, stat: STAT };
    reply(&null, opcode::GET_DATA, &format!("ffffffff {STAT_BYTES}"));
    reply(&Response::SetData { stat: STAT }, opcode::SET_DATA, STAT_BYTES);
    let acl = Response::GetAcl { acl: Acl::open(), stat: STAT };
    let acl_bytes = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";
    reply(&acl, opcode::GET_ACL, &format!("{acl_bytes} {STAT_BYTES}"));
    let children = || vec!["a".to_owned(), "bc".to_owned()];
    let names = "00000002 00000001 61 00000002 6263";
    reply(&Response::GetChildren { children: children() }, opcode::GET_CHILDREN, names);
    let children2 = Response::GetChildren2 { children: children(), stat: STAT };
    reply(&children2, opcode::GET_CHILDREN2, &format!("{names} {STAT_BYTES}"));
    reply(&Response::Sync { path: "/a".into() }, opcode::SYNC, path);
}

#[test]
fn replies_without_a_body() {
    let ping = ReplyHeader::ok(xid::PING, 5);
    assert_reply(ping, None, opcode::PING, "fffffffe 0000000000000005 00000000");
    let missing = ReplyHeader::failure(4, 6, ErrorCode::NoNode);
    assert_reply(missing, None, opcode::GET_DATA, "00000004 0000000000000006 ffffff9b");
    let unknown = ReplyHeader::failure(4, -1, ErrorCode::Unimplemented);
    assert_reply(unknown, None, opcode::MULTI, "00000004 ffffffffffffffff fffffffa");
}

#[test]
fn a_notification() {
    let event = WatcherEvent::new(EventType::NodeDataChanged, "/a");
    assert_eq!(event.state, state::SYNC_CONNECTED);
    let payload = hex("ffffffff 0000000100000002 00000000 00000003 00000003 00000002 2f61");
    let mut out = Vec::new();
    encode_notification(0x1_0000_0002, &event, &mut out);
    assert_eq!(out, framed(&payload));
    let header = ReplyHeader::ok(xid::NOTIFICATION, 0x1_0000_0002);
    assert_eq!(ReplyHeader::peek(&payload), Ok(header));
    assert_eq!(decode_notification(&payload), Ok((header, event)));
}
