//! A call of a stream, and what may come of handing it to an engine.

/// The lines of an invocation and of what completed it.
pub(super) type Lines = (u64, u64);

/// One call on one object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) object: u32,
    pub(super) act: Act,
    /// Position of the invocation among the events, from 1.
    pub(super) start: u64,
    /// Position of the answer; none where it may take effect at any later time, or never.
    pub(super) end: Option<u64>,
    pub(super) lines: Lines,
}

/// What was asked and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A read, and what it showed: the value, and its version where there are versions.
    Read(Option<i64>, i32),
    /// A write, and the version that it made.
    Write(i64, i32),
    /// A compare-and-set that happened or, without an end, may have: the value or version
    /// expected, the value written, and the version that it made.
    Cas(i64, i64, i32),
    /// One that did not find the value or version it expected.
    Differs(i64),
}

/// Why an engine does not accept a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no order: these calls contradict each other, the one blamed last.
    Broken(Vec<Lines>, &'static str),
    /// There is none, unless the object's calls are not as simple as they look: the calls of these
    /// values show it.
    Suspect(Vec<Option<i64>>),
    /// Not known without the whole of the object's calls.
    Whole,
}

/// Decides the calls of one object as they go by.
pub(super) trait Engine: Default {
    /// The call is invoked. All that was answered before has been told.
    fn start(&mut self, call: &Call) -> Result<(), Trouble>;

    /// Its answer comes.
    fn end(&mut self, call: &Call) -> Result<(), Trouble>;

    /// There are no more.
    fn finish(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
}
