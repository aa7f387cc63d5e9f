//! What the bytes of a log file are: records in batches, and after them perhaps what a crash left, or damage. No files.
//!
//! A batch is what one write and one fsync made durable together. Until the fsync has returned, a disk
//! may have written any of its sectors and not the others, so that a crash leaves holes with readable
//! records behind them; none of them was acknowledged. Each record says where its batch begins, and
//! there is no next batch before the fsync. So a hole may be cut off with what follows it, unless a record
//! behind it belongs to a later batch: then it was durable, and may have been acknowledged.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zab::Entry;

/// What every log file begins with. The last byte is the version of what follows.
pub const HEADER: &[u8; 8] = b"ZBLOG\0\0\x04";
/// Length of the payload, bytes since the batch began, CRC-32 of position, both and payload; each a u32,
/// little-endian.
const FRAME: usize = 12;
/// Disks write sectors of this size whole or not at all.
const SECTOR: usize = 512;

/// What a log file holds, and what is wrong after that.
#[derive(Debug)]
pub struct Scan<T> {
    /// From the start, without a gap.
    pub records: Vec<Record<T>>,
    /// Why the records end before the file does, if so.
    pub damage: Option<Damage>,
}

/// An entry and where it stands in its file.
#[derive(Debug)]
pub struct Record<T> {
    /// What was appended.
    pub entry: Entry<T>,
    /// Its first byte.
    pub start: usize,
    /// The first byte behind it.
    pub end: usize,
    /// Where its batch begins: everything before was durable when it was written.
    batch: usize,
}

/// What is wrong, from where on, and how that can have come about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The first byte that is not understood.
    pub at: usize,
    /// In words.
    pub what: &'static str,
    /// How it can have come about.
    pub cause: Cause,
}

/// How damage can have come about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A crash during the last write may have left it, and this many whole records of that write after it.
    /// Nothing of it was acknowledged, if the disk did as it was told.
    Crash {
        /// How many.
        dropped: usize,
    },
    /// What is damaged was durable: the record at this byte was written afterwards.
    DurableBefore {
        /// Where it begins.
        record: usize,
    },
    /// No crash changes bytes like that.
    Unlike,
}

/// What a crash has left behind the last whole record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Torn {
    /// In words.
    pub what: &'static str,
    /// Whole records of the same write behind it.
    pub dropped: usize,
}

impl<T> Scan<T> {
    /// The bytes up to the end of the last whole record.
    #[must_use]
    pub fn whole(&self) -> usize {
        self.records.last().map_or(HEADER.len(), |record| record.end)
    }

    /// What is behind the last whole record and may be cut off, if anything: in the `newest` file of a log, what a crash
    /// during the last write has left.
    ///
    /// # Errors
    /// Any other damage: nothing may be cut off.
    pub fn tail(&self, newest: bool) -> Result<Option<Torn>, Damage> {
        match self.damage {
            Some(Damage { what, cause: Cause::Crash { dropped }, .. }) if newest => {
                Ok(Some(Torn { what, dropped }))
            }
            Some(damage) => Err(damage),
            None => Ok(None),
        }
    }
}

/// Adds a record to `pending`; it will be written at `at` together with everything since `batch`.
///
/// # Panics
/// If an entry, or what is gathered for a write, has 4 GiB.
pub fn write<T: Serialize>(entry: &Entry<T>, at: u64, batch: u64, pending: &mut Vec<u8>) {
    let start = pending.len();
    pending.extend_from_slice(&[0; FRAME]);
    postcard::to_io(entry, &mut *pending).expect("entries hold only plain data");
    let (frame, payload) = pending[start..].split_at_mut(FRAME);
    let length = u32::try_from(payload.len()).expect("a request is bounded by jute.maxbuffer");
    let since = u32::try_from(at - batch).expect("what is gathered for a write fits into memory");
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..8].copy_from_slice(&since.to_le_bytes());
    frame[8..].copy_from_slice(&checksum(at, length, since, payload).to_le_bytes());
}

