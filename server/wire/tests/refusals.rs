//! What must be refused, and how the refusal reads.

use wire::frame::{self, FourLetter, MAX_LEN_DEFAULT, four_letter_word};
use wire::path::{self, PathError, validate, validate_create};
use wire::{
    ConnectRequest, CreateMode, ErrorCode, EventType, Problem, Reader, decode_notification,
    decode_reply, decode_request, opcode,
};

#[test]
fn a_frame_is_found_once_it_is_whole() {
    let buf = [0, 0, 0, 2, 7, 8, 0, 0];
    for len in 0..6 {
        assert_eq!(frame::next(&buf[..len], 10), Ok(None), "{len} bytes");
    }
    assert_eq!(frame::next(&buf, 10), Ok(Some(4..6)));
    assert_eq!(frame::next(&buf[6..], 10), Ok(None));
    assert_eq!(frame::next(&[0; 4], 10), Ok(Some(4..4)));
}

#[test]
fn a_frame_above_the_limit_or_of_negative_length_is_refused() {
    assert_eq!(frame::next(&[0, 0x0f, 0xff, 0xff], MAX_LEN_DEFAULT), Ok(None));
    let above = frame::next(&[0, 0x10, 0, 0], MAX_LEN_DEFAULT).expect_err("one byte too many");
    assert_eq!(
        above.to_string(),
        "frame length at byte 0: length 1048576 is above the limit of 1048575 bytes (jute.maxbuffer)"
    );
    let negative = frame::next(&[0xff; 4], MAX_LEN_DEFAULT).expect_err("negative");
    assert_eq!(negative.problem, Problem::Length(-1));
}

#[test]
fn four_letter_words_are_no_frames() {
    assert_eq!(four_letter_word(*b"ruok"), Some(FourLetter::Ruok));
    assert_eq!(four_letter_word(*b"RUOK"), None);
    assert_eq!(four_letter_word([0, 0, 0, 45]), None);
    for &word in FourLetter::ALL {
        let bytes: [u8; 4] = word.word().as_bytes().try_into().expect("four letters");
        assert_eq!(four_letter_word(bytes), Some(word));
        assert!(frame::next(&bytes, MAX_LEN_DEFAULT).is_err(), "{word:?}");
    }
}

#[test]
fn a_length_is_not_believed_before_its_bytes_are_seen() {
    let setdata = [0, 0, 0, 1, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, b'/'];
    let error = decode_request(&setdata).expect_err("the path is cut");
    assert_eq!(error.to_string(), "path at byte 12: needs 2147483647 bytes, 1 are left");
    let mut names = Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let error = names.strings("children").expect_err("2^31 names in 4 bytes");
    assert_eq!(error.problem, Problem::Truncated { needed: 4 * 0x7fff_ffff, left: 4 });
}

#[test]
fn lengths_below_minus_one_and_null_strings_are_refused() {
    let problem =
        |bytes: &[u8]| Reader::new(bytes).string::<String>("path").expect_err("refused").problem;
    assert_eq!(problem(&[0xff, 0xff, 0xff, 0xfe]), Problem::Length(-2));
    assert_eq!(problem(&[0xff; 4]), Problem::Length(-1));
    assert_eq!(problem(&[0, 0, 0, 1, 0xff]), Problem::NotUtf8);
    assert_eq!(Reader::new(&[0xff; 4]).buffer("data"), Ok(None));
    assert_eq!(Reader::new(&[0xff; 4]).strings("children"), Ok(vec![]), "a null vector is empty");
    assert!(Reader::new(&[0xff, 0xff, 0xff, 0xfe]).strings("children").is_err());
}

#[test]
fn bytes_behind_a_record_are_refused() {
    let mut ping = vec![0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11];
    assert!(decode_request(&ping).is_ok());
    ping.push(0);
    let error = decode_request(&ping).expect_err("one byte too many");
    assert_eq!(error.to_string(), "request at byte 8: 1 bytes too many");
    let connect = [0; 30];
    assert!(ConnectRequest::decode(&connect[..28]).is_ok());
    assert!(ConnectRequest::decode(&connect[..29]).is_ok(), "readOnly may follow");
    assert!(ConnectRequest::decode(&connect).is_err());
}

