//! A violation as lanes of its own: the few operations that show it, drawn as SVG.
//!
//! What matters is which operation ended before which began, and often by a hair. So the axis is
//! stretched: the order of all starts and ends is exact, and a longer gap is drawn longer, but as
//! the logarithm of its length. Ticks name the true times.

use std::fmt::Write as _;

use checker::Witness;
use history::Kind;

use super::html::escape;
use super::timeline::{Clock, Fault, Op, Timeline};

const LEFT: f64 = 96.0;
const RIGHT: f64 = 1084.0;
const WIDTH: f64 = 1100.0;
const ROW: f64 = 40.0;
const BAND: f64 = 20.0;
/// Width of a character of the labels' font.
const CHAR: f64 = 6.9;
/// More operations than this are no picture; the last ones are kept, they end in the violation.
const OPS_MAX: usize = 40;

/// The lanes of a witness; empty where none of its operations is in the history.
pub(super) fn svg(timeline: &Timeline, witness: &Witness) -> String {
    let all = timeline.ops_at(&witness.operations);
    let ops = &all[all.len().saturating_sub(OPS_MAX)..];
    if ops.is_empty() {
        return String::new();
    }
    let axis = Axis::of(ops, timeline.clock);
    let faults = faults_within(timeline, ops);
    let rows = rows(ops, &axis, witness);
    let top = 26.0 + BAND * faults.len() as f64;
    let n_rows = rows.iter().map(|placed| placed.row + 1).max().unwrap_or(0);
    let bottom = top + ROW * n_rows as f64;
    let mut out = format!(
        r#"<svg class="witness" viewBox="0 0 {WIDTH} {:.0}" role="img" aria-label="{}">{FADE}"#,
        bottom + 10.0,
        escape(&witness.sentence)
    );
    draw_ticks(&mut out, &axis, timeline.clock, bottom);
    for (at, fault) in faults.iter().enumerate() {
        draw_fault(&mut out, fault, timeline.end, &axis, 24.0 + BAND * at as f64, bottom);
    }
    for placed in &rows {
        draw_op(&mut out, placed, top, witness.operations.last().copied(), timeline.clock);
    }
    draw_names(&mut out, &rows, top);
    out.push_str("</svg>");
    if ops.len() < all.len() {
        let _ =
            write!(out, "<p class=\"dim\">The last {} of {} operations.</p>", ops.len(), all.len());
    }
    out
}

/// Operations with an unknown outcome may still take effect: their bars fade out to the right.
const FADE: &str = r#"<defs><linearGradient id="fade"><stop offset="0" class="fade-from"/><stop offset="1" class="fade-to"/></linearGradient></defs>"#;

/// True times and their places, both ascending.
struct Axis(Vec<(u64, f64)>);

impl Axis {
    fn of(ops: &[&Op], clock: Clock) -> Axis {
        let mut times: Vec<u64> =
            ops.iter().flat_map(|op| [Some(op.start), op.end]).flatten().collect();
        times.sort_unstable();
        times.dedup();
        let gaps: Vec<f64> =
            times.windows(2).map(|pair| weight(pair[1] - pair[0], clock)).collect();
        // Room at both ends: before the first start, and for bars that fade.
        let scale = (RIGHT - LEFT) / (gaps.iter().sum::<f64>() + 1.5);
        let mut x = LEFT + 0.5 * scale;
        let mut stops = vec![(times[0], x)];
        for (time, gap) in times[1..].iter().zip(gaps) {
            x += gap * scale;
            stops.push((*time, x));
        }
        Axis(stops)
    }

    /// Where a time is drawn; times outside lie at the edges.
    fn x(&self, time: u64) -> f64 {
        let after = self.0.partition_point(|(at, _)| *at < time);
        match (after.checked_sub(1).map(|before| self.0[before]), self.0.get(after)) {
            (Some((t0, x0)), Some((t1, x1))) => {
                x0 + (x1 - x0) * (time - t0) as f64 / (t1 - t0) as f64
            }
            (None, Some((t1, x1))) => {
                if time < *t1 {
                    LEFT
                } else {
                    *x1
                }
            }
            (_, None) => RIGHT,
        }
    }
}

fn weight(gap: u64, clock: Clock) -> f64 {
    let short = match clock {
        Clock::Nanoseconds => 1e6,
        Clock::Events => 10.0,
    };
    1.0 + (1.0 + gap as f64 / short).log10()
}

/// An operation in its place.
struct Placed<'a> {
    op: &'a Op,
    x0: f64,
    x1: f64,
    row: usize,
    label: String,
}

/// A lane per client; a lane has more rows where labels would overlap.
fn rows<'a>(ops: &[&'a Op], axis: &Axis, witness: &Witness) -> Vec<Placed<'a>> {
    let mut clients: Vec<u64> = ops.iter().map(|op| op.client).collect();
    clients.sort_unstable();
    clients.dedup();
    let mut placed = Vec::new();
    let mut first = 0;
    for client in clients {
        let mut ends: Vec<f64> = Vec::new();
        for op in ops.iter().filter(|op| op.client == client) {
            let label = label(op, witness);
            let x0 = axis.x(op.start);
            let x1 = op.end.map_or(RIGHT, |end| axis.x(end)).max(x0 + 5.0);
            let (from, to) = label_span(x0, &label);
            let row = ends.iter().position(|end| *end < from).unwrap_or(ends.len());
            ends.resize(ends.len().max(row + 1), 0.0);
            ends[row] = to.max(x1) + CHAR;
            placed.push(Placed { op, x0, x1, row: first + row, label });
        }
        first += ends.len();
    }
    placed
}

