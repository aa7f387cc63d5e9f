//! How long nobody can write after the leader is killed.

use anyhow::{Context, Result};
use tokio::time::Instant;
use workloads::Retrying;

use super::ensemble::{Ensemble, name};
use super::results::{Figure, Sides};
use super::site::Site;
use super::{PATIENCE, Plan, say};

const ZNODE: &str = "/failover";

/// The first acknowledged write after `kill -9` of the leader.
pub(super) async fn measure(plan: &Plan, site: &Site) -> Result<Figure> {
    let mut sides = Vec::new();
    for target in &plan.targets {
        let dir = site.directory(&format!("failover-{}", name(*target)))?;
        sides.push((*target, Ensemble::of_three(*target, &dir).await?));
    }
    let mut values: Sides<Vec<f64>> = Sides::of(&plan.targets);
    for trial in 1..=plan.trials {
        for (target, ensemble) in &mut sides {
            let ms = failover(ensemble).await.with_context(|| name(*target))?;
            say(&format!("failover {trial}/{}: {} {ms:.0} ms", plan.trials, name(*target)));
            values.side(*target).push(ms);
        }
    }
    let what = "first write after kill -9 of the leader".to_owned();
    Ok(Figure { what, unit: "ms", how: how(plan.trials), values })
}

fn how(trials: usize) -> String {
    format!(
        "{trials} trials, tickTime 2000; from the kill to the acknowledgement of a setData; its \
         session was on the leader, has all three addresses, and tries the next one a millisecond \
         after a failure; the killed server is back as a follower before the next trial"
    )
}

/// Milliseconds.
async fn failover(ensemble: &mut Ensemble) -> Result<f64> {
    let leader = ensemble.settle().await?;
    let mut client = Retrying::new(ensemble.servers(), leader);
    client.create(ZNODE, PATIENCE).await?;
    let start = Instant::now();
    ensemble.kill(leader)?;
    client.set(ZNODE, PATIENCE).await?;
    let elapsed = start.elapsed();
    ensemble.start(leader)?;
    ensemble.settle().await?;
    Ok(elapsed.as_secs_f64() * 1e3)
}
