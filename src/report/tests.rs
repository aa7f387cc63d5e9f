//! What the page and the screen must hold, whatever the run.

use std::path::Path;

use super::{fake, html, page, screen};

/// Writes pages for the eye: `cargo test --lib report -- --ignored`.
#[test]
#[ignore = "writes pages to look at"]
fn pages_for_the_eye() {
    let out = std::env::temp_dir().join("zoobreak-report");
    std::fs::create_dir_all(&out).expect("a temporary directory");
    let write = |name: &str, html: String| {
        std::fs::write(out.join(name), html).expect("the page can be written");
    };
    let run = Path::new("results/register+kill+pause+partition/20261120T211658Z-7");
    let (mut manifest, mut events) = (fake::manifest(), fake::events());
    write("valid.html", page::render(run, &manifest, &events, &fake::verdict()));
    print!("{}", screen(&manifest, &fake::verdict(), run));
    write("empty.html", page::render(run, &manifest, &[], &fake::verdict()));
    let verdict = fake::stale_read(&mut events);
    manifest.settings.mutant = Some("X9".into());
    write("invalid.html", page::render(run, &manifest, &events, &verdict));
    print!("{}", screen(&manifest, &verdict, run));
    let _ = html::escape;
}
