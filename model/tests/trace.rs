//! Traces of the real core, driven at random: the sound core's conform, each mutant's are rejected.

mod driver;

use std::collections::BTreeSet;
use std::io::Cursor;

use driver::Ensemble;
use model::trace::{self, Judgement, Read, Rejection, Traces, Verdict};
use zab::{Digest, Mutant, Output, Record};

const SEEDS: u64 = 40;
const STEPS: usize = 10_000;

#[test]
fn the_core_conforms_to_the_protocol_as_published() {
    let mut missing: Option<BTreeSet<&str>> = None;
    for seed in 1..=SEEDS {
        let judged = judged(seed, None);
        assert_eq!(judged.protocol, Verdict::Conforms, "seed {seed}");
        assert_eq!(judged.replay, None, "seed {seed}");
        let unseen: BTreeSet<&str> = judged.coverage.missing().into_iter().collect();
        missing = Some(match missing {
            None => unseen,
            Some(missing) => missing.intersection(&unseen).copied().collect(),
        });
    }
    assert_eq!(missing, Some(BTreeSet::new()), "every action was exercised");
}

#[test]
fn every_mutant_of_the_protocol_is_rejected_by_both() {
    for (mutant, words) in [
        (Mutant::X1, "which is not on its disk"),
        (Mutant::X4, "acknowledges NEWLEADER before"),
        (Mutant::X8, "must not send"),
        (Mutant::X9, "without a quorum"),
        (Mutant::X11, "was told to write Truncate"),
        (Mutant::X15, "which it does not know to be committed"),
        (Mutant::X17, "answers a sync"),
        (Mutant::X43, "without a quorum"),
    ] {
        let mut judged = (1..=SEEDS).map(|seed| judged(seed, Some(mutant)));
        let found = judged.find(|judged| {
            rejected(judged).is_some_and(|rejection| rejection.what.contains(words))
        });
        let found = found.unwrap_or_else(|| panic!("{mutant:?} is never rejected by {words:?}"));
        assert!(found.replay.is_some(), "{mutant:?}: {found:?}");
    }
}

#[test]
fn a_step_left_out_or_made_up_is_rejected() {
    let sound = traces(1, None);
    let mut tampered = sound.clone();
    let delivered = |output: &Output<Digest, u64>| matches!(output, Output::Deliver(_));
    let mut records = tampered.get_mut(&1).expect("there is n1").iter_mut();
    let hidden = records.find_map(|record| {
        let Record::Step { out, .. } = record else { return None };
        let place = out.iter().position(delivered)?;
        Some(out.remove(place))
    });
    assert!(hidden.is_some(), "n1 delivered something");
    let judged = trace::judge(&tampered, false);
    assert!(judged.replay.is_some() && rejected(&judged).is_some(), "{judged:?}");

    let mut silent = sound;
    silent.get_mut(&2).expect("there is n2").truncate(1);
    let judged = trace::judge(&silent, false);
    let rejection = rejected(&judged).expect("n2 was heard");
    assert!(rejection.what.contains("has not said"), "{rejection:?}");
}

#[test]
fn a_line_cut_short_is_forgiven_where_the_server_died_and_nowhere_else() {
    let records = &traces(1, None)[&1];
    let lines: Vec<String> =
        records.iter().map(|r| serde_json::to_string(r).expect("plain values") + "\n").collect();
    let whole = lines.concat();
    let read = |text: &str| trace::read(Cursor::new(text));
    assert_eq!(read(&whole).expect("whole"), Read { records: records.clone(), cut: 0 });
    let cut = &whole[..whole.len() - 5];
    let kept = records[..records.len() - 1].to_vec();
    assert_eq!(read(cut).expect("cut short"), Read { records: kept.clone(), cut: 1 });
    // The next life goes on behind it, or on the next line.
    let next = [&kept[..], &records[..2]].concat();
    for end in ["", "\n"] {
        let text = format!("{cut}{end}{}{}", lines[0], lines[1]);
        assert_eq!(read(&text).expect("cut short"), Read { records: next.clone(), cut: 1 });
        let on = format!("{cut}{end}{}{}", lines[1], lines[1]);
        let error = read(&on).expect_err("no life begins so");
        assert!(error.to_string().starts_with(&format!("line {}: ", records.len())), "{error}");
    }
    let damaged = whole.replacen("step", "stop", 1);
    let error = trace::read(Cursor::new(damaged)).expect_err("in the middle");
    assert!(error.to_string().starts_with("line 2: "), "{error}");
}

fn traces(seed: u64, mutant: Option<Mutant>) -> Traces {
    let mut ensemble = Ensemble::new(if seed.is_multiple_of(4) { 4 } else { 3 }, seed, mutant);
    ensemble.run(STEPS);
    ensemble.traces()
}

fn judged(seed: u64, mutant: Option<Mutant>) -> Judgement {
    trace::judge(&traces(seed, mutant), false)
}

fn rejected(judged: &Judgement) -> Option<&Rejection> {
    match &judged.protocol {
        Verdict::Rejected(rejection) => Some(rejection),
        Verdict::Conforms | Verdict::Unknown(_) => None,
    }
}
