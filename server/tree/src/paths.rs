//! Paths as keys. They are ordered by parent, then name: the children of a znode stand side by
//! side, so that no znode needs a list of their names.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::map::Map;

/// A path in a [`Map`], whose pages are copied with it. It knows where its name begins, since a
/// search compares it with many others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub(crate) struct Path {
    text: Arc<str>,
    name: usize,
}

impl Path {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parent, empty for children of the root, and its name.
    pub(crate) fn place(&self) -> (&str, &str) {
        split(&self.text, self.name)
    }
}

impl From<&str> for Path {
    fn from(path: &str) -> Path {
        Path::from(Arc::from(path))
    }
}

impl From<Arc<str>> for Path {
    fn from(text: Arc<str>) -> Path {
        let name = name_of(&text);
        Path { text, name }
    }
}

impl From<Path> for Arc<str> {
    fn from(path: Path) -> Arc<str> {
        path.text
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

/// The order of a key to this path. Where the names begin at the same byte, the texts are in the
/// same order as parents and names are, and are compared at once.
pub(crate) fn at(path: &str) -> impl Fn(&Path) -> Ordering {
    let name = name_of(path);
    let place = split(path, name);
    move |key| match key.name == name {
        true => key.text.as_bytes().cmp(path.as_bytes()),
        false => key.place().cmp(&place),
    }
}

/// The order of a key to this parent and name.
pub(crate) fn at_place(place: (&str, &str)) -> impl Fn(&Path) -> Ordering {
    move |key| key.place().cmp(&place)
}

/// Where the name begins; 0 if there is no slash before it.
fn name_of(path: &str) -> usize {
    path.rfind('/').map_or(0, |slash| slash + 1)
}

/// No name has a slash, so what is no path is at no path's place.
fn split(path: &str, name: usize) -> (&str, &str) {
    match name.checked_sub(1) {
        Some(slash) => (&path[..slash], &path[name..]),
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
        self.0.insert(path.into(), (), at(path));
    }

    pub(crate) fn remove(&mut self, path: &str) {
        self.0.remove(at(path));
    }
}
