//! Histories from elsewhere that make no sense are refused with file, line and field, whatever their
//! form; what is repaired is said.

use std::fs;

use history::Status;
use history::foreign::{FORMATS, Foreign, Format, Options, read};

/// One event; `more` are further fields, as EDN has them.
fn event(format: Format, process: &str, kind: &str, f: &str, more: &[(&str, &str)]) -> String {
    let fields = [("process", process), ("type", kind), ("f", f), ("value", "nil")];
    let fields =
        fields.into_iter().chain(more.iter().copied()).filter(|(_, text)| !text.is_empty());
    let keyword = |name: &str| ["type", "f"].contains(&name);
    match format {
        Format::Log => {
            let word = |(name, text): (&str, &str)| {
                if keyword(name) { format!(":{text}") } else { text.to_owned() }
            };
            let words: Vec<_> = fields.map(word).collect();
            format!("INFO  jepsen.util - {}\n", words.join("\t"))
        }
        Format::Json => {
            let pair = |(name, text): (&str, &str)| {
                let text = text.replace("nil", "null");
                let quote = if keyword(name) { "\"" } else { "" };
                format!("\"{name}\": {quote}{text}{quote}")
            };
            format!("{{{}}}\n", fields.map(pair).collect::<Vec<_>>().join(", "))
        }
        Format::Edn | Format::Kv => {
            let pair = |(name, text): (&str, &str)| {
                format!(":{name} {}{text}", if keyword(name) { ":" } else { "" })
            };
            let key = if format == Format::Kv { ", :key \"x\"" } else { "" };
            format!("{{{}{key}}}\n", fields.map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn reading(format: Format, text: &str) -> Result<Foreign, String> {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history");
    fs::write(&path, text).expect("an empty scratch directory");
    let options = Options { format: Some(format), keyed: false };
    read(&path, options).map_err(|error| {
        let named = format!("{}:", path.display());
        let text = error.to_string();
        text.strip_prefix(&named).unwrap_or_else(|| panic!("{text} names no file")).to_owned()
    })
}

/// Is it refused at this line, with these words?
fn refused(format: Format, text: &str, line: usize, part: &str) {
    let message = reading(format, text).expect_err(text);
    let place = format!("{line}: ");
    assert!(message.starts_with(&place) && message.contains(part), "{text}gives {message}");
}

fn every_format(check: impl Fn(Format)) {
    FORMATS.into_iter().for_each(|(_, format)| check(format));
}

/// Logs have lines of words, without names for them.
fn every_format_with_fields(check: impl Fn(Format)) {
    [Format::Edn, Format::Json, Format::Kv].into_iter().for_each(check);
}

#[test]
fn a_client_has_one_operation_at_a_time() {
    every_format(|format| {
        let invoke = event(format, "0", "invoke", "read", &[]);
        let open = "field `type`: client 0 invokes while its operation of line 1 is open";
        refused(format, &invoke.repeat(2), 2, open);
    });
}

#[test]
fn what_was_not_invoked_does_not_complete() {
    every_format(|format| {
        let invoke = event(format, "0", "invoke", "read", &[]);
        let other = event(format, "1", "ok", "read", &[]);
        refused(format, &(invoke.clone() + &other), 2, "field `type`: client 1 completes");
        let again = event(format, "0", "fail", "read", &[]);
        refused(format, &(invoke + &again.repeat(2)), 3, "field `type`: client 0 completes");
    });
}

#[test]
fn a_completion_is_of_the_operation_that_was_invoked() {
    every_format(|format| {
        let invoke = event(format, "0", "invoke", "read", &[]);
        let other = event(format, "0", "ok", "write", &[]);
        refused(format, &(invoke + &other), 2, "field `f`: found \"write\"");
    });
}

#[test]
fn repeated_indices_are_refused_and_missing_ones_are_as_after_a_filter() {
    every_format_with_fields(|format| {
        let indexed = |kind, index| event(format, "0", kind, "read", &[("index", index)]);
        let first = indexed("invoke", "7");
        let repeated = "events are repeated or out of order";
        refused(format, &(first.clone() + &indexed("ok", "7")), 2, repeated);
        refused(format, &(first.clone() + &indexed("ok", "6")), 2, "field `index`: 6 after 7");
        refused(format, &indexed("invoke", "\"7\""), 1, "field `index`: expected a whole number");
        let sparse = reading(format, &(first + &indexed("ok", "70"))).expect("as after a filter");
        assert_eq!(sparse.deeds[0].status, Status::Ok);
    });
}

#[test]
fn time_goes_back_only_where_an_index_says_the_order() {
    every_format_with_fields(|format| {
        let timed = |kind, fields: &[_]| event(format, "0", kind, "read", fields);
        let first = timed("invoke", &[("time", "50")]);
        let back = first.clone() + &timed("ok", &[("time", "49")]);
        refused(format, &back, 2, "field `time`: 49 is before the last event's 50");
        assert!(reading(format, &(first + &timed("ok", &[("time", "50")]))).is_ok());
        let first = timed("invoke", &[("time", "50"), ("index", "0")]);
        let indexed = first + &timed("ok", &[("time", "49"), ("index", "1")]);
        assert!(reading(format, &indexed).is_ok(), "two threads took the time");
    });
}

#[test]
fn fields_are_there_and_of_their_type() {
    every_format_with_fields(|format| {
        refused(format, &event(format, "", "invoke", "read", &[]), 1, "field `process`: missing");
        refused(format, &event(format, "0", "", "read", &[]), 1, "field `type`: missing");
        refused(format, &event(format, "0", "invoke", "", &[]), 1, "field `f`");
    });
    every_format(|format| {
        let wrong = [
            (event(format, "1.5", "invoke", "read", &[]), "field `process`: expected a client's"),
            (event(format, "-1", "invoke", "read", &[]), "field `process`: expected a client's"),
            (event(format, "[0]", "invoke", "read", &[]), "field `process`: expected a client's"),
            (event(format, "0", "begin", "read", &[]), "field `type`: expected invoke, ok, fail"),
        ];
        let good = event(format, "9", "invoke", "read", &[]);
        for (bad, part) in wrong {
            refused(format, &(good.clone() + &bad), 2, part);
        }
    });
    for (line, part) in
        [("0", "`type`: missing"), ("0 :ok", "`f`: missing"), ("0 :ok :f", "`value`")]
    {
        refused(Format::Log, &format!("INFO  jepsen.util - {line}\n"), 1, part);
    }
}

#[test]
fn a_last_line_cut_anywhere_is_dropped_and_said() {
    every_format(|format| {
        let invoke = event(format, "0", "invoke", "read", &[]);
        let ok = event(format, "0", "ok", "read", &[]).replace("nil", "12");
        let from = if format == Format::Log { "INFO  jepsen.util - ".len() } else { 1 };
        for cut in from..ok.trim_end().len() {
            let text = invoke.clone() + &ok[..cut];
            let history = reading(format, &text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let stated = history.cut.is_some_and(|cut| cut.contains("line 2"));
            assert!(stated, "{text}");
            assert_eq!(history.deeds[0].status, Status::Unknown, "{text}");
        }
    });
}

#[test]
fn garbage_is_refused_where_it_begins() {
    every_format(|format| {
        let good = event(format, "0", "invoke", "read", &[]);
        let marked = if format == Format::Log { "INFO  jepsen.util - " } else { "" };
        for garbage in ["]]]]", "\u{1}\u{2}\u{3}", "12x4", ":"] {
            let text = format!("{good}{marked}{garbage}\n{good}");
            let message = reading(format, &text).expect_err(&text);
            assert!(message.starts_with("2: ") || message.starts_with("3: "), "{text}: {message}");
        }
    });
}
