//! What the servers' transaction logs hold after a run.

/// One server's log, as its files have it after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerLog {
    /// The server: `n1`, `n2`, …
    pub node: String,
    /// In order of their zxids. What is older may have been given up for a snapshot.
    pub entries: Vec<LogEntry>,
    /// What is damaged otherwise than a crash leaves it, with file and byte.
    pub damage: Vec<String>,
}

/// A transaction in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place in the order.
    pub zxid: u64,
    /// A checksum of its bytes: servers of one kind have the same.
    pub digest: u32,
    /// The integers that it writes, if it takes effect.
    pub values: Vec<i64>,
}

impl ServerLog {
    /// The entry at `zxid`.
    #[must_use]
    pub fn at(&self, zxid: u64) -> Option<&LogEntry> {
        let found = self.entries.binary_search_by_key(&zxid, |entry| entry.zxid);
        found.ok().map(|at| &self.entries[at])
    }

    /// Does the server have the transaction: in its log, or, as far as the log tells, in the snapshot
    /// that it begins with?
    #[must_use]
    pub fn may_have(&self, zxid: u64) -> bool {
        self.entries.first().is_none_or(|first| first.zxid > zxid) || self.at(zxid).is_some()
    }
}
