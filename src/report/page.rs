//! Puts the page together.

use std::path::Path;

use checker::Verdict;
use history::{Event, Manifest};

use super::data::{self, Size};
use super::html::{escape, fill, json_in_script};
use super::timeline::Timeline;
use super::{Bare, Drawn, sections, steps, words};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("page.js"), "\n", include_str!("draw.js"));

/// The whole page of a run.
pub(super) fn render(
    run: &Path,
    manifest: &Manifest,
    events: &[Event],
    long: bool,
    verdict: &Verdict,
) -> String {
    let settings = &manifest.settings;
    let started = manifest.started.replace(['T', 'Z'], " ");
    let subject = subject(manifest);
    let size = Size { nodes: settings.nodes, clients: settings.clients };
    page(&Timeline::of(events), verdict, &size, |timeline| Around {
        title: format!("{subject} seed {}", settings.seed),
        eyebrow: format!(
            "{} <span>{} UTC</span> <span>seed {}</span>",
            escape(&subject),
            escape(&started),
            settings.seed
        ),
        mutant: sections::mutant(manifest),
        near: sections::section("near", "Is it real?", &{
            let part = if long { sections::part(timeline) } else { String::new() };
            sections::soundness(verdict) + &part
        }),
        faults: sections::section("", "The faults, in order", &sections::faults(timeline)),
        again: sections::again(run, manifest),
    })
}

/// The whole page of a history without a run.
pub(super) fn render_history(history: &Bare<'_>, verdict: &Verdict) -> String {
    let timeline = match &history.drawn {
        Drawn::Events(events) => Timeline::of(events),
        Drawn::Deeds(deeds) => Timeline::of_deeds(deeds),
    };
    let file = history.file.display().to_string();
    let against = history.spec.map_or(String::new(), |spec| format!(" × {spec}"));
    // No client is there for final reads only.
    page(&timeline, verdict, &Size { nodes: 0, clients: usize::MAX }, |timeline| Around {
        title: format!("{file}{against}"),
        eyebrow: escape(&format!("{file}{against}")),
        mutant: String::new(),
        near: sections::section(
            "near",
            "What was examined",
            &sections::examined(timeline, verdict),
        ),
        faults: match timeline.faults.is_empty() && timeline.exits.is_empty() {
            true => String::new(),
            false => sections::section("", "The faults, in order", &sections::faults(timeline)),
        },
        again: sections::again_bare(history),
    })
}

/// What a page says around the verdict and what was checked.
struct Around {
    title: String,
    eyebrow: String,
    mutant: String,
    near: String,
    faults: String,
    again: String,
}

fn page(
    timeline: &Timeline,
    verdict: &Verdict,
    size: &Size,
    around: impl FnOnce(&Timeline) -> Around,
) -> String {
    let around = around(timeline);
    let (word, class) = words::verdict_word(verdict);
    fill(
        TEMPLATE,
        &[
            ("title", &escape(&format!("{word}: {}", around.title))),
            ("style", STYLE),
            ("class", class),
            ("word", word),
            ("eyebrow", &around.eyebrow),
            ("mutant", &around.mutant),
            ("sentence", &escape(words::sentence(verdict))),
            ("near", &around.near),
            ("witnesses", &sections::witnesses(timeline, verdict)),
            ("checks", &sections::checks(verdict)),
            ("steps", &steps::section(verdict.steps.as_ref())),
            ("phases", &sections::phases(timeline)),
            ("faults", &around.faults),
            ("again", &around.again),
            ("notes", &sections::notes(timeline)),
            ("data", &json_in_script(&data::json(timeline, size, verdict))),
            ("script", SCRIPT),
        ],
    )
}

/// What was tested, how: `zookeeper, register, kill + pause + partition`.
fn subject(manifest: &Manifest) -> String {
    let settings = &manifest.settings;
    let target = match settings.target {
        history::Target::Zoobreak => "zoobreak's server",
        history::Target::Zookeeper => "Apache ZooKeeper",
    };
    let faults = match settings.faults.as_slice() {
        [] => "no faults".to_owned(),
        _ => settings.faults_in_words(" + "),
    };
    format!("{target} × {} × {faults}", settings.workload)
}
