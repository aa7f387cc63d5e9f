//! An ordered map whose copies are cheap: a B+ tree of shared pages. A copy shares every page; who
//! then writes, copies the few pages on the way to what it changes. So a snapshot of the state can
//! be taken at once and written out elsewhere, however large the state is.

mod serial;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Most entries of a page.
const FULL: usize = 64;
/// A page with fewer is joined with a neighbour, if both fit into one.
const SPARSE: usize = FULL / 4;
/// Entries that a growing page makes room for at once: what is never used costs memory.
const GROWTH: usize = 8;

/// Keys in order, each with its value.
#[derive(Clone)]
pub(crate) struct Map<K, V> {
    root: Arc<Page<K, V>>,
    len: usize,
}

#[derive(Clone)]
enum Page<K, V> {
    Leaf(Vec<(K, V)>),
    /// Each key is at most the first one of its page; the first is not looked at.
    Branch(Vec<Link<K, V>>),
}

type Link<K, V> = (K, Arc<Page<K, V>>);

/// The second half of a page that was full.
type Split<K, V> = Option<Link<K, V>>;

impl<K, V> Map<K, V> {
    pub(crate) fn new() -> Map<K, V> {
        Map { root: Arc::new(Page::Leaf(Vec::new())), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value of the key for which `order` (of a key to the one looked for) is equal.
    pub(crate) fn get(&self, order: impl Fn(&K) -> Ordering) -> Option<&V> {
        let mut page = &*self.root;
        loop {
            match page {
                Page::Branch(pages) => page = &pages[branch(pages, &order)].1,
                Page::Leaf(entries) => {
                    let at = entries.binary_search_by(|(key, _)| order(key)).ok()?;
                    return Some(&entries[at].1);
                }
            }
        }
    }

    /// Every entry in order.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        self.range(|_| Ordering::Greater)
    }

    /// The entries from the first one on whose key is not less than what is looked for.
    pub(crate) fn range(&self, order: impl Fn(&K) -> Ordering) -> Iter<'_, K, V> {
        let mut above = Vec::new();
        let mut page = &*self.root;
        loop {
            match page {
                Page::Branch(pages) => {
                    let at = branch(pages, &order);
                    above.push(pages[at + 1..].iter());
                    page = &pages[at].1;
                }
                Page::Leaf(entries) => {
                    let at = entries.partition_point(|(key, _)| order(key).is_lt());
                    return Iter { above, leaf: entries[at..].iter() };
                }
            }
        }
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// The same as [`get`](Map::get), to change the value.
    pub(crate) fn get_mut(&mut self, order: impl Fn(&K) -> Ordering) -> Option<&mut V> {
        let mut page = &mut self.root;
        loop {
            match Arc::make_mut(page) {
                Page::Branch(pages) => {
                    let at = branch(pages, &order);
                    page = &mut pages[at].1;
                }
                Page::Leaf(entries) => {
                    let at = entries.binary_search_by(|(key, _)| order(key)).ok()?;
                    return Some(&mut entries[at].1);
                }
            }
        }
    }

    /// Puts a value in, where `order` (of a key to this one) says; returns the former one.
    pub(crate) fn insert(&mut self, key: K, value: V, order: impl Fn(&K) -> Ordering) -> Option<V> {
        let (former, split) = insert(&mut self.root, key, value, &order);
        if let Some((key, right)) = split {
            let left = std::mem::replace(&mut self.root, right.clone());
            // The key of the first page is never looked at; any will do.
            self.root = Arc::new(Page::Branch(vec![(key.clone(), left), (key, right)]));
        }
        self.len += usize::from(former.is_none());
        former
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, order: impl Fn(&K) -> Ordering) -> Option<V> {
        let value = remove(&mut self.root, &order)?;
        self.len -= 1;
        if let Page::Branch(pages) = &*self.root
            && let [(_, only)] = pages.as_slice()
        {
            self.root = only.clone();
        }
        Some(value)
    }
}

impl<K, V> Page<K, V> {
    fn len(&self) -> usize {
        match self {
            Page::Leaf(entries) => entries.len(),
            Page::Branch(pages) => pages.len(),
        }
    }
}

/// Which page of a branch the key belongs to.
fn branch<K, P>(pages: &[(K, P)], order: impl Fn(&K) -> Ordering) -> usize {
    pages[1..].partition_point(|(first, _)| order(first).is_le())
}

fn insert<K: Clone, V: Clone>(
    page: &mut Arc<Page<K, V>>,
    key: K,
    value: V,
    order: &impl Fn(&K) -> Ordering,
) -> (Option<V>, Split<K, V>) {
    match Arc::make_mut(page) {
        Page::Leaf(entries) => match entries.binary_search_by(|(other, _)| order(other)) {
            Ok(at) => (Some(std::mem::replace(&mut entries[at].1, value)), None),
            Err(at) => {
                let split = put(entries, at, (key, value));
                (None, split.map(|(key, right)| (key, Arc::new(Page::Leaf(right)))))
            }
        },
        Page::Branch(pages) => {
            let at = branch(pages, order);
            let (former, split) = insert(&mut pages[at].1, key, value, order);
            let split = split.and_then(|page| put(pages, at + 1, page));
            (former, split.map(|(key, right)| (key, Arc::new(Page::Branch(right)))))
        }
    }
}

/// Inserts into a page. One that is full is split: in the middle, or behind what is inserted into
/// its second half, so that keys inserted in ascending order leave full pages behind.
fn put<K: Clone, T>(page: &mut Vec<(K, T)>, at: usize, entry: (K, T)) -> Option<(K, Vec<(K, T)>)> {
    if page.len() < FULL {
        make_room(page);
        page.insert(at, entry);
        return None;
    }
    let mut right = page.split_off(at.max(FULL / 2));
    let side = if at < FULL { &mut *page } else { &mut right };
    let at = at.min(side.len());
    make_room(side);
    side.insert(at, entry);
    page.shrink_to(page.len() + GROWTH);
    Some((right[0].0.clone(), right))
}

fn make_room<T>(page: &mut Vec<T>) {
    if page.len() == page.capacity() {
        page.reserve_exact(GROWTH);
    }
}

fn remove<K: Ord + Clone, V: Clone>(
    page: &mut Arc<Page<K, V>>,
    order: &impl Fn(&K) -> Ordering,
) -> Option<V> {
    match Arc::make_mut(page) {
        Page::Leaf(entries) => {
            let at = entries.binary_search_by(|(key, _)| order(key)).ok()?;
            Some(entries.remove(at).1)
        }
        Page::Branch(pages) => {
            let at = branch(pages, order);
            let value = remove(&mut pages[at].1, order)?;
            if pages[at].1.len() < SPARSE {
                join(pages, at.saturating_sub(1));
            }
            Some(value)
        }
    }
}

/// Joins two neighbours if they fit into one page. The last page left may be sparse.
fn join<K: Clone, V: Clone>(pages: &mut Vec<Link<K, V>>, at: usize) {
    let [(_, left), (separator, right), ..] = &mut pages[at..] else { return };
    if left.len() + right.len() > FULL {
        return;
    }
    match (Arc::make_mut(left), Arc::make_mut(right)) {
        (Page::Leaf(left), Page::Leaf(right)) => left.append(right),
        (Page::Branch(left), Page::Branch(right)) => {
            // The key of a branch's first page was never looked at; now it is.
            if let Some((first, _)) = right.first_mut() {
                first.clone_from(separator);
            }
            left.append(right);
        }
        _ => unreachable!("neighbours have the same height"),
    }
    pages.remove(at + 1);
}

/// Entries in order.
pub(crate) struct Iter<'a, K, V> {
    /// On the way down to the leaf, what of each branch is still to come.
    above: Vec<std::slice::Iter<'a, Link<K, V>>>,
    leaf: std::slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            let (_, page) = self.above.last_mut()?.next().or_else(|| self.climb())?;
            self.descend(page);
        }
    }
}

impl<'a, K, V> Iter<'a, K, V> {
    /// The next page of the lowest branch that has one.
    fn climb(&mut self) -> Option<&'a Link<K, V>> {
        loop {
            self.above.pop();
            if let Some(next) = self.above.last_mut()?.next() {
                return Some(next);
            }
        }
    }

    fn descend(&mut self, mut page: &'a Page<K, V>) {
        loop {
            match page {
                Page::Leaf(entries) => {
                    self.leaf = entries.iter();
                    return;
                }
                Page::Branch(pages) => {
                    let mut pages = pages.iter();
                    let Some((_, first)) = pages.next() else { return };
                    self.above.push(pages);
                    page = first;
                }
            }
        }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Map<K, V>) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for Map<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
