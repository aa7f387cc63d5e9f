//! Events from a file, one after the other, whatever its form.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::edn::{self, EdnError};
use super::record::{MARKER, Record, unreadable};
use super::{Datum, Format, Options};
use crate::reader::{LINE_BYTES_MAX, Problem, ReadError};

pub(crate) struct Input {
    path: PathBuf,
    keyed: bool,
    format: Format,
    file: BufReader<File>,
    /// Lines read.
    line: u64,
    /// Bytes read.
    read: u64,
    /// EDN read and not yet used, from byte `used` on, and the line at which that begins.
    rest: String,
    used: usize,
    rest_line: u64,
    /// Unused bytes after which to look for the end of an event again, so that a long one is not
    /// looked through at each of its lines.
    look_at: usize,
    /// What closes the vector that holds all events, if one does.
    vector: bool,
    cut: Option<String>,
}

impl Input {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Input, ReadError> {
        let failed = |error| ReadError::Io { path: path.into(), error };
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
        let format = match options.format {
            Some(format) => format,
            None => guess(file.fill_buf().map_err(failed)?),
        };
        let mut input = Input {
            path: path.into(),
            keyed: options.keyed,
            format,
            file,
            line: 0,
            read: 0,
            rest: String::new(),
            used: 0,
            rest_line: 1,
            look_at: 0,
            vector: false,
            cut: None,
        };
        input.open_vector()?;
        Ok(input)
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    pub(crate) fn next(&mut self) -> Result<Option<Record>, ReadError> {
        let record = match self.format {
            Format::Log => self.next_log(),
            Format::Json => self.next_json(),
            Format::Edn | Format::Kv => self.next_edn(),
        }?;
        let Some(mut record) = record else { return Ok(None) };
        if self.keyed {
            record.split_key().map_err(|problem| self.blame(record.line, problem))?;
        }
        Ok(Some(record))
    }

    pub(crate) fn cut(&mut self) -> Option<String> {
        self.cut.take()
    }

    pub(super) fn blame(&self, line: u64, problem: Problem) -> ReadError {
        ReadError::Line { path: self.path.clone(), line, problem }
    }

    fn next_log(&mut self) -> Result<Option<Record>, ReadError> {
        while let Some(text) = self.next_line()? {
            let Some((_, event)) = text.split_once(MARKER) else { continue };
            return match Record::of_log(event, self.line) {
                // What ends in a digit may have had more.
                Ok(_) if text.ends_with(|last: char| last.is_alphanumeric()) => Ok(self.cut_off()),
                Ok(record) => Ok(Some(record)),
                Err(_) if !text.ends_with('\n') => Ok(self.cut_off()),
                Err(problem) => Err(self.blame(self.line, problem)),
            };
        }
        Ok(None)
    }

    fn next_json(&mut self) -> Result<Option<Record>, ReadError> {
        while let Some(text) = self.next_line()? {
            if text.trim().is_empty() {
                continue;
            }
            if let Some(record) = Record::of_json(&text, self.line) {
                return Ok(Some(record));
            }
            let map: Datum = match serde_json::from_str(&text) {
                Ok(map) => map,
                Err(error) if error.is_eof() && !text.ends_with('\n') => return Ok(self.cut_off()),
                Err(error) => {
                    let problem = Problem::NotJson { error: error.to_string() };
                    return Err(self.blame(self.line, problem));
                }
            };
            let record = Record::of_map(&map, self.line);
            return record.map(Some).map_err(|problem| self.blame(self.line, problem));
        }
        Ok(None)
    }

