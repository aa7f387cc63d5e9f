//! Quotas: how many znodes there may be below a path, and how many bytes of data.
//!
//! A znode `/zookeeper/quota/<path>/zookeeper_limits` holds the limits of `<path>` and of what is
//! below it, `zookeeper_stats` beside it what is there. Only the quota nearest above a znode counts
//! it. As in ZooKeeper ("Quota", Administrator's Guide; `StatsTrack`, `DataTree`,
//! `ZooKeeperServer.checkQuota`): the figures are renewed without a new version of their znode,
//! and a quota of the root is not kept.

use std::collections::BTreeMap;

use wire::{Data, ErrorCode};

use crate::tree::{QUOTA, ROOT, Tree, parent_of};
use crate::undo::Undo;

const LIMITS: &str = "/zookeeper_limits";
const STATS: &str = "/zookeeper_stats";

/// A limit of a quota, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The path that has the quota.
    pub path: String,
    /// What it limits: `count` or `bytes`.
    pub what: &'static str,
    /// Whether writes past it are refused, where quotas are enforced.
    pub hard: bool,
    /// What is there.
    pub used: i64,
    /// What may be there.
    pub limit: i64,
}

/// The path whose limits this znode holds, if it is of that kind.
pub(crate) fn limited_by(path: &str) -> Option<&str> {
    beside(path, LIMITS)
}

fn beside<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let path = path.strip_prefix(QUOTA)?.strip_suffix(name)?;
    (!path.is_empty()).then_some(path)
}

impl Tree {
    /// Whether anything is limited.
    #[must_use]
    pub fn has_quotas(&self) -> bool {
        !self.quotas.is_empty()
    }

    /// The limits, soft ones too, that are exceeded where `path` counts.
    #[must_use]
    pub fn exceeded(&self, path: &str) -> Vec<Exceeded> {
        let Some((path, limits, used)) = self.quota(path) else { return Vec::new() };
        let over = KINDS.iter().map(|kind| kind.exceeded(path, &limits, &used));
        over.flatten().collect()
    }

    /// Whether a write may add so many bytes and znodes; else `QuotaExceeded`.
    pub(crate) fn check_quota(&self, path: &str, bytes: i64, count: i64) -> Result<(), ErrorCode> {
        let Some((path, limits, mut used)) = self.quota(path) else { return Ok(()) };
        used.add(bytes, count);
        let refuses = |(kind, change): (&Kind, i64)| {
            change != 0 && kind.exceeded(path, &limits, &used).is_some_and(|over| over.hard)
        };
        match KINDS.iter().zip([count, bytes]).any(refuses) {
            true => Err(ErrorCode::QuotaExceeded),
            false => Ok(()),
        }
    }

    /// Counts a znode that was created with so many bytes.
    pub(crate) fn count_created(&mut self, path: &str, bytes: i64) -> Option<Undo> {
        if let Some(limited) = beside(path, STATS) {
            // Goes with this znode if it is taken back.
            self.count_anew(path, limited);
        }
        self.count(path, bytes, 1)
    }

    /// Counts a change below the nearest quota.
    pub(crate) fn count(&mut self, path: &str, bytes: i64, count: i64) -> Option<Undo> {
        let stats = format!("{QUOTA}{}{STATS}", self.nearest_quota(path)?);
        let mut used = Figures::read(&self.node(&stats).ok()?.data);
        used.add(bytes, count);
        Some(self.update(stats.into(), |node| node.data = used.write()).1)
    }

    fn count_anew(&mut self, stats: &str, limited: &str) {
        let mut used = Figures::default();
        used.0.insert(COUNT.to_owned(), 0);
        used.0.insert(BYTES.to_owned(), 0);
        let mut below = vec![limited.to_owned()];
        while let Some(path) = below.pop() {
            let Ok(node) = self.node(&path) else { continue };
            used.add(node.data_len() as i64, 1);
            below.extend(self.children(&path).map(|(path, _)| path.as_str().to_owned()));
        }
        self.change(stats, |node| node.data = used.write());
    }

