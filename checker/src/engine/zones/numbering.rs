//! Values by number.

use crate::mix::Numbered;

/// Numbers values from 1 on, in order of their first appearance.
pub(super) struct Numbering {
    /// The value that the table begins with; a value's distance from it wraps around.
    base: i64,
    /// Numbers of the values next to `base`, 0 where there is none: as a rule values are counted
    /// up, and those of one moment lie together here.
    table: Vec<u32>,
    /// Numbers of all others.
    others: Numbered<i64, u32>,
    count: u32,
}

impl Numbering {
    /// For about `n` values, of which this is one.
    pub(super) fn around(value: i64, n: usize) -> Numbering {
        let before = (n / 2).cast_signed() as i64;
        Numbering {
            base: value.wrapping_sub(before),
            table: vec![0; 2 * n],
            others: Numbered::default(),
            count: 0,
        }
    }

    /// Its number, a new one if it has none.
    pub(super) fn number(&mut self, value: i64) -> u32 {
        let at = self.distance(value);
        let number = match self.table.get_mut(at) {
            Some(number) => number,
            None => self.others.entry(value).or_insert(0),
        };
        if *number == 0 {
            self.count += 1;
            *number = self.count;
        }
        *number
    }

    /// Its number, if it has one.
    pub(super) fn find(&self, value: i64) -> Option<u32> {
        let at = self.distance(value);
        let number = self.table.get(at).or_else(|| self.others.get(&value));
        number.copied().filter(|number| *number != 0)
    }

    fn distance(&self, value: i64) -> usize {
        usize::try_from(value.wrapping_sub(self.base).cast_unsigned()).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_number_near_and_far() {
        let mut numbering = Numbering::around(i64::MIN, 4);
        let values = [i64::MIN, i64::MAX, 0, i64::MIN + 3, i64::MIN + 6, -1];
        for (value, number) in values.into_iter().zip(1..) {
            assert_eq!(numbering.find(value), None);
            assert_eq!(numbering.number(value), number);
        }
        for (value, number) in values.into_iter().zip(1..) {
            assert_eq!(numbering.number(value), number);
            assert_eq!(numbering.find(value), Some(number));
        }
    }
}
