//! What peers send, nearly right.

use fuzz::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tree::WriteOp;

use super::{Frame, encode, read_frame};
use crate::proposal::{Message, Txn};
use crate::samples::{CAUTIOUS, entries, messages, origin, proposal};

#[test]
fn frames_of_channels() {
    let frames: Vec<Frame> = messages()
        .into_iter()
        .map(Frame::Zab)
        .chain([
            Frame::Touched(vec![1, -2, 3]),
            Frame::Claim(7),
            Frame::Moved(origin()),
            Frame::Compare { zxid: 1, lineage: 2, doubt: true },
            Frame::Lineage { zxid: 1, lineage: 2 },
        ])
        .collect();
    target("a frame", frames.iter().map(bytes_of).collect()).survives(reads::<Frame>);
}

#[test]
fn votes() {
    target("a vote", messages().iter().map(bytes_of).collect()).survives(reads::<Message>);
}

/// What frames and log entries hold, which is decoded when it is applied.
#[test]
fn proposals() {
    let samples = entries().iter().map(|entry| entry.txn.encoded()).collect();
    let target = Target { name: "a proposal", samples, bytes_per_byte: 64, floor: 3 * CAUTIOUS };
    target.survives(|bytes| drop(Txn::from_encoded(bytes).decode()));
}

/// One level, as everywhere: a stack is a bounded thing.
#[test]
fn a_multi_in_a_multi_is_refused_however_deep() {
    let flat = |ops| proposal(WriteOp::Multi { ops });
    let nested = flat(vec![WriteOp::Multi { ops: vec![] }]);
    assert!(flat(vec![]).decode().is_ok());
    assert!(nested.decode().is_err());
    let (body, empty) = (nested.encoded(), flat(vec![]).encoded());
    // What one level adds: the count of one, and which kind of operation.
    let at = empty.iter().zip(&body).position(|(a, b)| a != b).expect("they differ");
    let level = body[at..at + 2].repeat(1_000_000);
    let deep = [&body[..at], &level[..], &body[at..]].concat();
    assert!(Txn::from_encoded(&deep).decode().is_err());
}

fn target(name: &str, samples: Vec<Vec<u8>>) -> Target<'_> {
    Target { name, samples, bytes_per_byte: 64, floor: 3 * CAUTIOUS }
}

fn reads<T: DeserializeOwned + Serialize + Send + 'static>(bytes: &[u8]) {
    if let Ok(value) = read::<T>(bytes) {
        let again = bytes_of(&value);
        let decoded = read::<T>(&again).expect("it was just encoded");
        assert_eq!(bytes_of(&decoded), again);
    }
}

fn read<T: DeserializeOwned + Send + 'static>(mut bytes: &[u8]) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(read_frame(&mut bytes))
}

fn bytes_of(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    bytes
}