/// Reads a file. Only a planted defect does not have checksums `checked`.
#[must_use]
pub fn scan<T: DeserializeOwned>(bytes: &[u8], checked: bool) -> Scan<T> {
    let mut records: Vec<Record<T>> = Vec::new();
    if let Some(what) = bad_header(bytes) {
        let damage = Damage { at: HEADER.len(), what, cause: cause_of_bad_header::<T>(bytes) };
        return Scan { records, damage: Some(damage) };
    }
    let mut at = HEADER.len();
    while at < bytes.len() {
        let what = match record::<T>(bytes, at, checked) {
            Ok(next) if records.last().is_none_or(|last| last.entry.zxid < next.entry.zxid) => {
                at = next.end;
                records.push(next);
                continue;
            }
            Ok(_) => "zxids do not increase",
            Err(what) => what,
        };
        let damage = Damage { at, what, cause: cause::<T>(bytes, at) };
        return Scan { records, damage: Some(damage) };
    }
    Scan { records, damage: None }
}

fn record<T: DeserializeOwned>(
    bytes: &[u8],
    at: usize,
    checked: bool,
) -> Result<Record<T>, &'static str> {
    let word = |n: usize| {
        let from = at + 4 * n;
        bytes.get(from..from + 4).map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes")))
    };
    let (Some(length), Some(since), Some(crc)) = (word(0), word(1), word(2)) else {
        return Err("a cut record");
    };
    let end = at + FRAME + length as usize;
    let payload = bytes.get(at + FRAME..end).ok_or("a cut record")?;
    if checked && checksum(at as u64, length, since, payload) != crc {
        return Err("a wrong checksum");
    }
    let entry = postcard::from_bytes(payload).map_err(|_| "an unreadable entry")?;
    Ok(Record { entry, start: at, end, batch: at.saturating_sub(since as usize) })
}

