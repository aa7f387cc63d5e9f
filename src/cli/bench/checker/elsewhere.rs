//! Histories of one compare-and-set register that others recorded.

use std::path::Path;

use anyhow::{Context, bail};
use checker::engine::plain::{Op, Ret};
use checker::engine::{Call, CasRegister};
use history::Status;
use history::foreign::{self, Datum, Deed, Options};

use super::generate::History;

/// Their values are whole numbers from 0 on, or nil; reads of unknown outcome say nothing.
pub(super) fn read(path: &Path) -> anyhow::Result<History> {
    let foreign = foreign::read(path, Options::default())?;
    let calls = foreign.deeds.iter().filter_map(|deed| call(deed).transpose());
    let calls = calls.collect::<anyhow::Result<_>>();
    Ok(vec![calls.with_context(|| path.display().to_string())?])
}

fn call(deed: &Deed) -> anyhow::Result<Option<Call<CasRegister>>> {
    let op = match (deed.f.as_str(), deed.asked.elements()) {
        ("read", _) => Op::Read,
        ("write", _) => Op::Write(number(&deed.asked)?),
        ("cas", Some([expected, value])) => {
            Op::Cas { expected: number(expected)?, value: number(value)? }
        }
        _ => bail!("line {}: no operation of a compare-and-set register", deed.line),
    };
    let ret = match (op, deed.status) {
        (Op::Read, Status::Ok) => Some(Ret::Value(shown(deed)?)),
        (Op::Cas { .. }, Status::Fail) if deed.differs() => Some(Ret::Differs),
        (Op::Read, _) | (_, Status::Fail) => return Ok(None),
        (_, Status::Ok) => Some(Ret::Written),
        (_, Status::Unknown) => None,
    };
    let end = deed.complete.filter(|_| ret.is_some());
    Ok(Some(Call { op, ret, start: deed.invoke, end }))
}

fn shown(deed: &Deed) -> anyhow::Result<Option<i64>> {
    match &deed.answered {
        None | Some(Datum::Nil) => Ok(None),
        Some(value) => number(value).map(Some),
    }
}

fn number(value: &Datum) -> anyhow::Result<i64> {
    let number = value.int().filter(|number| *number >= 0);
    number.with_context(|| format!("{value} is no whole number from 0 on"))
}
