//! `inspect`: the files of a server that is stopped, readably, and what a start would do with them.

use std::io::{self, Write};
use std::path::Path;

use tree::{Tree, WriteOp};
use zab::{Durable, Entry, Zxid};

use crate::proposal::{State, Txn};
use crate::storage::{Damage, Diverged, Inspection, SegmentFile, SnapshotFile, said_of_dropped};

/// What an inspection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// A server can start from these files, and has lost nothing that it acknowledged.
    Fine,
    /// Something is damaged, or does not belong together. Each finding is a line of the output.
    Damaged,
}

/// Why there is nothing to inspect.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The directory is not one that a server has used.
    #[error("{0}: no server has kept its data here; give the dataDir of a zoo.cfg")]
    NoStore(std::path::PathBuf),
    /// What was found cannot be printed.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Prints every snapshot and every log entry under `data_dir`, checks them, and says what recovery
/// would do. Reads only; a server that runs meanwhile may make a torn tail appear.
///
/// # Errors
/// When there is no store, or `out` refuses.
pub fn inspect(data_dir: &Path, out: &mut dyn Write) -> Result<Health, InspectError> {
    match Inspection::<Txn, State>::read(data_dir) {
        Ok(Some(found)) => Ok(report(data_dir, &found, out)?),
        Ok(None) => Err(InspectError::NoStore(data_dir.to_owned())),
        Err(error) => {
            writeln!(out, "damaged: {error}\n\nA start would be refused.")?;
            Ok(Health::Damaged)
        }
    }
}

fn report(
    data_dir: &Path,
    found: &Inspection<Txn, State>,
    out: &mut dyn Write,
) -> io::Result<Health> {
    let mut findings = Vec::new();
    let (accepted, current) = (found.accepted_epoch, found.current_epoch);
    writeln!(out, "{}", found.directory.display())?;
    if let Some(owner) = found.owner {
        writeln!(out, "the data of server {owner}")?;
    }
    writeln!(out, "accepted epoch {accepted}, current epoch {current}")?;
    for snapshot in &found.snapshots {
        show_snapshot(snapshot, out, &mut findings)?;
    }
    for segment in &found.segments {
        show_segment(segment, out, &mut findings)?;
    }
    writeln!(out, "\nA start would:")?;
    if let Some(why) = foreign(data_dir, found.owner) {
        writeln!(out, "  be refused: {why}")?;
        findings.push(why);
    }
    findings.extend(plan(found, out)?);
    writeln!(out)?;
    for finding in &findings {
        writeln!(out, "damaged: {finding}")?;
    }
    if findings.is_empty() {
        writeln!(out, "fine: everything is readable and belongs together")?;
        return Ok(Health::Fine);
    }
    Ok(Health::Damaged)
}

/// Whose data these are, if that is not the server that would be started.
fn foreign(data_dir: &Path, owner: Option<zab::ServerId>) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join("myid")).ok()?;
    let (owner, id) = (owner?, text.trim().parse::<zab::ServerId>().ok()?);
    (owner != id).then(|| format!("the data of server {owner}, and myid says {id}"))
}

fn show_snapshot(
    file: &SnapshotFile<State>,
    out: &mut dyn Write,
    findings: &mut Vec<String>,
) -> io::Result<()> {
    let (name, zxid) = (name(&file.path), file.zxid);
    match snapshot_tree(file) {
        Ok((tree, bytes)) => {
            let (znodes, sessions) = (tree.node_count(), tree.sessions().count());
            let digest = tree.digest();
            writeln!(
                out,
                "\n{name}  after {zxid}: {znodes} znodes, {sessions} sessions, {bytes} bytes, \
                 digest {digest:#018x}"
            )
        }
        Err(why) => {
            findings.push(format!("{name}: {why}"));
            writeln!(out, "\n{name}  after {zxid}: {why}")
        }
    }
}

fn snapshot_tree(file: &SnapshotFile<State>) -> Result<(&Tree, u64), String> {
    let Some(State(tree)) = &file.state else { return Err("wrong checksum".to_owned()) };
    let (said, found) = (tree.digest(), tree.recompute_digest());
    match said == found {
        true => Ok((tree, file.bytes)),
        false => Err(format!("its digest is {said:#018x}, that of its content {found:#018x}")),
    }
}