/// With its position: a record that a disk has put elsewhere is none there.
fn checksum(at: u64, length: u32, since: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&at.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    hasher.update(&since.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

fn bad_header(bytes: &[u8]) -> Option<&'static str> {
    match () {
        () if is_of_another_version(bytes) => {
            Some("written by another version of this program, which can read it")
        }
        () if !bytes.starts_with(HEADER) => Some("not a log header"),
        () => None,
    }
}

/// A crash leaves a header too short, or a sector of zeros; and no record, since the header is synced first.
fn cause_of_bad_header<T: DeserializeOwned>(bytes: &[u8]) -> Cause {
    let unwritten = HEADER.starts_with(bytes) || holes(bytes, 0, bytes.len());
    match next_record::<T>(bytes, 0) {
        _ if is_of_another_version(bytes) => Cause::Unlike,
        Some(record) => Cause::DurableBefore { record: record.start },
        None if unwritten => Cause::Crash { dropped: 0 },
        None => Cause::Unlike,
    }
}

fn is_of_another_version(bytes: &[u8]) -> bool {
    let name = &HEADER[..HEADER.len() - 1];
    bytes.len() >= HEADER.len() && bytes.starts_with(name) && !bytes.starts_with(HEADER)
}

/// Judges the bytes from `damaged` on. Every gap between whole records must be one that a crash can leave:
/// other damage, such as a flipped bit, may be in what was acknowledged.
fn cause<T: DeserializeOwned>(bytes: &[u8], damaged: usize) -> Cause {
    let (mut at, mut dropped) = (damaged, 0);
    while at < bytes.len() {
        let Some(next) = next_record::<T>(bytes, at + 1) else {
            let ends = is_short(bytes, at) || holes(bytes, at, bytes.len());
            return if ends { Cause::Crash { dropped } } else { Cause::Unlike };
        };
        if next.batch > damaged {
            return Cause::DurableBefore { record: next.start };
        }
        if !holes(bytes, at, next.start) {
            return Cause::Unlike;
        }
        at = next.end;
        dropped += 1;
        while let Ok(after) = record::<T>(bytes, at, true) {
            if after.batch > damaged {
                return Cause::DurableBefore { record: after.start };
            }
            at = after.end;
            dropped += 1;
        }
    }
    Cause::Crash { dropped }
}

/// The first whole record that begins at `from` or later, wherever that is.
fn next_record<T: DeserializeOwned>(bytes: &[u8], from: usize) -> Option<Record<T>> {
    (from..bytes.len().saturating_sub(FRAME)).find_map(|at| record::<T>(bytes, at, true).ok())
}

/// Does the file end before the record at `at` does?
fn is_short(bytes: &[u8], at: usize) -> bool {
    let Some((frame, payload)) = bytes[at..].split_at_checked(FRAME) else { return true };
    let word = |n: usize| u32::from_le_bytes(frame[4 * n..][..4].try_into().expect("4 bytes"));
    // A whole record with a wrong length looks short too.
    let is_whole = u32::try_from(payload.len())
        .is_ok_and(|length| checksum(at as u64, length, word(1), payload) == word(2));
    word(0) as usize > payload.len() && !is_whole
}

/// Is some sector, as far as it lies behind `from`, all zeros? One that reaches beyond `to` counts only at
/// the end of the file: there is a record in it.
fn holes(bytes: &[u8], from: usize, to: usize) -> bool {
    let mut start = from;
    while start < to {
        let end = ((start / SECTOR + 1) * SECTOR).min(bytes.len());
        if end <= to && bytes[start..end].iter().all(|byte| *byte == 0) {
            return true;
        }
        start = end;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zab::Zxid;

    use super::*;

    const RECORD: usize = 230;

    /// A file with batches of so many records each, and where each batch begins, and the last one ends.
    fn file(batches: &[u32]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts, mut counter) = (HEADER.to_vec(), Vec::new(), 0);
        for n_records in batches {
            let batch = bytes.len();
            starts.push(batch);
            for _ in 0..*n_records {
                counter += 1;
                let txn = format!("{counter:0RECORD$}");
                let (zxid, at) = (Zxid::new(1, counter), bytes.len() as u64);
                write(&Entry { zxid, txn }, at, batch as u64, &mut bytes);
            }
        }
        starts.push(bytes.len());
        (bytes, starts)
    }

    fn n_records(bytes: &[u8]) -> (usize, Option<Damage>) {
        let found = scan::<String>(bytes, true);
        (found.records.len(), found.damage)
    }

    /// What the disk has of a sector whose write never came to it: of what was synced, everything.
    fn unwrite(bytes: &mut [u8], sector: usize, synced: usize) {
        let end = ((sector + 1) * SECTOR).min(bytes.len());
        bytes[(sector * SECTOR).max(synced)..end].fill(0);
    }

    proptest! {
        #[test]
        fn a_crash_during_the_last_batch_loses_nothing_before_it(
            (batches, written) in (proptest::collection::vec(1..12u32, 2..4), any::<[bool; 32]>()),
        ) {
            let (mut bytes, starts) = file(&batches);
            let synced = starts[starts.len() - 2];
            let sectors: Vec<usize> = (synced / SECTOR..bytes.len().div_ceil(SECTOR)).collect();
            for (sector, written) in sectors.iter().zip(written) {
                if !written {
                    unwrite(&mut bytes, *sector, synced);
                }
            }
            // A file is as long as the last sector that was written.
            let last = sectors.iter().zip(written).rfind(|(_, written)| *written);
            bytes.truncate(last.map_or(synced, |(sector, _)| (sector + 1) * SECTOR).max(synced));
            let (found, damage) = n_records(&bytes);
            let before: u32 = batches[..batches.len() - 1].iter().sum();
            prop_assert!(found >= before as usize);
            prop_assert!(damage.is_none_or(|it| matches!(it.cause, Cause::Crash { .. })), "{damage:?}");
        }

        #[test]
        fn a_hole_in_what_was_durable_before_the_last_batch_is_damage(
            batches in proptest::collection::vec(4..12u32, 2..4),
            place in any::<prop::sample::Index>(),
        ) {
            let (mut bytes, starts) = file(&batches);
            let synced = starts[starts.len() - 2];
            let sector = place.index(synced / SECTOR);
            let start = (sector * SECTOR).max(HEADER.len());
            bytes[start..(sector + 1) * SECTOR].fill(0);
            let damage = n_records(&bytes).1.expect("a hole");
            let after = match damage.cause {
                Cause::DurableBefore { record } => record,
                other => panic!("{other:?}"),
            };
            prop_assert!(after >= starts[1]);
        }
    }

    #[test]
    fn records_behind_a_hole_of_their_own_batch_are_dropped_with_it() {
        let (mut bytes, starts) = file(&[3, 9]);
        let hole = (starts[1] / SECTOR + 1) * SECTOR;
        bytes[hole..hole + SECTOR].fill(0);
        let (found, damage) = n_records(&bytes);
        assert!((3..12).contains(&found));
        let Some(Damage { cause: Cause::Crash { dropped }, .. }) = damage else {
            panic!("{damage:?}")
        };
        assert!(dropped >= 4, "{dropped}");
    }

    /// One record of a later batch is enough, wherever the next whole one is.
    #[test]
    fn a_single_later_record_proves_that_a_hole_was_durable() {
        let (mut bytes, starts) = file(&[3, 1]);
        bytes[starts[0]..starts[1]].fill(0);
        let damage = n_records(&bytes).1.expect("a hole");
        assert_eq!(damage.cause, Cause::DurableBefore { record: starts[1] });
    }

    #[test]
    fn a_write_that_went_astray_is_no_crash_though_it_left_a_hole() {
        let (bytes, starts) = file(&[3, 20]);
        let first = starts[1] / SECTOR + 1;
        let sectors = first..starts[2] / SECTOR;
        for (from, to) in sectors.clone().flat_map(|a| sectors.clone().map(move |b| (a, b))) {
            // With whole records between them: otherwise the hole and the stray make one gap.
            if from.abs_diff(to) < 3 {
                continue;
            }
            let mut bytes = bytes.clone();
            let (from, to) = (from * SECTOR, to * SECTOR);
            bytes.copy_within(from..from + SECTOR, to);
            bytes[from..from + SECTOR].fill(0);
            let damage = n_records(&bytes).1.expect("a hole");
            assert_eq!(damage.cause, Cause::Unlike, "{from} to {to}");
        }
    }

    #[test]
    fn a_record_in_another_place_is_none() {
        let (mut bytes, starts) = file(&[1, 1]);
        let record = bytes[starts[1]..].to_vec();
        bytes.extend(record);
        assert_eq!(n_records(&bytes).0, 2);
        let damage = n_records(&bytes).1.expect("it is elsewhere");
        assert_eq!((damage.what, damage.cause), ("a wrong checksum", Cause::Unlike));
    }

    #[test]
    fn what_comes_out_of_order_is_damage() {
        for (second, found) in [(3, 2), (2, 1), (1, 1)] {
            let mut bytes = HEADER.to_vec();
            for counter in [2, second] {
                let (zxid, at) = (Zxid::new(1, counter), bytes.len() as u64);
                write(&Entry { zxid, txn: String::new() }, at, at, &mut bytes);
            }
            let (n, damage) = n_records(&bytes);
            assert_eq!((n, damage.is_some()), (found, found < 2), "{second} after 2");
        }
    }

    #[test]
    fn a_file_of_another_version_is_told_apart_from_a_torn_one() {
        let (mut bytes, _) = file(&[2]);
        bytes[HEADER.len() - 1] -= 1;
        let damage = n_records(&bytes).1.expect("it is of another version");
        assert!(damage.what.starts_with("written by another version"), "{damage:?}");
        assert_eq!(damage.cause, Cause::Unlike);
    }
}
