//! Deeds as operations and results of the specifications.

use std::collections::HashMap;

use history::Status;
use history::foreign::{Datum, Deed};
use spec::{CasRegister, Counter, Entry, Lock, Queue, Searchable, Set};
use spec::{counter, kv, lock, plain, queue, set};

use super::Senseless;

/// An operation and its result; none where that is not known.
pub(super) type Told<S> = (
    <S as stateright::semantics::SequentialSpec>::Op,
    Option<<S as stateright::semantics::SequentialSpec>::Ret>,
);

/// Reads the deeds on one object.
pub(super) trait Reader<S: Searchable>: Default {
    /// None if nothing can be learnt from it: it certainly did not happen, or it read nobody knows
    /// what.
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<S>>, Senseless>;

    /// A state in words: "held 3".
    fn state(&self, state: &S) -> String;
}

/// Numbers for values that need only be told apart.
#[derive(Default)]
pub(super) struct Plain {
    numbers: HashMap<Datum, i64>,
}

impl Plain {
    fn number(&mut self, value: &Datum) -> i64 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = self.numbers.len() as i64;
        self.numbers.insert(value.clone(), number);
        number
    }

    /// The value of a number, written as EDN.
    fn named(&self, number: i64) -> String {
        let value = self.numbers.iter().find(|(_, known)| **known == number);
        value.map_or_else(|| number.to_string(), |(value, _)| value.to_string())
    }

    fn list<'a>(&self, numbers: impl IntoIterator<Item = &'a i64>) -> String {
        let all: Vec<_> = numbers.into_iter().map(|number| self.named(*number)).collect();
        format!("held [{}]", all.join(" "))
    }
}

/// Registers, with compare-and-set or without.
#[derive(Default)]
pub(super) struct Registers<const CAS: bool> {
    values: Plain,
}

impl<const CAS: bool> Registers<CAS> {
    fn value(&mut self, deed: &Deed, value: &Datum) -> Result<i64, Senseless> {
        match value {
            Datum::Nil => Err(senseless(deed, "value", "nil is no value to write or expect")),
            Datum::List(_) => {
                let message = format!(
                    "{value} is no value of a register; if values are pairs of key and value, \
                     say --keyed"
                );
                Err(senseless(deed, "value", message))
            }
            value => Ok(self.values.number(value)),
        }
    }
}

impl<const CAS: bool> Reader<CasRegister> for Registers<CAS> {
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<CasRegister>>, Senseless> {
        use plain::{Op, Ret};
        match deed.f.as_str() {
            "read" => {
                let Some(value) = &deed.answered else { return Ok(None) };
                let value = match value {
                    Datum::Nil => None,
                    value => Some(self.value(deed, value)?),
                };
                Ok(Some((Op::Read, Some(Ret::Value(value)))))
            }
            "write" => {
                echoes(deed)?;
                let op = Op::Write(self.value(deed, &deed.asked)?);
                Ok(happened(deed, op, Ret::Written))
            }
            "cas" if CAS => {
                echoes(deed)?;
                let Some([expected, value]) = deed.asked.elements() else {
                    let message = format!("expected [expected new], found {}", deed.asked);
                    return Err(senseless(deed, "value", message));
                };
                // Nothing is known to be certain of a register that was never written.
                let expected = self.value(deed, expected)?;
                let op = Op::Cas { expected, value: self.value(deed, value)? };
                match deed.differs() {
                    true => Ok(Some((op, Some(Ret::Differs)))),
                    false => Ok(happened(deed, op, Ret::Written)),
                }
            }
            _ => Err(unknown(deed)),
        }
    }

    fn state(&self, state: &CasRegister) -> String {
        let value = state.value.map(|value| self.values.named(value));
        format!("held {}", value.as_deref().unwrap_or("nil"))
    }
}

impl Reader<Counter> for Plain {
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<Counter>>, Senseless> {
        use counter::{Op, Ret};
        match deed.f.as_str() {
            "add" => Ok(happened(deed, Op::Add(int(deed, &deed.asked)?), Ret::Added)),
            "read" => {
                let Some(value) = &deed.answered else { return Ok(None) };
                Ok(Some((Op::Read, Some(Ret::Value(int(deed, value)?)))))
            }
            _ => Err(unknown(deed)),
        }
    }

    fn state(&self, state: &Counter) -> String {
        format!("was at {}", state.value)
    }
}

