//! Maps written and read: their entries in order. What is read becomes full pages.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{FULL, Link, Map, Page, make_room};

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = serializer.serialize_seq(Some(self.len))?;
        self.iter().try_for_each(|entry| entries.serialize_element(&entry))?;
        entries.end()
    }
}

impl<'de, K, V> Deserialize<'de> for Map<K, V>
where
    K: Deserialize<'de> + Ord + Clone,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Map<K, V>, D::Error> {
        deserializer.deserialize_seq(Ascending(PhantomData))
    }
}

/// Builds a map of entries in ascending order, page by page.
struct Ascending<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Ascending<K, V>
where
    K: Deserialize<'de> + Ord + Clone,
    V: Deserialize<'de>,
{
    type Value = Map<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries in ascending order of their keys")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Map<K, V>, A::Error> {
        let (mut leaves, mut leaf, mut len) = (Vec::new(), Vec::new(), 0);
        while let Some((key, value)) = entries.next_element::<(K, V)>()? {
            if leaf.last().is_some_and(|(last, _)| *last >= key) {
                return Err(A::Error::custom("keys do not ascend"));
            }
            if leaf.len() == FULL {
                leaves.push(std::mem::take(&mut leaf));
            }
            make_room(&mut leaf);
            leaf.push((key, value));
            len += 1;
        }
        leaf.shrink_to_fit();
        leaves.push(leaf);
        Ok(Map { root: build(leaves), len })
    }
}

fn build<K: Clone, V>(leaves: Vec<Vec<(K, V)>>) -> Arc<Page<K, V>> {
    let leaf = |leaf: Vec<(K, V)>| {
        leaf.first().map(|(key, _)| key.clone()).map(|key| (key, Arc::new(Page::Leaf(leaf))))
    };
    let mut pages: Vec<_> = leaves.into_iter().filter_map(leaf).collect();
    while pages.len() > 1 {
        let branch =
            |pages: &[Link<K, V>]| (pages[0].0.clone(), Arc::new(Page::Branch(pages.to_vec())));
        pages = pages.chunks(FULL).map(branch).collect();
    }
    pages.pop().map_or_else(|| Arc::new(Page::Leaf(Vec::new())), |(_, root)| root)
}
