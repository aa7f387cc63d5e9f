//! What is in a file: as programs see it, and as it would be after a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rand::Rng;

use super::Loss;
use crate::fault::Damage;

/// Bytes of a page: what is shared, compared and paid for.
pub(super) const PAGE: u64 = 4096;
/// Disks write sectors of this size whole or not at all.
const SECTOR: u64 = 512;
const ZEROS: [u8; SECTOR as usize] = [0; SECTOR as usize];

/// A file's bytes, twice. Unchanged pages are shared between the two, and holes cost nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    now: Bytes,
    synced: Bytes,
    /// Pages that the next fsync makes durable.
    dirty: BTreeSet<u64>,
    /// Pages whose fsync failed: no later fsync writes them, as on Linux (fsync(2)).
    given_up: BTreeSet<u64>,
}

/// Offsets, in bytes, of what was damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// A bit of this byte was flipped.
    Flipped(u64),
    /// What was in the sector at `from` is in the one at `to`.
    Moved { from: u64, to: u64 },
    /// The file was of length `from`, and is of length `to`.
    Cut { from: u64, to: u64 },
}

#[derive(Clone, Debug, Default)]
struct Bytes {
    len: u64,
    /// A page that is absent is zero, and so are bytes after `len`.
    pages: BTreeMap<u64, Arc<[u8; PAGE as usize]>>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.now.len
    }

    /// Bytes of pages in use, as programs see the file.
    pub(super) fn allocated(&self) -> u64 {
        self.now.pages.len() as u64 * PAGE
    }

    pub(super) fn read(&self, offset: u64, size: u32) -> Vec<u8> {
        let end = offset.saturating_add(size.into()).min(self.now.len);
        let mut bytes = Vec::new();
        for page in pages(offset, end) {
            let part = part_of(page, offset, end);
            match self.now.pages.get(&page) {
                Some(page) => bytes.extend_from_slice(&page[part]),
                None => bytes.resize(bytes.len() + part.len(), 0),
            }
        }
        bytes
    }

    /// How many pages a write would add.
    pub(super) fn n_new_pages(&self, offset: u64, len: usize) -> u64 {
        let range = pages(offset, offset + len as u64);
        range.filter(|page| !self.now.pages.contains_key(page)).count() as u64
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        let mut rest = data;
        for page in pages(offset, end) {
            let part = part_of(page, offset, end);
            let (head, tail) = rest.split_at(part.len());
            self.now.page_mut(page)[part].copy_from_slice(head);
            self.touch(page);
            rest = tail;
        }
        self.now.len = self.now.len.max(end);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.now.len {
            let gone: Vec<u64> =
                self.now.pages.range(len / PAGE..).map(|(page, _)| *page).collect();
            gone.into_iter().for_each(|page| self.touch(page));
        }
        self.now.set_len(len);
    }

    /// Makes everything durable.
    pub(super) fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty) {
            self.synced.copy_page(&self.now, page);
        }
        self.synced.set_len(self.now.len);
    }

    /// What was to become durable never will.
    pub(super) fn fail_sync(&mut self) {
        self.given_up.append(&mut self.dirty);
    }

    /// Reads again from the disk what could not be written to it, as a machine does that forgot its cache.
    pub(super) fn forget_given_up(&mut self) {
        let given_up = std::mem::take(&mut self.given_up);
        if !given_up.is_empty() && self.dirty.is_empty() {
            self.now.set_len(self.synced.len);
        }
        given_up.into_iter().for_each(|page| self.now.copy_page(&self.synced, page));
    }

    /// Keeps of what was not synced what `loss` says; how many bytes changed by that.
    pub(super) fn lose(&mut self, loss: Loss, rng: &mut impl Rng) -> u64 {
        let unsynced: BTreeSet<u64> = self.dirty.union(&self.given_up).copied().collect();
        if unsynced.is_empty() && self.now.len == self.synced.len {
            return 0;
        }
        let first = unsynced.first().map_or(0, |page| page * PAGE);
        let cut = rng.random_range(first..=self.now.len.max(first)) / SECTOR;
        let mut survivor = self.synced.clone();
        let mut grown = self.synced.len;
        for page in unsynced {
            for sector in page * PAGE / SECTOR..(page + 1) * PAGE / SECTOR {
                let kept = match loss {
                    Loss::Everything => false,
                    Loss::Torn => sector < cut,
                    Loss::Scattered => rng.random(),
                };
                if kept {
                    survivor.copy_sector(&self.now, sector);
                    grown = grown.max(((sector + 1) * SECTOR).min(self.now.len));
                }
            }
        }
        let shrunk = self.now.len < self.synced.len && loss != Loss::Everything && rng.random();
        survivor.len = survivor.len.max(grown);
        survivor.set_len(if shrunk { self.now.len } else { grown });
        let lost = survivor.n_different(&self.now);
        *self = Content { now: survivor.clone(), synced: survivor, ..Content::default() };
        lost
    }

    /// Damages what is durable; where, or `None` if there is too little of it.
    pub(super) fn damage(&mut self, damage: Damage, rng: &mut impl Rng) -> Option<Place> {
        match damage {
            Damage::BitFlip => self.flip_bit(rng).map(Place::Flipped),
            Damage::MisdirectedWrite => self.misdirect(rng),
            Damage::TruncatedTail => self.cut_tail(rng),
        }
    }

    /// A sector with something in it is found in the place of another one, which differs from it.
    fn misdirect(&mut self, rng: &mut impl Rng) -> Option<Place> {
        let sector = |n: u64| self.synced.sector(n);
        let n_sectors = self.synced.len.min(self.now.len) / SECTOR;
        let written: Vec<u64> = (0..n_sectors).filter(|n| sector(*n) != ZEROS).collect();
        let from = *written.get(rng.random_range(0..written.len().max(1)))?;
        let others: Vec<u64> = written.into_iter().filter(|n| sector(*n) != sector(from)).collect();
        let to = *others.get(rng.random_range(0..others.len().max(1)))?;
        for bytes in [&mut self.now, &mut self.synced] {
            bytes.set_sector(to, bytes.sector(from));
            bytes.set_sector(from, ZEROS);
        }
        Some(Place::Moved { from: from * SECTOR, to: to * SECTOR })
    }

    /// Up to a page is missing at the end.
    fn cut_tail(&mut self, rng: &mut impl Rng) -> Option<Place> {
        let from = self.synced.len.min(self.now.len);
        if from == 0 {
            return None;
        }
        let to = from - rng.random_range(1..=from.min(PAGE));
        self.now.set_len(to);
        self.synced.set_len(to);
        Some(Place::Cut { from, to })
    }

    /// Flips a bit of a byte that is durable and seen; where, or `None` if there is no such byte.
    fn flip_bit(&mut self, rng: &mut impl Rng) -> Option<u64> {
        let clean: Vec<u64> = self.synced.pages.keys().copied().collect();
        let page = *clean.get(rng.random_range(0..clean.len().max(1)))?;
        let end = ((page + 1) * PAGE).min(self.synced.len);
        let written: Vec<u64> =
            (page * PAGE..end).filter(|at| self.synced.byte(*at) != 0).collect();
        let at = *written.get(rng.random_range(0..written.len().max(1)))?;
        let bit = 1 << rng.random_range(0..8);
        for bytes in [&mut self.now, &mut self.synced] {
            bytes.page_mut(page)[(at % PAGE) as usize] ^= bit;
        }
        Some(at)
    }

    /// Writes it to a file of the real disk, holes as holes.
    pub(super) fn save(&self, file: &File) -> io::Result<()> {
        for (page, bytes) in &self.now.pages {
            let at = page * PAGE;
            let len = self.now.len.saturating_sub(at).min(PAGE) as usize;
            file.write_all_at(&bytes[..len], at)?;
        }
        file.set_len(self.now.len)
    }

    fn touch(&mut self, page: u64) {
        self.given_up.remove(&page);
        self.dirty.insert(page);
    }
}

