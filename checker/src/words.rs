//! Operations, times and numbers in words.

use history::{Action, Operation, Status};

use crate::verdict::Witness;

/// "client 5 read /r2 = 3000017 (version 7) on n3 at 12.31 s".
pub(crate) fn clause(op: &Operation) -> String {
    let at = seconds(op.end.unwrap_or(op.start));
    let node = op.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
    format!("client {} {}{node} at {at}", op.process, deed(op))
}

/// "client 2's write of 2000031 (version 8)".
pub(crate) fn noun(op: &Operation) -> String {
    let version = version(op);
    match &op.action {
        Action::Connect { node } => format!("client {}'s connection to {node}", op.process),
        Action::Read { .. } | Action::LocalRead { .. } => {
            format!("client {}'s read of {}{version}", op.process, integer(op.read))
        }
        Action::Write { value, .. } | Action::Cas { value, .. } => {
            format!("client {}'s write of {value}{version}", op.process)
        }
        Action::Znode(ask) => format!("client {}'s {ask}", op.process),
    }
}

/// "1.9 s", "12.31 s", "840 ms", "35 µs".
pub(crate) fn duration(nanos: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for the eye")]
    let nanos = nanos as f64;
    match nanos {
        n if n < 1e6 => format!("{:.0} µs", n / 1e3),
        n if n < 1e9 => format!("{:.0} ms", n / 1e6),
        n if n < 1e10 => format!("{:.1} s", n / 1e9),
        n => format!("{:.0} s", n / 1e9),
    }
}

/// A point in time: "12.31 s".
pub(crate) fn seconds(nanos: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for the eye")]
    let nanos = nanos as f64;
    format!("{:.2} s", nanos / 1e9)
}

/// "14,203".
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 leader change", "7 leader changes".
pub(crate) fn count(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(n))
}

/// What a read returned: the integer, or "nothing".
pub(crate) fn integer(value: Option<i64>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
}

/// ` (…; …)`, what else is to be known; nothing if there is nothing.
pub(crate) fn beside(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!(" ({})", others.join("; ")) }
}

/// A witness of something that no operation shows.
pub(crate) fn without_operations(sentence: String, window: (u64, u64)) -> Witness {
    let (operations, order) = (Vec::new(), Vec::new());
    Witness { sentence, key: None, operations, order, window, expected: None, got: None }
}

/// A witness made of operations, the one at fault last.
pub(crate) fn witness(sentence: String, operations: &[&Operation]) -> Witness {
    let from = operations.iter().map(|op| op.start).min().unwrap_or(0);
    let to = operations.iter().map(|op| op.end.unwrap_or(op.start)).max().unwrap_or(0);
    Witness {
        sentence,
        key: operations.last().and_then(|op| op.action.key()).map(ToString::to_string),
        operations: operations.iter().map(|op| op.invoke).collect(),
        order: Vec::new(),
        window: (from, to),
        expected: None,
        got: None,
    }
}

impl Witness {
    /// Adds what is allowed, and what was seen.
    pub(crate) fn contrast(mut self, expected: String, got: String) -> Witness {
        self.expected = Some(expected);
        self.got = Some(got);
        self
    }
}

fn deed(op: &Operation) -> String {
    let version = version(op);
    match &op.action {
        Action::Connect { node } => format!("connected to {node}"),
        Action::Read { key } => format!("read {key} = {}{version}", integer(op.read)),
        Action::LocalRead { key } => {
            format!("read {key} = {}{version} without sync", integer(op.read))
        }
        Action::Cas { key, expected, .. } if op.is_bad_version() => {
            format!("was told that {key} is not at version {expected}")
        }
        Action::Write { key, value } | Action::Cas { key, value, .. } => {
            format!("wrote {key} = {value}{version}")
        }
        Action::Znode(ask) => match (&op.error, op.status) {
            (Some(error), Status::Fail) => format!("was refused ({error}): {ask}"),
            (_, Status::Unknown) => format!("did not learn what came of: {ask}"),
            _ => format!("did: {ask}"),
        },
    }
}

fn version(op: &Operation) -> String {
    op.stat.map_or_else(String::new, |stat| format!(" (version {})", stat.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 999, 1_000, 14_203, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "14,203", "1,234,567"]);
    }

    #[test]
    fn durations_have_two_digits_or_so() {
        let texts = [35_000, 840_000_000, 1_900_000_000, 12_310_000_000].map(duration);
        assert_eq!(texts, ["35 µs", "840 ms", "1.9 s", "12 s"]);
        assert_eq!(seconds(12_310_000_000), "12.31 s");
    }
}
