//! The log of a server that is stopped, as plain facts, for who wants to know what was ordered.

use std::path::Path;

use tree::WriteOp;

use crate::proposal::{State, Txn};
use crate::storage::{Inspection, StorageError};

/// A log, as a start would find it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logged {
    /// Oldest first.
    pub entries: Vec<LoggedEntry>,
    /// Damage that is no torn tail, with file and byte.
    pub damage: Vec<String>,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its place in the order.
    pub zxid: u64,
    /// CRC-32 of the transaction.
    pub digest: u32,
    /// The data that it writes, if it takes effect.
    pub data: Vec<Vec<u8>>,
}

/// Reads the log under `data_dir`; empty if no server has ever used it.
///
/// # Errors
/// When a file cannot be read.
pub fn logged(data_dir: &Path) -> Result<Logged, StorageError> {
    let Some(found) = Inspection::<Txn, State>::read(data_dir)? else {
        return Ok(Logged::default());
    };
    let mut logged = Logged::default();
    for segment in found.segments {
        if let Some(damage) = segment.damage.filter(|damage| damage.torn.is_none()) {
            let path = segment.path.display();
            logged.damage.push(format!("{path}: byte {}: {}", damage.at, damage.what));
        }
        logged.entries.extend(segment.entries.into_iter().map(|(entry, ..)| LoggedEntry {
            zxid: entry.zxid.0,
            digest: entry.txn.digest(),
            data: data(&entry.txn),
        }));
    }
    Ok(logged)
}

fn data(txn: &Txn) -> Vec<Vec<u8>> {
    let mut data = Vec::new();
    if let Ok(tree::Txn::Write { op, .. }) = txn.decode().map(|proposal| proposal.txn) {
        written(&op, &mut data);
    }
    data
}

fn written(op: &WriteOp, into: &mut Vec<Vec<u8>>) {
    match op {
        WriteOp::Create { data, .. } | WriteOp::SetData { data, .. } => {
            into.extend(data.as_deref().map(<[u8]>::to_vec));
        }
        WriteOp::Multi { ops } => ops.iter().for_each(|op| written(op, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use zab::{Entry, Zxid};

    use super::*;
    use crate::proposal::Origin;
    use crate::storage::Store;

    fn entry(counter: u32) -> Entry<Txn> {
        let data = |value: &str| Some(value.as_bytes().into());
        let set = |value| WriteOp::SetData { path: "/r0".into(), data: data(value), version: -1 };
        let op = WriteOp::Multi { ops: vec![set("1"), set("2")] };
        let txn = tree::Txn::Write {
            session: 7,
            xid: 1,
            time_ms: 0,
            who: Vec::new().into(),
            enforce_quota: false,
            op,
        };
        let origin = Origin { server: 1, incarnation: 0, number: counter.into() };
        Entry { zxid: Zxid::new(1, counter), txn: Txn::new(origin, txn) }
    }

    #[test]
    fn a_log_is_read_with_what_it_writes_and_what_is_damaged() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        assert_eq!(logged(dir.path()).expect("readable"), Logged::default());
        let (mut store, _) = Store::<Txn, State>::open(dir.path()).expect("new");
        store.save_epochs(1, 1).expect("writable");
        (1..=3).for_each(|counter| store.append(&entry(counter)).expect("writable"));
        store.sync().expect("writable");
        let found = logged(dir.path()).expect("readable");
        let zxids: Vec<u64> = found.entries.iter().map(|entry| entry.zxid).collect();
        assert_eq!(zxids, [0x1_0000_0001, 0x1_0000_0002, 0x1_0000_0003]);
        assert_eq!(found.entries[0].data, [b"1".to_vec(), b"2".to_vec()]);
        assert_ne!(found.entries[0].digest, found.entries[1].digest, "other requests");
        assert!(found.damage.is_empty());

        let path = dir.path().join("zoobreak/g0/log.0000000100000001");
        let mut bytes = fs::read(&path).expect("readable");
        bytes[20] ^= 1;
        fs::write(&path, &bytes).expect("writable");
        let found = logged(dir.path()).expect("readable");
        assert!(found.entries.is_empty());
        assert!(found.damage[0].contains("log.0000000100000001: byte 8: "), "{:?}", found.damage);
    }
}
