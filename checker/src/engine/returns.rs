//! Points of a search to go back to.

use super::search::Point;

/// The points that are kept: many of late, few of long ago, and always one at which the search had
/// left nothing out.
pub(super) struct Returns<S> {
    /// At place n the latest whose number is divided by 2ⁿ and no higher power.
    kept: Vec<Option<Point<S>>>,
    whole: Point<S>,
}

impl<S: Clone> Returns<S> {
    pub(super) fn new(start: Point<S>) -> Self {
        Returns { kept: Vec::new(), whole: start }
    }

    /// Keeps the n-th, in place of an earlier one.
    pub(super) fn keep(&mut self, n: usize, point: Point<S>) {
        let place = n.trailing_zeros() as usize;
        if self.kept.len() <= place {
            self.kept.resize_with(place + 1, || None);
        }
        self.keep_whole(&point);
        self.kept[place] = Some(point);
    }

    /// Keeps it if nothing was left out.
    pub(super) fn keep_whole(&mut self, point: &Point<S>) {
        if point.all {
            self.whole = point.clone();
        }
    }

    /// The last point up to a moment; or, without one, where nothing had been left out.
    pub(super) fn back(&mut self, up_to: Option<usize>) -> Point<S> {
        let later = self.whole.moment + 1;
        let fits =
            |point: &&Point<S>| up_to.is_some_and(|up_to| (later..=up_to).contains(&point.moment));
        let near = self.kept.iter().flatten().filter(fits).max_by_key(|point| point.moment);
        let point = near.unwrap_or(&self.whole).clone();
        // Those after it led to where there was no way on.
        for kept in &mut self.kept {
            kept.take_if(|kept| kept.moment > point.moment);
        }
        point
    }
}
