//! Ways to lose what a disk could have kept.

/// A rule left out or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// X2: nothing is synced.
    NoSync,
    /// X38: files are synced, and their directory is not.
    NoNames,
    /// X36: checksums of the log are not looked at.
    UncheckedLog,
    /// X28: of the log only what follows a snapshot's end is applied, not what came while it was
    /// copied (ZOOKEEPER-1090).
    LateTail,
    /// A server that starts takes the names that it finds for durable; those that one which was killed made may not be.
    TrustedNames,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 5] =
        [Flaw::NoSync, Flaw::NoNames, Flaw::UncheckedLog, Flaw::LateTail, Flaw::TrustedNames];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Flaw::NoSync => "no-sync",
            Flaw::NoNames => "no-directory-sync",
            Flaw::UncheckedLog => "unchecked-log",
            Flaw::LateTail => "late-tail",
            Flaw::TrustedNames => "trusted-names",
        }
    }

    /// The flaw of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Flaw> {
        Flaw::ALL.into_iter().find(|flaw| flaw.name() == name)
    }
}
