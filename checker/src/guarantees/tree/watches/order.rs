//! C19: watch events come before what they tell of.

use history::Operation;

use super::super::super::{Guarantee, Judge};
use super::super::applies;
use super::{Watches, judge};
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super::super) const ORDER: Guarantee = Guarantee {
    id: "C19",
    name: "watch before data",
    promise: "A client is told of a change that it watches for before any reply that shows the \
              state after it.",
    source: "ZooKeeper Programmer's Guide, \"What ZooKeeper Guarantees about Watches\": \"a client \
             will see a watch event … before seeing the new data\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(|history, _| judge(history).order),
};

/// Does the reply show a state after a change that a watch has not told of? `again`: one that was
/// set again, or one that was not.
pub(super) fn overtaken(watches: &Watches<'_>, op: &Operation, again: bool) -> Option<Witness> {
    let zxid = op.zxid.filter(|_| op.answered().is_some())?.0;
    let mut open = watches.iter().filter(|(_, armed)| armed.set && armed.again.is_some() == again);
    let (watched, armed) = open.find(|(_, armed)| armed.due.is_some_and(|due| due <= zxid))?;
    let how = if again { ", and that was set again after a reconnect" } else { "" };
    let sentence = format!(
        "{} in a reply with zxid {zxid:#x}, before the event of the watch on {} that {} had left{how}: \
         it changed at zxid {:#x}",
        clause(op),
        watched.path,
        noun(armed.by),
        armed.due.unwrap_or_default(),
    );
    Some(witness(sentence, &[armed.by, op]))
}