fn label(op: &Op, witness: &Witness) -> String {
    let mut label = op.label.clone();
    if witness.key.is_none()
        && let Some(key) = &op.key
    {
        label = format!("{key} {label}");
    }
    match &op.node {
        Some(node) => format!("{label} · {node}"),
        None => label,
    }
}

/// From where to where a label reaches: it begins over its bar, or ends at the right edge.
fn label_span(x0: f64, label: &str) -> (f64, f64) {
    let width = label.chars().count() as f64 * CHAR;
    let from = x0.min(RIGHT - width).max(LEFT);
    (from, from + width)
}

fn draw_op(out: &mut String, placed: &Placed<'_>, top: f64, last: Option<u64>, clock: Clock) {
    let Placed { op, x0, x1, row, label } = placed;
    let y = top + ROW * *row as f64;
    let (from, _) = label_span(*x0, label);
    let culprit = if last == Some(op.index) { " culprit" } else { "" };
    let _ = write!(
        out,
        r#"<g class="op {}{culprit}"><title>{}</title><text x="{from:.1}" y="{:.1}">{}</text><rect x="{x0:.1}" y="{:.1}" width="{:.1}" height="13" rx="2.5"/>"#,
        kind(op.kind),
        escape(&title(op, clock)),
        y + 13.0,
        escape(label),
        y + 18.0,
        x1 - x0,
    );
    if op.kind == Kind::Info && *x1 < RIGHT {
        let _ = write!(
            out,
            r#"<rect class="tail" x="{x1:.1}" y="{:.1}" width="{:.1}" height="13"/>"#,
            y + 18.0,
            RIGHT - x1,
        );
    }
    out.push_str("</g>");
}

fn title(op: &Op, clock: Clock) -> String {
    let end = op.end.map_or("no answer".into(), |end| {
        format!("{} (took {})", clock.moment(end), clock.length(end - op.start))
    });
    let zxid = op.zxid.as_ref().map_or(String::new(), |zxid| format!("\nzxid {zxid}"));
    format!(
        "client {}: {}\nfrom {} to {end}{zxid}\n{} {}",
        op.client,
        op.label,
        clock.moment(op.start),
        clock.numbers(),
        op.number
    )
}

/// Each client's name, at its first row, and a line above it.
fn draw_names(out: &mut String, rows: &[Placed<'_>], top: f64) {
    let mut named = None;
    for placed in rows {
        if named == Some(placed.op.client) {
            continue;
        }
        named = Some(placed.op.client);
        let y = top + ROW * placed.row as f64;
        let _ = write!(
            out,
            r#"<line class="lane" x1="0" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}"/><text class="name" x="0" y="{:.1}">client {}</text>"#,
            y + 29.0,
            placed.op.client
        );
    }
}

/// The true time at as many stops as have room.
fn draw_ticks(out: &mut String, axis: &Axis, clock: Clock, bottom: f64) {
    let mut free = 0.0;
    for (time, x) in &axis.0 {
        let _ =
            write!(out, r#"<line class="tick" x1="{x:.1}" x2="{x:.1}" y1="18" y2="{bottom:.1}"/>"#);
        if *x >= free {
            let _ = write!(
                out,
                r#"<text class="time" x="{x:.1}" y="12">{}</text>"#,
                clock.moment(*time)
            );
            free = x + 74.0;
        }
    }
}

/// The faults in force at some time between the first start and the last end.
fn faults_within<'a>(timeline: &'a Timeline, ops: &[&Op]) -> Vec<&'a Fault> {
    let from = ops.iter().map(|op| op.start).min().unwrap_or(0);
    let to = ops.iter().filter_map(|op| op.end).max().unwrap_or(timeline.end);
    let overlaps = |fault: &&Fault| fault.start() <= to && fault.stop(timeline.end) >= from;
    timeline.faults.iter().filter(overlaps).collect()
}

fn draw_fault(out: &mut String, fault: &Fault, end: u64, axis: &Axis, y: f64, bottom: f64) {
    let (x0, x1) = (axis.x(fault.start()), axis.x(fault.stop(end)));
    let x1 = x1.max(x0 + 4.0);
    let _ = write!(
        out,
        r#"<g class="fault {}"><rect class="behind" x="{x0:.1}" y="{y:.1}" width="{width:.1}" height="{:.1}"/><rect x="{x0:.1}" y="{y:.1}" width="{width:.1}" height="15" rx="2.5"/><text x="{:.1}" y="{:.1}">{}</text></g>"#,
        super::sections::fault_class(fault),
        bottom - y,
        beside(x0, x1, &fault.what),
        y + 11.5,
        escape(&fault.what),
        width = x1 - x0,
    );
}

/// Where a band's label begins: within it, else behind it, else before it, wherever it has room.
fn beside(x0: f64, x1: f64, label: &str) -> f64 {
    let width = label.chars().count() as f64 * CHAR;
    match () {
        () if x0 + width + 10.0 <= x1 => x0 + 5.0,
        () if x1 + width + 5.0 <= RIGHT => x1 + 5.0,
        () => (x0 - width - 5.0).max(LEFT),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Ok | Kind::Invoke => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_drawn_where_it_has_room() {
        assert_eq!(beside(200.0, 400.0, "kill n1"), 205.0, "within its band");
        assert_eq!(beside(200.0, 210.0, "kill n1"), 215.0, "behind it");
        let before = beside(1060.0, 1070.0, "kill n1");
        assert!(before + 7.0 * CHAR < 1060.0, "before it, at the edge: {before}");
    }
}
