//! zoobreak's own histories, for checkers that know no versions.

use super::{Datum, Deed, Foreign};
use crate::event::f;
use crate::operation::Status;

/// Leaves what a register without versions can be asked about. A compare-and-set by version that
/// succeeded, or may have, becomes a write: that allows more orders, never fewer. Reads without
/// `sync`, connections and operations on a tree promise nothing to such a register, and are left out.
pub(super) fn without_versions(mut foreign: Foreign) -> Foreign {
    let before = foreign.deeds.len();
    foreign.deeds.retain(|deed| matches!(deed.f.as_str(), f::READ | f::WRITE | f::CAS));
    let dropped = before - foreign.deeds.len();
    let weakened = foreign.deeds.iter_mut().filter(|deed| deed.f == f::CAS).map(weaken).count();
    if dropped > 0 {
        foreign
            .left_out
            .push(format!("{dropped} connections, reads without sync and operations on a tree"));
    }
    if weakened > 0 {
        foreign.left_out.push(format!("versions: {weakened} compare-and-sets became writes"));
    }
    foreign
}

/// The value is a pair of the version expected and the integer written.
fn weaken(deed: &mut Deed) {
    deed.f = f::WRITE.to_owned();
    deed.asked = written(&deed.asked);
    deed.answered = deed.answered.take().map(|_| deed.asked.clone());
    if deed.status == Status::Fail {
        deed.error = Some(Datum::Text("BadVersion".to_owned()));
    }
}

fn written(pair: &Datum) -> Datum {
    pair.elements().and_then(|pair| pair.get(1)).cloned().unwrap_or_default()
}
