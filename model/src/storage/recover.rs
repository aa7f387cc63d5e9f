//! What a server finds when it starts: the newest snapshot that is whole, and the log after it.
//!
//! Which bytes of a segment are entries, and what a crash may have left behind them, is decided by the code that the
//! server runs ([`journal::scan`], [`journal::Scan::tail`]).

use super::Flaw;
use super::files::{FileSystem, Name};
use super::state::{KEYS, Process, State, Tree, Txn, Value, checked, set};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) epoch: u8,
    /// The entries after `base`, with their numbers.
    pub(crate) entries: Vec<(u8, Value)>,
    pub(crate) tree: Tree,
    pub(crate) last: u8,
    segment: Option<Name>,
    whole: bool,
}

impl State {
    /// The server starts: it reads its files, cuts off what a crash has torn, and syncs what it keeps.
    pub(crate) fn start(&mut self, flaw: Option<Flaw>) {
        match recover(&mut self.disk, flaw) {
            Ok(found) => {
                self.judge(&found);
                self.ghost.history.truncate(found.last.into());
                self.process =
                    Some(Process::new(found.last, found.tree, found.epoch, found.segment));
                if flaw != Some(Flaw::TrustedNames) {
                    self.disk.sync_names();
                }
            }
            Err(what) => self.ghost.broken.push(("StartsAfterCrash", what)),
        }
    }

    fn judge(&mut self, found: &Found) {
        let ghost = &mut self.ghost;
        let Found { epoch, entries, tree, last, whole, .. } = found;
        let mut breaks = |name, what: String| ghost.broken.push((name, what));
        if *last < ghost.reported {
            let n = ghost.reported;
            breaks(
                "ReportedSurvives",
                format!("{n} entries were reported as durable, {last} are found"),
            );
        }
        if *epoch < ghost.promised {
            let n = ghost.promised;
            breaks("PromiseSurvives", format!("epoch {n} was promised, and is {epoch} now"));
        }
        let written = |(number, value): &(u8, Value)| {
            ghost.history.get(usize::from(*number) - 1) == Some(value)
        };
        let strange = entries.iter().find(|found| !written(found));
        if let Some((number, _)) = strange {
            breaks(
                "OnlyWhatWasWritten",
                format!("entry {number} is found, which was never written"),
            );
        } else if !whole {
            breaks(
                "OnlyWhatWasWritten",
                "an entry is found that is not as it was written".to_owned(),
            );
        }
        let mut due = Tree::default();
        let history = ghost.history.iter().zip(1..);
        history.take(usize::from(*last)).for_each(|(value, number)| set(&mut due, number, *value));
        if *tree != due {
            breaks("StateIsHistory", format!("the state is {tree:?}; {last} entries make {due:?}"));
        }
    }
}

fn recover(disk: &mut FileSystem, flaw: Option<Flaw>) -> Result<Found, String> {
    let epoch = match disk.read(Name::Epoch) {
        None => 0,
        Some(bytes) => checked(bytes).ok_or("the epoch's file is torn")?[0],
    };
    let (begun, end, mut tree) = newest_snapshot(disk)?;
    let base = if flaw == Some(Flaw::LateTail) { end } else { begun };
    let names: Vec<Name> = disk.names().filter(|name| matches!(name, Name::Log(_))).collect();
    let (mut entries, mut whole) = (Vec::new(), true);
    for name in &names {
        let read = segment(disk, *name, names.last() == Some(name), flaw)?;
        whole &=
            read.iter().all(|entry| *entry == super::state::entry(number(entry), entry.txn.value));
        entries.extend(read.iter().map(|entry| (number(entry), entry.txn.value)));
    }
    entries.retain(|(number, _)| *number > base);
    if let Some(((number, _), due)) =
        entries.iter().zip(base + 1..).find(|((number, _), due)| number != due)
    {
        return Err(format!("entry {number} is found where {due} is due"));
    }
    entries.iter().for_each(|(number, value)| set(&mut tree, *number, *value));
    let last = entries.last().map_or(base, |(number, _)| *number);
    Ok(Found { epoch, entries, tree, last, segment: names.last().copied(), whole })
}

fn number(entry: &zab::Entry<Txn>) -> u8 {
    u8::try_from(entry.zxid.counter()).unwrap_or(u8::MAX)
}

/// After which entry it was begun and ended, and the state in it.
fn newest_snapshot(disk: &FileSystem) -> Result<(u8, u8, Tree), String> {
    let snapshots = disk.names().rev().filter_map(|name| match name {
        Name::Snapshot(begun) => Some((begun, disk.read(name)?)),
        _ => None,
    });
    let mut torn = false;
    for (begun, bytes) in snapshots {
        if let Some(contents) = checked(bytes) {
            let mut tree = Tree::default();
            tree.copy_from_slice(&contents[..KEYS]);
            return Ok((begun, contents[KEYS], tree));
        }
        torn = true;
    }
    if torn { Err("no snapshot is whole".to_owned()) } else { Ok((0, 0, Tree::default())) }
}

fn segment(
    disk: &mut FileSystem,
    name: Name,
    newest: bool,
    flaw: Option<Flaw>,
) -> Result<Vec<zab::Entry<Txn>>, String> {
    let bytes = disk.read(name).unwrap_or_default().to_vec();
    let scan = journal::scan::<Txn>(&bytes, flaw != Some(Flaw::UncheckedLog));
    let tail = scan
        .tail(newest)
        .map_err(|damage| format!("the log is damaged at byte {}: {}", damage.at, damage.what))?;
    if tail.is_some() {
        disk.cut(name, scan.whole().min(bytes.len()));
        if !bytes.starts_with(journal::HEADER) {
            disk.cut(name, 0);
            disk.append(name, journal::HEADER);
        }
    }
    disk.sync(name);
    Ok(scan.records.into_iter().map(|record| record.entry).collect())
}
