//! What of a directory of the machine's own disk would survive a power cut; and the power cut.
//!
//! A file's bytes are durable up to its length at its last fsync, except for those that were overwritten since,
//! whose former values are kept. A name is durable when its directory was synced; a second link, in a
//! directory of our own, keeps what has a durable name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirEntryExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::seq::SliceRandom;

use crate::disk::content::{Content, Place};
use crate::disk::image::{Lost, WORTH_DAMAGING};
use crate::disk::{Loss, Rules};
use crate::fault::Damage;

type Ino = u64;

/// Disks write sectors of this size whole or not at all.
const SECTOR: u64 = 512;

#[derive(Debug)]
pub(super) struct Ledger {
    place: PathBuf,
    /// Second links, named by their inode.
    links: PathBuf,
    files: BTreeMap<Ino, Synced>,
    /// The durable names of each directory.
    names: BTreeMap<PathBuf, BTreeMap<OsString, Ino>>,
    /// The file that was synced last.
    newest: Option<Ino>,
}

#[derive(Debug, Default)]
struct Synced {
    len: u64,
    /// Bytes, and where, as they were before each write since the last fsync, oldest first.
    before: Vec<(u64, Vec<u8>)>,
    /// The same of writes whose fsync failed, which no later one writes.
    given_up: Vec<(u64, Vec<u8>)>,
}

impl Ledger {
    /// Of an existing directory. Its neighbour `links` is made.
    pub(super) fn of(place: &Path, links: &Path) -> io::Result<Ledger> {
        fs::create_dir_all(links)?;
        let (files, names) = (BTreeMap::new(), BTreeMap::new());
        let (place, links) = (place.to_owned(), links.to_owned());
        let mut ledger = Ledger { place, links, files, names, newest: None };
        ledger.sync_all()?;
        Ok(ledger)
    }

    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Everything that is there is durable.
    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        for (path, file) in walk(&self.place)? {
            match file.is_dir() {
                true => self.sync_dir(&path)?,
                false => self.sync_file(file.ino(), file.len()),
            }
        }
        self.sync_dir(&self.place.clone())
    }

    pub(super) fn sync_file(&mut self, ino: Ino, len: u64) {
        let synced = self.files.entry(ino).or_default();
        synced.len = len;
        synced.before.clear();
        self.newest = Some(ino);
    }

    /// An fsync of a file of this length fails.
    pub(super) fn fail_file(&mut self, ino: Ino, len: u64) {
        let synced = self.files.entry(ino).or_default();
        let overwritten = std::mem::take(&mut synced.before);
        synced.given_up.extend(overwritten);
        if len > synced.len {
            let added = vec![0; (len - synced.len) as usize];
            synced.given_up.push((synced.len, added));
            synced.len = len;
        }
    }

    /// Its names are durable now.
    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let link = self.links.join(entry.ino().to_string());
            if entry.file_type()?.is_file() && !link.exists() {
                fs::hard_link(entry.path(), link)?;
            }
            names.insert(entry.file_name(), entry.ino());
        }
        let old = self.names.insert(dir.to_owned(), names).unwrap_or_default();
        let now = &self.names[dir];
        let replaced = |(name, ino): &(&OsString, &Ino)| now.get(*name) != Some(*ino);
        let gone: Vec<PathBuf> =
            old.iter().filter(replaced).map(|(name, _)| dir.join(name)).collect();
        self.names.retain(|path, _| !gone.iter().any(|gone| path.starts_with(gone)));
        self.forget()
    }

    /// Drops what no name leads to any more: the numbers of such files are used again.
    fn forget(&mut self) -> io::Result<()> {
        let durable: BTreeSet<Ino> =
            self.names.values().flat_map(|names| names.values().copied()).collect();
        let there: BTreeSet<Ino> =
            walk(&self.place)?.into_iter().map(|(_, file)| file.ino()).collect();
        self.files.retain(|ino, _| durable.contains(ino) || there.contains(ino));
        for link in fs::read_dir(&self.links)? {
            let link = link?;
            if !durable.contains(&link.ino()) {
                fs::remove_file(link.path())?;
            }
        }
        Ok(())
    }

    /// A program is about to write so many bytes there.
    pub(super) fn before_write(
        &mut self,
        file: &File,
        ino: Ino,
        at: u64,
        n: u64,
    ) -> io::Result<()> {
        let Some(synced) = self.files.get_mut(&ino) else { return Ok(()) };
        let n_durable = synced.len.saturating_sub(at).min(n);
        if n_durable > 0 {
            let mut bytes = vec![0; n_durable as usize];
            file.read_exact_at(&mut bytes, at)?;
            synced.before.push((at, bytes));
        }
        Ok(())
    }

    /// The power fails: what was not durable is lost, as `loss` and `rules` say.
    pub(super) fn lose(
        &mut self,
        loss: Loss,
        rules: Rules,
        rng: &mut impl Rng,
    ) -> io::Result<Lost> {
        let mut lost = Lost::default();
        let keep_names = loss != Loss::Everything && rng.random();
        if rules == Rules::Ext4 || keep_names {
            self.keep_names(keep_names)?;
        }
        self.restore_names(&self.place.clone(), &mut lost)?;
        for (path, file) in walk(&self.place)? {
            if file.is_file() {
                let synced = self.files.remove(&file.ino()).unwrap_or_default();
                let n_lost = lose_bytes(&path, synced, loss, rng)?;
                lost.bytes += n_lost;
                lost.files += u64::from(n_lost > 0);
            }
        }
        self.sync_all()?;
        Ok(lost)
    }

    /// Names of all files are durable, or of those that were synced since they were made.
    fn keep_names(&mut self, all: bool) -> io::Result<()> {
        let unsynced: Vec<PathBuf> = walk(&self.place)?
            .into_iter()
            .filter(|(_, file)| file.is_file() && !all && !self.files.contains_key(&file.ino()))
            .map(|(path, _)| path)
            .collect();
        for (path, file) in walk(&self.place)? {
            if file.is_dir() {
                self.sync_dir(&path)?;
            }
        }
        self.sync_dir(&self.place.clone())?;
        for path in unsynced {
            let (dir, name) = (path.parent().unwrap_or(&self.place), path.file_name());
            if let (Some(names), Some(name)) = (self.names.get_mut(dir), name) {
                names.remove(name);
            }
        }
        Ok(())
    }

    fn restore_names(&mut self, dir: &Path, lost: &mut Lost) -> io::Result<()> {
        let durable = self.names.get(dir).cloned().unwrap_or_default();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if durable.get(&entry.file_name()) != Some(&entry.ino()) {
                remove(&entry.path())?;
                lost.names.push(self.relative(&entry.path()));
            }
        }
        for (name, ino) in durable {
            let (path, link) = (dir.join(&name), self.links.join(ino.to_string()));
            if !path.exists() {
                lost.names.push(self.relative(&path));
                match link.exists() {
                    true => fs::hard_link(link, &path)?,
                    false => fs::create_dir(&path)?,
                }
            }
            if path.is_dir() {
                self.restore_names(&path, lost)?;
            }
        }
        Ok(())
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.place).unwrap_or(path).to_owned()
    }

    /// What could not be written is read again from the disk.
    pub(super) fn forget_given_up(&mut self) -> io::Result<()> {
        for (path, file) in walk(&self.place)? {
            if let Some(synced) = self.files.get_mut(&file.ino()) {
                let given_up = std::mem::take(&mut synced.given_up);
                put_back(&path, given_up)?;
                synced.len = synced.len.min(fs::metadata(&path)?.len());
            }
        }
        Ok(())
    }

    /// As of a disk in memory.
    pub(super) fn damage(
        &mut self,
        damage: Damage,
        rng: &mut impl Rng,
    ) -> io::Result<Option<(PathBuf, Place)>> {
        let mut files = walk(&self.place)?;
        files.retain(|(_, file)| file.is_file() && file.len() >= WORTH_DAMAGING);
        files.shuffle(rng);
        if rng.random() {
            files.sort_by_key(|(_, file)| Some(file.ino()) != self.newest);
        }
        for (path, _) in files {
            let mut content = Content::default();
            content.write(0, &fs::read(&path)?);
            content.sync();
            if let Some(place) = content.damage(damage, rng) {
                content.save(&OpenOptions::new().write(true).open(&path)?)?;
                self.sync_all()?;
                return Ok(Some((self.relative(&path), place)));
            }
        }
        Ok(None)
    }

    /// Nothing but the files stays.
    pub(super) fn end(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.links) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Everything under a directory, each directory before what is in it.
