//! How long a server takes to start with much data.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use history::Target;
use tokio::time::Instant;
use workloads::{Amount, Load, Retrying, Work, load};

use super::ensemble::{Ensemble, name};
use super::results::{Figure, Sides};
use super::site::Site;
use super::{PATIENCE, Plan, say};
use crate::report::words::count;

const CLIENTS: u64 = 50;
const DEPTH: usize = 32;
const DATA_LEN: usize = 100;
const ROOT: &str = "/startup";

/// From the start of the process to its first answer.
pub(super) async fn measure(plan: &Plan, site: &Site) -> Result<Figure> {
    let mut sides = Vec::new();
    for target in &plan.targets {
        sides.push(Side::build(*target, plan, site).await.with_context(|| name(*target))?);
    }
    let mut values: Sides<Vec<f64>> = Sides::of(&plan.targets);
    for trial in 1..=plan.trials {
        for side in &mut sides {
            let ms = side.start().await.with_context(|| name(side.target))?;
            say(&format!("start {trial}/{}: {} {ms:.0} ms", plan.trials, name(side.target)));
            values.side(side.target).push(ms);
        }
    }
    let znodes = count(per_client(plan) * CLIENTS);
    let how = format!(
        "{trials} trials; one server, killed right after {znodes} creates of {DATA_LEN} B, with the \
         snapshots and the log that it has then, its files in the page cache; from its start until \
         it has answered a read; a new copy of the files for each trial",
        trials = plan.trials,
    );
    Ok(Figure { what: format!("start with {znodes} znodes"), unit: "ms", how, values })
}

/// Every client creates as many.
fn per_client(plan: &Plan) -> u64 {
    plan.znodes.div_ceil(CLIENTS)
}

/// A server that does not run, and two copies of its data.
struct Side {
    target: Target,
    server: Ensemble,
    /// Of the last client, which has been answered last or nearly so.
    last_znode: String,
}

impl Side {
    async fn build(target: Target, plan: &Plan, site: &Site) -> Result<Side> {
        let per_client = per_client(plan);
        say(&format!("{}: creating {} znodes", name(target), per_client * CLIENTS));
        let dir = site.directory(&format!("startup-{}", name(target)))?;
        let mut server = Ensemble::new(target, &dir, 1)?;
        server.start(0)?;
        server.settle().await?;
        load(&Load {
            servers: server.servers(),
            clients: CLIENTS as usize,
            depth: DEPTH,
            work: Work::Create,
            root: ROOT.to_owned(),
            data_len: DATA_LEN,
            amount: Amount::Requests(vec![per_client; CLIENTS as usize]),
            patience: PATIENCE,
        })
        .await?;
        server.look_for_exits()?;
        server.end(0)?;
        let data = server.data(0);
        fs::rename(&data, pristine(&data)).with_context(|| data.display().to_string())?;
        let last_znode = format!("{ROOT}/{}-{}", CLIENTS - 1, per_client - 1);
        Ok(Side { target, server, last_znode })
    }

    /// Milliseconds.
    async fn start(&mut self) -> Result<f64> {
        self.restore_data()?;
        let start = Instant::now();
        self.server.start(0)?;
        let mut client = Retrying::new(self.server.servers(), 0);
        let read = client.read(&self.last_znode, DATA_LEN, PATIENCE).await;
        let elapsed = start.elapsed();
        self.server.look_for_exits()?;
        read?;
        self.server.end(0)?;
        Ok(elapsed.as_secs_f64() * 1e3)
    }

    fn restore_data(&self) -> Result<()> {
        let data = self.server.data(0);
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| data.display().to_string())?;
        }
        copy(&pristine(&data), &data)?;
        // What is still to be written must not burden the start.
        nix::unistd::sync();
        Ok(())
    }
}

fn pristine(data: &Path) -> std::path::PathBuf {
    data.with_extension("pristine")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-r").args([from, to]).status().context("cp")?;
    if !status.success() {
        bail!("cp -r {} {}: {status}", from.display(), to.display());
    }
    Ok(())
}
