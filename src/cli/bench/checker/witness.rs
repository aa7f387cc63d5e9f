//! By how many operations a stale read is explained, by the same way as in `zoobreak check --spec`.

use checker::engine::plain::{Op, Ret};
use checker::engine::{Call, CasRegister};
use checker::{Limits, Spec, Verdict, check_foreign};
use history::Status;
use history::foreign::{Datum, Deed, Foreign};

use super::generate::History;

/// How many operations are shown, where they are a proof: all but the last have an order.
pub(super) fn explained(history: &History) -> Option<usize> {
    let verdict = verdict(history);
    let witness = verdict.checks[0].witness.as_ref()?;
    let shown = witness.operations.len();
    (witness.order.len() + 1 == shown).then_some(shown)
}

pub(super) fn verdict(history: &[Vec<Call<CasRegister>>]) -> Verdict {
    let spec = Spec::named("cas-register").expect("it is one of them");
    check_foreign(&foreign(history), spec, Limits::default()).expect("it makes sense")
}

/// As it comes from a file: each call by a client of its own, times for positions.
fn foreign(history: &[Vec<Call<CasRegister>>]) -> Foreign {
    let calls =
        (0..).zip(history).flat_map(|(key, calls)| calls.iter().map(move |call| (key, call)));
    let deed = |(process, (key, call)): (u64, (i64, &Call<CasRegister>))| {
        let (f, asked) = match call.op {
            Op::Read => ("read", Datum::Nil),
            Op::Write(value) => ("write", Datum::Int(value)),
            Op::Cas { expected, value } => {
                ("cas", Datum::List(vec![Datum::Int(expected), Datum::Int(value)]))
            }
        };
        let (status, answered) = match call.ret {
            None => (Status::Unknown, None),
            Some(Ret::Value(value)) => (Status::Ok, Some(value.map_or(Datum::Nil, Datum::Int))),
            Some(Ret::Written) => (Status::Ok, Some(asked.clone())),
            Some(Ret::Differs) => (Status::Fail, None),
        };
        Deed {
            process,
            f: f.to_owned(),
            key: Some(Datum::Int(key)),
            asked,
            answered,
            status,
            error: (status == Status::Fail).then(|| Datum::Keyword("differs".to_owned())),
            invoke: call.start,
            complete: call.end,
            line: call.start,
        }
    };
    Foreign { deeds: (0..).zip(calls).map(deed).collect(), ..Foreign::default() }
}
