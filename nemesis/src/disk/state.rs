//! What a disk is told to suffer, and the requests that wait for it.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fuser::{Errno as Answer, ReplyEmpty};
use nix::errno::Errno;

use super::illness::Illnesses;
use super::image::Image;
use crate::fault::{Ailment, FaultId};
use crate::worker::Stop;

/// How late a delayed answer may be.
const TICK: Duration = Duration::from_millis(1);
/// Between two looks at whether to stop, if there is nothing to do.
const IDLE: Duration = Duration::from_millis(50);

/// What the kernel's thread, the clerk and the nemesis share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// The power changed, or an answer was delayed.
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) image: Image,
    power: Power,
    /// No fsync is answered.
    pub(super) stalled: bool,
    pub(super) illnesses: Illnesses,
    late: Vec<Late>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Power {
    On,
    /// Requests wait.
    Off,
    /// Requests are refused.
    Gone,
}

/// Does what was asked and answers it; or, without a state, refuses it.
type LateAnswer = dyn FnOnce(Option<&mut State>) + Send;

/// A request to be answered later.
pub(super) struct Late {
    pub(super) due: Instant,
    pub(super) answer: Box<LateAnswer>,
}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "due at {:?}", self.due)
    }
}

impl Default for Shared {
    fn default() -> Shared {
        let state = State {
            image: Image::new(),
            power: Power::On,
            stalled: false,
            illnesses: Illnesses::default(),
            late: Vec::new(),
        };
        Shared { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_power(&self, power: Power) {
        let mut state = self.lock();
        state.power = power;
        if power == Power::On {
            state.stalled = false;
        }
        self.changed.notify_all();
    }

    pub(super) fn let_go(&self) {
        let mut state = self.lock();
        if state.power == Power::Off {
            state.power = Power::Gone;
        }
        state.late.drain(..).for_each(|late| (late.answer)(None));
        self.changed.notify_all();
    }

    pub(super) fn infect(&self, id: FaultId, ailment: Ailment, size: u64) {
        let mut state = self.lock();
        if ailment == Ailment::Full {
            state.image.set_room(Some(size));
        }
        state.illnesses.infect(id, ailment, size);
    }

    pub(super) fn cure(&self, id: FaultId) -> u64 {
        let mut state = self.lock();
        let n_felt = state.illnesses.cure(id);
        let room = state.illnesses.room();
        state.image.set_room(room);
        n_felt
    }

    /// Leaves a request to the clerk.
    pub(super) fn answer_later(&self, mut state: MutexGuard<'_, State>, late: Late) {
        state.late.push(late);
        self.changed.notify_all();
    }

    /// Does what was delayed when its time has come, until told to stop.
    pub(super) fn answer_late(&self, stop: &Stop) {
        while !stop.comes_within(TICK) {
            let mut state = self.lock();
            if state.late.is_empty() {
                let waited = self.changed.wait_timeout(state, IDLE);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            if state.stalled || state.power != Power::On {
                continue;
            }
            let now = Instant::now();
            let (due, later): (Vec<Late>, Vec<Late>) =
                std::mem::take(&mut state.late).into_iter().partition(|late| late.due <= now);
            state.late = later;
            due.into_iter().for_each(|late: Late| (late.answer)(Some(&mut *state)));
        }
    }

    /// The state, as soon as there is power.
    pub(super) fn powered(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let mut state = self.lock();
        while state.power == Power::Off {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.power {
            Power::On => Ok(state),
            Power::Off | Power::Gone => Err(Errno::EIO),
        }
    }
}

impl State {
    /// Refuses what a broken disk refuses, and counts what a full one did.
    pub(super) fn try_io<T>(
        &mut self,
        work: impl FnOnce(&mut Image) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        if self.illnesses.suffers(Ailment::Eio) {
            return Err(Errno::EIO);
        }
        let done = work(&mut self.image);
        if matches!(done, Err(Errno::ENOSPC)) {
            self.illnesses.suffers(Ailment::Full);
        }
        done
    }
}

/// Answers a request that has no answer but success.
pub(super) fn finish(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(answer(errno)),
    }
}

pub(super) fn answer(errno: Errno) -> Answer {
    Answer::from_i32(errno as i32)
}
