//! Results as people read them: columns on a terminal, and Markdown for a page. Pure.

use std::fmt::Write;

use super::results::{
    BareResult, CellResult, Figure, Machine, Results, Sample, Sides, median, spread,
};
use crate::report::words::count;

/// Columns and notes, for a terminal.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut out = format!("{}\n", describe(&results.machine));
    for table in tables(results) {
        write!(out, "\n{}", table.text()).expect("a string takes everything");
    }
    out
}

/// The same, to paste into a page.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut out = String::new();
    for table in tables(results) {
        writeln!(out, "{}", table.markdown()).expect("a string takes everything");
    }
    out + &describe(&results.machine) + "\n"
}

/// `AMD EPYC, 2 processors, Linux 6.1; 4 KiB + fdatasync 1.85 ms.`
fn describe(machine: &Machine) -> String {
    let processor = machine.processor.as_deref().unwrap_or("an unknown processor");
    let Machine { cores, kernel, fdatasync_ms, .. } = machine;
    let debug = if machine.optimized { "" } else { " DEBUG BUILD: these figures mean nothing." };
    format!(
        "{processor}, {cores} processors, Linux {kernel}; 4 KiB and fdatasync take \
         {fdatasync_ms:.2} ms.{debug}"
    )
}

fn tables(results: &Results) -> Vec<Table> {
    let zookeeper = match &results.machine.zookeeper {
        Some(version) => format!("ZooKeeper {version}"),
        None => "ZooKeeper".to_owned(),
    };
    let mut tables = Vec::new();
    if !results.cells.is_empty() {
        tables.push(cells(results, &zookeeper));
    }
    if !results.figures.is_empty() {
        tables.push(figures(&results.figures, &zookeeper));
    }
    tables
}

fn cells(results: &Results, zookeeper: &str) -> Table {
    let both = results.cells.iter().any(|cell| cell.rounds.zookeeper.is_some());
    let mut head = vec!["operation".to_owned(), "clients".to_owned()];
    let columns = ["/s", "ratio", "p50 ms", "p99 ms", "p99 ratio", "CPU µs", "spread"];
    head.extend(columns.map(str::to_owned));
    let whose = if both { format!("Ours : {zookeeper}'s. ") } else { String::new() };
    let note = format!(
        "{whose}CPU: of the servers, for an operation. How: {}. {}",
        results.how,
        busiest(results)
    ) + &bare(&results.bare);
    let rows = results.cells.iter().map(cell).collect();
    Table { head, rows, hows: Vec::new(), note }.without_empty_columns()
}

fn cell(result: &CellResult) -> Vec<String> {
    let of =
        |field: fn(&Sample) -> f64| result.rounds.map(|samples| median(samples.iter().map(field)));
    let per_second = of(|sample| sample.per_second);
    let p99 = of(|sample| sample.p99_ms);
    let spreads = result
        .rounds
        .map(|samples| spread(&samples.iter().map(|sample| sample.per_second).collect::<Vec<_>>()));
    vec![
        result.cell.operation(),
        result.cell.shape.to_string(),
        pair(per_second, |rate| count(rate.round() as u64)),
        ratio(per_second.theirs_by_ours().map(|theirs| 1.0 / theirs)),
        pair(of(|sample| sample.p50_ms), three_digits),
        pair(p99, three_digits),
        ratio(p99.theirs_by_ours().map(|theirs| 1.0 / theirs)),
        pair(of(|sample| sample.server_cpu_us), three_digits),
        pair(spreads, |spread| format!("{:.0} %", spread * 100.0)),
    ]
}

/// A load program at its limit would make both targets look alike.
fn busiest(results: &Results) -> String {
    let samples = results
        .cells
        .iter()
        .flat_map(|cell| cell.rounds.zoobreak.iter().chain(cell.rounds.zookeeper.iter().flatten()));
    let cores = samples.map(|sample| sample.load_cores).fold(0.0, f64::max);
    format!("The load program used at most {cores:.2} processors.")
}

/// ` Three servers that keep nothing and only answer: getData 100 B 50×1 160,000/s, p99 2.00 ms.`
fn bare(results: &[BareResult]) -> String {
    let rates = results.iter().map(|BareResult { cell, per_second, p99_ms }| {
        let rate = count(median(per_second.iter().copied()).round() as u64);
        let p99 = three_digits(median(p99_ms.iter().copied()));
        format!("{cell} {rate}/s, p99 {p99} ms")
    });
    match rates.collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        rates => format!(" Three servers that keep nothing and only answer: {}.", rates.join("; ")),
    }
}

fn figures(figures: &[Figure], zookeeper: &str) -> Table {
    let head = ["", "median", "ratio", "spread"].map(str::to_owned).to_vec();
    let both = figures.iter().any(|figure| figure.values.zookeeper.is_some());
    let note = if both { format!("Ours : {zookeeper}'s.") } else { String::new() };
    let rows = figures.iter().map(figure).collect();
    let hows = figures.iter().map(|figure| figure.how.clone()).collect();
    Table { head, rows, hows, note }.without_empty_columns()
}

fn figure(figure: &Figure) -> Vec<String> {
    let medians = figure.values.map(|values| median(values.iter().copied()));
    vec![
        figure.what.clone(),
        format!("{} {}", pair(medians, three_digits), figure.unit),
        ratio(medians.theirs_by_ours().map(|theirs| 1.0 / theirs)),
        pair(figure.values.map(|values| spread(values)), |spread| {
            format!("{:.0} %", spread * 100.0)
        }),
    ]
}

