//! The recorder: one order from many threads, readable at any instant.

use std::thread;

use history::{Draft, Event, Kind, Phase, Process, Recorder, f};

fn read(client: u64, kind: Kind) -> Draft {
    Draft::new(Process::Client(client), kind, f::READ).key("/r0")
}

#[test]
fn events_of_many_threads_have_one_order() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("history.jsonl");
    let recorder = Recorder::create(&path).expect("a new file");
    thread::scope(|scope| {
        for client in 0..8 {
            let recorder = recorder.clone();
            scope.spawn(move || {
                for _ in 0..200 {
                    recorder.record(read(client, Kind::Invoke));
                    recorder.record(read(client, Kind::Ok).value(7));
                }
            });
        }
    });
    let history = history::read(&path, usize::MAX).expect("indices without gaps, times in order");
    assert_eq!(history.events, 8 * 200 * 2);
    assert_eq!(history.operations.len(), 8 * 200);
    assert!(history.operations.iter().all(|op| op.is_ok() && op.read == Some(7)));
}

#[test]
fn the_file_is_readable_while_it_is_written() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("history.jsonl");
    let recorder = Recorder::create(&path).expect("a new file");
    recorder.phase(Phase::Load);
    for _ in 0..10 {
        let event: Event = recorder.record(read(1, Kind::Invoke));
        let history = history::read(&path, usize::MAX).expect("readable without finish or drop");
        assert_eq!(history.events, event.index + 1);
        assert_eq!(history.end, event.time);
        recorder.record(read(1, Kind::Info).error("timeout"));
    }
    std::mem::forget(recorder);
}

#[test]
fn a_history_is_never_overwritten() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("history.jsonl");
    Recorder::create(&path).expect("a new file");
    let error = Recorder::create(&path).expect_err("it exists");
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
}
