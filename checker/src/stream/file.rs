//! Histories from anywhere against a specification: by the way where that is possible, else held.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use history::foreign::{Datum, Deed, Options, pick};
use history::{ReadError, Status};

use super::call::Trouble;
use super::reading::{Reading, Vocabulary};
use super::sweep::{Object, Swept, sweep};
use super::values::Values;
use crate::budget::Limits;
use crate::foreign::{
    Consistency, Finding, Senseless, Spec, check_foreign, deeds_share, examine, full, objects,
    verdict,
};
use crate::verdict::Verdict;

/// Why a history cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An operation is none of the specification's.
    #[error(transparent)]
    Senseless(#[from] Senseless),
}

/// Decides whether a history keeps what is promised. For linearizability, registers are judged while the file is read,
/// in memory that does not grow with it, as far as their values are distinct, at least among
/// operations that are under way at about the same time; what remains is read again, and held.
/// `progress` is told now and then how many bytes were read, and how many operations.
///
/// # Errors
/// When the file cannot be read, or an operation is none of the specification's.
pub fn check_file(
    path: &Path,
    options: Options,
    spec: Spec,
    limits: Limits,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verdict, FileError> {
    let start = Instant::now();
    let vocabulary = match spec.name {
        _ if spec.consistency != Consistency::Linearizable => {
            return held(path, options, spec, limits);
        }
        "register" => Vocabulary::Register,
        "cas-register" => Vocabulary::CasRegister,
        _ => return held(path, options, spec, limits),
    };
    let swept = sweep::<Values>(path, options, Reading::new(vocabulary), progress)?;
    if let Some(broken) = suspected(path, options, &swept.objects, limits)? {
        return Ok(verdict(spec, &[broken], &swept.left_out, start));
    }
    if swept.whole {
        return held(path, options, spec, limits);
    }
    let troubled: HashSet<&[u8]> = swept
        .objects
        .iter()
        .filter(|object| object.trouble.is_some())
        .map(|object| &*object.name)
        .collect();
    let mut findings = streamed(&swept);
    if !troubled.is_empty() {
        let foreign = pick(path, options, deeds_share(limits), &mut |deed| {
            troubled.contains(name(&deed).as_bytes()).then_some(deed)
        })?;
        findings.extend(examine(&objects(&foreign), spec, limits)?);
        findings.extend(full(&foreign, limits));
    }
    Ok(verdict(spec, &findings, &swept.left_out, start))
}

fn held(path: &Path, options: Options, spec: Spec, limits: Limits) -> Result<Verdict, FileError> {
    let foreign = pick(path, options, deeds_share(limits), &mut Some)?;
    Ok(check_foreign(&foreign, spec, limits)?)
}

/// What was decided by the way.
fn streamed(swept: &Swept) -> Vec<Finding> {
    let decided = swept.objects.iter().filter(|object| object.trouble.is_none());
    let finding = |object: &Object| Finding {
        examined: usize::try_from(object.examined).unwrap_or(usize::MAX),
        engine: "zones in passing",
        ..Finding::default()
    };
    decided.map(finding).collect()
}

/// A violation among the calls of the values that an object's engine blames. Writes of other values are
/// left out with all that saw them, which leaves an order if there was one; for that, a
/// compare-and-set is taken for a write.
fn suspected(
    path: &Path,
    options: Options,
    swept: &[Object],
    limits: Limits,
) -> Result<Option<Finding>, FileError> {
    let suspects: Vec<(&[u8], &[Option<i64>])> = swept
        .iter()
        .filter_map(|object| match &object.trouble {
            Some(Trouble::Suspect(values)) => Some((&*object.name, values.as_slice())),
            _ => None,
        })
        .collect();
    if suspects.is_empty() {
        return Ok(None);
    }
    let foreign = pick(path, options, deeds_share(limits), &mut |deed| {
        let named = name(&deed);
        let values = suspects.iter().find(|(suspect, _)| *suspect == named.as_bytes())?.1;
        of_values(deed, values)
    })?;
    let register = Spec::named("register").expect("it is one of them");
    let findings = examine(&objects(&foreign), register, limits)?;
    Ok(findings.into_iter().find(|finding| finding.broken.is_some()))
}

/// The object's name, as a stream has it.
fn name(deed: &Deed) -> String {
    deed.key.as_ref().map_or_else(String::new, Datum::to_string)
}

/// The deed, if it reads or writes one of the values.
fn of_values(mut deed: Deed, values: &[Option<i64>]) -> Option<Deed> {
    let number = |datum: &Datum| match datum {
        Datum::Nil => Some(None),
        datum => datum.int().map(Some),
    };
    let shown = match (deed.f.as_str(), &deed.answered) {
        ("read", Some(answered)) => number(answered),
        ("write", _) => number(&deed.asked),
        ("cas", _) if deed.status != Status::Fail => {
            let written = deed.asked.elements()?.get(1)?.clone();
            deed.f = "write".to_owned();
            deed.answered = deed.answered.map(|_| written.clone());
            deed.asked = written;
            number(&deed.asked)
        }
        _ => None,
    }?;
    values.contains(&shown).then_some(deed)
}
