//! A file of JSON lines in pieces, each taken apart by the next of several threads.

use std::fs::File;
use std::io::{self, Read};
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::step::{Batch, Step};
use super::{step, usual};
use crate::foreign::{Datum, Record};
use crate::reader::{LINE_BYTES_MAX, Problem, ReadError};

/// Bytes of a piece, but for longer lines.
const PIECE: usize = 1 << 18;

/// Pieces that wait for each thread.
const WAITING: usize = 2;

const THREADS_MAX: usize = 4;

/// Whole lines of the file; the last piece may end with a part of one.
struct Piece {
    text: Vec<u8>,
    first_line: u64,
    /// Bytes of the file up to its end.
    read: u64,
}

/// A piece taken apart.
struct Parsed {
    batch: Batch,
    /// What ends the reading here.
    end: Option<End>,
}

enum End {
    Cut(String),
    Failed(ReadError),
}

pub(super) fn stream(
    path: &Path,
    take: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
) -> Result<Option<String>, ReadError> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let file = File::open(path).map_err(|error| ReadError::Io { path: path.into(), error })?;
    thread::scope(|scope| {
        let (mut pieces, mut parsed) = (Vec::new(), Vec::new());
        for _ in 0..n_threads {
            let (to, from) = sync_channel(WAITING);
            let (done, finished) = sync_channel(WAITING);
            scope.spawn(move || parse_all(path, &from, &done));
            pieces.push(to);
            parsed.push(finished);
        }
        scope.spawn(move || read_all(path, file, &pieces));
        take_all(&parsed, take)
    })
}

/// In the order of the file; whoever waits for more work ends when the receivers are dropped.
fn take_all(
    parsed: &[Receiver<Parsed>],
    take: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
) -> Result<Option<String>, ReadError> {
    for from in parsed.iter().cycle() {
        let Ok(Parsed { batch, end }) = from.recv() else { break };
        if take(&batch).is_break() {
            break;
        }
        match end {
            None => {}
            Some(End::Cut(cut)) => return Ok(Some(cut)),
            Some(End::Failed(error)) => return Err(error),
        }
    }
    Ok(None)
}

type ReadPiece = Result<Piece, ReadError>;

fn read_all(path: &Path, mut file: File, to: &[SyncSender<ReadPiece>]) {
    let (mut line, mut read, mut rest) = (1, 0, Vec::new());
    for to in to.iter().cycle() {
        let piece = next_piece(&mut file, &mut rest, line).map_err(|error| match error {
            Long::Io(error) => ReadError::Io { path: path.into(), error },
            Long::Line(line) => blame(path, line, too_long()),
        });
        if piece.as_ref().is_ok_and(Vec::is_empty) {
            return;
        }
        let piece = piece.map(|text| {
            let first_line = line;
            line += memchr::memchr_iter(b'\n', &text).count() as u64;
            read += text.len() as u64;
            Piece { text, first_line, read }
        });
        let failed = piece.is_err();
        if to.send(piece).is_err() || failed {
            return;
        }
    }
}

enum Long {
    Io(io::Error),
    Line(u64),
}

/// The next whole lines; `rest` is what was read beyond them.
fn next_piece(file: &mut File, rest: &mut Vec<u8>, line: u64) -> Result<Vec<u8>, Long> {
    let mut text = Vec::with_capacity(rest.len() + PIECE);
    text.append(rest);
    loop {
        let before = text.len();
        file.take(PIECE as u64).read_to_end(&mut text).map_err(Long::Io)?;
        if text.len() == before {
            return Ok(text);
        }
        if let Some(end) = memchr::memrchr(b'\n', &text[before..]) {
            rest.extend_from_slice(&text[before + end + 1..]);
            text.truncate(before + end + 1);
            return Ok(text);
        }
        if text.len() as u64 > LINE_BYTES_MAX {
            return Err(Long::Line(line));
        }
    }
}

fn parse_all(path: &Path, from: &Receiver<ReadPiece>, to: &SyncSender<Parsed>) {
    for piece in from {
        let parsed = match piece {
            Ok(piece) => parse(path, piece),
            Err(error) => Parsed { batch: Batch::default(), end: Some(End::Failed(error)) },
        };
        if to.send(parsed).is_err() {
            return;
        }
    }
}

fn parse(path: &Path, piece: Piece) -> Parsed {
    let Piece { mut text, first_line, read } = piece;
    let mut steps = Vec::with_capacity(text.len() / 128);
    let (mut keys, mut end) = (Vec::new(), None);
    let (mut number, mut at) = (first_line, 0);
    while at < text.len() {
        if let Some((step, next)) = usual::event(&text, at, number) {
            steps.push(step);
            (number, at) = (number + 1, next);
            continue;
        }
        let line = line(&text, at);
        at = line.end + 1;
        match other(&text, line, number, &mut keys) {
            Ok(step) => steps.extend(step),
            Err(Unread::Cut) => {
                end = Some(End::Cut(format!("line {number} was cut off; dropped")));
                break;
            }
            Err(Unread::Problem(problem)) => {
                end = Some(End::Failed(blame(path, number, problem)));
                break;
            }
        }
        number += 1;
    }
    text.append(&mut keys);
    Parsed { batch: Batch { steps, read, text }, end }
}

/// The line that begins at byte `from`, without its end.
fn line(text: &[u8], from: usize) -> Range<usize> {
    from..memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |length| from + length)
}

pub(super) enum Unread {
    Cut,
    Problem(Problem),
}

/// A line that is not as most are; none if it is blank.
pub(super) fn other(
    text: &[u8],
    line: Range<usize>,
    number: u64,
    keys: &mut Vec<u8>,
) -> Result<Option<Step>, Unread> {
    let is_last = line.end == text.len();
    let bytes = &text[line];
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let map: Datum = serde_json::from_slice(bytes).map_err(|error| match error.is_eof() {
        true if is_last => Unread::Cut,
        _ => Unread::Problem(Problem::NotJson { error: error.to_string() }),
    })?;
    let record = Record::of_map(&map, number).map_err(Unread::Problem)?;
    let version = map.field("stat").and_then(|stat| stat.field("version")).and_then(Datum::int);
    let version = version.and_then(|version| i32::try_from(version).ok());
    Ok(Some(Step { version, ..step(&record, text.len(), keys) }))
}

fn blame(path: &Path, line: u64, problem: Problem) -> ReadError {
    ReadError::Line { path: path.into(), line, problem }
}

fn too_long() -> Problem {
    Problem::Form { error: format!("longer than {} MiB", LINE_BYTES_MAX >> 20) }
}