impl Reader<Set> for Plain {
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<Set>>, Senseless> {
        use set::{Op, Ret};
        match (deed.f.as_str(), &deed.answered) {
            ("add", _) => Ok(happened(deed, Op::Add(self.number(&deed.asked)), Ret::Done)),
            ("remove", _) => Ok(happened(deed, Op::Remove(self.number(&deed.asked)), Ret::Done)),
            ("read" | "contains", None) => Ok(None),
            ("contains", Some(Datum::Bool(found))) => {
                Ok(Some((Op::Contains(self.number(&deed.asked)), Some(Ret::Found(*found)))))
            }
            ("contains", Some(other)) => {
                Err(senseless(deed, "value", format!("expected true or false, found {other}")))
            }
            ("read", Some(answer)) => {
                let elements = match answer {
                    Datum::Nil => &[],
                    answer => answer.elements().ok_or_else(|| {
                        senseless(deed, "value", format!("expected a set, found {answer}"))
                    })?,
                };
                let elements = elements.iter().map(|element| self.number(element)).collect();
                Ok(Some((Op::Read, Some(Ret::Elements(elements)))))
            }
            _ => Err(unknown(deed)),
        }
    }

    fn state(&self, state: &Set) -> String {
        self.list(&state.elements)
    }
}

impl Reader<Queue> for Plain {
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<Queue>>, Senseless> {
        use queue::{Op, Ret};
        match (deed.f.as_str(), &deed.answered) {
            ("enqueue", _) => {
                let op = Op::Enqueue(self.number(&deed.asked));
                Ok(happened(deed, op, Ret::Enqueued))
            }
            ("dequeue", Some(Datum::Nil)) => Ok(Some((Op::Dequeue, Some(Ret::Empty)))),
            ("dequeue", Some(value)) => {
                Ok(Some((Op::Dequeue, Some(Ret::Dequeued(self.number(value))))))
            }
            ("dequeue", None) => {
                Ok((deed.status == Status::Unknown).then_some((Op::Dequeue, None)))
            }
            _ => Err(unknown(deed)),
        }
    }

    fn state(&self, state: &Queue) -> String {
        self.list(&state.values)
    }
}

impl Reader<Entry> for Plain {
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<Entry>>, Senseless> {
        use kv::{Op, Ret};
        match deed.f.as_str() {
            "get" => {
                let Some(value) = &deed.answered else { return Ok(None) };
                Ok(Some((Op::Get, Some(Ret::Text(text(deed, value)?)))))
            }
            "put" => Ok(happened(deed, Op::Put(text(deed, &deed.asked)?), Ret::Done)),
            "append" => Ok(happened(deed, Op::Append(text(deed, &deed.asked)?), Ret::Done)),
            _ => Err(unknown(deed)),
        }
    }

    fn state(&self, state: &Entry) -> String {
        format!("held {}", Datum::Text(state.text.clone()))
    }
}

impl Reader<Lock> for Plain {
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<Lock>>, Senseless> {
        use lock::{Op, Ret};
        let client = deed.process;
        let (op, ret) = match deed.f.as_str() {
            "acquire" => {
                let token = match &deed.answered {
                    None | Some(Datum::Nil) => None,
                    Some(token) => Some(int(deed, token)?),
                };
                (Op::Acquire { client }, Ret::Acquired { token })
            }
            "release" => (Op::Release { client }, Ret::Released),
            _ => return Err(unknown(deed)),
        };
        match deed.differs() {
            true => Ok(Some((op, Some(Ret::Refused)))),
            false => Ok(happened(deed, op, ret)),
        }
    }

    fn state(&self, state: &Lock) -> String {
        let token = state.token;
        match state.holder {
            Some(client) => format!("was held by client {client} with token {token}"),
            None => format!("was free after token {token}"),
        }
    }
}

fn happened<Op, Ret>(deed: &Deed, op: Op, ret: Ret) -> Option<(Op, Option<Ret>)> {
    match deed.status {
        Status::Ok => Some((op, Some(ret))),
        Status::Unknown => Some((op, None)),
        Status::Fail => None,
    }
}

/// A write's result repeats its argument, or is missing.
fn echoes(deed: &Deed) -> Result<(), Senseless> {
    match &deed.answered {
        Some(answer) if *answer != deed.asked && *answer != Datum::Nil => {
            let message = format!("invoked with {}, but ok with {answer}", deed.asked);
            Err(senseless(deed, "value", message))
        }
        _ => Ok(()),
    }
}

fn int(deed: &Deed, value: &Datum) -> Result<i64, Senseless> {
    let message = || format!("expected a whole number, found {value}");
    value.int().ok_or_else(|| senseless(deed, "value", message()))
}

fn text(deed: &Deed, value: &Datum) -> Result<String, Senseless> {
    match value {
        Datum::Text(text) => Ok(text.clone()),
        Datum::Nil => Ok(String::new()),
        other => Err(senseless(deed, "value", format!("expected a string, found {other}"))),
    }
}

pub(super) fn unknown(deed: &Deed) -> Senseless {
    let message = format!("the specification has no operation {:?}", deed.f);
    senseless(deed, "f", message)
}

pub(super) fn senseless(deed: &Deed, field: &'static str, message: impl Into<String>) -> Senseless {
    Senseless { line: deed.line, field, message: message.into() }
}
