//! What a run would do, as JSON lines: `{"settings":…}`, `{"fault":…}` each, `{"client":…,"op":…}`
//! each.

use std::io::{self, Write};

use anyhow::Context;
use history::Settings;
use serde::Serialize;
use serde_json::json;
use workloads::{Register, Workload, Znodes};

use super::output::to_stdout;
use crate::{plan, run};

/// Prints the settings, the schedule of faults, and the first `n_ops` operations of each client.
pub(super) fn print(settings: &Settings, n_ops: usize) -> anyhow::Result<()> {
    let schedule = run::schedule(settings)?;
    to_stdout(|out| {
        line(out, &json!({ "settings": settings }))?;
        schedule.iter().try_for_each(|fault| line(out, &json!({ "fault": fault })))?;
        operations(out, settings, n_ops)
    })
    .context("standard output")
}

fn operations(out: &mut dyn Write, settings: &Settings, n_ops: usize) -> io::Result<()> {
    let keys = plan::znodes(settings);
    for client in 0..settings.clients as u64 {
        match plan::workload(settings) {
            Workload::Register => {
                let ops = Register::new(settings.seed, client, &keys);
                steps(out, client, ops.take(n_ops))?;
            }
            Workload::Znodes => {
                let ops = Znodes::new(settings.seed, client, &keys);
                steps(out, client, ops.take(n_ops))?;
            }
        }
    }
    Ok(())
}

fn steps(
    out: &mut dyn Write,
    client: u64,
    mut steps: impl Iterator<Item = impl Serialize>,
) -> io::Result<()> {
    steps.try_for_each(|op| line(out, &json!({ "client": client, "op": op })))
}

fn line(out: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    writeln!(out, "{value}")
}
