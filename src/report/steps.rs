//! What the servers recorded of their steps: whether each was one of the protocol, and what of it they exercised.

use checker::{Outcome, Steps};

use super::html::escape;
use super::words;

/// The section of the page; nothing for servers that record no steps.
pub(super) fn section(steps: Option<&Steps>) -> String {
    let Some(steps) = steps else { return String::new() };
    let body = format!(
        "<p><span class=\"chip {outcome}\">{outcome}</span> {}</p>{}",
        escape(&in_words(steps)),
        exercised(steps),
        outcome = steps.outcome,
    );
    super::sections::section("", "What the servers did", &body)
}

/// "33,150 steps: every step is one of ZAB …".
pub(super) fn in_words(steps: &Steps) -> String {
    let n_steps = words::count(steps.examined);
    match steps.outcome {
        Outcome::Invalid => format!("rejected: {} ({n_steps} steps)", steps.sentence),
        Outcome::Valid => format!("{n_steps} steps: {}", steps.sentence),
        Outcome::Unknown => steps.sentence.clone(),
    }
}

fn exercised(steps: &Steps) -> String {
    if steps.actions.is_empty() {
        return String::new();
    }
    let n_pairs: usize = steps.followed_by.values().map(Vec::len).sum();
    let never = match steps.never.as_slice() {
        [] => String::new(),
        never => format!("; never: {}", never.join(", ")),
    };
    let rows: String = steps.actions.iter().map(|(name, n)| row(steps, name, *n)).collect();
    format!(
        "<details><summary>{} actions of the protocol were exercised, {n_pairs} pairs of them{}</summary>\
         <table><thead><tr><th>action</th><th class=\"n\">times</th><th>then, at the same server</th></tr>\
         </thead><tbody>{rows}</tbody></table></details>",
        steps.actions.len(),
        escape(&never),
    )
}

fn row(steps: &Steps, action: &str, times: u64) -> String {
    let next = steps.followed_by.get(action).map_or(String::new(), |next| next.join(", "));
    format!(
        "<tr><td><b>{}</b></td><td class=\"n\">{}</td><td class=\"dim\">{}</td></tr>",
        escape(action),
        words::count(times),
        escape(&next)
    )
}