impl Bytes {
    fn page_mut(&mut self, page: u64) -> &mut [u8; PAGE as usize] {
        let zero = || Arc::new([0; PAGE as usize]);
        Arc::make_mut(self.pages.entry(page).or_insert_with(zero))
    }

    fn byte(&self, at: u64) -> u8 {
        self.pages.get(&(at / PAGE)).map_or(0, |page| page[(at % PAGE) as usize])
    }

    fn copy_page(&mut self, from: &Bytes, page: u64) {
        match from.pages.get(&page) {
            Some(bytes) => self.pages.insert(page, Arc::clone(bytes)),
            None => self.pages.remove(&page),
        };
    }

    fn copy_sector(&mut self, from: &Bytes, sector: u64) {
        let page = sector * SECTOR / PAGE;
        let part = (sector * SECTOR % PAGE) as usize..((sector * SECTOR) % PAGE + SECTOR) as usize;
        match from.pages.get(&page) {
            Some(bytes) => self.page_mut(page)[part.clone()].copy_from_slice(&bytes[part]),
            None => self.page_mut(page)[part].fill(0),
        }
    }

    fn sector(&self, sector: u64) -> [u8; SECTOR as usize] {
        let at = (sector * SECTOR % PAGE) as usize;
        let page = self.pages.get(&(sector * SECTOR / PAGE));
        page.map_or(ZEROS, |page| *page[at..].first_chunk().expect("pages consist of sectors"))
    }

