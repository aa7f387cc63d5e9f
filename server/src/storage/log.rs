//! One file of the transaction log: a header, then records in batches ([`journal`]).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use journal::{Cause, Damage, HEADER, Torn, scan};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zab::{Entry, Zxid};

use super::StorageError;
use super::file::sync_parent;
use crate::Mutant;

/// Room for appends that is kept after a sync.
const PENDING_KEPT: usize = 2 << 20;

/// An open segment. Appends are gathered in memory until [`sync`](Segment::sync).
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Bytes in the file and in `pending` together.
    length: u64,
    /// Where `pending` begins: everything before is durable.
    synced: u64,
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
        let (synced, pending, entries) = (length, Vec::new(), None);
        Ok(Segment { path, file, length, synced, pending, entries, mutant })
    }

    /// Reads a segment. In the `newest` one, a tail that a crash may have torn is cut off;
    /// anywhere else damage is an error.
    pub(super) fn open<T: DeserializeOwned>(
        path: &Path,
        newest: bool,
        mutant: Option<Mutant>,
    ) -> Result<Contents<T>, StorageError> {
        let bytes = fs::read(path).map_err(|error| StorageError::io(path, error))?;
        let found = scan::<T>(&bytes, mutant != Some(Mutant::UncheckedLog));
        let whole = found.whole();
        let tail = found.tail(newest).map_err(|damage| refusal(path, damage))?;
        let repaired = match tail {
            None => None,
            Some(Torn { what, dropped }) => {
                cut(path, &bytes, whole)?;
                let (path, dropped) = (path.display(), said_of_dropped(dropped));
                Some(format!("{path}: cut a torn tail at byte {whole}: {what}{dropped}"))
            }
        };
        // What was read may still be in the page cache only: after a kill it was never synced.
        let file = File::options()
            .append(true)
            .open(path)
            .and_then(|file| file.sync_all().map(|()| file))
            .map_err(|error| StorageError::io(path, error))?;
        let entries: Vec<_> = found.records.into_iter().map(|record| record.entry).collect();
        let segment = Segment {
            path: path.to_owned(),
            file,
            length: whole as u64,
            synced: whole as u64,
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
        journal::write(entry, self.length, self.synced, &mut self.pending);
        self.length = self.synced + self.pending.len() as u64;
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
        self.synced = self.length;
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
        let found = scan::<T>(&bytes, self.mutant != Some(Mutant::UncheckedLog));
        if let Some(damage) = found.damage {
            return Err(refusal(&self.path, damage));
        }
        let kept = found.records.iter().take_while(|record| record.entry.zxid <= after).last();
        self.length = kept.map_or(HEADER.len(), |record| record.end) as u64;
        self.synced = self.length;
        self.entries = self.first().zip(kept.map(|record| record.entry.zxid));
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

/// What goes with a torn tail, in words.
pub(crate) fn said_of_dropped(n_records: usize) -> String {
    match n_records {
        0 => String::new(),
        n => format!(", and {n} whole records of the same write behind it"),
    }
}

fn refusal(path: &Path, damage: Damage) -> StorageError {
    let Damage { at, what, cause } = damage;
    let what = match cause {
        Cause::DurableBefore { record } => {
            format!("{what}, in what was on disk before the record at byte {record} was written")
        }
        Cause::Crash { .. } | Cause::Unlike => what.to_owned(),
    };
    StorageError::damaged(path, at as u64, what)
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
            let records = scan::<String>(&whole, true).records;
            records[1].end
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
        let two = scan::<String>(&whole, true).records[1].end;
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