#[test]
fn after_a_body_that_cannot_be_read_the_stream_is_in_order() {
    let cut = [0, 0, 0, 7, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, b'/'];
    let (header, request) = wire::unreadable_request(&cut).expect("it has a header");
    assert_eq!((header.xid, request), (7, wire::Request::Unreadable { opcode: 5 }));
    assert_eq!(wire::unreadable_request(&cut[..7]), None, "no header");
    let credentials = [0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 100, 0];
    assert_eq!(wire::unreadable_request(&credentials), None);
}

#[test]
fn a_multi_takes_no_reads_a_multi_read_no_writes_and_neither_nests() {
    let refused = |outer: i32, inner: i32| {
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, outer as u8, 0, 0, 0, inner as u8, 0];
        bytes.extend_from_slice(&[0xff; 4]);
        bytes.extend_from_slice(&[0; 40]);
        decode_request(&bytes).expect_err("refused").problem == Problem::Unknown(inner)
    };
    for inner in [opcode::GET_DATA, opcode::MULTI, opcode::SET_ACL, opcode::SYNC] {
        assert!(refused(opcode::MULTI, inner), "{inner}");
    }
    for inner in [opcode::CREATE, opcode::MULTI_READ, opcode::EXISTS, opcode::CHECK] {
        assert!(refused(opcode::MULTI_READ, inner), "{inner}");
    }
}

#[test]
fn a_multi_without_an_end_is_refused() {
    let bytes = [0, 0, 0, 1, 0, 0, 0, 14];
    assert_eq!(decode_request(&bytes).expect_err("cut").field, "type");
}

#[test]
fn a_reply_of_the_wrong_kind_is_refused() {
    let ok = [0; 16];
    assert!(decode_reply(&ok, opcode::PING).is_ok());
    assert!(decode_reply(&ok, opcode::EXISTS).is_err(), "a stat is missing");
    assert_eq!(decode_reply(&ok, 77).expect_err("no such opcode").problem, Problem::Unknown(77));
    assert_eq!(decode_notification(&ok).expect_err("xid 0").problem, Problem::Unknown(0));
    let mut event = vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    event.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 0]);
    let error = decode_notification(&event).expect_err("no event 9");
    assert_eq!(error.to_string(), "type at byte 16: unknown value 9");
}

#[test]
fn error_codes_have_zookeepers_numbers_and_names() {
    let expected = [
        (-1, "SystemError"),
        (-2, "RuntimeInconsistency"),
        (-3, "DataInconsistency"),
        (-4, "ConnectionLoss"),
        (-5, "MarshallingError"),
        (-6, "Unimplemented"),
        (-7, "OperationTimeout"),
        (-8, "BadArguments"),
        (-12, "UnknownSession"),
        (-13, "NewConfigNoQuorum"),
        (-14, "ReconfigInProgress"),
        (-100, "APIError"),
        (-101, "NoNode"),
        (-102, "NoAuth"),
        (-103, "BadVersion"),
        (-108, "NoChildrenForEphemerals"),
        (-110, "NodeExists"),
        (-111, "NotEmpty"),
        (-112, "SessionExpired"),
        (-113, "InvalidCallback"),
        (-114, "InvalidACL"),
        (-115, "AuthFailed"),
        (-118, "SessionMoved"),
        (-119, "NotReadOnly"),
        (-120, "EphemeralOnLocalSession"),
        (-121, "NoWatcher"),
        (-122, "RequestTimeout"),
        (-123, "ReconfigDisabled"),
        (-124, "SessionClosedRequireSaslAuth"),
        (-125, "QuotaExceeded"),
        (-127, "ThrottledOp"),
    ];
    let actual: Vec<(i32, String)> =
        ErrorCode::ALL.iter().map(|error| (error.code(), error.to_string())).collect();
    assert_eq!(actual, expected.map(|(code, name)| (code, name.to_owned())));
    assert_eq!(ErrorCode::from_i32(-101), Some(ErrorCode::NoNode));
    assert_eq!(ErrorCode::from_i32(0), None);
    assert_eq!(ErrorCode::from_i32(-126), None);
}

