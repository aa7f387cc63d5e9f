//! How a learner is brought to the leader's history: DIFF, TRUNC or SNAP.

use crate::Zxid;
use crate::log::Log;

/// What precedes the entries that a learner lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatchUp {
    /// Nothing: the learner's log is a prefix of the leader's (DIFF).
    Diff,
    /// Cut the learner's log to a prefix of the leader's (TRUNC).
    Truncate { after: Zxid },
    /// Replace the learner's state (SNAP).
    Snapshot,
}

/// Chooses for a learner whose log ends at `last` and cannot be cut below `snapshot`.
///
/// Two logs that share a zxid share all before it. So a known `last` needs no cut; an unknown one
/// may be cut back within its own epoch, whose entries all logs share in order from 1 on. Across
/// epochs the greatest common zxid cannot be told from `last` alone (ZOOKEEPER-962, -1154).
pub(crate) fn choose<T>(log: &Log<T>, last: Zxid, snapshot: Zxid) -> CatchUp {
    match log.floor(last) {
        Some(common) if common == last => CatchUp::Diff,
        Some(after) if after.epoch() == last.epoch() && after >= snapshot => {
            CatchUp::Truncate { after }
        }
        _ => CatchUp::Snapshot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entry;

    /// The window holds 2:3 2:4 4:1, after 2:2.
    fn chosen(last: (u32, u32), snapshot: (u32, u32)) -> CatchUp {
        let entry = |(epoch, counter)| Entry { zxid: Zxid::new(epoch, counter), txn: () };
        let log = Log::new(Zxid::new(2, 2), [(2, 3), (2, 4), (4, 1)].map(entry));
        choose(&log, Zxid::new(last.0, last.1), Zxid::new(snapshot.0, snapshot.1))
    }

    #[test]
    fn a_known_end_needs_no_cut() {
        for last in [(2, 2), (2, 3), (4, 1)] {
            assert_eq!(chosen(last, (0, 0)), CatchUp::Diff);
        }
    }

    #[test]
    fn an_unknown_end_is_cut_within_its_epoch() {
        let after = Zxid::new(2, 4);
        assert_eq!(chosen((2, 7), (0, 0)), CatchUp::Truncate { after });
        assert_eq!(chosen((2, 7), (2, 4)), CatchUp::Truncate { after });
        assert_eq!(chosen((4, 3), (0, 0)), CatchUp::Truncate { after: Zxid::new(4, 1) });
    }

    #[test]
    fn what_cannot_be_cut_is_replaced() {
        assert_eq!(chosen((2, 7), (2, 5)), CatchUp::Snapshot, "below the learner's snapshot");
        assert_eq!(chosen((3, 1), (0, 0)), CatchUp::Snapshot, "unknown across epochs");
        assert_eq!(chosen((2, 1), (0, 0)), CatchUp::Snapshot, "below the window");
    }
}
