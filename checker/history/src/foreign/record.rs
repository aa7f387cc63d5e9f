//! One event, as a map of Jepsen's fields or as a line of `jepsen.util`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::edn::{self, EdnError};
use super::{DIFFERS, Datum};
use crate::event::Kind;
use crate::reader::Problem;

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) line: u64,
    /// None for others than clients.
    pub(crate) process: Option<u64>,
    pub(crate) kind: Kind,
    pub(crate) f: String,
    pub(crate) key: Option<Datum>,
    pub(crate) value: Datum,
    pub(crate) error: Option<Datum>,
    pub(crate) index: Option<i64>,
    pub(crate) time: Option<i64>,
    /// Does it carry what only zoobreak's own histories have?
    pub(crate) own: bool,
}

/// An event as most are: fields of the usual types.
#[derive(Deserialize)]
struct Usual<'a> {
    process: u64,
    #[serde(rename = "type")]
    kind: Kind,
    f: &'a str,
    #[serde(default)]
    key: Datum,
    #[serde(default)]
    value: Datum,
    #[serde(default)]
    error: Datum,
    index: Option<i64>,
    time: Option<i64>,
    zxid: Option<IgnoredAny>,
    stat: Option<IgnoredAny>,
    session: Option<IgnoredAny>,
}

/// The marker of a log's lines; others are no events.
pub(super) const MARKER: &str = "jepsen.util - ";

impl Record {
    /// A line of JSON in one go, several times faster than through a map; none if it is unusual.
    pub(crate) fn of_json(text: &str, line: u64) -> Option<Record> {
        let usual: Usual<'_> = serde_json::from_str(text).ok()?;
        Some(Record {
            line,
            process: Some(usual.process),
            kind: usual.kind,
            f: usual.f.to_owned(),
            key: Some(usual.key).filter(|key| *key != Datum::Nil),
            value: usual.value,
            error: Some(usual.error).filter(|error| *error != Datum::Nil),
            index: usual.index,
            time: usual.time,
            own: usual.zxid.is_some() || usual.stat.is_some() || usual.session.is_some(),
        })
    }

    pub(crate) fn of_map(map: &Datum, line: u64) -> Result<Record, Problem> {
        if !matches!(map, Datum::Map(_)) {
            return Err(Problem::Form { error: format!("expected a map, found {map}") });
        }
        let needed = |name| {
            map.field(name).ok_or_else(|| Problem::field(name, "missing; every event has it"))
        };
        let process = process(needed("process")?)?;
        let f = map.field("f").and_then(Datum::name);
        if process.is_some() && f.is_none() {
            return Err(Problem::field("f", "expected an operation's name"));
        }
        Ok(Record {
            line,
            process,
            kind: kind(needed("type")?)?,
            f: f.unwrap_or_default().to_owned(),
            key: map.field("key").filter(|key| **key != Datum::Nil).cloned(),
            value: map.field("value").cloned().unwrap_or_default(),
            error: map.field("error").filter(|error| **error != Datum::Nil).cloned(),
            index: map.field("index").map(|index| whole("index", index)).transpose()?,
            // Some write seconds, with a fraction.
            time: map.field("time").and_then(Datum::int),
            own: ["zxid", "stat", "session"].iter().any(|name| map.field(name).is_some()),
        })
    }

    /// A line of a log after its marker: process, type, operation, value.
    pub(crate) fn of_log(text: &str, line: u64) -> Result<Record, Problem> {
        let mut rest = text;
        let mut next = |name| {
            let form = edn::first(rest).map_err(|error| unreadable(&error))?;
            let (datum, end) = form.ok_or_else(|| Problem::field(name, "missing"))?;
            rest = &rest[end..];
            Ok::<Datum, Problem>(datum)
        };
        let process = process(&next("process")?)?;
        let kind = kind(&next("type")?)?;
        let f = next("f")?;
        let value = if process.is_some() { next("value")? } else { Datum::Nil };
        let f = f.name().ok_or_else(|| Problem::field("f", "expected an operation's name"))?;
        let differs = kind == Kind::Fail && f == "cas";
        Ok(Record {
            line,
            process,
            kind,
            f: f.to_owned(),
            key: None,
            value,
            error: differs.then(|| Datum::Keyword(DIFFERS.to_owned())),
            index: None,
            time: None,
            own: false,
        })
    }

    /// Takes the key out of a value that is a pair of both.
    pub(crate) fn split_key(&mut self) -> Result<(), Problem> {
        if self.process.is_none() {
            return Ok(());
        }
        match std::mem::take(&mut self.value) {
            Datum::List(pair) if pair.len() == 2 => {
                let mut pair = pair.into_iter();
                self.key = pair.next();
                self.value = pair.next().unwrap_or_default();
                Ok(())
            }
            // An outcome that is not known may come without its value.
            other if self.kind == Kind::Info => {
                self.value = other;
                Ok(())
            }
            other => {
                let message = format!("expected a pair of key and value, found {other}");
                Err(Problem::field("value", message))
            }
        }
    }
}

pub(super) fn unreadable(error: &EdnError) -> Problem {
    Problem::Form {
        error: match error {
            EdnError::Incomplete => "it ends too early".to_owned(),
            EdnError::Wrong(error) => error.clone(),
        },
    }
}

fn process(datum: &Datum) -> Result<Option<u64>, Problem> {
    match datum {
        Datum::Int(process) => u64::try_from(*process).map(Some).map_err(|_| {
            Problem::field("process", format!("expected a client's number, found {process}"))
        }),
        Datum::Keyword(_) | Datum::Text(_) | Datum::Symbol(_) => Ok(None),
        other => {
            let message = format!("expected a client's number or a name, found {other}");
            Err(Problem::field("process", message))
        }
    }
}

fn kind(datum: &Datum) -> Result<Kind, Problem> {
    match datum.name() {
        Some("invoke") => Ok(Kind::Invoke),
        Some("ok") => Ok(Kind::Ok),
        Some("fail") => Ok(Kind::Fail),
        Some("info") => Ok(Kind::Info),
        _ => {
            Err(Problem::field("type", format!("expected invoke, ok, fail or info, found {datum}")))
        }
    }
}

fn whole(field: &str, datum: &Datum) -> Result<i64, Problem> {
    let message = || Problem::field(field, format!("expected a whole number, found {datum}"));
    datum.int().ok_or_else(message)
}