    fn set_sector(&mut self, sector: u64, bytes: [u8; SECTOR as usize]) {
        let at = (sector * SECTOR % PAGE) as usize;
        self.page_mut(sector * SECTOR / PAGE)[at..at + SECTOR as usize].copy_from_slice(&bytes);
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE));
            if let Some(last) = self.pages.get_mut(&(len / PAGE)) {
                Arc::make_mut(last)[(len % PAGE) as usize..].fill(0);
            }
        }
        self.len = len;
    }

    /// Bytes that are not the same, one of them being absent counted as a difference.
    fn n_different(&self, other: &Bytes) -> u64 {
        let both: BTreeSet<u64> = self.pages.keys().chain(other.pages.keys()).copied().collect();
        let zero = [0; PAGE as usize];
        let shorter = self.len.min(other.len);
        let in_page = |page: u64| {
            let of = |bytes: &Bytes| bytes.pages.get(&page).map_or(zero, |page| **page);
            let len = shorter.saturating_sub(page * PAGE).min(PAGE) as usize;
            let (a, b) = (of(self), of(other));
            (0..len).filter(|at| a[*at] != b[*at]).count() as u64
        };
        both.into_iter().map(in_page).sum::<u64>() + self.len.abs_diff(other.len)
    }
}

/// The pages of the bytes `start..end`.
fn pages(start: u64, end: u64) -> std::ops::Range<u64> {
    if start < end { start / PAGE..end.div_ceil(PAGE) } else { 0..0 }
}

