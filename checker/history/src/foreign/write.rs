//! Histories for other checkers.

use std::io::{self, Write};

use serde_json::json;

use super::record::MARKER;
use super::{Datum, Deed, Foreign, Format};
use crate::operation::Status;

/// Can the form say what the history says?
///
/// # Errors
/// When it cannot: why, and which form can.
pub fn writable(foreign: &Foreign, format: Format) -> Result<(), String> {
    if foreign.deeds.is_empty() {
        let left_out = foreign.left_out.join(", ");
        let why = if left_out.is_empty() { String::new() } else { format!(" ({left_out})") };
        return Err(format!("the history has nothing that another checker could judge{why}"));
    }
    if format == Format::Log && foreign.deeds.iter().any(|deed| deed.key.is_some()) {
        return Err("the form log has one register and no keys; say --to edn or kv".to_owned());
    }
    Ok(())
}

/// Writes a history in another form, one that is [`writable`]. Deeds by several keys become
/// Jepsen's pairs of key and value in EDN, a field `key` elsewhere; failures repeat what was
/// invoked, as Knossos wants; open invocations stay open.
///
/// # Errors
/// When a line cannot be written, or the form cannot say what the history says.
pub fn write(foreign: &Foreign, format: Format, out: &mut dyn Write) -> io::Result<()> {
    writable(foreign, format).map_err(io::Error::other)?;
    for (index, (_, deed, invoked)) in events(foreign).into_iter().enumerate() {
        write_event(out, format, index, deed, invoked)?;
    }
    Ok(())
}

/// Invocations and completions, in order.
fn events(foreign: &Foreign) -> Vec<(u64, &Deed, bool)> {
    let invocations = foreign.deeds.iter().map(|deed| (deed.invoke, deed, true));
    let completions = foreign.deeds.iter().filter_map(|deed| Some((deed.complete?, deed, false)));
    let mut events: Vec<_> = invocations.chain(completions).collect();
    events.sort_unstable_by_key(|event| event.0);
    events
}

fn write_event(
    out: &mut dyn Write,
    format: Format,
    index: usize,
    deed: &Deed,
    invoked: bool,
) -> io::Result<()> {
    let kind = if invoked { "invoke" } else { kind(deed.status) };
    let value = if invoked { &deed.asked } else { deed.told() };
    let error = deed.error.as_ref().filter(|_| !invoked);
    let Deed { process, f, .. } = deed;
    match format {
        Format::Edn => {
            let value = match &deed.key {
                Some(key) => Datum::List(vec![key.clone(), value.clone()]),
                None => value.clone(),
            };
            let error = error.map_or_else(String::new, |error| format!(", :error {error}"));
            writeln!(
                out,
                "{{:index {index}, :process {process}, :type :{kind}, :f :{f}, :value {value}{error}}}"
            )
        }
        Format::Kv => {
            let key = deed.key.clone().unwrap_or_else(|| Datum::Text("0".to_owned()));
            let key = text(key);
            let value = if *value == Datum::Nil { Datum::Nil } else { text(value.clone()) };
            writeln!(
                out,
                "{{:process {process}, :type :{kind}, :f :{f}, :key {key}, :value {value}}}"
            )
        }
        Format::Log => {
            let unknown = kind == "info";
            let value =
                if unknown { Datum::Keyword("timed-out".to_owned()) } else { value.clone() };
            writeln!(out, "INFO  {MARKER}{process}\t:{kind}\t:{f}\t{value}")
        }
        Format::Json => {
            let mut event = json!({
                "index": index, "process": process, "type": kind, "f": f, "value": value.to_json(),
            });
            if let Some(key) = &deed.key {
                event["key"] = key.to_json();
            }
            if let Some(error) = error {
                event["error"] = error.to_json();
            }
            writeln!(out, "{event}")
        }
    }
}

fn kind(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Fail => "fail",
        Status::Unknown => "info",
    }
}

/// Porcupine's map has strings.
fn text(datum: Datum) -> Datum {
    match datum {
        Datum::Text(text) => Datum::Text(text),
        other => Datum::Text(other.to_string()),
    }
}
