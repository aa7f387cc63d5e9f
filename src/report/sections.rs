//! The sections of the page that are plain HTML.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use checker::{Check, Fact, Outcome as Verdicts, Verdict, Witness};
use history::{Manifest, Outcome};
use serde_json::Value;

use super::html::escape;
use super::timeline::{Exit, Fault, Timeline};
use super::{Bare, witness, words};

/// A banner for a server that is broken on purpose.
pub(super) fn mutant(manifest: &Manifest) -> String {
    words::mutant(manifest)
        .map_or(String::new(), |text| format!("<p class=\"mutant\">{}</p>", escape(&text)))
}

/// A section of the page.
pub(super) fn section(class: &str, heading: &str, body: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<section{class}>\n<h2>{heading}</h2>\n{body}\n</section>\n")
}

/// Of a history without a run: how much there was, and how much of it the lanes show.
pub(super) fn examined(timeline: &Timeline, verdict: &Verdict) -> String {
    let examined = verdict.checks.iter().map(|check| check.examined).max().unwrap_or(0);
    let clients: BTreeSet<u64> = timeline.ops.iter().map(|op| op.client).collect();
    let drawn = timeline.ops.len() as u64;
    let [all, shown, clients] = [examined, drawn, clients.len() as u64].map(words::count);
    let said = match drawn < examined {
        true => format!(
            "The lanes below show {shown} of them, by {clients} clients: those around what the \
             verdict tells of."
        ),
        false => format!("The lanes below show {shown} by {clients} clients: all that there is."),
    };
    format!("<p>{all} operations were examined. {said}</p>")
}

/// Of a run whose history is long.
pub(super) fn part(timeline: &Timeline) -> String {
    let drawn = words::count(timeline.ops.len() as u64);
    format!(
        "<p>The history is long: the lanes below show {drawn} operations, those around what the verdict \
         tells of.</p>"
    )
}

/// "Is it real?" The facts are folded where a violation is what counts and none is missing.
pub(super) fn soundness(verdict: &Verdict) -> String {
    let facts = &verdict.soundness.facts;
    let n_missed = facts.iter().filter(|fact| !fact.holds()).count();
    let (class, said) = match (facts.len(), n_missed) {
        (0, _) => return "<p>Nothing is known about the run itself.</p>".into(),
        (n, 0) => ("valid", format!("The run itself is sound: all {n} needs are met.")),
        (n, missed) => {
            let verb = if missed == 1 { "is" } else { "are" };
            let said =
                format!("The run itself is not sound: {missed} of {n} needs {verb} not met.");
            ("unsound", said)
        }
    };
    let open = n_missed > 0 || verdict.outcome != Verdicts::Invalid;
    let rows: String = facts.iter().map(fact).collect();
    format!(
        "<details{}><summary class=\"{class}\">{said}</summary><table><thead><tr><th></th>\
         <th>counted</th><th class=\"n\">count</th><th class=\"n\">needed</th><th></th></tr>\
         </thead><tbody>{rows}</tbody></table></details>",
        if open { " open" } else { "" }
    )
}

fn fact(fact: &Fact) -> String {
    let (class, mark) = if fact.holds() { ("valid", "✓") } else { ("unsound", "✗") };
    format!(
        "<tr><td class=\"mark {class}\">{mark}</td><td>{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td class=\"dim\">{}</td></tr>",
        escape(&fact.what),
        words::count(fact.count),
        words::count(fact.needed),
        escape(&fact.note)
    )
}

/// Every violation: the first binding one open, the others folded.
pub(super) fn witnesses(timeline: &Timeline, verdict: &Verdict) -> String {
    let mut out = String::new();
    for (at, (check, witness)) in words::violations(verdict).into_iter().enumerate() {
        let open = at == 0 && check.binding;
        let said =
            if verdict.sentence.contains(&witness.sentence) { "" } else { &witness.sentence };
        out.push_str(&violation(timeline, check, witness, said, open));
    }
    out
}

fn violation(
    timeline: &Timeline,
    check: &Check,
    witness: &Witness,
    said: &str,
    open: bool,
) -> String {
    let what = if check.binding { "Broken" } else { "Not promised by this target" };
    let key = witness.key.as_ref().map_or(String::new(), |key| format!(" on {}", escape(key)));
    format!(
        "<details class=\"violation{}\"{}><summary><b>{what}: {} {}</b>{key}</summary>\
         {}<p class=\"promise\">{} <span class=\"dim\">{}</span></p>{}<dl>{}{}{}</dl></details>",
        if check.binding { "" } else { " reported" },
        if open { " open" } else { "" },
        escape(&check.id),
        escape(words::name_beyond_id(check)),
        paragraph("said", said),
        escape(&check.promise),
        escape(&check.source),
        witness::svg(timeline, witness),
        definition("expected", witness.expected.as_deref()),
        definition("got", witness.got.as_deref()),
        definition("in one order", in_order(timeline, &witness.order).as_deref()),
    )
}