    fn next_edn(&mut self) -> Result<Option<Record>, ReadError> {
        let mut at_end = false;
        loop {
            let rest = &self.rest[self.used..];
            let blank = rest.trim().is_empty();
            if at_end && blank {
                return Ok(None);
            }
            if at_end || (!blank && rest.len() >= self.look_at) {
                let line = self.rest_line + blank_lines(rest);
                match edn::first(rest) {
                    Ok(Some((datum, end))) => {
                        // A word at the end may go on, but no event is a word.
                        self.drop_front(end);
                        let record = Record::of_map(&datum, line);
                        return record.map(Some).map_err(|problem| self.blame(line, problem));
                    }
                    Err(EdnError::Wrong(_)) if self.closes_vector() => return Ok(None),
                    Err(error @ EdnError::Wrong(_)) => {
                        return Err(self.blame(line, unreadable(&error)));
                    }
                    Ok(None) | Err(EdnError::Incomplete) if at_end => return Ok(self.cut_off()),
                    Ok(None) | Err(EdnError::Incomplete) => self.look_at = 2 * rest.len(),
                }
            }
            at_end = !self.append_line(blank)?;
        }
    }

    /// Reads one more line; false at the end of the file.
    fn append_line(&mut self, blank: bool) -> Result<bool, ReadError> {
        if blank {
            self.rest.clear();
            self.used = 0;
            self.rest_line = self.line + 1;
        }
        let Some(text) = self.next_line()? else { return Ok(false) };
        self.rest.push_str(&text);
        self.check_length((self.rest.len() - self.used) as u64)?;
        Ok(true)
    }

    /// A history may be one vector or list; it is read piece by piece all the same.
    fn open_vector(&mut self) -> Result<(), ReadError> {
        if !matches!(self.format, Format::Edn | Format::Kv) {
            return Ok(());
        }
        while self.rest.trim().is_empty() {
            let Some(text) = self.next_line()? else { return Ok(()) };
            self.rest_line = self.line;
            self.rest = text;
        }
        if let Some(inner) = self.rest.trim_start().strip_prefix(['[', '(']) {
            self.vector = true;
            self.rest = inner.to_owned();
        }
        Ok(())
    }

    fn closes_vector(&self) -> bool {
        self.vector && matches!(self.rest[self.used..].trim(), "]" | ")")
    }

    fn drop_front(&mut self, bytes: usize) {
        let end = self.used + bytes;
        self.rest_line += self.rest[self.used..end].matches('\n').count() as u64;
        self.used = end;
        self.look_at = 0;
        // Moving what is left costs no more than what was used.
        if self.used > self.rest.len() / 2 {
            self.rest.drain(..self.used);
            self.used = 0;
        }
    }

    fn cut_off(&mut self) -> Option<Record> {
        self.cut = Some(format!("the last event, near line {}, is cut off; dropped", self.line));
        None
    }

    fn next_line(&mut self) -> Result<Option<String>, ReadError> {
        let mut bytes = Vec::new();
        let mut bounded = self.file.by_ref().take(LINE_BYTES_MAX + 1);
        let failed = |error| ReadError::Io { path: self.path.clone(), error };
        bounded.read_until(b'\n', &mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        self.read += bytes.len() as u64;
        self.check_length(bytes.len() as u64)?;
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let error = format!("no UTF-8 text at byte {at} of the line");
            self.blame(self.line, Problem::Form { error })
        })
    }

    fn check_length(&self, bytes: u64) -> Result<(), ReadError> {
        if bytes <= LINE_BYTES_MAX {
            return Ok(());
        }
        let error = format!("longer than {} MiB", LINE_BYTES_MAX >> 20);
        Err(self.blame(self.line, Problem::Form { error }))
    }
}

/// The form that the beginning of a file has.
fn guess(start: &[u8]) -> Format {
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start();
    let braces = text.trim_start_matches(['[', '(']).trim_start();
    match braces.strip_prefix('{').map(str::trim_start) {
        Some(inner) if inner.starts_with('"') => Format::Json,
        None if text.contains(MARKER) => Format::Log,
        _ => Format::Edn,
    }
}

fn blank_lines(text: &str) -> u64 {
    let blank = text.len() - text.trim_start().len();
    text[..blank].matches('\n').count() as u64
}
