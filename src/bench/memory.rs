//! Memory of three servers after the same work for each target.

use anyhow::{Context, Result};
use workloads::{Amount, Load, Work, load};

use super::ensemble::{Ensemble, name};
use super::results::{Figure, Sides};
use super::site::Site;
use super::{PATIENCE, Plan, say, usage};

const CLIENTS: usize = 50;
const DEPTH: usize = 32;
const DATA_LEN: usize = 100;
/// For each client.
const WORK: [(Work, u64); 3] =
    [(Work::Create, 2_000), (Work::SetData, 4_000), (Work::GetData, 10_000)];

/// Resident memory, and the part of it that no file holds.
pub(super) async fn measure(plan: &Plan, site: &Site) -> Result<[Figure; 2]> {
    let mut resident: Sides<Vec<f64>> = Sides::of(&plan.targets);
    let mut anonymous = resident.clone();
    for target in &plan.targets {
        say(&format!("{}: memory", name(*target)));
        let dir = site.directory(&format!("memory-{}", name(*target)))?;
        let mut ensemble = Ensemble::of_three(*target, &dir).await?;
        for (work, requests) in WORK {
            burden(&ensemble, work, requests).await.with_context(|| name(*target))?;
        }
        ensemble.look_for_exits()?;
        for pid in ensemble.pids() {
            let memory = usage::memory(pid)?;
            resident.side(*target).push(megabytes(memory.resident));
            anonymous.side(*target).push(megabytes(memory.anonymous));
        }
    }
    let figure =
        |what: &str, values| Figure { what: what.to_owned(), unit: "MB", how: how(), values };
    Ok([figure("resident memory of a server", resident), figure("of it, anonymous", anonymous)])
}

fn how() -> String {
    let requests = WORK.map(|(work, requests)| format!("{} {work}", requests * CLIENTS as u64));
    format!(
        "VmRSS and RssAnon in /proc/PID/status of the three servers right after {} of {DATA_LEN} B, \
         from {CLIENTS}×{DEPTH} clients",
        requests.join(", ")
    )
}

async fn burden(ensemble: &Ensemble, work: Work, requests: u64) -> Result<()> {
    let wanted = Load {
        servers: ensemble.servers(),
        clients: CLIENTS,
        depth: DEPTH,
        work,
        root: "/memory".to_owned(),
        data_len: DATA_LEN,
        amount: Amount::Requests(vec![requests; CLIENTS]),
        patience: PATIENCE,
    };
    load(&wanted).await?;
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
