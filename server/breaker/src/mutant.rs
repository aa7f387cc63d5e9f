//! Planted defects.

/// A rule left out. No server has one: the model plants them, to see that they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Once open, it neither probes nor closes.
    StaysOpen,
    /// A probe that nobody waits for any more is not replaced.
    LostProbes,
    /// Half open, it lets all through.
    AnyProbes,
    /// A refused request counts as a late one.
    CountsRefused,
    /// A request is late when its answer comes, and not before.
    AnswersOnly,
}
