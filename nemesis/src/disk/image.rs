//! A tree of files and directories in memory, each as programs see it and as it would be after a power cut.
//!
//! A name is durable when its directory was synced, which is all that POSIX promises (fsync(2)). Hard links,
//! symbolic links and special files are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use rand::Rng;
use rand::seq::SliceRandom;

use super::content::{Content, PAGE, Place};
use super::{Loss, Rules};
use crate::fault::Damage;

/// A file or directory. Numbers are never used twice.
pub(super) type Ino = u64;

pub(super) const ROOT: Ino = 1;

/// Smaller files hold a number or a name; few programs give those a checksum.
pub(super) const WORTH_DAMAGING: u64 = 512;

#[derive(Debug)]
pub(super) struct Image {
    nodes: BTreeMap<Ino, Node>,
    next: Ino,
    /// Changes of names that no sync of their directory has made durable, oldest first.
    changes: Vec<Change>,
    /// The file that was synced last.
    newest: Option<Ino>,
    /// Bytes that may still be allocated, if the disk is nearly full.
    room: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) mode: u16,
    /// How often the kernel was told of it and has not forgotten it.
    n_lookups: u64,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    File(Content),
    Dir(Dir),
}

#[derive(Debug, Default)]
pub(super) struct Dir {
    pub(super) names: BTreeMap<OsString, Ino>,
    synced: BTreeMap<OsString, Ino>,
}

/// Names of one directory that change together.
#[derive(Debug)]
struct Change {
    dir: Ino,
    /// The file that is created, renamed or removed.
    ino: Ino,
    names: Vec<(OsString, Option<Ino>)>,
    /// A journal would have made it durable with a later fsync of any file.
    journaled: bool,
}

/// What a power cut took.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub(super) struct Lost {
    /// Bytes of files that differ from what programs last saw.
    pub(super) bytes: u64,
    /// Files with such bytes.
    pub(super) files: u64,
    /// Names that appeared or disappeared with it.
    pub(super) names: Vec<PathBuf>,
}

impl Image {
    pub(super) fn new() -> Image {
        let root = Node { mode: 0o755, n_lookups: 1, body: Body::Dir(Dir::default()) };
        let (nodes, changes) = ([(ROOT, root)].into(), Vec::new());
        Image { nodes, next: ROOT + 1, changes, newest: None, room: None }
    }

    pub(super) fn node(&self, ino: Ino) -> Result<&Node, Errno> {
        self.nodes.get(&ino).ok_or(Errno::ESTALE)
    }