#[test]
fn modes_and_events_are_their_numbers() {
    let modes = [0, 1, 2, 3].map(|flags| CreateMode::from_flags(flags).expect("a mode"));
    assert_eq!(modes.map(CreateMode::flags), [0, 1, 2, 3]);
    assert_eq!(modes.map(CreateMode::is_ephemeral), [false, true, false, true]);
    assert_eq!(modes.map(CreateMode::is_sequential), [false, false, true, true]);
    let kept = [4, 5, 6].map(|flags| CreateMode::from_flags(flags).expect("a mode"));
    assert_eq!(kept, [CreateMode::Container, CreateMode::Ttl, CreateMode::TtlSequential]);
    assert_eq!(kept.map(CreateMode::is_sequential), [false, false, true]);
    assert_eq!(kept.map(CreateMode::is_ttl), [false, true, true]);
    assert!(!kept.into_iter().any(CreateMode::is_ephemeral));
    assert_eq!(CreateMode::from_flags(7), Err(ErrorCode::BadArguments));
    assert_eq!(CreateMode::from_flags(-1), Err(ErrorCode::BadArguments));
    for code in [-1, 1, 2, 3, 4] {
        assert_eq!(EventType::from_i32(code).map(EventType::code), Some(code));
    }
    assert_eq!(EventType::from_i32(0), None);
}

#[test]
fn paths() {
    for good in ["/", "/a", "/a/b", "/a/..b", "/a/b.", "/...", "/ä/漢", "/a b"] {
        assert_eq!(validate(good), Ok(()), "{good:?}");
    }
    let bad = [
        ("", PathError::Empty),
        ("a", PathError::NotAbsolute),
        ("a/b", PathError::NotAbsolute),
        ("/a/", PathError::TrailingSlash),
        ("//", PathError::TrailingSlash),
        ("//a", PathError::EmptyComponent),
        ("/a//b", PathError::EmptyComponent),
        ("/.", PathError::Relative),
        ("/a/../b", PathError::Relative),
        ("/a\0", PathError::Character('\0')),
        ("/\u{1f}", PathError::Character('\u{1f}')),
        ("/\u{7f}", PathError::Character('\u{7f}')),
        ("/\u{9f}", PathError::Character('\u{9f}')),
        ("/\u{e000}", PathError::Character('\u{e000}')),
        ("/\u{fff0}", PathError::Character('\u{fff0}')),
        ("/\u{1f600}", PathError::Character('\u{1f600}')),
    ];
    for (path, error) in bad {
        assert_eq!(validate(path), Err(error), "{path:?}");
    }
}

#[test]
fn a_sequential_path_is_judged_with_its_number() {
    assert_eq!(validate_create("/a/", true), Ok(()));
    assert_eq!(validate_create("/", true), Ok(()));
    assert_eq!(validate_create("/a/.", true), Ok(()));
    assert_eq!(validate_create("/a/", false), Err(PathError::TrailingSlash));
    assert_eq!(validate_create("/a//", true), Err(PathError::EmptyComponent));
}

#[test]
fn parts_of_paths() {
    assert_eq!([path::parent("/a/b"), path::parent("/a")], [Some("/a"), Some("/")]);
    assert_eq!([path::parent("/"), path::parent("a")], [None, None]);
    assert_eq!([path::name("/a/b"), path::name("/")], ["b", ""]);
    assert_eq!([path::join("/", "a"), path::join("/a", "b")], ["/a", "/a/b"]);
}
