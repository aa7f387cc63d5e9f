//! A trace through the core as it ships: the same inputs must give the same outputs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zab::{Config, Digest, Output, Peer, Record, ServerId};

use super::Rejection;

type Out = Vec<Output<Digest, u64>>;

/// The first step that the core would have taken differently.
pub(super) fn replay(server: ServerId, trace: &[Record]) -> Option<Rejection> {
    let mut peer = None;
    trace.iter().zip(1..).find_map(|(record, line)| {
        let what = step(&mut peer, record)?;
        Some(Rejection { server, line, at: record.at(), what: format!("n{server} {what}") })
    })
}

fn step(peer: &mut Option<Peer<Digest, u64>>, record: &Record) -> Option<String> {
    let mut expected = Vec::new();
    let out = match record {
        Record::Start { config, durable, out, .. } => {
            // The core as it ships has no defect.
            let config = Config { mutant: None, ..config.clone() };
            if let Some(flaw) = durable.flaw() {
                return Some(format!("starts although {flaw}"));
            }
            *peer = Some(Peer::restart(config, durable.clone(), &mut expected));
            out
        }
        Record::Step { input, out, .. } => {
            let Some(peer) = peer else { return Some("takes a step before it starts".to_owned()) };
            let handled =
                catch_unwind(AssertUnwindSafe(|| peer.handle(input.clone(), &mut expected)));
            if handled.is_err() {
                return Some(format!("is told {input:?}, which cannot be"));
            }
            out
        }
    };
    (expected != *out).then(|| difference(&expected, out))
}

fn difference(expected: &Out, found: &Out) -> String {
    let same = expected.iter().zip(found).take_while(|(one, other)| one == other).count();
    match (expected.get(same), found.get(same)) {
        (Some(due), Some(done)) => format!("does {done:?}, where the core would do {due:?}"),
        (Some(due), None) => format!("does nothing more, where the core would do {due:?}"),
        (None, Some(done)) => format!("does {done:?}, where the core would do nothing more"),
        (None, None) => "does what the core would do".to_owned(),
    }
}
