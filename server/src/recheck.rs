//! A server that stopped because its state differed starts again only if its disk is right.

use std::path::Path;

use tree::Tree;

use crate::ServerError;
use crate::proposal::{State, Txn};
use crate::storage::{Diverged, Recovered};

/// Holds what was recovered against the note that such a server left, if it left one. Where the disk
/// (`root` is `dataDir/zoobreak`) leads to the state that a quorum had, only the memory was wrong: the note is removed.
///
/// # Errors
/// [`ServerError::Diverged`] where it leads elsewhere, or nowhere near; or when a file cannot be
/// read.
pub(crate) fn recheck(
    root: &Path,
    recovered: &Recovered<Txn, State>,
) -> Result<Option<String>, ServerError> {
    let Some(note) = Diverged::read(root)? else { return Ok(None) };
    if replayed(recovered, note.zxid) != Some(note.right) {
        return Err(ServerError::diverged(root, note));
    }
    Diverged::remove(root)?;
    Ok(Some(format!(
        "it stopped because its state differed at {}; its log leads to the right state, so it starts",
        note.zxid
    )))
}

/// The lineage at `zxid` that snapshot and log lead to; `None` where they do not pass there.
fn replayed(recovered: &Recovered<Txn, State>, zxid: zab::Zxid) -> Option<u64> {
    let mut tree = match &recovered.snapshot {
        Some((_, State(tree))) => tree.clone(),
        None => Tree::new(),
    };
    for entry in recovered.log.iter().take_while(|entry| entry.zxid <= zxid) {
        tree.apply(entry.zxid.0, &entry.txn.decode().ok()?.txn);
    }
    (tree.last_zxid() == zxid.0).then(|| tree.lineage())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposal::Origin;
    use crate::storage::Store;
    use zab::{Entry, Zxid};

    fn entry(counter: u32) -> Entry<Txn> {
        let origin = Origin { server: 1, incarnation: 0, number: 0 };
        let id = i64::from(counter);
        let txn = tree::Txn::CreateSession { id, timeout_ms: 4000, password: [0; 16] };
        Entry { zxid: Zxid::new(1, counter), txn: Txn::new(origin, txn) }
    }

    /// A server with these entries on disk that stopped at the third.
    fn checked(counters: &[u32]) -> Result<Option<String>, ServerError> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("zoobreak");
        let (mut store, _) = Store::<Txn, State>::open(dir.path()).unwrap();
        counters.iter().for_each(|n| store.append(&entry(*n)).unwrap());
        store.sync().unwrap();
        let mut tree = Tree::new();
        (1..=3).for_each(|n| {
            tree.apply(entry(n).zxid.0, &entry(n).txn.decode().unwrap().txn);
        });
        Diverged { zxid: Zxid::new(1, 3), own: 5, right: tree.lineage() }.write(&root).unwrap();
        drop(store);
        let (_, recovered) = Store::<Txn, State>::open(dir.path()).unwrap();
        let checked = recheck(&root, &recovered);
        assert_eq!(checked.is_err(), Diverged::read(&root).unwrap().is_some());
        checked
    }

    #[test]
    fn a_right_log_starts_and_any_other_does_not() {
        assert!(checked(&[1, 2, 3, 4]).unwrap().is_some());
        for wrong in [&[1, 3, 4][..], &[1, 2, 4], &[1, 2], &[]] {
            let said = checked(wrong).unwrap_err().to_string();
            assert!(said.contains("differs from that of a quorum at 0x100000003"), "{said}");
        }
    }
}