/// The longest order that the specification accepts of the operations shown.
fn in_order(timeline: &Timeline, order: &[u64]) -> Option<String> {
    let ops = order.iter().flat_map(|index| timeline.ops_at(&[*index]));
    let each: Vec<_> = ops.map(|op| format!("client {}: {}", op.client, op.label)).collect();
    (!each.is_empty()).then(|| each.join(", then "))
}

fn definition(name: &str, text: Option<&str>) -> String {
    text.map_or(String::new(), |text| format!("<dt>{name}</dt><dd>{}</dd>", escape(text)))
}

/// The table of checks.
pub(super) fn checks(verdict: &Verdict) -> String {
    if verdict.checks.is_empty() {
        return "<p>Nothing was checked.</p>".into();
    }
    let rows: String = verdict.checks.iter().map(check).collect();
    format!(
        "<table class=\"checks\"><thead><tr><th>outcome</th><th>guarantee</th><th>promise</th>\
         <th class=\"n\">examined</th><th class=\"n\">time</th></tr></thead><tbody>{rows}</tbody>\
         </table>"
    )
}

fn check(check: &Check) -> String {
    let promised = check.binding || check.outcome == Verdicts::Unknown;
    let reported = if promised { "" } else { "reported, not promised by this target" };
    let reason = check.reason.as_deref().unwrap_or("");
    format!(
        "<tr><td><span class=\"chip {class}{}\">{class}</span></td><td><b>{}</b> {}</td>\
         <td>{} <span class=\"dim\">{}</span>{}{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{:.1} ms</td></tr>",
        if check.binding { "" } else { " hollow" },
        escape(&check.id),
        escape(words::name_beyond_id(check)),
        escape(&check.promise),
        escape(&check.source),
        paragraph("remark", reported),
        paragraph("remark", reason),
        words::count(check.examined),
        check.millis,
        class = check.outcome,
    )
}

fn paragraph(class: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<p class=\"{class}\">{}</p>", escape(text))
}

/// When each phase began, in words.
pub(super) fn phases(timeline: &Timeline) -> String {
    if timeline.phases.is_empty() {
        return String::new();
    }
    let phases = timeline.phases.iter();
    let items: Vec<String> =
        phases.map(|(phase, at)| format!("{phase} <span>{}</span>", words::moment(*at))).collect();
    format!("<p class=\"phases\">Phases: {}</p>", items.join(", "))
}

/// The story of the faults, one line each, and of servers that ended by themselves.
pub(super) fn faults(timeline: &Timeline) -> String {
    let faults = timeline.faults.iter().map(|one| (one.start(), fault(one, timeline.end)));
    let exits = timeline.exits.iter().map(|one| (one.at, exit(one)));
    let mut items: Vec<(u64, String)> = faults.chain(exits).collect();
    if items.is_empty() {
        return "<p>No fault was tried.</p>".into();
    }
    items.sort_by_key(|(at, _)| *at);
    let items: String = items.into_iter().map(|(_, item)| item).collect();
    format!("<ol class=\"story\">{items}</ol>")
}

fn exit(exit: &Exit) -> String {
    format!(
        "<li><span class=\"when\">{}</span> <span class=\"fault-chip exit\">ended</span> {} ended \
         by itself <span class=\"dim\">{}</span></li>",
        words::moment(exit.at),
        escape(&exit.node),
        escape(&exit.status)
    )
}

fn fault(fault: &Fault, end: u64) -> String {
    format!(
        "<li><span class=\"when\">{}</span> <span class=\"fault-chip {}\">{}</span> {} \
         <span class=\"dim\">{}</span>{}</li>",
        words::moment(fault.start()),
        fault_class(fault),
        escape(&fault.kind),
        escape(&fault.what),
        escape(&outcome(fault, end)),
        evidence(fault)
    )
}

/// The classes that colour a fault: its kind, and whether it is verified.
pub(super) fn fault_class(fault: &Fault) -> String {
    let kind = fault.kind.split(':').next().unwrap_or_default();
    let kind = if ["kill", "pause", "partition"].contains(&kind) { kind } else { "other" };
    let verified = fault.outcome == Some(Outcome::Installed);
    format!("{kind}{}", if verified { "" } else { " unverified" })
}