fn walk(dir: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let (mut found, mut todo) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            // A file may go while we look.
            let Ok(file) = fs::symlink_metadata(&path) else { continue };
            if file.is_dir() {
                todo.push(path.clone());
            }
            found.push((path, file));
        }
    }
    Ok(found)
}

fn remove(path: &Path) -> io::Result<()> {
    match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// How many bytes are others now.
fn lose_bytes(path: &Path, synced: Synced, loss: Loss, rng: &mut impl Rng) -> io::Result<u64> {
    let (before, n_kept) = (synced.before, rng.random_range(0..=u32::MAX) as usize);
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let (size, first_undone) = (file.metadata()?.len(), n_kept % (before.len() + 1));
    let mut n_lost = 0;
    for (n, (at, bytes)) in before.iter().enumerate().rev() {
        let is_kept = match loss {
            Loss::Everything => false,
            Loss::Torn => n < first_undone,
            Loss::Scattered => rng.random(),
        };
        if !is_kept {
            file.write_all_at(bytes, *at)?;
            n_lost += bytes.len() as u64;
        }
    }
    if size > synced.len {
        n_lost += lose_tail(&file, synced.len, size, loss, rng)?;
    }
    put_back(path, synced.given_up)?;
    Ok(n_lost.max(size.saturating_sub(fs::metadata(path)?.len())))
}

/// What was appended; how many bytes of it are gone.
fn lose_tail(file: &File, from: u64, to: u64, loss: Loss, rng: &mut impl Rng) -> io::Result<u64> {
    let (mut end, mut n_lost) = (from, 0);
    let cut = rng.random_range(from..=to) / SECTOR * SECTOR;
    for start in (from / SECTOR..to.div_ceil(SECTOR)).map(|sector| sector * SECTOR) {
        let sector = start.max(from)..(start + SECTOR).min(to);
        let is_kept = match loss {
            Loss::Everything => false,
            Loss::Torn => sector.start < cut,
            Loss::Scattered => rng.random(),
        };
        if is_kept {
            end = sector.end;
        } else {
            let zeros = vec![0; (sector.end - sector.start) as usize];
            file.write_all_at(&zeros, sector.start)?;
            n_lost += sector.end - sector.start;
        }
    }
    file.set_len(end)?;
    Ok(n_lost)
}

fn put_back(path: &Path, given_up: Vec<(u64, Vec<u8>)>) -> io::Result<()> {
    if given_up.is_empty() {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(path)?;
    for (at, bytes) in given_up.into_iter().rev() {
        let size = file.metadata()?.len();
        match at + bytes.len() as u64 >= size && bytes.iter().all(|byte| *byte == 0) {
            true => file.set_len(at.min(size))?,
            false => file.write_all_at(&bytes, at)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
