//! A history of a register, event by event: nothing is held but a few pieces of the file.
//!
//! JSON lines are read by one thread, and taken apart by as many as there are processors; the
//! caller gets them in order. Other forms are read by the thread of the caller.

mod pieces;
mod step;
mod usual;

use std::ops::ControlFlow;
use std::path::Path;

pub use step::{Argument, Batch, Refusal, Step, Verb};

use crate::foreign::{Datum, Format, Input, Options, Record};
use crate::reader::ReadError;

/// Steps in a batch of a form that is read one by one.
const STEPS: usize = 4096;

/// Hands the events of a history to `take`, in order, until it has enough. What it returns says what was dropped from
/// a file that ends in the middle of an event.
///
/// # Errors
/// When the file cannot be read, holds no event, or one that makes no sense.
pub fn stream(
    path: &Path,
    options: Options,
    take: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
) -> Result<Option<String>, ReadError> {
    let mut events = 0;
    let mut take = |batch: &Batch| {
        events += batch.steps.len();
        take(batch)
    };
    let input = Input::open(path, options)?;
    let cut = if input.format() == Format::Json && !options.keyed {
        pieces::stream(path, &mut take)
    } else {
        one_by_one(input, &mut take)
    }?;
    if events == 0 { Err(ReadError::Empty { path: path.into() }) } else { Ok(cut) }
}

fn one_by_one(
    mut input: Input,
    take: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
) -> Result<Option<String>, ReadError> {
    let mut at_end = false;
    while !at_end {
        let mut batch = Batch::default();
        while batch.steps.len() < STEPS && !at_end {
            match input.next()? {
                Some(record) => {
                    let step = step(&record, 0, &mut batch.text);
                    batch.steps.push(step);
                }
                None => at_end = true,
            }
        }
        batch.read = input.read();
        if take(&batch).is_break() {
            break;
        }
    }
    Ok(input.cut())
}

/// The step of an event that was read in another way; its key is added to `keys`, which begins at
/// byte `base` of the batch's text.
fn step(record: &Record, base: usize, keys: &mut Vec<u8>) -> Step {
    let key = record.key.as_ref().and_then(|key| {
        let from = base + keys.len();
        keys.extend_from_slice(key.to_string().as_bytes());
        Batch::span(from..base + keys.len())
    });
    Step {
        line: record.line,
        process: record.process,
        kind: record.kind,
        verb: Verb::named(record.f.as_bytes()),
        value: argument(&record.value),
        refusal: refusal(record.error.as_ref()),
        version: None,
        index: record.index,
        time: record.time,
        own: record.own,
        key,
    }
}

fn argument(value: &Datum) -> Argument {
    match (value, value.elements()) {
        (Datum::Nil, _) => Argument::Nil,
        (Datum::Int(int), _) => Argument::Int(*int),
        (Datum::List(_), Some([Datum::Int(first), Datum::Int(second)])) => {
            Argument::Pair(*first, *second)
        }
        _ => Argument::Other,
    }
}

fn refusal(error: Option<&Datum>) -> Refusal {
    match error {
        None => Refusal::None,
        Some(error) => error.name().map_or(Refusal::Other, |name| Refusal::named(name.as_bytes())),
    }
}

#[cfg(test)]
mod tests;
