//! A length in a payload is not a reason to allocate: memory is bounded by the payload.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use wire::{
    Acl, ConnectRequest, Request, Response, Stat, decode_reply, decode_request, encode_reply,
    encode_request, opcode,
};

/// The largest single allocation since it was last reset.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watching;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// A short vector of strings takes room for four of them, whatever the input.
const FLOOR: usize = 1024;

/// The only test of this binary, so that nothing else allocates meanwhile.
#[test]
fn a_wrong_length_anywhere_allocates_no_more_than_the_payload() {
    LARGEST.store(0, Ordering::Relaxed);
    drop(vec![0u8; 100_000]);
    assert!(LARGEST.load(Ordering::Relaxed) >= 100_000, "the watch works");
    let requests = requests();
    for (opcode, payload) in &requests {
        assert_bounded(payload, |bytes| drop(decode_request(bytes)), *opcode);
        assert_bounded(payload, |bytes| drop(ConnectRequest::decode(bytes)), *opcode);
    }
    for (opcode, payload) in &replies() {
        assert_bounded(payload, |bytes| drop(decode_reply(bytes, *opcode)), *opcode);
    }
}

/// Puts lengths far beyond the end at every offset and decodes.
fn assert_bounded(payload: &[u8], decode: impl Fn(&[u8]), opcode: i32) {
    for offset in 0..payload.len() - 4 {
        for length in [i32::MAX, 1 << 30, 1 << 20, payload.len() as i32, i32::MIN] {
            let mut bytes = payload.to_vec();
            bytes[offset..offset + 4].copy_from_slice(&length.to_be_bytes());
            LARGEST.store(0, Ordering::Relaxed);
            decode(&bytes);
            let largest = LARGEST.load(Ordering::Relaxed);
            assert!(largest <= FLOOR, "{largest} bytes at once: opcode {opcode}, offset {offset}");
        }
    }
}

fn requests() -> Vec<(i32, Vec<u8>)> {
    let strings = || vec!["/a".to_owned(), "/b".to_owned()];
    let data = Some([1, 2, 3].into());
    let create =
        Request::Create { path: "/a".into(), data: data.clone(), acl: Acl::open(), flags: 0 };
    let set = Request::SetData { path: "/a".into(), data, version: 0 };
    let watches = Request::SetWatches {
        relative_zxid: 0,
        data: strings(),
        exist: strings(),
        child: strings(),
    };
    let multi = Request::Multi { ops: vec![create.clone(), set.clone()] };
    [create, set, watches, multi]
        .iter()
        .map(|request| {
            let mut out = Vec::new();
            encode_request(1, request, &mut out);
            (request.opcode(), out.split_off(4))
        })
        .collect()
}

fn replies() -> Vec<(i32, Vec<u8>)> {
    let stat = Stat::default();
    let children = vec!["a".to_owned(), "b".to_owned()];
    [
        (opcode::GET_DATA, Response::GetData { data: Some([1, 2].into()), stat }),
        (opcode::GET_ACL, Response::GetAcl { acl: Acl::open(), stat }),
        (opcode::GET_CHILDREN2, Response::GetChildren2 { children, stat }),
    ]
    .iter()
    .map(|(opcode, body)| {
        let mut out = Vec::new();
        encode_reply(wire::ReplyHeader::ok(1, 1), Some(body), &mut out);
        (*opcode, out.split_off(4))
    })
    .collect()
}
