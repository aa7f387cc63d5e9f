//! Pairs events into deeds.

use std::collections::BTreeMap;

use super::record::Record;
use super::{Datum, Deed, Foreign, own};
use crate::event::Kind;
use crate::operation::Status;
use crate::reader::Problem;

#[derive(Default)]
pub(super) struct Pairing {
    foreign: Foreign,
    /// Each client's open operation.
    open: BTreeMap<u64, Deed>,
    events: u64,
    index: Option<i64>,
    time: Option<i64>,
    own: bool,
    /// Bytes that the deeds hold, about, and may.
    bytes: usize,
    bytes_max: usize,
}

/// Which deeds are wanted, and how.
type Keep<'a> = &'a mut dyn FnMut(Deed) -> Option<Deed>;

impl Pairing {
    pub(super) fn within(bytes_max: usize) -> Pairing {
        Pairing { bytes_max, ..Pairing::default() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes > self.bytes_max
    }

    pub(super) fn take(&mut self, record: Record, keep: Keep<'_>) -> Result<(), Problem> {
        self.check_order(record.index)?;
        self.check_time(&record)?;
        self.own |= record.own;
        match (record.process, record.kind) {
            (None, _) => self.foreign.others += 1,
            (Some(process), Kind::Invoke) => self.invoke(process, record)?,
            (Some(process), _) => self.complete(process, record, keep)?,
        }
        self.events += 1;
        Ok(())
    }

    /// The history, and how many events it had.
    pub(super) fn finish(mut self, cut: Option<String>, keep: Keep<'_>) -> (Foreign, u64) {
        self.foreign.full = self.is_full().then_some(self.foreign.deeds.len());
        self.foreign.deeds.extend(self.open.into_values().filter_map(keep));
        self.foreign.deeds.sort_unstable_by_key(|deed| deed.invoke);
        let foreign = Foreign { cut, ..self.foreign };
        (if self.own { own::without_versions(foreign) } else { foreign }, self.events)
    }

    /// Indices may be sparse or missing, as after a filter; but not out of order.
    fn check_order(&mut self, index: Option<i64>) -> Result<(), Problem> {
        let Some(found) = index else { return Ok(()) };
        match self.index.replace(found) {
            Some(before) if found <= before => Err(Problem::field(
                "index",
                format!("{found} after {before}: events are repeated or out of order; sort them"),
            )),
            _ => Ok(()),
        }
    }

    /// Without an index nothing else says that events are in order. Threads that took the time before
    /// they got their index are as Jepsen has them.
    fn check_time(&mut self, record: &Record) -> Result<(), Problem> {
        let Some(found) = record.time else { return Ok(()) };
        match self.time.replace(found) {
            Some(before) if found < before && record.index.is_none() => Err(Problem::field(
                "time",
                format!(
                    "{found} is before the last event's {before}, and no index says in which \
                     order events happened; sort them"
                ),
            )),
            _ => Ok(()),
        }
    }

    fn invoke(&mut self, process: u64, record: Record) -> Result<(), Problem> {
        if let Some(open) = self.open.get(&process) {
            let message = format!(
                "client {process} invokes while its operation of line {} is open; \
                 a client has one operation at a time",
                open.line
            );
            return Err(Problem::field("type", message));
        }
        let deed = Deed {
            process,
            f: record.f,
            key: record.key,
            asked: record.value,
            answered: None,
            status: Status::Unknown,
            error: None,
            invoke: self.events,
            complete: None,
            line: record.line,
        };
        self.open.insert(process, deed);
        Ok(())
    }

    fn complete(&mut self, process: u64, record: Record, keep: Keep<'_>) -> Result<(), Problem> {
        let mut deed = self.open.remove(&process).ok_or(Problem::NoInvocation { process })?;
        same(&deed, "f", &deed.f, &record.f)?;
        if let (Some(asked), Some(told)) = (&deed.key, &record.key) {
            same(&deed, "key", asked, told)?;
        }
        deed.status = match record.kind {
            Kind::Ok => Status::Ok,
            Kind::Fail => Status::Fail,
            Kind::Info | Kind::Invoke => Status::Unknown,
        };
        deed.answered = (record.kind == Kind::Ok).then_some(record.value);
        deed.error = record.error.filter(|_| record.kind != Kind::Ok);
        deed.complete = Some(self.events);
        let kept = keep(deed);
        self.bytes += kept.as_ref().map_or(0, Deed::bytes);
        self.foreign.deeds.extend(kept);
        Ok(())
    }
}

fn same<T: PartialEq + ToString>(
    deed: &Deed,
    field: &'static str,
    asked: &T,
    told: &T,
) -> Result<(), Problem> {
    if asked == told {
        return Ok(());
    }
    let (expected, found) = (asked.to_string(), told.to_string());
    Err(Problem::OtherOperation { invoke: deed.invoke, field, expected, found })
}

impl Deed {
    /// The result, where the form of the history tells it apart from the argument.
    pub(super) fn told(&self) -> &Datum {
        self.answered.as_ref().unwrap_or(&self.asked)
    }
}