    pub(super) fn node_mut(&mut self, ino: Ino) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&ino).ok_or(Errno::ESTALE)
    }

    pub(super) fn dir(&self, ino: Ino) -> Result<&Dir, Errno> {
        match &self.node(ino)?.body {
            Body::Dir(dir) => Ok(dir),
            Body::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn dir_mut(&mut self, ino: Ino) -> Result<&mut Dir, Errno> {
        match &mut self.node_mut(ino)?.body {
            Body::Dir(dir) => Ok(dir),
            Body::File(_) => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn file(&self, ino: Ino) -> Result<&Content, Errno> {
        match &self.node(ino)?.body {
            Body::File(content) => Ok(content),
            Body::Dir(_) => Err(Errno::EISDIR),
        }
    }

    fn file_mut(&mut self, ino: Ino) -> Result<&mut Content, Errno> {
        match &mut self.node_mut(ino)?.body {
            Body::File(content) => Ok(content),
            Body::Dir(_) => Err(Errno::EISDIR),
        }
    }

    /// Finds a name, and remembers that the kernel knows the number from now on.
    pub(super) fn lookup(&mut self, dir: Ino, name: &OsStr) -> Result<Ino, Errno> {
        let ino = *self.dir(dir)?.names.get(name).ok_or(Errno::ENOENT)?;
        self.node_mut(ino)?.n_lookups += 1;
        Ok(ino)
    }

    pub(super) fn create(
        &mut self,
        dir: Ino,
        name: &OsStr,
        mode: u16,
        body: Body,
    ) -> Result<Ino, Errno> {
        if self.dir(dir)?.names.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.take_room(PAGE)?;
        let ino = self.next;
        self.next += 1;
        self.nodes.insert(ino, Node { mode: mode & 0o7777, n_lookups: 1, body });
        self.change(dir, ino, vec![(name.to_owned(), Some(ino))])?;
        Ok(ino)
    }

    pub(super) fn remove(&mut self, dir: Ino, name: &OsStr, is_dir: bool) -> Result<(), Errno> {
        let ino = *self.dir(dir)?.names.get(name).ok_or(Errno::ENOENT)?;
        match (&self.node(ino)?.body, is_dir) {
            (Body::Dir(dir), true) if !dir.names.is_empty() => Err(Errno::ENOTEMPTY),
            (Body::Dir(_), false) => Err(Errno::EISDIR),
            (Body::File(_), true) => Err(Errno::ENOTDIR),
            _ => self.change(dir, ino, vec![(name.to_owned(), None)]),
        }
    }

    /// Replaces what has the new name, unless it is a directory with something in it. Within one
    /// directory, a power cut finds both names changed or none.
    pub(super) fn rename(
        &mut self,
        from: (Ino, &OsStr),
        to: (Ino, &OsStr),
        replace: bool,
    ) -> Result<(), Errno> {
        let ino = *self.dir(from.0)?.names.get(from.1).ok_or(Errno::ENOENT)?;
        match self.dir(to.0)?.names.get(to.1) {
            Some(_) if !replace => return Err(Errno::EEXIST),
            Some(old) if self.dir(*old).is_ok_and(|dir| !dir.names.is_empty()) => {
                return Err(Errno::ENOTEMPTY);
            }
            Some(old) if *old == ino => return Ok(()),
            _ => {}
        }
        let (gone, here) = ((from.1.to_owned(), None), (to.1.to_owned(), Some(ino)));
        if from.0 == to.0 {
            return self.change(from.0, ino, vec![gone, here]);
        }
        self.change(to.0, ino, vec![here])?;
        self.change(from.0, ino, vec![gone])
    }

    pub(super) fn write(&mut self, ino: Ino, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let n_pages = self.file(ino)?.n_new_pages(offset, data.len());
        self.take_room(n_pages * PAGE)?;
        self.file_mut(ino)?.write(offset, data);
        Ok(())
    }

    pub(super) fn set_len(&mut self, ino: Ino, len: u64) -> Result<(), Errno> {
        self.file_mut(ino)?.set_len(len);
        Ok(())
    }

    /// Makes a file's content durable, or a directory's names.
    pub(super) fn sync(&mut self, ino: Ino) -> Result<(), Errno> {
        let is_dir = match &mut self.node_mut(ino)?.body {
            Body::File(content) => {
                content.sync();
                self.newest = Some(ino);
                false
            }
            Body::Dir(_) => true,
        };
        self.journal(ino);
        if is_dir {
            let (own, others) = std::mem::take(&mut self.changes)
                .into_iter()
                .partition(|change: &Change| change.dir == ino);
            self.changes = others;
            self.settle(own);
        }
        Ok(())
    }

    /// A failed fsync. Names are tried again with the next one.
    pub(super) fn fail_sync(&mut self, ino: Ino) {
        if let Ok(content) = self.file_mut(ino) {
            content.fail_sync();
        }
    }

    /// Makes everything durable.
    pub(super) fn sync_all(&mut self) {
        for node in self.nodes.values_mut() {
            if let Body::File(content) = &mut node.body {
                content.sync();
            }
        }
        let all = std::mem::take(&mut self.changes);
        self.settle(all);
    }

    /// The power fails: what was not durable is lost, as `loss` and `rules` say.
    pub(super) fn lose(&mut self, loss: Loss, rules: Rules, rng: &mut impl Rng) -> Lost {
        let before = self.paths();
        let mut changes = std::mem::take(&mut self.changes);
        let n_kept = match loss {
            Loss::Everything => 0,
            Loss::Torn | Loss::Scattered => rng.random_range(0..=changes.len()),
        };
        let mut n_seen = 0;
        changes.retain(|change| {
            n_seen += 1;
            n_seen <= n_kept || (change.journaled && rules == Rules::Ext4)
        });
        self.settle(changes);
        let mut lost = Lost::default();
        for node in self.nodes.values_mut() {
            match &mut node.body {
                Body::Dir(dir) => dir.names.clone_from(&dir.synced),
                Body::File(content) => match content.lose(loss, rng) {
                    0 => {}
                    bytes => {
                        lost.bytes += bytes;
                        lost.files += 1;
                    }
                },
            }
        }
        let after = self.paths();
        lost.names = before.symmetric_difference(&after).cloned().collect();
        self.drop_unreachable();
        lost
    }

    /// What could not be written is read again from the disk.
    pub(super) fn forget_given_up(&mut self) {
        for node in self.nodes.values_mut() {
            if let Body::File(content) = &mut node.body {
                content.forget_given_up();
            }
        }
    }

    /// Damages what is durable in one of the files of at least [`WORTH_DAMAGING`] bytes, such as
    /// logs and snapshots; in half of all cases in the one that was synced last, for what a program does not
    /// read any more harms nobody. Which file, and where in it.
    pub(super) fn damage(
        &mut self,
        damage: Damage,
        rng: &mut impl Rng,
    ) -> Option<(PathBuf, Place)> {
        let is_large = |ino: &Ino| self.file(*ino).is_ok_and(|file| file.len() >= WORTH_DAMAGING);
        let mut files = self.entries();
        files.retain(|(_, ino)| is_large(ino));
        files.shuffle(rng);
        if rng.random() {
            files.sort_by_key(|(_, ino)| Some(*ino) != self.newest);
        }
        files.into_iter().find_map(|(path, ino)| {
            let place = self.file_mut(ino).ok()?.damage(damage, rng)?;
            Some((path, place))
        })
    }

    /// From now on only so many bytes may be added; `None` for as many as memory holds.
    pub(super) fn set_room(&mut self, room: Option<u64>) {
        self.room = room;
    }

    pub(super) fn room(&self) -> Option<u64> {
        self.room
    }

    pub(super) fn allocated(&self) -> u64 {
        let bytes = |node: &Node| match &node.body {
            Body::File(content) => content.allocated(),
            Body::Dir(_) => PAGE,
        };
        self.nodes.values().map(bytes).sum()
    }

    /// The kernel no longer knows a number.
    pub(super) fn forget(&mut self, ino: Ino, n_lookups: u64) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.n_lookups = node.n_lookups.saturating_sub(n_lookups);
            if node.n_lookups == 0 && !self.is_named(ino) {
                self.nodes.remove(&ino);
            }
        }
    }

    /// Writes everything, as programs see it, into an existing directory of the real disk.
    pub(super) fn save(&self, place: &Path) -> io::Result<()> {
        for (path, ino) in self.entries() {
            let path = place.join(path);
            match &self.nodes[&ino].body {
                Body::Dir(_) => fs::create_dir_all(&path)?,
                Body::File(content) => content.save(&File::create(&path)?)?,
            }
        }
        Ok(())
    }

    fn take_room(&mut self, bytes: u64) -> Result<(), Errno> {
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(bytes).ok_or(Errno::ENOSPC)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        dir: Ino,
        ino: Ino,
        names: Vec<(OsString, Option<Ino>)>,
    ) -> Result<(), Errno> {
        let now = &mut self.dir_mut(dir)?.names;
        names.iter().for_each(|(name, ino)| set(now, name, *ino));
        self.changes.push(Change { dir, ino, names, journaled: false });
        Ok(())
    }

    /// A journal writes in order: everything up to the last change that concerns this file or directory.
    fn journal(&mut self, ino: Ino) {
        let last = self.changes.iter().rposition(|change| change.ino == ino || change.dir == ino);
        let upto = last.map_or(0, |last| last + 1);
        self.changes[..upto].iter_mut().for_each(|change| change.journaled = true);
    }

    /// Makes changes durable.
    fn settle(&mut self, changes: Vec<Change>) {
        for change in &changes {
            if let Ok(dir) = self.dir_mut(change.dir) {
                change.names.iter().for_each(|(name, ino)| set(&mut dir.synced, name, *ino));
            }
        }
        for change in changes {
            self.forget(change.ino, 0);
        }
    }

    /// Is it in a directory now, or would it be after a power cut?
    fn is_named(&self, ino: Ino) -> bool {
        let named = |names: &BTreeMap<OsString, Ino>| names.values().any(|named| *named == ino);
        ino == ROOT
            || self.changes.iter().any(|change| change.ino == ino)
            || self.nodes.values().any(|node| match &node.body {
                Body::Dir(dir) => named(&dir.names) || named(&dir.synced),
                Body::File(_) => false,
            })
    }

    fn drop_unreachable(&mut self) {
        let reachable: BTreeSet<Ino> =
            self.entries().into_iter().map(|(_, ino)| ino).chain([ROOT]).collect();
        self.nodes.retain(|ino, _| reachable.contains(ino));
    }

    fn paths(&self) -> BTreeSet<PathBuf> {
        self.entries().into_iter().map(|(path, _)| path).collect()
    }

    /// Everything that has a name, each directory before what is in it.
    fn entries(&self) -> Vec<(PathBuf, Ino)> {
        let (mut entries, mut todo) = (Vec::new(), vec![(PathBuf::new(), ROOT)]);
        while let Some((path, ino)) = todo.pop() {
            let Ok(dir) = self.dir(ino) else { continue };
            for (name, child) in &dir.names {
                entries.push((path.join(name), *child));
                todo.push((path.join(name), *child));
            }
        }
        entries
    }
}

fn set(names: &mut BTreeMap<OsString, Ino>, name: &OsStr, ino: Option<Ino>) {
    match ino {
        Some(ino) => names.insert(name.to_owned(), ino),
        None => names.remove(name),
    };
}

#[cfg(test)]
mod tests;
