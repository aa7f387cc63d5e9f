//! If one server delivers a before b, every server that delivers b delivers a before it.
//!
//! Source: Total order, Zab (DSN 2011), section 3.

use super::{Invariant, deliveries, name, place};
use crate::zab::App;
use crate::zab::world::World;

pub(crate) struct TotalOrder;

impl Invariant for TotalOrder {
    const NAME: &'static str = "TotalOrder";

    fn broken(world: &World) -> Option<String> {
        let all = deliveries(world);
        let mut pairs = all.clone().flat_map(|one| all.clone().map(move |other| (one, other)));
        pairs.find_map(|((one, a), (other, b))| {
            let what = disorder(a, b)?;
            Some(format!("n{one} has delivered {what}, n{other} has not"))
        })
    }
}

/// A pair of entries that `a` has in order and `b` has not, though it has the second.
fn disorder(a: &App, b: &App) -> Option<String> {
    let mut pairs = a.windows(2);
    let pair = pairs.find(|pair| match (place(b, pair[0].zxid), place(b, pair[1].zxid)) {
        (Some(first), Some(second)) => first > second,
        (None, Some(_)) => true,
        (_, None) => false,
    })?;
    Some(format!("{} before {}", name(&pair[0]), name(&pair[1])))
}
