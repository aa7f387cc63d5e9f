//! Paths as keys. They are ordered by parent, then name: the children of a znode stand side by
//! side, so that no znode needs a list of their names.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::map::Map;

/// A path in a [`Map`], whose pages are copied with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Path(Arc<str>);

impl Path {
    pub(crate) fn new(path: &str) -> Path {
        Path(path.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parent, empty for children of the root, and its name.
    pub(crate) fn place(&self) -> (&str, &str) {
        place(&self.0)
    }
}

impl Ord for Path {
    fn cmp(&self, other: &Path) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Path) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of a key to this path.
pub(crate) fn at(path: &str) -> impl Fn(&Path) -> Ordering {
    at_place(place(path))
}

/// The order of a key to this parent and name.
pub(crate) fn at_place(place: (&str, &str)) -> impl Fn(&Path) -> Ordering {
    move |key| key.place().cmp(&place)
}

/// No name has a slash, so what is no path is at no path's place.
fn place(path: &str) -> (&str, &str) {
    // Names are short: a plain loop from the end is faster than what looks at many bytes at once.
    match path.bytes().rposition(|byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (path, "/"),
    }
}

/// Some paths, ordered by parent, then name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths(Map<Path, ()>);

impl Default for Paths {
    fn default() -> Paths {
        Paths(Map::new())
    }
}

impl Paths {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, ())| path.as_str())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        self.0.get(at(path)).is_some()
    }

    pub(crate) fn insert(&mut self, path: &str) {
        self.0.insert(Path::new(path), (), at(path));
    }

    pub(crate) fn remove(&mut self, path: &str) {
        self.0.remove(at(path));
    }
}
