//! What a disk gives back, nearly right.

use std::fs;

use fuzz::Target;
use tree::{Tree, Txn};
use zab::Zxid;

use super::Diverged;
use super::log::Segment;
use super::snapshot;
use super::state::State;
use crate::proposal;
use crate::samples::{CAUTIOUS, entries};

/// Whatever is damaged, only whole records from the file's start are taken for records.
#[test]
fn log_files() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let mut segment =
        Segment::create(scratch.path(), Zxid::new(3, 1), None).expect("a scratch directory");
    entries().iter().for_each(|entry| segment.append(entry));
    segment.sync().expect("a scratch directory");
    let whole = fs::read(segment.path()).expect("it was just written");
    let samples = vec![whole[..8].to_vec(), whole];
    let written = entries();
    let target = Target { name: "a log file", samples, bytes_per_byte: 64, floor: 3 * CAUTIOUS };
    target.survives(|bytes| {
        let found = journal::scan::<proposal::Txn>(bytes, true);
        let (records, damage) = (found.records, found.damage);
        assert!(records.iter().all(|record| written.contains(&record.entry)), "a wrong entry");
        assert!(records.is_sorted_by_key(|record| record.entry.zxid));
        assert!(damage.is_some() || records.last().is_none_or(|last| last.end == bytes.len()));
    });
}

/// Behind its checksum, which a lying leader would compute.
#[test]
fn snapshots() {
    let mut tree = Tree::new();
    for entry in entries() {
        tree.apply(entry.zxid.0, &entry.txn.decode().expect("just encoded").txn);
    }
    let close = Txn::CloseSession { id: 7 };
    let before = postcard::to_stdvec(&tree).expect("plain data");
    tree.apply(Zxid::new(4, 1).0, &close);
    let samples = vec![before, postcard::to_stdvec(&tree).expect("plain data")];
    let target = Target { name: "a snapshot", samples, bytes_per_byte: 64, floor: 4 * CAUTIOUS };
    target.survives(|bytes| drop(postcard::from_bytes::<Tree>(bytes)));
}

/// With their checksums, as files.
#[test]
fn files_with_checksums() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("file");
    let state = State { accepted_epoch: 7, current_epoch: 6, settled: 5, generation: 2 };
    state.write(&path).expect("a scratch directory");
    let samples = vec![fs::read(&path).expect("it was just written")];
    let target = Target { name: "a state file", samples, bytes_per_byte: 8, floor: 4 << 10 };
    target.survives(|bytes| {
        fs::write(&path, bytes).expect("a scratch directory");
        assert!(State::read(&path).is_err() || State::read(&path).unwrap() == Some(state));
    });
    let body = b"some state, and its checksum".to_vec();
    snapshot::write(scratch.path(), Zxid::new(3, 1), &body).expect("a scratch directory");
    let written = snapshot::path(scratch.path(), Zxid::new(3, 1));
    let samples = vec![fs::read(written).expect("it was just written")];
    // It is decoded before its checksum is known.
    let target = Target { name: "a snapshot file", samples, bytes_per_byte: 8, floor: CAUTIOUS };
    target.survives(|bytes| {
        fs::write(&path, bytes).expect("a scratch directory");
        let read = snapshot::read::<Vec<u8>>(&path);
        assert!(read.is_ok_and(|read| read.is_none_or(|read| read == body)));
    });
}

/// It has no checksum: nothing depends on its numbers but what people are told.
#[test]
fn notes_of_divergence() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let note = Diverged { zxid: Zxid::new(3, 1), own: 1, right: 2 };
    note.write(scratch.path()).expect("a scratch directory");
    let path = scratch.path().join("diverged");
    let samples = vec![fs::read(&path).expect("it was just written")];
    let target = Target { name: "a note", samples, bytes_per_byte: 8, floor: 4 << 10 };
    target.survives(|bytes| {
        fs::write(&path, bytes).expect("a scratch directory");
        if let Ok(Some(note)) = Diverged::read(scratch.path()) {
            note.write(scratch.path()).expect("a scratch directory");
            assert_eq!(Diverged::read(scratch.path()).expect("well-formed"), Some(note));
        }
    });
}
