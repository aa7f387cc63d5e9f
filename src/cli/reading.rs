//! How far a long file has been read: a bar on a terminal, a line every few seconds elsewhere; on
//! standard error. Short ones are silent.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between plain lines, and before the first.
const EVERY: Duration = Duration::from_secs(2);

/// Shows how far a file has been read.
pub(super) struct Shown {
    total: u64,
    next: Instant,
    bar: Option<ProgressBar>,
    out: Box<dyn Write>,
}

impl Shown {
    pub(super) fn of(path: &Path) -> Shown {
        let total = fs::metadata(path).map_or(0, |meta| meta.len());
        let bar = io::stderr().is_terminal().then(|| bar(total));
        Shown { total, next: Instant::now() + EVERY, bar, out: Box::new(io::stderr()) }
    }

    /// So many bytes were read, and so many operations.
    pub(super) fn at(&mut self, bytes: u64, operations: u64) {
        if Instant::now() < self.next {
            return;
        }
        let text = describe(bytes, self.total, operations);
        match &self.bar {
            Some(bar) => {
                bar.set_position(bytes);
                bar.set_message(text);
            }
            None => {
                self.next += EVERY;
                // A closed standard error ends the talking, not the check.
                let _ = writeln!(self.out, "{text}");
            }
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24.cyan/dim} {wide_msg}")
        .expect("the template is a constant")
        .progress_chars("━━─");
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
}

/// "read 1.2 of 3.6 GB, 3400000 operations".
fn describe(bytes: u64, total: u64, operations: u64) -> String {
    let [bytes, total] = [bytes, total]
        .map(|bytes| format!("{}.{}", bytes / 1_000_000_000, bytes / 100_000_000 % 10));
    format!("read {bytes} of {total} GB, {operations} operations")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let text = describe(1_230_000_000, 3_650_000_000, 3_400_000);
        assert_eq!(text, "read 1.2 of 3.6 GB, 3400000 operations");
    }
}
