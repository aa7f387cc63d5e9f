//! The watches of a session as its client knows them, to be set again on its next connection.

use std::collections::BTreeSet;

use history::Hex;
use history::znode::{Ask, Change};
use wire::ErrorCode;

use crate::outcome::{Answer, Refusal, Reply};

/// Watches that were left and not answered: paths, in the three lists of `setWatches`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watching {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
}

impl Watching {
    /// Notes the watch that a request left, if it did.
    pub(crate) fn left(&mut self, ask: &Ask, answer: &Answer) {
        let Ok(Reply { result, .. }) = answer else { return };
        let list = match (ask, result) {
            (Ask::Get { watch: true, .. } | Ask::Exists { watch: true, .. }, Ok(_)) => {
                &mut self.data
            }
            (Ask::Exists { watch: true, .. }, Err(NO_NODE)) => &mut self.exist,
            (Ask::Children { watch: true, .. }, Ok(_)) => &mut self.child,
            _ => return,
        };
        list.extend(ask.path().map(str::to_owned));
    }

    /// An event has come: what it answers is no longer watched.
    pub(crate) fn answered(&mut self, path: &str, change: Change) {
        if change != Change::Children {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if matches!(change, Change::Children | Change::Deleted) {
            self.child.remove(path);
        }
    }

    /// The request that sets them all again, if there are any; the session has been shown `since`.
    pub(crate) fn again(&self, since: Hex) -> Option<Ask> {
        let list = |paths: &BTreeSet<String>| paths.iter().cloned().collect::<Vec<_>>();
        let (data, exist, child) = (list(&self.data), list(&self.exist), list(&self.child));
        let any = !(data.is_empty() && exist.is_empty() && child.is_empty());
        any.then_some(Ask::SetWatches { since, data, exist, child })
    }
}

const NO_NODE: Refusal = Refusal(ErrorCode::NoNode as i32);

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> String {
        "/z0/a".to_owned()
    }

    fn answer(refusal: Option<Refusal>) -> Answer {
        Ok(Reply { zxid: 7, result: refusal.map_or(Ok(None), Err) })
    }

    #[test]
    fn each_watch_is_in_its_list_until_it_is_answered() {
        let mut watching = Watching::default();
        assert_eq!(watching.again(Hex(7)), None);
        watching.left(&Ask::Get { path: path(), watch: true }, &answer(None));
        watching
            .left(&Ask::Children { path: "/z0".into(), watch: true, sync: false }, &answer(None));
        watching.left(&Ask::Exists { path: "/z0/b".into(), watch: true }, &answer(Some(NO_NODE)));
        let all = Ask::SetWatches {
            since: Hex(7),
            data: vec![path()],
            exist: vec!["/z0/b".into()],
            child: vec!["/z0".into()],
        };
        assert_eq!(watching.again(Hex(7)), Some(all));
        watching.answered("/z0", Change::Children);
        watching.answered("/z0/a", Change::Changed);
        watching.answered("/z0/b", Change::Created);
        assert_eq!(watching.again(Hex(7)), None);
    }

    #[test]
    fn who_leaves_no_watch_has_none() {
        let mut watching = Watching::default();
        watching.left(&Ask::Get { path: path(), watch: false }, &answer(None));
        watching.left(&Ask::Get { path: path(), watch: true }, &answer(Some(NO_NODE)));
        assert_eq!(watching, Watching::default());
    }
}
