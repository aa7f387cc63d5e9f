//! What peers send, nearly right.

use fuzz::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tree::WriteOp;
use zab::Zxid;

use super::{Frame, encode, pieces, read_frame};
use crate::proposal::{Message, State, Txn};
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

/// Behind the mark, in pieces that values go over.
#[test]
fn snapshots_in_pieces() {
    let state = State::default();
    let sample = |piece| {
        let mut bytes = Vec::new();
        let sent = pieces::send(Zxid(9), state.clone(), piece, &mut bytes);
        runtime().block_on(sent).expect("a vector takes all");
        bytes.split_off(4)
    };
    let receive = |mut bytes: &[u8]| runtime().block_on(pieces::receive::<State>(&mut bytes));
    target("a snapshot in pieces", vec![sample(7), sample(1000)]).survives(|bytes| {
        drop(receive(bytes));
    });
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

fn reads<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    if let Ok(value) = read::<T>(bytes) {
        let again = bytes_of(&value);
        let decoded = read::<T>(&again).expect("it was just encoded");
        assert_eq!(bytes_of(&decoded), again);
    }
}

fn read<T: DeserializeOwned>(mut bytes: &[u8]) -> std::io::Result<T> {
    runtime().block_on(read_frame(&mut bytes))
}

fn bytes_of(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    bytes
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}
