//! What peers send, nearly right.

use fuzz::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tree::WriteOp;

use super::{Frame, encode, read_frame};
use crate::proposal::Message;
use crate::samples::{CAUTIOUS, messages, origin, proposal};

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

/// One level, as everywhere: a stack is a bounded thing.
#[test]
fn a_multi_in_a_multi_is_refused_however_deep() {
    let flat = |ops| Frame::Zab(Message::Forward { txn: proposal(WriteOp::Multi { ops }) });
    let nested = flat(vec![WriteOp::Multi { ops: vec![] }]);
    assert!(read::<Frame>(&bytes_of(&flat(vec![]))).is_ok());
    assert!(read::<Frame>(&bytes_of(&nested)).is_err());
    let body = bytes_of(&nested).split_off(4);
    let empty = bytes_of(&flat(vec![])).split_off(4);
    // What one level adds: the count of one, and which kind of operation.
    let at = empty.iter().zip(&body).position(|(a, b)| a != b).expect("they differ");
    let level = body[at..at + 2].repeat(1_000_000);
    let deep = [&body[..at], &level[..], &body[at..]].concat();
    let length = u32::try_from(deep.len()).expect("two million").to_le_bytes();
    assert!(read::<Frame>(&[&length[..], &deep[..]].concat()).is_err());
}

fn target(name: &str, samples: Vec<Vec<u8>>) -> Target<'_> {
    Target { name, samples, bytes_per_byte: 64, floor: 3 * CAUTIOUS }
}

fn reads<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    if let Ok(value) = read::<T>(bytes) {
        let again = bytes_of(&value);
        let decoded = read::<T>(&again).expect("it was just encoded");
        assert_eq!(bytes_of(&decoded), again);
    }
}

fn read<T: DeserializeOwned>(mut bytes: &[u8]) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(read_frame(&mut bytes))
}

fn bytes_of(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    bytes
}
