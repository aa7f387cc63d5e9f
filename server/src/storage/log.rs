//! One file of the transaction log: a header, then records `length, checksum, entry`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zab::{Entry, Zxid};

use super::StorageError;
use super::file::sync_parent;
use crate::Mutant;

/// The last byte is the version of what follows.
const HEADER: &[u8; 8] = b"ZBLOG\0\0\x03";
/// Room for appends that is kept after a sync.
const PENDING_KEPT: usize = 2 << 20;
/// Length (u32) and CRC-32 of length and payload (u32), little-endian.
const FRAME: usize = 8;

/// An open segment. Appends are gathered in memory until [`sync`](Segment::sync).
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Bytes in the file and in `pending` together.
    length: u64,
    pending: Vec<u8>,
    /// The first and the last entry.
    entries: Option<(Zxid, Zxid)>,
    mutant: Option<Mutant>,
}

/// What a segment holds on disk.
pub(super) struct Contents<T> {
    pub(super) segment: Segment,
    pub(super) entries: Vec<Entry<T>>,
    /// A torn tail that was cut off, in words.
    pub(super) repaired: Option<String>,
}

impl Segment {
    /// Creates the file for entries from `first` on, durably named.
    pub(super) fn create(
        directory: &Path,
        first: Zxid,
        mutant: Option<Mutant>,
    ) -> Result<Segment, StorageError> {
        let path = directory.join(file_name(first));
        let mut file = File::options()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| StorageError::io(&path, error))?;
        file.write_all(HEADER)
            .and_then(|()| file.sync_all())
            .map_err(|error| StorageError::io(&path, error))?;
        if mutant != Some(Mutant::UnsyncedNames) {
            sync_parent(&path)?;
        }
        let length = HEADER.len() as u64;
        Ok(Segment { path, file, length, pending: Vec::new(), entries: None, mutant })
    }

    /// Reads a segment. In the `newest` one, a tail that a crash may have torn is cut off;
    /// anywhere else damage is an error.
    pub(super) fn open<T: DeserializeOwned>(
        path: &Path,
        newest: bool,
        mutant: Option<Mutant>,
    ) -> Result<Contents<T>, StorageError> {
        let bytes = fs::read(path).map_err(|error| StorageError::io(path, error))?;
        let (records, damage) = scan::<T>(&bytes, mutant != Some(Mutant::UncheckedLog));
        let whole = records.last().map_or(HEADER.len(), |(_, end)| *end);
        let repaired = match damage {
            None => None,
            Some(what) if newest && is_torn::<T>(&bytes, whole) => {
                cut(path, &bytes, whole)?;
                Some(format!("{}: cut a torn tail at byte {whole}: {what}", path.display()))
            }
            Some(what) => return Err(StorageError::damaged(path, whole as u64, what)),
        };
        // What was read may still be in the page cache only: after a kill it was never synced.
        let file = File::options()
            .append(true)
            .open(path)
            .and_then(|file| file.sync_all().map(|()| file))
            .map_err(|error| StorageError::io(path, error))?;
        let entries: Vec<_> = records.into_iter().map(|(entry, _)| entry).collect();
        let segment = Segment {
            path: path.to_owned(),
            file,
            length: whole as u64,
            pending: Vec::new(),
            entries: entries
                .first()
                .zip(entries.last())
                .map(|(first, last)| (first.zxid, last.zxid)),
            mutant,
        };
        Ok(Contents { segment, entries, repaired })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn last(&self) -> Option<Zxid> {
        self.entries.map(|(_, last)| last)
    }

    pub(super) fn first(&self) -> Option<Zxid> {
        self.entries.map(|(first, _)| first)
    }

    /// Adds an entry, in memory.
    pub(super) fn append<T: Serialize>(&mut self, entry: &Entry<T>) {
        let start = self.pending.len();
        self.pending.extend_from_slice(&[0; FRAME]);
        postcard::to_io(entry, &mut self.pending).expect("entries hold only plain data");
        let (frame, payload) = self.pending[start..].split_at_mut(FRAME);
        let length = u32::try_from(payload.len()).expect("a request is bounded by jute.maxbuffer");
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[4..].copy_from_slice(&checksum(length, payload).to_le_bytes());
        self.length += (FRAME + payload.len()) as u64;
        let first = self.first().unwrap_or(entry.zxid);
        self.entries = Some((first, entry.zxid));
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Writes what was gathered and makes it durable.
    pub(super) fn sync(&mut self) -> Result<(), StorageError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.pending).and_then(|()| self.sync_data());
        if self.mutant != Some(Mutant::IgnoredDiskErrors) {
            written.map_err(|error| StorageError::io(&self.path, error))?;
        }
        self.pending.clear();
        self.pending.shrink_to(PENDING_KEPT);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        match self.mutant {
            Some(Mutant::UnsyncedLog) => Ok(()),
            _ => self.file.sync_data(),
        }
    }

    /// Drops the entries after `after`, durably. Where they begin is read from the file: to know it
    /// of every entry would take memory for what hardly ever happens.
    pub(super) fn truncate<T: DeserializeOwned>(
        &mut self,
        after: Zxid,
    ) -> Result<(), StorageError> {
        self.sync()?;
        let bytes = fs::read(&self.path).map_err(|error| StorageError::io(&self.path, error))?;
        let (records, damage) = scan::<T>(&bytes, self.mutant != Some(Mutant::UncheckedLog));
        if let Some(what) = damage {
            let whole = records.last().map_or(HEADER.len(), |(_, end)| *end);
            return Err(StorageError::damaged(&self.path, whole as u64, what));
        }
        let kept = records.iter().take_while(|(entry, _)| entry.zxid <= after).last();
        self.length = kept.map_or(HEADER.len(), |(_, end)| *end) as u64;
        self.entries = self.first().zip(kept.map(|(entry, _)| entry.zxid));
        self.file
            .set_len(self.length)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| StorageError::io(&self.path, error))
    }
}