fn show_segment(
    file: &SegmentFile<Txn>,
    out: &mut dyn Write,
    findings: &mut Vec<String>,
) -> io::Result<()> {
    let (name, length) = (name(&file.path), file.length);
    writeln!(out, "\n{name}  {} entries, {length} bytes", file.entries.len())?;
    for (entry, start, size) in &file.entries {
        let what = describe(entry);
        writeln!(out, "  {:>12}  byte {start:<9} {size:>8} bytes  {what}", entry.zxid.to_string())?;
    }
    if let Some(damage) = &file.damage {
        let (at, what) = (damage.at, damage.what);
        writeln!(out, "  byte {at}: {what}")?;
        findings.push(format!("{name}: byte {at}: {what}"));
    }
    Ok(())
}

/// The transaction in a line.
fn describe(entry: &Entry<Txn>) -> String {
    let proposal = match entry.txn.decode() {
        Ok(proposal) => proposal,
        Err(error) => return format!("unreadable: {error}"),
    };
    match proposal.txn {
        tree::Txn::Write { session, op, .. } => shortened(format!("{session:#x} {}", write(&op))),
        tree::Txn::CreateSession { id, timeout_ms, .. } => {
            format!("{id:#x} createSession, timeout {timeout_ms} ms")
        }
        tree::Txn::CloseSession { id } => format!("{id:#x} closeSession"),
        tree::Txn::Reap { path, .. } => shortened(format!("leader reap {path}")),
    }
}

fn write(op: &WriteOp) -> String {
    let size = |data: &wire::Data| data.as_ref().map_or(0, |data| data.len());
    match op {
        WriteOp::Create { path, data, mode, .. } => {
            format!("create {path}, {mode:?}, {} bytes of data", size(data))
        }
        WriteOp::Delete { path, version } => format!("delete {path}, version {version}"),
        WriteOp::SetData { path, data, version } => {
            format!("setData {path}, version {version}, {} bytes of data", size(data))
        }
        WriteOp::SetAcl { path, version, .. } => format!("setACL {path}, version {version}"),
        WriteOp::Reconfig { members } => format!("reconfig: {}", members.replace('\n', ", ")),
        WriteOp::Check { path, version } => format!("check {path}, version {version}"),
        WriteOp::Multi { ops } => {
            let ops: Vec<String> = ops.iter().map(write).collect();
            format!("multi of {}: {}", ops.len(), ops.join("; "))
        }
        WriteOp::Error { code } => format!("refused before it was ordered: {code:?}"),
    }
}

