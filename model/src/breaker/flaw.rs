//! Ways to get a circuit breaker wrong.

use ::breaker::Mutant;

/// A defect that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw(pub(super) Mutant);

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 5] = [
        Flaw(Mutant::StaysOpen),
        Flaw(Mutant::LostProbes),
        Flaw(Mutant::AnyProbes),
        Flaw(Mutant::CountsRefused),
        Flaw(Mutant::AnswersOnly),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Mutant::StaysOpen => "stays-open",
            Mutant::LostProbes => "lost-probes",
            Mutant::AnyProbes => "any-probes",
            Mutant::CountsRefused => "counts-refused",
            Mutant::AnswersOnly => "answers-only",
        }
    }

    /// The flaw of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Flaw> {
        Flaw::ALL.into_iter().find(|flaw| flaw.name() == name)
    }
}