/// The part of a page that lies in `start..end`.
fn part_of(page: u64, start: u64, end: u64) -> std::ops::Range<usize> {
    let base = page * PAGE;
    (start.max(base) - base) as usize..(end.min(base + PAGE) - base) as usize
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn text(content: &Content) -> String {
        String::from_utf8(content.read(0, 1 << 20)).expect("the tests write text")
    }

    fn written(parts: &[(u64, &str)]) -> Content {
        let mut content = Content::default();
        parts.iter().for_each(|(at, part)| content.write(*at, part.as_bytes()));
        content
    }

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_is_lost() {
        let mut content = written(&[(0, "durable")]);
        content.sync();
        content.write(0, b"LOST");
        content.write(7, b" and more");
        assert_eq!(text(&content), "LOSTble and more");
        assert_eq!(content.lose(Loss::Everything, &mut rng(1)), 4 + 9);
        assert_eq!(text(&content), "durable");
        assert_eq!(content.lose(Loss::Everything, &mut rng(1)), 0, "nothing is unsynced");
    }

    #[test]
    fn a_truncation_is_lost_too() {
        let mut content = written(&[(0, "durable")]);
        content.sync();
        content.set_len(2);
        content.write(2, b"XY");
        content.lose(Loss::Everything, &mut rng(1));
        assert_eq!(text(&content), "durable");
    }

    #[test]
    fn after_a_failed_fsync_the_next_one_does_not_write_what_was_given_up() {
        let mut content = written(&[(0, "old")]);
        content.sync();
        content.write(0, b"new");
        content.fail_sync();
        content.sync();
        assert_eq!(text(&content), "new", "the cache still has it");
        content.lose(Loss::Everything, &mut rng(1));
        assert_eq!(text(&content), "old");

        content.write(3, b"er");
        content.fail_sync();
        content.forget_given_up();
        assert_eq!(text(&content), "old");
    }

    #[test]
    fn a_torn_write_keeps_whole_sectors_from_the_front() {
        let (mut kept, long) = (BTreeSet::new(), "n".repeat(3000));
        for seed in 0..200 {
            let mut content = written(&[(0, &"o".repeat(100))]);
            content.sync();
            content.write(100, long.as_bytes());
            content.lose(Loss::Torn, &mut rng(seed));
            let len = content.len();
            assert!(len == 100 || len == 3100 || len.is_multiple_of(SECTOR), "{len}");
            assert!(text(&content)[100..].bytes().all(|byte| byte == b'n'));
            kept.insert(len);
        }
        assert!(kept.len() > 4, "{kept:?}");
    }

    #[test]
    fn scattered_losses_leave_holes() {
        let holes = (0..50).any(|seed| {
            let mut content = written(&[(0, &"n".repeat(4000))]);
            content.lose(Loss::Scattered, &mut rng(seed));
            text(&content).contains('\0')
        });
        assert!(holes);
    }

    #[test]
    fn holes_cost_nothing_and_read_as_zeros() {
        let mut content = Content::default();
        content.write(64 << 20, b"x");
        assert_eq!((content.len(), content.allocated()), ((64 << 20) + 1, PAGE));
        assert_eq!(content.read(1 << 20, 3), [0; 3]);
        assert_eq!(content.n_new_pages(PAGE - 1, 2), 2);
        content.set_len(10);
        content.set_len(20);
        assert_eq!(content.read(0, 100), [0; 20]);
    }

    #[test]
    fn a_flipped_bit_is_one_bit_of_a_durable_byte() {
        let mut content = written(&[(5000, "durable")]);
        assert_eq!(content.flip_bit(&mut rng(1)), None, "nothing is durable");
        content.sync();
        let at = content.flip_bit(&mut rng(1)).expect("there is a byte");
        assert!((5000..5007).contains(&at));
        let different = (content.read(at, 1)[0] ^ b"durable"[at as usize - 5000]).count_ones();
        assert_eq!(different, 1);
        assert_eq!(content.lose(Loss::Everything, &mut rng(1)), 0, "it is on the disk");
    }

    #[test]
    fn a_misdirected_write_is_a_sector_in_the_place_of_another() {
        let sectors = |content: &Content| -> Vec<String> {
            let bytes = content.read(0, 1 << 20);
            bytes.chunks(512).map(|part| String::from_utf8_lossy(&part[..1]).into()).collect()
        };
        let mut content = written(&[(0, &["a", "b", "c"].map(|c| c.repeat(512)).concat())]);
        assert_eq!(content.damage(Damage::MisdirectedWrite, &mut rng(1)), None, "not durable");
        content.sync();
        let before = sectors(&content);
        let place = content.damage(Damage::MisdirectedWrite, &mut rng(1));
        let Some(Place::Moved { from, to }) = place else { panic!("{place:?}") };
        let mut expected = before.clone();
        expected[to as usize / 512] = before[from as usize / 512].clone();
        expected[from as usize / 512] = "\0".to_owned();
        assert_eq!(sectors(&content), expected);
        assert_eq!(content.lose(Loss::Everything, &mut rng(1)), 0, "it is on the disk");

        let mut alike = written(&[(0, &"a".repeat(1024))]);
        alike.sync();
        assert_eq!(alike.damage(Damage::MisdirectedWrite, &mut rng(1)), None, "nobody could tell");
    }

    #[test]
    fn a_truncated_tail_is_missing_from_the_disk_too() {
        let mut content = written(&[(0, "durable")]);
        assert_eq!(content.damage(Damage::TruncatedTail, &mut rng(1)), None, "not durable");
        content.sync();
        let place = content.damage(Damage::TruncatedTail, &mut rng(1));
        let Some(Place::Cut { from: 7, to }) = place else { panic!("{place:?}") };
        assert_eq!(text(&content), "durable"[..to as usize]);
        assert_eq!(content.lose(Loss::Everything, &mut rng(1)), 0, "it is on the disk");
    }
}