/// Paths and multis have no bound but the request's.
fn shortened(text: String) -> String {
    const MAX: usize = 300;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Says step by step what recovery does; the reasons for which it would be refused.
fn plan(found: &Inspection<Txn, State>, out: &mut dyn Write) -> io::Result<Vec<String>> {
    let mut refused = Vec::new();
    for path in &found.leftovers {
        writeln!(out, "  delete {}, left behind by a switch", path.display())?;
    }
    let base = plan_snapshot(found, out, &mut refused)?;
    let mut log = Vec::new();
    for segment in &found.segments {
        let name = name(&segment.path);
        match &segment.damage {
            Some(Damage { at, torn: Some(dropped), .. }) => {
                let rest = segment.length.saturating_sub(*at);
                let dropped = said_of_dropped(*dropped);
                writeln!(out, "  cut {name} at byte {at}: {rest} bytes of a torn tail{dropped}")?;
            }
            Some(damage) => {
                let why = damage.durable_before.map_or(String::new(), |record| {
                    format!(": it was on disk before the record at byte {record} was written")
                });
                writeln!(out, "  be refused: {name} is damaged where no crash damages it{why}")?;
                refused.push(format!("{name}: byte {}: no start from this", damage.at));
            }
            None => {}
        }
        log.extend(segment.entries.iter().map(|(entry, ..)| entry.clone()));
    }
    log.retain(|entry| entry.zxid > base);
    let (n, last) = (log.len(), log.last().map_or(base, |entry| entry.zxid));
    writeln!(out, "  keep {n} log entries after it; the last zxid is {last}")?;
    let (accepted_epoch, current_epoch) = (found.accepted_epoch, found.current_epoch);
    // Which configuration is known to be committed makes no flaw.
    let settled = Zxid::ZERO;
    let durable = Durable { accepted_epoch, current_epoch, snapshot: base, settled, log };
    if let Some(flaw) = durable.flaw() {
        writeln!(out, "  be refused: {flaw}")?;
        refused.push(flaw);
    }
    if let Some(Diverged { zxid, right, .. }) = found.diverged {
        writeln!(
            out,
            "  replay to {zxid}, and be refused unless that leads to what a quorum had: {right:#018x}"
        )?;
    }
    if !refused.is_empty() {
        writeln!(
            out,
            "  To bring this server back: restore the file from a backup of this very server, or\n  \
             move the directory zoobreak away while a quorum of the others is up; it then fetches\n  \
             everything from the leader."
        )?;
    }
    Ok(refused)
}

/// The snapshot that a start would use.
fn plan_snapshot(
    found: &Inspection<Txn, State>,
    out: &mut dyn Write,
    refused: &mut Vec<String>,
) -> io::Result<Zxid> {
    for file in found.snapshots.iter().rev() {
        let name = name(&file.path);
        if file.state.is_none() {
            writeln!(out, "  pass over {name}: wrong checksum")?;
            continue;
        }
        match snapshot_tree(file) {
            Ok(_) => writeln!(out, "  load {name}")?,
            Err(why) => {
                writeln!(out, "  be refused: {name}: {why}")?;
                refused.push(format!("{name}: no start from this"));
            }
        }
        return Ok(file.zxid);
    }
    match found.snapshots.is_empty() {
        true => writeln!(out, "  begin with the empty tree: there is no snapshot")?,
        false => {
            writeln!(out, "  be refused: no snapshot is readable")?;
            refused.push("no snapshot is readable".to_owned());
        }
    }
    Ok(Zxid::ZERO)
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::proposal::Origin;
    use crate::storage::Store;

    const LOG: &str = "zoobreak/g0/log.0000000100000001";

    fn entry(counter: u32) -> Entry<Txn> {
        let origin = Origin { server: 1, incarnation: 0, number: counter.into() };
        let txn = tree::Txn::CreateSession { id: 0xabc, timeout_ms: 4000, password: [0; 16] };
        Entry { zxid: Zxid::new(1, counter), txn: Txn::new(origin, txn) }
    }

    /// A store with three entries, and a snapshot after the second.
    fn store() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::<Txn, State>::open(dir.path()).unwrap();
        store.save_epochs(1, 1).unwrap();
        let mut tree = Tree::new();
        for counter in 1..=3 {
            store.append(&entry(counter)).unwrap();
            if counter <= 2 {
                tree.apply(entry(counter).zxid.0, &entry(counter).txn.decode().unwrap().txn);
            }
        }
        store.sync().unwrap();
        store.snapshot(Zxid::new(1, 2), State(tree)).unwrap();
        let log = dir.path().join(LOG);
        (dir, log)
    }

    fn inspected(dir: &Path) -> (Health, String) {
        let mut out = Vec::new();
        let health = inspect(dir, &mut out).unwrap();
        (health, String::from_utf8(out).unwrap())
    }

    /// What a start says must be what was foretold.
    fn starts(dir: &Path) -> bool {
        Store::<Txn, State>::open(dir).is_ok()
    }

    #[test]
    fn every_operation_is_a_short_line() {
        let delete = WriteOp::Delete { path: "/a".to_owned(), version: -1 };
        let check = WriteOp::Check { path: "/b".to_owned(), version: 3 };
        let multi = WriteOp::Multi { ops: vec![check, delete] };
        assert_eq!(write(&multi), "multi of 2: check /b, version 3; delete /a, version -1");
        let long = WriteOp::Delete { path: "/é".repeat(500), version: 1 };
        assert_eq!(shortened(write(&long)).chars().count(), 301);
    }

    #[test]
    fn sound_files_are_listed_and_fine() {
        let (dir, _) = store();
        let (health, text) = inspected(dir.path());
        assert_eq!(health, Health::Fine, "{text}");
        for part in [
            "accepted epoch 1, current epoch 1",
            "snapshot.0000000100000002  after 0x100000002: 4 znodes, 1 sessions",
            "0x100000003  byte",
            "0xabc createSession, timeout 4000 ms",
            "load snapshot.0000000100000002\n  keep 1 log entries after it; the last zxid is 0x100000003",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_torn_tail_would_be_cut_and_is_not_touched() {
        let (dir, log) = store();
        let bytes = fs::read(&log).unwrap();
        fs::write(&log, &bytes[..bytes.len() - 3]).unwrap();
        let (health, text) = inspected(dir.path());
        assert_eq!(health, Health::Damaged);
        assert!(text.contains("cut log.0000000100000001 at byte"), "{text}");
        assert!(text.contains("keep 0 log entries after it; the last zxid is 0x100000002"));
        assert_eq!(fs::read(&log).unwrap().len(), bytes.len() - 3);
        assert!(starts(dir.path()));
    }

    #[test]
    fn damage_in_the_middle_would_be_refused() {
        let (dir, log) = store();
        let mut bytes = fs::read(&log).unwrap();
        bytes[20] ^= 1;
        fs::write(&log, &bytes).unwrap();
        let (health, text) = inspected(dir.path());
        assert_eq!(health, Health::Damaged);
        assert!(text.contains("be refused: log.0000000100000001 is damaged"), "{text}");
        assert!(!starts(dir.path()));
    }

    #[test]
    fn damaged_snapshots_and_state_are_named() {
        let (dir, _) = store();
        let path = dir.path().join("zoobreak/g0/snapshot.0000000100000002");
        let mut bytes = fs::read(&path).unwrap();
        bytes[5] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let (health, text) = inspected(dir.path());
        assert_eq!(health, Health::Damaged);
        assert!(text.contains("damaged: no snapshot is readable"), "{text}");
        assert!(!starts(dir.path()));
        fs::write(dir.path().join("zoobreak/state"), "acceptedEpoch=9\n").unwrap();
        assert!(inspected(dir.path()).1.contains("not a state file"));
    }

    #[test]
    fn lost_epochs_are_noticed_and_leftovers_named() {
        let (dir, _) = store();
        fs::remove_file(dir.path().join("zoobreak/state")).unwrap();
        fs::create_dir(dir.path().join("zoobreak/g7")).unwrap();
        let (health, text) = inspected(dir.path());
        assert_eq!(health, Health::Damaged);
        assert!(text.contains("be refused: accepted epoch 0 is older"), "{text}");
        assert!(text.contains("g7, left behind by a switch"), "{text}");
        let empty = tempfile::tempdir().unwrap();
        let error = inspect(empty.path(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("give the dataDir"));
    }

    #[test]
    fn it_is_said_whose_data_these_are() {
        let (dir, _) = store();
        crate::storage::claim(&dir.path().join("zoobreak"), 3).unwrap();
        for (my_id, health) in [("3\n", Health::Fine), ("4\n", Health::Damaged)] {
            fs::write(dir.path().join("myid"), my_id).unwrap();
            let (found, text) = inspected(dir.path());
            assert_eq!(found, health, "{text}");
            assert!(text.contains("\nthe data of server 3\n"), "{text}");
        }
        assert!(inspected(dir.path()).1.contains("be refused: the data of server 3, and myid"));
    }

    #[test]
    fn a_note_of_a_differing_state_is_said() {
        let (dir, _) = store();
        let note = Diverged { zxid: Zxid::new(1, 3), own: 1, right: 2 };
        note.write(&dir.path().join("zoobreak")).unwrap();
        let (_, text) = inspected(dir.path());
        assert!(text.contains("replay to 0x100000003, and be refused unless"), "{text}");
    }
}
