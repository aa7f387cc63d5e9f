//! Operations on a tree of znodes, as histories from elsewhere have them.
//!
//! Arguments and results are maps: `{"path": "/a", "data": "x", "ephemeral": true}`, and
//! `{"path": "/a", "stat": {"version": 0}}`. A result may say less, or only its main part.

use std::collections::BTreeSet;

use history::Status;
use history::foreign::{Datum, Deed};
use spec::Znodes;
use spec::znodes::{Op, Refusal, Ret, Stat, is_path};

use super::Senseless;
use super::read::{Reader, Told, senseless, unknown};

/// Znodes named in an explanation.
const NAMED_MAX: usize = 4;

#[derive(Default)]
pub(super) struct Trees;

impl Reader<Znodes> for Trees {
    fn told(&mut self, deed: &Deed) -> Result<Option<Told<Znodes>>, Senseless> {
        let op = asked(deed, &deed.f, &deed.asked)?;
        let ret = match deed.status {
            Status::Ok => Some(answered(deed, &op, deed.answered.as_ref().unwrap_or(&Datum::Nil))?),
            Status::Fail => {
                let error = deed.error.as_ref().and_then(Datum::name);
                let Some(refusal) = error.and_then(refusal) else { return Ok(None) };
                Some(Ret::Refused(refusal))
            }
            Status::Unknown => None,
        };
        let nothing_learnt = ret.is_none() && matches!(op, Op::Check { .. }) || is_query(&op);
        Ok((ret.is_some() || !nothing_learnt).then_some((op, ret)))
    }

    fn state(&self, state: &Znodes) -> String {
        let below_root = state.nodes.iter().filter(|(path, _)| &***path != "/");
        let mut words: Vec<String> = below_root
            .map(|(path, node)| {
                let data = Datum::Text(node.data.to_string());
                let owner = node.owner.map_or_else(String::new, |owner| format!(" of {owner}"));
                format!("{path}{owner} = {data} (version {})", node.version)
            })
            .collect();
        if words.is_empty() {
            return "held no znode".to_owned();
        }
        if words.len() > NAMED_MAX {
            let more = words.len() - NAMED_MAX;
            words.truncate(NAMED_MAX);
            words.push(format!("{more} more"));
        }
        format!("held {}", words.join(", "))
    }
}

fn is_query(op: &Op) -> bool {
    <Znodes as spec::Searchable>::is_query(op)
}

/// An operation: a deed, or a part of a multi.
fn asked(deed: &Deed, f: &str, value: &Datum) -> Result<Op, Senseless> {
    Ok(match f {
        "create" => {
            let sequential = flag(deed, value, "sequential")?;
            let path = path(deed, value)?;
            Op::Create { path, data: data(deed, value)?, owner: owner(deed, value)?, sequential }
        }
        "delete" => Op::Delete { path: path(deed, value)?, version: version(deed, value)? },
        "set" => Op::Set {
            path: path(deed, value)?,
            data: data(deed, value)?,
            version: version(deed, value)?,
        },
        "check" => Op::Check { path: path(deed, value)?, version: version(deed, value)? },
        "get" => Op::Get { path: path(deed, value)? },
        "exists" => Op::Exists { path: path(deed, value)? },
        "children" => Op::Children { path: path(deed, value)? },
        "multi" => Op::Multi(parts(deed, value)?),
        "close" => Op::Close { session: session(deed, value)? },
        _ => return Err(unknown(deed)),
    })
}

fn parts(deed: &Deed, value: &Datum) -> Result<Vec<Op>, Senseless> {
    let wrong = || expected(deed, "a list of create, delete, set and check", value);
    let part = |part: &Datum| {
        let f = part.field("f").and_then(Datum::name).ok_or_else(wrong)?;
        match f {
            "create" | "delete" | "set" | "check" => asked(deed, f, part),
            _ => Err(wrong()),
        }
    };
    value.elements().ok_or_else(wrong)?.iter().map(part).collect()
}

/// The result of an operation; its own words again, as Jepsen has them, say nothing more.
fn answered(deed: &Deed, op: &Op, value: &Datum) -> Result<Ret, Senseless> {
    Ok(match op {
        Op::Create { path, sequential, .. } => {
            let told = main(value, "path").name().map(str::to_owned);
            if *sequential && told.as_ref().is_none_or(|told| told == path) {
                let message = "a sequential znode's result is its path, with the number";
                return Err(senseless(deed, "value", message));
            }
            Ret::Created { path: told.unwrap_or_else(|| path.clone()), stat: stat(deed, value)? }
        }
        Op::Set { .. } => Ret::Stat(stat(deed, value)?),
        Op::Exists { .. } => match value {
            Datum::Nil | Datum::Bool(false) => Ret::Refused(Refusal::NoNode),
            value => Ret::Stat(stat(deed, value)?),
        },
        Op::Get { .. } => {
            Ret::Data { data: text(deed, main(value, "data"))?, stat: stat(deed, value)? }
        }
        Op::Children { .. } => {
            let names = main(value, "children");
            let wrong = || expected(deed, "a list of names", names);
            let each = names.elements().ok_or_else(wrong)?.iter();
            let each = each.map(|name| name.name().map(str::to_owned).ok_or_else(wrong));
            Ret::Children {
                names: each.collect::<Result<BTreeSet<_>, _>>()?,
                stat: stat(deed, value)?,
            }
        }
        Op::Multi(ops) => {
            let told = value.elements().unwrap_or_default();
            let told = told.iter().chain(std::iter::repeat(&Datum::Nil));
            let each = ops.iter().zip(told).map(|(op, told)| answered(deed, op, told));
            Ret::Multi(each.collect::<Result<_, _>>()?)
        }
        Op::Delete { .. } | Op::Check { .. } | Op::Close { .. } => Ret::Done,
    })
}