    fn quota<'a>(&self, path: &'a str) -> Option<(&'a str, Figures, Figures)> {
        let path = self.nearest_quota(path)?;
        let read =
            |name| Some(Figures::read(&self.node(&format!("{QUOTA}{path}{name}")).ok()?.data));
        Some((path, read(LIMITS)?, read(STATS)?))
    }

    fn nearest_quota<'a>(&self, path: &'a str) -> Option<&'a str> {
        if !self.has_quotas() {
            return None;
        }
        let mut at = path;
        while at != ROOT {
            if self.quotas.contains(at) {
                return Some(at);
            }
            at = parent_of(at);
        }
        None
    }
}

const COUNT: &str = "count";
const BYTES: &str = "bytes";

/// What can be limited, softly or hard.
struct Kind {
    name: &'static str,
    hard: &'static str,
}

const KINDS: [Kind; 2] =
    [Kind { name: COUNT, hard: "countHardLimit" }, Kind { name: BYTES, hard: "byteHardLimit" }];

impl Kind {
    /// The hard limit, where there is one, counts instead of the soft one.
    fn exceeded(&self, path: &str, limits: &Figures, used: &Figures) -> Option<Exceeded> {
        let hard = limits.get(self.hard) > NONE;
        let limit = limits.get(if hard { self.hard } else { self.name });
        let (used, what) = (used.get(self.name), self.name);
        let over = limit > NONE && used > limit;
        over.then(|| Exceeded { path: path.to_owned(), what, hard, used, limit })
    }
}

/// Stands for a figure that is absent.
const NONE: i64 = -1;

/// `count=5,bytes=-1=;countHardLimit=7`, with `,` or `;` between. What cannot be read is absent.
#[derive(Debug, Default)]
struct Figures(BTreeMap<String, i64>);

impl Figures {
    fn read(data: &Data) -> Figures {
        let text = String::from_utf8_lossy(data.as_deref().unwrap_or_default());
        let figure = |pair: &str| {
            let mut parts = pair.split('=');
            let (name, value) = (parts.next()?, parts.next()?);
            Some((name.to_owned(), value.parse().ok()?))
        };
        Figures(text.split([',', ';']).filter_map(figure).collect())
    }

    fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(NONE)
    }

    fn add(&mut self, bytes: i64, count: i64) {
        for (name, change) in [(COUNT, count), (BYTES, bytes)] {
            self.0.insert(name.to_owned(), self.get(name).wrapping_add(change));
        }
    }

    /// The `=` after the first two is ZooKeeper's, so that clients of 3.4 can read them.
    fn write(&self) -> Data {
        let mut text = format!("{COUNT}={},{BYTES}={}", self.get(COUNT), self.get(BYTES));
        let more = self.0.iter().filter(|(name, _)| ![COUNT, BYTES].contains(&name.as_str()));
        for (at, (name, value)) in more.enumerate() {
            text += &format!("{}{name}={value}", if at == 0 { "=;" } else { ";" });
        }
        Some(text.as_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        let data = Figures::read(&Some(text.as_bytes().into())).write();
        String::from_utf8(data.expect("written").to_vec()).expect("text")
    }

    /// What `StatsTrack` of Apache ZooKeeper 3.8.0 makes of the same texts.
    #[test]
    fn figures_are_written_as_zookeeper_writes_them() {
        assert_eq!(rewritten(""), "count=-1,bytes=-1");
        assert_eq!(rewritten("bytes=5,count=4"), "count=4,bytes=5");
        let hard = "count=1,bytes=2=;byteHardLimit=4;countHardLimit=3";
        assert_eq!(rewritten(hard), hard);
        assert_eq!(
            rewritten("countHardLimit=3;count=1;;bytes=2,"),
            "count=1,bytes=2=;countHardLimit=3"
        );
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        assert_eq!(rewritten("count=many,=5,bytes"), "count=-1,bytes=-1=;=5");
        assert_eq!(Figures::read(&None).get(COUNT), NONE);
    }

    #[test]
    fn the_root_has_no_quota() {
        assert_eq!(limited_by("/zookeeper/quota/a/b/zookeeper_limits"), Some("/a/b"));
        for path in
            ["/zookeeper/quota/zookeeper_limits", "/zookeeper/quota/a", "/a/zookeeper_limits"]
        {
            assert_eq!(limited_by(path), None, "{path}");
        }
    }
}
