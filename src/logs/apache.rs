//! Apache ZooKeeper's log files (`FileTxnLog`): `ZKLG`, version, database id; then records of Adler-32,
//! length, transaction, `B`; then zeros, since space is allocated ahead. Integers are big-endian.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use history::LogEntry;

use super::integer;

const HEADER: usize = 16;
/// Operation codes of transactions that write data.
const CREATES: [i32; 4] = [1, 15, 19, 21];
const SET_DATA: i32 = 5;
const MULTI: i32 = 14;

/// Reads the files `log.*` of a directory; and what is damaged in them.
pub(super) fn read(directory: &Path) -> (Vec<LogEntry>, Vec<String>) {
    let mut entries = BTreeMap::new();
    let mut damage = Vec::new();
    for path in files(directory) {
        match fs::read(&path) {
            Ok(bytes) => {
                let (found, wrong) = parse(&bytes);
                // Of a transaction that was dropped and replaced, the newer file has the truth.
                entries.extend(found.into_iter().map(|entry| (entry.zxid, entry)));
                damage.extend(wrong.map(|wrong| format!("{}: {wrong}", path.display())));
            }
            Err(error) => damage.push(format!("{}: {error}", path.display())),
        }
    }
    (entries.into_values().collect(), damage)
}

/// In order of their first zxid, which is in their names.
fn files(directory: &Path) -> Vec<PathBuf> {
    let first = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        u64::from_str_radix(name.strip_prefix("log.")?, 16).ok()
    };
    let listed = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = listed.filter_map(|path| Some((first(&path)?, path))).collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

/// The transactions up to the end, or up to a record that is wrong. A record that ends the file, or
/// has nothing but zeros behind it, may be what a kill left.
fn parse(bytes: &[u8]) -> (Vec<LogEntry>, Option<String>) {
    let mut entries = Vec::new();
    if bytes.len() < HEADER || !bytes.starts_with(b"ZKLG") {
        let empty = bytes.iter().all(|byte| *byte == 0);
        return (entries, (!empty).then(|| "not a log of ZooKeeper".to_owned()));
    }
    let mut at = HEADER;
    while let Some((record, next)) = record(bytes, at) {
        match record.filter(|payload| adler32(payload) == checksum(bytes, at)).and_then(entry) {
            Some(entry) => entries.push(entry),
            None if bytes[next.min(bytes.len())..].iter().all(|byte| *byte == 0) => break,
            None => return (entries, Some(format!("byte {at}: a wrong checksum"))),
        }
        at = next;
    }
    (entries, None)
}

/// The payload of the record at `at`, if it is all there, and where the next one begins; none at the end.
fn record(bytes: &[u8], at: usize) -> Option<(Option<&[u8]>, usize)> {
    let mut fields = Fields(bytes.get(at + 8..)?);
    let length = usize::try_from(fields.int()?).ok().filter(|length| *length > 0)?;
    Some((fields.take(length), at + 12 + length + 1))
}

fn checksum(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn adler32(bytes: &[u8]) -> u64 {
    let (mut a, mut b) = (1_u64, 0_u64);
    for byte in bytes {
        a = (a + u64::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    b << 16 | a
}

/// Client, xid, zxid, time, type; then the transaction of that type.
fn entry(payload: &[u8]) -> Option<LogEntry> {
    let mut fields = Fields(payload);
    fields.take(12)?;
    let zxid = fields.long()?.cast_unsigned();
    fields.take(8)?;
    let mut values = Vec::new();
    let kind = fields.int()?;
    written(kind, &mut fields, &mut values);
    Some(LogEntry { zxid, digest: u32::try_from(adler32(payload)).ok()?, values })
}

fn written(kind: i32, fields: &mut Fields<'_>, values: &mut Vec<i64>) -> Option<()> {
    if CREATES.contains(&kind) || kind == SET_DATA {
        let _path = fields.buffer()?;
        values.extend(integer(fields.buffer()?));
    } else if kind == MULTI {
        for _ in 0..fields.int()? {
            let kind = fields.int()?;
            written(kind, &mut Fields(fields.buffer()?), values);
        }
    }
    Some(())
}

/// What is left of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    /// Bytes with their length before them; -1 is none.
    fn buffer(&mut self) -> Option<&'a [u8]> {
        let length = self.int()?;
        self.take(usize::try_from(length.max(0)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(bytes: &[u8]) -> Vec<u8> {
        let length = i32::try_from(bytes.len()).expect("short");
        [&length.to_be_bytes()[..], bytes].concat()
    }

    fn transaction(zxid: i64, kind: i32, body: &[u8]) -> Vec<u8> {
        let head = [[0; 12].as_slice(), &zxid.to_be_bytes(), &[0; 8], &kind.to_be_bytes()];
        [head.concat().as_slice(), body].concat()
    }

    fn set(value: &str) -> Vec<u8> {
        [buffer(b"/r0"), buffer(value.as_bytes()), vec![0; 4]].concat()
    }

    fn log(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec();
        for payload in payloads {
            bytes.extend(adler32(payload).to_be_bytes());
            bytes.extend(buffer(payload));
            bytes.push(b'B');
        }
        bytes.extend([0; 64]);
        bytes
    }

    fn three() -> Vec<Vec<u8>> {
        let member = [SET_DATA.to_be_bytes().to_vec(), buffer(&set("13"))].concat();
        let multi = [1_i32.to_be_bytes().to_vec(), member].concat();
        vec![
            transaction(5, SET_DATA, &set("11")),
            transaction(6, -1, &[0xff, 0xff, 0xff, 0x99]),
            transaction(7, MULTI, &multi),
        ]
    }

    #[test]
    fn checksums_are_adlers() {
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn transactions_are_read_with_what_they_write() {
        let (entries, damage) = parse(&log(&three()));
        let read: Vec<_> = entries.iter().map(|entry| (entry.zxid, &entry.values[..])).collect();
        assert_eq!(read, [(5, &[11][..]), (6, &[]), (7, &[13])]);
        assert_eq!(damage, None);
    }

    #[test]
    fn a_flipped_bit_is_damage_unless_nothing_follows() {
        let whole = log(&three());
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            parse(&bytes)
        };
        let first = HEADER + 12;
        for at in first..first + three()[0].len() {
            assert_eq!(flipped(at).1.as_deref(), Some("byte 16: a wrong checksum"), "byte {at}");
        }
        let (entries, damage) = flipped(whole.len() - 64 - 2);
        assert_eq!((entries.len(), damage), (2, None), "a kill may leave this");
    }

    #[test]
    fn every_cut_is_read_up_to_it() {
        let whole = log(&three());
        for length in 0..whole.len() {
            let (entries, damage) = parse(&whole[..length]);
            assert!(entries.len() <= 3);
            assert!(damage.is_none() || length < HEADER, "{length}: {damage:?}");
        }
    }
}
