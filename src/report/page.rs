//! Puts the page together.

use std::path::Path;

use checker::Verdict;
use history::{Event, Manifest};

use super::html::{escape, fill, json_in_script};
use super::timeline::Timeline;
use super::{data, sections, words};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("page.js"), "\n", include_str!("draw.js"));

/// The whole page.
pub(super) fn render(
    run: &Path,
    manifest: &Manifest,
    events: &[Event],
    verdict: &Verdict,
) -> String {
    let timeline = Timeline::of(events);
    let (word, class) = words::verdict_word(verdict);
    let title = format!("{word}: {} seed {}", subject(manifest), manifest.settings.seed);
    fill(
        TEMPLATE,
        &[
            ("title", &escape(&title)),
            ("style", STYLE),
            ("class", class),
            ("word", word),
            ("subject", &escape(&subject(manifest))),
            ("started", &escape(&manifest.started.replace(['T', 'Z'], " "))),
            ("seed", &manifest.settings.seed.to_string()),
            ("mutant", &sections::mutant(manifest)),
            ("sentence", &escape(words::sentence(verdict))),
            ("soundness", &sections::soundness(verdict)),
            ("witnesses", &sections::witnesses(&timeline, verdict)),
            ("checks", &sections::checks(verdict)),
            ("phases", &sections::phases(&timeline)),
            ("faults", &sections::faults(&timeline)),
            ("again", &sections::again(run, manifest)),
            ("notes", &sections::notes(&timeline)),
            ("data", &json_in_script(&data::json(&timeline, manifest, verdict))),
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
