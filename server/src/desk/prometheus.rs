//! The figures in Prometheus' text format, under the names that ZooKeeper's provider gives them.

use std::fmt::Write;

use super::variables::Variable;

/// One scrape. Text that is no number is left out; the server's mode becomes a label.
pub(super) fn page(variables: &[(&'static str, Variable)]) -> String {
    let mut text = String::new();
    for (name, variable) in variables {
        let line = match variable {
            Variable::Text(mode) if *name == "server_state" => {
                format!("# TYPE server_state gauge\nserver_state{{mode=\"{mode}\"}} 1\n")
            }
            Variable::Text(_) => continue,
            Variable::Counter(value) => format!("# TYPE {name} counter\n{name} {value}\n"),
            Variable::Gauge(value) => format!("# TYPE {name} gauge\n{name} {value}\n"),
            Variable::Summary(summary) => format!(
                "# TYPE {name} summary\n{name}_count {}\n{name}_sum {}\n",
                summary.count(),
                summary.sum_ms()
            ),
        };
        text.write_str(&line).expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Summary;
    use std::time::Duration;

    #[test]
    fn every_kind_has_its_lines() {
        let mut fsync = Summary::default();
        fsync.add(Duration::from_micros(1500));
        let page = page(&[
            ("server_state", Variable::Text("leader".to_owned())),
            ("version", Variable::Text("3".to_owned())),
            ("znode_count", Variable::Gauge(5.0)),
            ("commit_count", Variable::Counter(7)),
            ("fsynctime", Variable::Summary(fsync)),
        ]);
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "server_state{mode=\"leader\"} 1",
                "znode_count 5",
                "commit_count 7",
                "fsynctime_count 1",
                "fsynctime_sum 1.5",
            ]
        );
    }
}