fn pair(sides: Sides<f64>, show: impl Fn(f64) -> String) -> String {
    match sides.zookeeper {
        Some(theirs) => format!("{} : {}", show(sides.zoobreak), show(theirs)),
        None => show(sides.zoobreak),
    }
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{}×", three_digits(ratio)))
}

fn three_digits(x: f64) -> String {
    match x {
        100.0.. => format!("{x:.0}"),
        10.0.. => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// How each row was got; or none, where the note says it for all.
    hows: Vec<String>,
    note: String,
}

impl Table {
    fn without_empty_columns(mut self) -> Table {
        let full: Vec<bool> = (0..self.head.len())
            .map(|column| self.rows.iter().any(|row| !row[column].is_empty()))
            .collect();
        for row in self.rows.iter_mut().chain([&mut self.head]) {
            let mut full = full.iter();
            row.retain(|_| *full.next().expect("one for each column"));
        }
        self
    }

    fn text(&self) -> String {
        let lines = || [&self.head].into_iter().chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| lines().map(|line| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut out = align(&self.head, &widths);
        for (n, row) in self.rows.iter().enumerate() {
            out += &align(row, &widths);
            out += &self.hows.get(n).map_or_else(String::new, |how| wrap(how, "    "));
        }
        out + &wrap(&self.note, "")
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let (mut head, mut rows) = (self.head.clone(), self.rows.clone());
        if !self.hows.is_empty() {
            head.push("how".to_owned());
            rows.iter_mut().zip(&self.hows).for_each(|(row, how)| row.push(how.clone()));
        }
        let rule = format!("|{}\n", "--|".repeat(head.len()));
        let rows: String = rows.iter().map(|row| line(row)).collect();
        line(&head) + &rule + &rows + "\n" + &self.note + "\n"
    }
}

/// The first column is text, the others numbers.
fn align(line: &[String], widths: &[usize]) -> String {
    let aligned = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        let spaces = " ".repeat(width - cell.chars().count());
        if column == 0 { format!("{cell}{spaces}") } else { format!("{spaces}{cell}") }
    });
    aligned.collect::<Vec<_>>().join("  ") + "\n"
}

/// Lines of at most [`WIDTH`] characters, unless a word is longer.
fn wrap(text: &str, indent: &str) -> String {
    let (mut out, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.chars().count() + word.chars().count() >= WIDTH {
            writeln!(out, "{indent}{line}").expect("a string takes everything");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    if !line.is_empty() {
        writeln!(out, "{indent}{line}").expect("a string takes everything");
    }
    out
}

const WIDTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Sample, default_cells};

    fn results(both: bool) -> Results {
        let sample =
            |per_second| Sample { per_second, p50_ms: 1.0, p99_ms: 8.0, ..Sample::default() };
        let rounds = Sides {
            zoobreak: vec![sample(59_000.0), sample(61_000.0)],
            zookeeper: both.then(|| vec![sample(20_000.0), sample(20_000.0)]),
        };
        let values = Sides { zoobreak: vec![20.0], zookeeper: both.then(|| vec![800.0]) };
        let how = "weighed ".repeat(30);
        Results {
            machine: Machine {
                processor: Some("A Z80".to_owned()),
                cores: 2,
                kernel: "6.1".to_owned(),
                fdatasync_ms: 1.5,
                zookeeper: both.then(|| "3.8.0".to_owned()),
                optimized: true,
            },
            how: "counted".to_owned(),
            cells: vec![CellResult { cell: default_cells()[2], rounds }],
            bare: vec![BareResult {
                cell: default_cells()[10],
                per_second: vec![160_000.0],
                p99_ms: vec![2.0],
            }],
            figures: vec![Figure { what: "memory".to_owned(), unit: "MB", how, values }],
        }
    }

    #[test]
    fn both_sides_stand_beside_each_other_with_their_ratio() {
        let text = text(&results(true));
        assert!(text.contains("60,000 : 20,000  3.00×"), "{text}");
        assert!(text.contains("20.0 : 800 MB  0.03×"), "{text}");
        assert!(text.contains("Ours : ZooKeeper 3.8.0's."), "{text}");
        let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flowing.contains("only answer: getData 100 B 50×1 160,000/s, p99 2.00 ms."),
            "{text}"
        );
        assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
    }

    #[test]
    fn one_side_alone_has_no_ratios() {
        let text = text(&results(false));
        assert!(text.contains("60,000"), "{text}");
        assert!(!text.contains(" ratio"), "{text}");
        assert!(!text.contains(" : "), "{text}");
    }

    #[test]
    fn markdown_has_as_many_cells_in_each_line_of_a_table() {
        let page = markdown(&results(true));
        let tables = page.split("\n\n").filter(|part| part.starts_with('|'));
        for table in tables {
            let widths: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
            assert!(widths.len() == 3 && widths.iter().all(|n| *n == widths[0]), "{page}");
        }
        assert!(page.contains("| create 100 B | 50×32 | 60,000 : 20,000 | 3.00× |"), "{page}");
        assert!(page.contains("| how |"), "{page}");
    }

    #[test]
    fn a_debug_build_says_so() {
        let mut results = results(false);
        results.machine.optimized = false;
        assert!(text(&results).contains("DEBUG BUILD"));
    }
}
