//! The map against a plain one.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn at(key: u16) -> impl Fn(&u16) -> Ordering {
    move |other| other.cmp(&key)
}

fn same(map: &Map<u16, u32>, model: &BTreeMap<u16, u32>) -> Result<(), TestCaseError> {
    prop_assert!(map.iter().eq(model));
    prop_assert_eq!(map.len(), model.len());
    check(&map.root, true);
    Ok(())
}

/// No page has too many entries, and each key of a branch but the first separates its pages.
fn check(page: &Page<u16, u32>, root: bool) -> (Option<u16>, Option<u16>) {
    assert!(page.len() <= FULL && (root || page.len() > 0 || matches!(page, Page::Leaf(_))));
    match page {
        Page::Leaf(entries) => {
            (entries.first().map(|(key, _)| *key), entries.last().map(|(key, _)| *key))
        }
        Page::Branch(pages) => {
            let ends: Vec<_> = pages.iter().map(|(_, page)| check(page, false)).collect();
            for (n, (key, _)) in pages.iter().enumerate().skip(1) {
                assert!(ends[n].0.is_none_or(|first| *key <= first));
                assert!(ends[n - 1].1.is_none_or(|last| last < *key));
            }
            let first = ends.iter().find_map(|end| end.0);
            (first, ends.iter().rev().find_map(|end| end.1))
        }
    }
}

/// Puts in ascending, descending and scattered keys; takes out scattered ones and ranges.
#[derive(Clone, Debug)]
enum Step {
    Put(u16, u16, i32),
    Take(u16, u16, i32),
    Copy,
}

fn step() -> impl Strategy<Value = Step> {
    let run = (0..2000_u16, 1..400_u16, prop_oneof![Just(1), Just(-1), Just(7), Just(997)]);
    prop_oneof![
        4 => run.clone().prop_map(|(from, n, by)| Step::Put(from, n, by)),
        3 => run.prop_map(|(from, n, by)| Step::Take(from, n, by)),
        1 => Just(Step::Copy),
    ]
}

fn keys(from: u16, n: u16, by: i32) -> impl Iterator<Item = u16> {
    (0..i32::from(n)).map(move |i| (i32::from(from) + i * by).rem_euclid(2000) as u16)
}

proptest! {
    /// It is an ordered map, and what is done to one copy is not seen in another.
    #[test]
    fn it_is_an_ordered_map_with_independent_copies(
        steps in prop::collection::vec(step(), 1..40),
        from in 0..2000_u16,
    ) {
        let (mut map, mut model) = (Map::new(), BTreeMap::new());
        let mut copies = Vec::new();
        for (n, step) in (0..).zip(steps) {
            match step {
                Step::Put(from, count, by) => for key in keys(from, count, by) {
                    prop_assert_eq!(map.insert(key, n, |other| other.cmp(&key)), model.insert(key, n));
                },
                Step::Take(from, count, by) => for key in keys(from, count, by) {
                    prop_assert_eq!(map.remove(at(key)), model.remove(&key));
                },
                Step::Copy => copies.push((map.clone(), model.clone())),
            }
            if let Some(value) = map.get_mut(at(from)) {
                *value += 1000;
                model.entry(from).and_modify(|value| *value += 1000);
            }
            same(&map, &model)?;
        }
        prop_assert_eq!(map.get(at(from)), model.get(&from));
        prop_assert!(map.range(at(from)).eq(model.range(from..)));
        for (map, model) in &copies {
            same(map, model)?;
        }
        let bytes = postcard::to_stdvec(&map).expect("plain data");
        let mut read: Map<u16, u32> = postcard::from_bytes(&bytes).expect("just written");
        same(&read, &model)?;
        prop_assert_eq!(&read, &map);
        for key in keys(from, 400, 7) {
            prop_assert_eq!(read.insert(key, 5, |other| other.cmp(&key)), model.insert(key, 5));
        }
        same(&read, &model)?;
    }
}

#[test]
fn keys_inserted_in_order_fill_their_pages() {
    let mut map = Map::new();
    (0..6400_u16).for_each(|key| assert!(map.insert(key, 0, |other| other.cmp(&key)).is_none()));
    let Page::Branch(pages) = &*map.root else { panic!("6400 entries in one page") };
    assert!(pages.iter().rev().skip(1).all(|(_, page)| page.len() == FULL));
}

#[test]
fn entries_out_of_order_are_refused() {
    for entries in [[(1_u16, 0_u32), (1, 0)], [(2, 0), (1, 0)]] {
        let bytes = postcard::to_stdvec(&entries.to_vec()).expect("plain data");
        assert!(postcard::from_bytes::<Map<u16, u32>>(&bytes).is_err());
    }
}
