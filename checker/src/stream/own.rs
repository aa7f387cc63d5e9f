//! zoobreak's own histories of registers, by the versions in their replies.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use history::foreign::Options;
use history::{FORMAT, Operation, ReadError, read_lines};

use super::call::{Lines, Trouble};
use super::reading::{Reading, Vocabulary};
use super::sweep::{Progress, Swept, sweep};
use super::versions::Versions;
use crate::budget::Limits;
use crate::check::check_history;
use crate::guarantees::Guarantee;
use crate::guarantees::linearizable::{ALL, WRITES};
use crate::verdict::{Check, Outcome, Soundness, Verdict, Witness};
use crate::words::{self, clause, count};

/// Judges linearizability alone, of one of zoobreak's own histories of registers, while it is read. The
/// versions in replies are the order, so that memory grows with what is under way and with the writes
/// of unknown outcome, not with the file. A history in which they leave something open, because a reply
/// has none, or values were written twice, is read again, held, and judged whole. `progress` is told now
/// and then how many bytes were read, and how many operations.
///
/// # Errors
/// When the history cannot be read.
pub fn check_own(
    path: &Path,
    limits: Limits,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verdict, ReadError> {
    let start = Instant::now();
    let Some((all, swept)) = check(path, Vocabulary::Versions, &ALL, progress)? else {
        return check_history(path, limits);
    };
    let writes = match all.outcome {
        // Without reads there is an order, too.
        Outcome::Valid => described(&WRITES, swept.examined - swept.reads, None, start),
        Outcome::Unknown | Outcome::Invalid => {
            match check(path, Vocabulary::VersionsOfWrites, &WRITES, progress)? {
                Some((writes, _)) => writes,
                None => return check_history(path, limits),
            }
        }
    };
    Ok(Verdict {
        format: FORMAT,
        outcome: all.outcome.max(writes.outcome),
        sentence: sentence(&all, &swept),
        checks: vec![all, writes],
        soundness: Soundness { facts: Vec::new() },
        steps: None,
    })
}

/// None if it cannot be told by the way.
fn check(
    path: &Path,
    vocabulary: Vocabulary,
    guarantee: &Guarantee,
    progress: Progress<'_>,
) -> Result<Option<(Check, Swept)>, ReadError> {
    let start = Instant::now();
    let reading = Reading::new(vocabulary);
    let swept = sweep::<Versions>(path, Options::default(), reading, progress)?;
    let troubles: Vec<_> = swept.objects.iter().filter_map(|one| one.trouble.as_ref()).collect();
    let broken = troubles.iter().find_map(|trouble| match trouble {
        Trouble::Broken(lines, why) => Some((lines, why)),
        Trouble::Suspect(_) | Trouble::Whole => None,
    });
    let witness = match broken {
        Some((lines, why)) => Some(witness(path, lines, why)?),
        None if swept.whole || !troubles.is_empty() => return Ok(None),
        None => None,
    };
    Ok(Some((described(guarantee, swept.examined, witness, start), swept)))
}

fn described(
    guarantee: &Guarantee,
    examined: u64,
    witness: Option<Witness>,
    start: Instant,
) -> Check {
    let outcome = match witness {
        Some(_) => Outcome::Invalid,
        None if examined == 0 => Outcome::Unknown,
        None => Outcome::Valid,
    };
    Check {
        id: guarantee.id.to_owned(),
        name: guarantee.name.to_owned(),
        promise: guarantee.promise.to_owned(),
        source: guarantee.source.to_owned(),
        binding: true,
        outcome,
        reached: None,
        reason: (outcome == Outcome::Unknown).then(|| "nothing to examine".to_owned()),
        examined,
        millis: start.elapsed().as_secs_f64() * 1e3,
        witness,
    }
}

/// The operations on these lines, in words; the one blamed is on the last.
fn witness(path: &Path, lines: &[Lines], why: &str) -> Result<Witness, ReadError> {
    let wanted: BTreeSet<u64> =
        lines.iter().flat_map(|(invoked, ended)| [*invoked, *ended]).collect();
    let operations = read_lines(path, &wanted)?;
    let blamed = lines.last().map_or(0, |(invoked, _)| *invoked - 1);
    let is_blamed = |op: &&Operation| op.invoke == blamed;
    let (blamed, mut shown): (Vec<_>, Vec<_>) = operations.iter().partition(is_blamed);
    let others: Vec<String> = shown.iter().map(|op| clause(op)).collect();
    shown.extend(blamed);
    let said = shown.last().map_or_else(String::new, |op| clause(op));
    let beside = words::beside(&others);
    Ok(words::witness(format!("{said}: {why}{beside}"), &shown))
}

fn sentence(all: &Check, swept: &Swept) -> String {
    let operations = count(all.examined, "operation");
    let notes: String =
        swept.left_out.iter().map(|left_out| format!("; left out: {left_out}")).collect();
    match (&all.witness, all.outcome) {
        (Some(witness), _) => {
            format!("invalid: {}. This breaks linearizability{notes}.", witness.sentence)
        }
        (None, Outcome::Valid) => {
            let znodes = count(swept.objects.len() as u64, "znode");
            format!(
                "valid: {operations} on {znodes} are linearizable{notes}; nothing else was looked at."
            )
        }
        (None, _) => format!("unknown: there is nothing to examine{notes}."),
    }
}
