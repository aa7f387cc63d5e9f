//! The files of a trace: one that grows, and those before it, compressed.
//!
//! ```text
//! dataDir/
//!   trace.1.jsonl.gz, trace.2.jsonl.gz, …   closed, in this order
//!   trace.jsonl                             lines are added here
//! ```
//!
//! A closed file is `trace.<n>.jsonl` until it is compressed; a server that is killed meanwhile does it again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use tracing::warn;

/// The file that grows.
const NAME: &str = "trace.jsonl";
/// It is closed when it is this long: some 80,000 steps, or 2 MiB when they are compressed.
const FULL: u64 = 16 << 20;

/// Where lines are added.
#[derive(Debug)]
pub(super) struct TraceFile {
    directory: PathBuf,
    file: File,
    length: u64,
    full: u64,
    /// The number of the next file that is closed.
    next: u64,
}

impl TraceFile {
    /// Goes on with the trace in `directory`.
    ///
    /// # Errors
    /// When a file cannot be opened, with its name.
    pub(super) fn open(directory: &Path) -> io::Result<TraceFile> {
        TraceFile::open_with(directory, FULL)
    }

    fn open_with(directory: &Path, full: u64) -> io::Result<TraceFile> {
        let path = directory.join(NAME);
        let named = |error| io::Error::other(format!("{}: {error}", path.display()));
        let (file, length) = opened(&path).map_err(named)?;
        let closed = closed(directory)?;
        let next = closed.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
        let unfinished =
            closed.into_iter().map(|(_, path)| path).filter(|path| !is_compressed(path));
        unfinished.for_each(compress_apart);
        Ok(TraceFile { directory: directory.to_owned(), file, length, full, next })
    }

    /// Adds a line, at once: it is there when this process is killed.
    ///
    /// # Errors
    /// When the file cannot be written, or another one not begun.
    pub(super) fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        if self.length >= self.full { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> io::Result<()> {
        let path = self.directory.join(NAME);
        let closed = self.directory.join(format!("trace.{}.jsonl", self.next));
        fs::rename(&path, &closed)?;
        (self.file, self.length) = opened(&path)?;
        self.next += 1;
        compress_apart(closed);
        Ok(())
    }
}

/// The file and its length. What a kill cut short is ended, so that the next line is one.
fn opened(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok((file, 0));
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok((file, length));
    }
    file.write_all(b"\n")?;
    Ok((file, length + 1))
}

/// The files that are closed, with their numbers.
fn closed(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let number = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix("trace.")?;
        let digits = name.strip_suffix(".jsonl").or(name.strip_suffix(".jsonl.gz"))?;
        Some((digits.parse().ok()?, path.clone()))
    };
    let paths = fs::read_dir(directory)?.map(|entry| entry.map(|entry| number(entry.path())));
    paths.filter_map(io::Result::transpose).collect()
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// In a thread of its own, which nobody waits for.
fn compress_apart(path: PathBuf) {
    let compress = move || {
        if let Err(error) = compress(&path) {
            warn!(%error, "{} is not compressed", path.display());
        }
    };
    if let Err(error) = thread::Builder::new().name("trace".to_owned()).spawn(compress) {
        warn!(%error, "no thread to compress a trace");
    }
}

/// The compressed file is there or not there, never half.
fn compress(path: &Path) -> io::Result<()> {
    let beside = path.with_extension("jsonl.tmp");
    let mut encoder = GzEncoder::new(File::create(&beside)?, Compression::fast());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?;
    fs::rename(&beside, path.with_extension("jsonl.gz"))?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn a_line_cut_short_is_ended_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "one\ntw").unwrap();
        TraceFile::open(dir.path()).unwrap().add(b"three\n").unwrap();
        TraceFile::open(dir.path()).unwrap().add(b"four\n").unwrap();
        let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert_eq!(text, "one\ntw\nthree\nfour\n");
    }

    #[test]
    fn full_files_are_closed_in_order_and_no_line_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        for life in 0..2 {
            let mut trace = TraceFile::open_with(dir.path(), 10).unwrap();
            (0..5).for_each(|n| trace.add(format!("line {life}{n}\n").as_bytes()).unwrap());
            // No other process compresses while one of this life does.
            compressed(dir.path());
        }
        let files = compressed(dir.path());
        assert_eq!(files.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let text = |path| io::read_to_string(GzDecoder::new(File::open(path).unwrap())).unwrap();
        let lines: String = files.iter().map(|(_, path)| text(path)).collect();
        let all = (0..2).flat_map(|life| (0..5).map(move |n| format!("line {life}{n}\n")));
        assert_eq!(lines, all.collect::<String>());
    }

    /// The closed files in order, when all of them are compressed.
    fn compressed(directory: &Path) -> Vec<(u64, PathBuf)> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mut files = closed(directory).unwrap();
            if files.iter().all(|(_, path)| is_compressed(path)) {
                files.sort();
                return files;
            }
            assert!(Instant::now() < deadline, "{files:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn compressing_replaces_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.7.jsonl");
        fs::write(&path, "a line\n").unwrap();
        compress(&path).unwrap();
        let names: Vec<_> = closed(dir.path()).unwrap();
        assert_eq!(names, [(7, dir.path().join("trace.7.jsonl.gz"))]);
        let file = File::open(&names[0].1).unwrap();
        assert_eq!(io::read_to_string(GzDecoder::new(file)).unwrap(), "a line\n");
    }
}