/// What a map has under this name; or the value itself, which is it.
fn main<'a>(value: &'a Datum, name: &str) -> &'a Datum {
    match value {
        Datum::Map(_) => value.field(name).unwrap_or(&Datum::Nil),
        value => value,
    }
}

fn path(deed: &Deed, value: &Datum) -> Result<String, Senseless> {
    let path = main(value, "path");
    match path.name() {
        // What a number is appended to may end with a slash.
        Some(name) if is_path(name) || is_path(&format!("{name}0")) => Ok(name.to_owned()),
        _ => Err(expected(deed, "a path such as {\"path\": \"/a\"}", path)),
    }
}

fn data(deed: &Deed, value: &Datum) -> Result<String, Senseless> {
    text(deed, value.field("data").unwrap_or(&Datum::Nil))
}

/// A number is its digits.
fn text(deed: &Deed, value: &Datum) -> Result<String, Senseless> {
    match value {
        Datum::Nil => Ok(String::new()),
        Datum::Int(number) => Ok(number.to_string()),
        Datum::Text(text) => Ok(text.clone()),
        other => Err(expected(deed, "data, a string or a whole number", other)),
    }
}

fn version(deed: &Deed, value: &Datum) -> Result<i32, Senseless> {
    match value.field("version") {
        None | Some(Datum::Nil) => Ok(-1),
        Some(version) => number(deed, "a version", version),
    }
}

fn flag(deed: &Deed, value: &Datum, name: &str) -> Result<bool, Senseless> {
    match value.field(name) {
        None | Some(Datum::Nil) => Ok(false),
        Some(Datum::Bool(flag)) => Ok(*flag),
        Some(other) => Err(expected(deed, &format!("true or false as {name}"), other)),
    }
}

/// `ephemeral` is true, or the number of the session where it is not the client's.
fn owner(deed: &Deed, value: &Datum) -> Result<Option<u64>, Senseless> {
    match value.field("ephemeral") {
        None | Some(Datum::Nil | Datum::Bool(false)) => Ok(None),
        Some(Datum::Bool(true)) => Ok(Some(deed.process)),
        Some(session) => Ok(Some(number(deed, "true, or a session's number", session)?)),
    }
}

fn session(deed: &Deed, value: &Datum) -> Result<u64, Senseless> {
    match main(value, "session") {
        Datum::Nil => Ok(deed.process),
        session => number(deed, "a session's number", session),
    }
}

/// By ZooKeeper's names; what else a Stat has is not looked at.
fn stat(deed: &Deed, value: &Datum) -> Result<Stat, Senseless> {
    let Some(stat) = value.field("stat") else { return Ok(Stat::default()) };
    Ok(Stat {
        version: told(deed, stat, "version")?,
        cversion: told(deed, stat, "cversion")?,
        owner: told(deed, stat, "ephemeralOwner")?,
        length: told(deed, stat, "dataLength")?,
        children: told(deed, stat, "numChildren")?,
    })
}

fn told<N: TryFrom<i64>>(deed: &Deed, stat: &Datum, name: &str) -> Result<Option<N>, Senseless> {
    let told = stat.field(name).filter(|told| **told != Datum::Nil);
    told.map(|told| number(deed, &format!("a number as {name}"), told)).transpose()
}

fn number<N: TryFrom<i64>>(deed: &Deed, what: &str, value: &Datum) -> Result<N, Senseless> {
    let number = value.int().and_then(|int| N::try_from(int).ok());
    number.ok_or_else(|| expected(deed, what, value))
}

/// `NoNode`, `no-node` and `NONODE` are one.
fn refusal(error: &str) -> Option<Refusal> {
    let letters = error.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    Some(match name.strip_suffix("exception").unwrap_or(&name) {
        "nonode" => Refusal::NoNode,
        "nodeexists" => Refusal::NodeExists,
        "badversion" => Refusal::BadVersion,
        "notempty" => Refusal::NotEmpty,
        "nochildrenforephemerals" => Refusal::NoChildrenForEphemerals,
        "sessionexpired" => Refusal::SessionExpired,
        "badarguments" => Refusal::BadArguments,
        _ => return None,
    })
}

fn expected(deed: &Deed, what: &str, found: &Datum) -> Senseless {
    senseless(deed, "value", format!("expected {what}, found {found}"))
}