/// `log.<first zxid>`.
pub(super) fn file_name(first: Zxid) -> String {
    format!("log.{:016x}", first.0)
}

/// An entry and where it stands in its file.
pub(super) struct Record<T> {
    pub(super) entry: Entry<T>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Damage: where it begins, what it is, and whether nothing readable follows it.
type Damage = (usize, &'static str, bool);

/// What a log file holds, and what is wrong after that.
pub(super) fn examine<T: DeserializeOwned>(bytes: &[u8]) -> (Vec<Record<T>>, Option<Damage>) {
    let (found, damage) = scan::<T>(bytes, true);
    let mut start = HEADER.len();
    let record = |(entry, end)| Record { entry, start: std::mem::replace(&mut start, end), end };
    let records: Vec<Record<T>> = found.into_iter().map(record).collect();
    let whole = records.last().map_or(HEADER.len(), |record| record.end);
    let damage = damage.map(|what| (whole, what, is_torn::<T>(bytes, whole)));
    (records, damage)
}

fn checksum(length: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// The valid records from the start, each with where it ends; and what is wrong after them. Only a
/// planted defect does not have their checksums `checked`.
fn scan<T: DeserializeOwned>(
    bytes: &[u8],
    checked: bool,
) -> (Vec<(Entry<T>, usize)>, Option<&'static str>) {
    let mut records: Vec<(Entry<T>, usize)> = Vec::new();
    if is_of_another_version(bytes) {
        return (records, Some("written by another version of this program, which can read it"));
    }
    if !bytes.starts_with(HEADER) {
        return (records, Some("not a log header"));
    }
    let mut at = HEADER.len();
    while at < bytes.len() {
        match record::<T>(bytes, at, checked) {
            Ok((entry, end)) => {
                if records.last().is_some_and(|(last, _)| last.zxid >= entry.zxid) {
                    return (records, Some("zxids do not increase"));
                }
                records.push((entry, end));
                at = end;
            }
            Err(what) => return (records, Some(what)),
        }
    }
    (records, None)
}

fn record<T: DeserializeOwned>(
    bytes: &[u8],
    at: usize,
    checked: bool,
) -> Result<(Entry<T>, usize), &'static str> {
    let word = |from: usize| {
        bytes.get(from..from + 4).map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes")))
    };
    let (Some(length), Some(crc)) = (word(at), word(at + 4)) else { return Err("a cut record") };
    let end = at + FRAME + length as usize;
    let payload = bytes.get(at + FRAME..end).ok_or("a cut record")?;
    if checked && checksum(length, payload) != crc {
        return Err("a wrong checksum");
    }
    let entry = postcard::from_bytes(payload).map_err(|_| "an unreadable entry")?;
    Ok((entry, end))
}

fn is_of_another_version(bytes: &[u8]) -> bool {
    let name = &HEADER[..HEADER.len() - 1];
    bytes.len() >= HEADER.len() && bytes.starts_with(name) && !bytes.starts_with(HEADER)
}

/// Can a crash have left these bytes from `at` on? It leaves a file too short, or zeros where a
/// sector was not written; and nothing readable behind them. Other damage, such as a flipped bit, may
/// be in what was acknowledged: to cut that off would break a promise.
fn is_torn<T: DeserializeOwned>(bytes: &[u8], at: usize) -> bool {
    let tail = bytes.get(at..).unwrap_or_default();
    let is_header = at == HEADER.len() && !bytes.starts_with(HEADER);
    let tail = if is_header { bytes } else { tail };
    (is_short(tail, is_header) || has_unwritten_sector(bytes, bytes.len() - tail.len()))
        && !continues::<T>(bytes, at)
}

/// Does the file end before its header or last record does?
fn is_short(tail: &[u8], is_header: bool) -> bool {
    if is_header {
        return HEADER.starts_with(tail);
    }
    let Some((head, payload)) = tail.split_at_checked(FRAME) else { return true };
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("4 bytes"));
    let whole = u32::try_from(payload.len()).is_ok_and(|len| checksum(len, payload) == word(4));
    // A whole record with a wrong length looks short too.
    word(0) as usize > payload.len() && !whole
}

/// Is some sector, as far as it belongs to the bytes from `at` on, all zeros?
fn has_unwritten_sector(bytes: &[u8], at: usize) -> bool {
    const SECTOR: usize = 512;
    let mut from = at;
    while from < bytes.len() {
        let to = (from / SECTOR + 1) * SECTOR;
        if bytes[from..to.min(bytes.len())].iter().all(|byte| *byte == 0) {
            return true;
        }
        from = to;
    }
    false
}

/// Is there a valid record after the damaged one? Then a crash did not do it. Nor did it change
/// the version.
fn continues<T: DeserializeOwned>(bytes: &[u8], damaged: usize) -> bool {
    is_of_another_version(bytes)
        || (damaged + 1..bytes.len().saturating_sub(FRAME))
            .any(|at| record::<T>(bytes, at, true).is_ok())
}

/// Cuts the file back to its first `whole` bytes; a file without its header gets one.
fn cut(path: &Path, bytes: &[u8], whole: usize) -> Result<(), StorageError> {
    let write = || -> std::io::Result<()> {
        let mut file = File::options().write(true).open(path)?;
        file.set_len(whole.min(bytes.len()) as u64)?;
        if !bytes.starts_with(HEADER) {
            file.set_len(0)?;
            file.write_all(HEADER)?;
        }
        file.sync_all()
    };
    write().map_err(|error| StorageError::io(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(counter: u32) -> Entry<String> {
        Entry { zxid: Zxid::new(1, counter), txn: format!("transaction {counter}") }
    }

    fn write(directory: &Path, count: u32) -> PathBuf {
        let mut segment = Segment::create(directory, Zxid::new(1, 1), None).unwrap();
        (1..=count).for_each(|counter| segment.append(&entry(counter)));
        segment.sync().unwrap();
        segment.path().to_owned()
    }

    fn read(path: &Path) -> Result<(usize, Option<String>), String> {
        Segment::open::<String>(path, true, None)
            .map(|contents| (contents.entries.len(), contents.repaired))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_cut_of_the_last_record_is_repaired_and_loses_only_it() {
        let dir = tempfile::tempdir().unwrap();
        let whole = fs::read(write(dir.path(), 3)).unwrap();
        let path = dir.path().join("cut");
        let two = {
            let (records, _) = scan::<String>(&whole, true);
            records[1].1
        };
        for length in two + 1..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (entries, repaired) = read(&path).unwrap();
            assert_eq!(entries, 2, "cut at {length}");
            assert!(repaired.is_some());
            assert_eq!(read(&path).unwrap(), (2, None), "the repair lasts");
        }
    }

    #[test]
    fn every_flipped_bit_is_damage_and_never_a_torn_tail() {
        let dir = tempfile::tempdir().unwrap();
        let whole = fs::read(write(dir.path(), 3)).unwrap();
        let path = dir.path().join("flipped");
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            fs::write(&path, &bytes).unwrap();
            assert!(read(&path).unwrap_err().contains("damaged"), "bit {at}");
            assert_eq!(fs::read(&path).unwrap(), bytes, "the evidence stays");
        }
    }

    #[test]
    fn zeros_where_a_sector_was_not_written_are_a_torn_tail() {
        let dir = tempfile::tempdir().unwrap();
        let mut whole = fs::read(write(dir.path(), 3)).unwrap();
        let path = dir.path().join("zeros");
        let two = scan::<String>(&whole, true).0[1].1;
        whole[two..].fill(0);
        fs::write(&path, &whole).unwrap();
        assert!(read(&path).unwrap().1.is_some());
        assert_eq!(read(&path).unwrap(), (2, None));
        for length in 0..HEADER.len() {
            fs::write(&path, &HEADER[..length]).unwrap();
            assert_eq!(read(&path).unwrap().0, 0, "a header of {length} bytes");
        }
    }

    #[test]
    fn an_older_segment_is_never_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), 3);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(Segment::open::<String>(&path, false, None).is_err());
    }

    #[test]
    fn truncation_keeps_what_it_should_and_appends_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), 5);
        let mut segment = Segment::open::<String>(&path, true, None).unwrap().segment;
        segment.truncate::<u64>(Zxid::new(1, 2)).unwrap();
        let next = Entry { zxid: Zxid::new(2, 1), txn: "new".to_owned() };
        segment.append(&next);
        segment.sync().unwrap();
        let contents = Segment::open::<String>(&path, true, None).unwrap();
        assert_eq!(contents.entries, [entry(1), entry(2), next]);
    }
}
