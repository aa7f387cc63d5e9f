//! Ways to get Paxos wrong.

/// A rule left out or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A proposer proposes its own value whatever the promises say: vote, propose, decide.
    NoAdoption,
    /// A quorum is ⌊n/2⌋ acceptors.
    HalfQuorum,
    /// A quorum is ⌊(n − f)/2⌋ + 1 acceptors, with f = ⌊(n − 1)/2⌋.
    ThinQuorum,
    /// An acceptor forgets everything when it crashes.
    Forgetful,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 4] =
        [Flaw::NoAdoption, Flaw::HalfQuorum, Flaw::ThinQuorum, Flaw::Forgetful];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Flaw::NoAdoption => "no-adoption",
            Flaw::HalfQuorum => "half-quorum",
            Flaw::ThinQuorum => "thin-quorum",
            Flaw::Forgetful => "forgetful",
        }
    }

    /// The flaw of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Flaw> {
        Flaw::ALL.into_iter().find(|flaw| flaw.name() == name)
    }
}