fn outcome(fault: &Fault, end: u64) -> String {
    let lasted = words::duration(fault.stop(end).saturating_sub(fault.start()));
    match (&fault.outcome, fault.healed) {
        (Some(Outcome::Skipped { reason }), _) => format!("skipped: {reason}"),
        (Some(Outcome::Indeterminate { reason }), _) => {
            format!("for {lasted}; not known whether it was in force: {reason}")
        }
        (Some(Outcome::Installed), Some(_)) => format!("for {lasted}, verified"),
        (Some(Outcome::Installed), None) => "verified; never healed".into(),
        (None, _) => "no outcome was recorded".into(),
    }
}

fn evidence(fault: &Fault) -> String {
    if fault.evidence.is_empty() {
        return String::new();
    }
    let json = serde_json::to_string_pretty(&fault.evidence).expect("keys are strings");
    format!("<details><summary>evidence</summary><pre>{}</pre></details>", escape(&json))
}

/// How to judge it again, how to run it again, and with what it was run.
pub(super) fn again(run: &Path, manifest: &Manifest) -> String {
    format!(
        "<p>Judge this run again, from its directory alone:</p><pre class=\"command\">{}</pre>\
         <p>Run it again: the same operations and the same planned faults. Processes and packets \
         race anew, so a rare failure may need several tries.</p><pre class=\"command\">{}</pre>\
         <div class=\"columns\">{}{}</div>{}{}",
        escape(&words::check_command(run)),
        escape(&words::run_command(manifest)),
        table("Settings", &serde_json::to_value(&manifest.settings).unwrap_or_default()),
        table("Made with", &made_with(manifest)),
        schedule(&manifest.schedule),
        files(manifest),
    )
}

/// How to judge a history again, and how to have another checker judge it.
pub(super) fn again_bare(history: &Bare<'_>) -> String {
    format!(
        "<p>Judge it again:</p><pre class=\"command\">{}</pre>\
         <p>Ask Knossos (EDN) or Porcupine (a .log or .txt) too:</p><pre class=\"command\">{}</pre>\
         <p>Beside this page: <a href=\"verdict.json\">verdict.json</a></p>",
        escape(&words::command_line(history.argv)),
        escape(&words::convert_command(history.file)),
    )
}

fn made_with(manifest: &Manifest) -> Value {
    serde_json::json!({
        "zoobreak": manifest.zoobreak,
        "started": manifest.started,
        "run format": manifest.format,
        "kernel": manifest.machine.kernel,
        "cores": manifest.machine.cores,
        "partitions by": manifest.machine.partitions_by,
        "disks by": manifest.machine.disks_by,
        "not possible here": manifest.machine.lacks,
        "as root": manifest.machine.root,
        "target version": manifest.machine.target_version,
    })
}

fn table(caption: &str, fields: &Value) -> String {
    let mut rows = String::new();
    for (name, value) in fields.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()) {
        let _ = write!(
            rows,
            "<tr><td class=\"dim\">{}</td><td>{}</td></tr>",
            escape(&name.replace('_', " ")),
            escape(&plain(value))
        );
    }
    format!("<table class=\"facts\"><caption>{caption}</caption><tbody>{rows}</tbody></table>")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Array(list) if list.is_empty() => "none".into(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn schedule(schedule: &Value) -> String {
    let json = serde_json::to_string_pretty(schedule).expect("keys are strings");
    format!("<details><summary>The planned faults</summary><pre>{}</pre></details>", escape(&json))
}

/// Links into the run directory, beside which the page lies.
fn files(manifest: &Manifest) -> String {
    let nodes: String = (1..=manifest.settings.nodes)
        .map(|n| format!(" <a href=\"nodes/n{n}/\">n{n}</a>"))
        .collect();
    format!(
        "<p>Beside this page: <a href=\"manifest.json\">manifest.json</a> \
         <a href=\"history.jsonl\">history.jsonl</a> <a href=\"verdict.json\">verdict.json</a> \
         <a href=\"evidence/\">evidence</a>; the servers' logs and data:{nodes}</p>"
    )
}

/// What in the history could not be shown.
pub(super) fn notes(timeline: &Timeline) -> String {
    if timeline.notes.is_empty() {
        return String::new();
    }
    let items: String =
        timeline.notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
    format!("<section><h2>Not shown</h2><ul class=\"notes\">{items}</ul></section>")
}
