//! What a run would do, as JSON lines: `{"settings":…}`, `{"fault":…}` each, `{"client":…,"op":…}`
//! each.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use history::Settings;
use nemesis::{Kind, Scheduled};
use serde_json::json;
use workloads::Register;

use super::output::to_stdout;

/// Prints the settings, the schedule of faults, and the first `n_ops` operations of each client.
pub(super) fn print(settings: &Settings, n_ops: usize) -> anyhow::Result<()> {
    let schedule = schedule(settings)?;
    to_stdout(|out| {
        line(out, &json!({ "settings": settings }))?;
        schedule.iter().try_for_each(|fault| line(out, &json!({ "fault": fault })))?;
        operations(out, settings, n_ops)
    })
    .context("standard output")
}

fn schedule(settings: &Settings) -> anyhow::Result<Vec<Scheduled>> {
    let kinds: Vec<Kind> =
        settings.faults.iter().map(|kind| kind.parse()).collect::<Result<_, _>>()?;
    let time = Duration::from_secs_f64(settings.time_s);
    let interval = Duration::from_secs_f64(settings.interval_s);
    Ok(nemesis::schedule::generate(settings.seed, &kinds, time, interval))
}

fn operations(out: &mut dyn Write, settings: &Settings, n_ops: usize) -> io::Result<()> {
    let keys: Vec<String> = (0..settings.keys).map(|key| format!("/r{key}")).collect();
    for client in 0..settings.clients as u64 {
        for op in Register::new(settings.seed, client, &keys).take(n_ops) {
            line(out, &json!({ "client": client, "op": op }))?;
        }
    }
    Ok(())
}

fn line(out: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    writeln!(out, "{value}")
}
