//! Ways to get sessions wrong.

/// A rule left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The leader takes a session's writes from whichever server sends them (ZOOKEEPER-417).
    NoOwner,
    /// A new leader goes by deadlines that are older than its reign.
    OldDeadlines,
    /// Followers do not tell the leader whom they hear.
    SilentFollowers,
    /// A server takes a client that has seen more than it has itself: `lastZxidSeen` is not looked at.
    UnseenAllowed,
    /// A session that is closed may still write (ZOOKEEPER-1208).
    WriteAfterClose,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 5] = [
        Flaw::NoOwner,
        Flaw::OldDeadlines,
        Flaw::SilentFollowers,
        Flaw::UnseenAllowed,
        Flaw::WriteAfterClose,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Flaw::NoOwner => "no-owner",
            Flaw::OldDeadlines => "old-deadlines",
            Flaw::SilentFollowers => "silent-followers",
            Flaw::UnseenAllowed => "unseen-allowed",
            Flaw::WriteAfterClose => "write-after-close",
        }
    }

    /// The flaw of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Flaw> {
        Flaw::ALL.into_iter().find(|flaw| flaw.name() == name)
    }
}
