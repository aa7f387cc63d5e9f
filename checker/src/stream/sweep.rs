//! One pass over a history.

use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use history::ReadError;
use history::foreign::Options;
use history::stream::{Batch, stream};

use super::call::{Engine, Trouble};
use super::reading::Reading;
use super::window::{Moment, Stop, Window};

/// Told now and then: bytes of the file read, and operations.
pub(super) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Operations that say something.
    pub(super) examined: u64,
    /// Of them, reads.
    pub(super) reads: u64,
    pub(super) objects: Vec<Object>,
    /// Can only who holds the whole tell?
    pub(super) whole: bool,
    /// What was left out, in words.
    pub(super) left_out: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: Rc<[u8]>,
    /// Operations looked at.
    pub(super) examined: u64,
    pub(super) trouble: Option<Trouble>,
}

struct Tracked<E> {
    engine: E,
    examined: u64,
    trouble: Option<Trouble>,
}

struct Sweep<E> {
    window: Window,
    tracked: Vec<Tracked<E>>,
    troubles: usize,
    stop: Option<Stop>,
}

/// Takes the history through an engine an object, until one is broken or none is left.
pub(super) fn sweep<E: Engine>(
    path: &Path,
    options: Options,
    reading: Reading,
    progress: Progress<'_>,
) -> Result<Swept, ReadError> {
    let window = Window::new(reading);
    let mut sweep = Sweep::<E> { window, tracked: Vec::new(), troubles: 0, stop: None };
    let cut = stream(path, options, &mut |batch| {
        progress(batch.read, sweep.window.examined);
        sweep.take(batch)
    })?;
    if sweep.stop.is_none() {
        sweep.window.close();
        let _ = sweep.advance();
        sweep.finish();
    }
    sweep.swept(path, cut)
}

impl<E: Engine> Sweep<E> {
    fn take(&mut self, batch: &Batch) -> ControlFlow<()> {
        for step in &batch.steps {
            if let Err(stop) = self.window.take(batch, step) {
                self.stop = Some(stop);
                return ControlFlow::Break(());
            }
            self.advance()?;
        }
        ControlFlow::Continue(())
    }

    /// Hands on what is known; breaks when more would tell nothing new.
    fn advance(&mut self) -> ControlFlow<()> {
        while let Some(moment) = self.window.next() {
            let (Moment::Start(call) | Moment::End(call)) = moment;
            let object = call.object as usize;
            while self.tracked.len() <= object {
                let engine = E::default();
                self.tracked.push(Tracked { engine, examined: 0, trouble: None });
            }
            let tracked = &mut self.tracked[object];
            if tracked.trouble.is_some() {
                continue;
            }
            let found = match moment {
                Moment::Start(call) => {
                    tracked.examined += 1;
                    tracked.engine.start(call)
                }
                Moment::End(call) => tracked.engine.end(call),
            };
            if let Err(trouble) = found {
                let broken = matches!(trouble, Trouble::Broken(..));
                tracked.trouble = Some(trouble);
                self.troubles += 1;
                if broken || self.troubles == self.tracked.len() {
                    self.stop = Some(Stop::Whole);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn finish(&mut self) {
        for tracked in self.tracked.iter_mut().filter(|tracked| tracked.trouble.is_none()) {
            tracked.trouble = tracked.engine.finish().err();
        }
    }

    fn swept(self, path: &Path, cut: Option<String>) -> Result<Swept, ReadError> {
        if let Some(Stop::Problem(line, problem)) = self.stop {
            return Err(ReadError::Line { path: path.into(), line, problem });
        }
        let reading = self.window.reading();
        let named = self.window.names.iter().zip(self.tracked);
        Ok(Swept {
            examined: self.window.examined,
            reads: self.window.reads,
            whole: self.stop.is_some() || reading.is_odd(),
            left_out: reading.left_out().into_iter().chain(cut).collect(),
            objects: named
                .map(|(name, Tracked { examined, trouble, .. })| Object {
                    name: name.clone(),
                    examined,
                    trouble,
                })
                .collect(),
        })
    }
}
