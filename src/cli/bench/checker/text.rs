//! Histories as `porcupine.go` reads them.

use std::io::{self, Write};

use checker::engine::plain::{Op, Ret};

use super::generate::History;

/// A line a call; keys are numbered.
pub(super) fn write(history: &History, mut out: impl Write) -> io::Result<()> {
    for (key, calls) in history.iter().enumerate() {
        for call in calls {
            let (f, x, y) = match call.op {
                Op::Read => (0, 0, 0),
                Op::Write(value) => (1, value, 0),
                Op::Cas { expected, value } => (2, expected, value),
            };
            let (result, value) = match call.ret {
                None => (0, 0),
                Some(Ret::Value(value)) => (1, value.unwrap_or(-1)),
                Some(Ret::Written) => (2, 0),
                Some(Ret::Differs) => (3, 0),
            };
            let end = call.end.map_or(-1, u64::cast_signed);
            writeln!(out, "{key} {} {end} {f} {x} {y} {result} {value}", call.start)?;
        }
    }
    out.flush()
}
