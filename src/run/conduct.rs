//! The phases of a run, one after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use history::{Manifest, Phase, Recorder, RunDir, Settings};
use nemesis::{Host, Lab, Nemesis, NodeId, Scheduled};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use workloads::{
    Clients, Config, RoleView, Server, Workload, final_digests, final_reads, setup, watch_digests,
    watch_roles,
};

use super::breaker::{Breaker, Play};
use super::ensemble::{client_address, data_dir, notes, prepare};
use super::{breakable_disks, scenario};
use crate::cli::progress::{Progress, Snapshot};
use crate::plan;

/// How long the ensemble may take to agree on a leader, at first and after the faults.
const SETTLE_WITHIN: Duration = Duration::from_secs(15);
const SETUP_WITHIN: Duration = Duration::from_secs(20);
const FINAL_READS_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at each server's role.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// Between two looks at each server's fingerprints.
const DIGEST_EVERY: Duration = Duration::from_millis(500);
/// How long servers may take to have applied the same last transaction, when nobody writes.
const LEVEL_WITHIN: Duration = Duration::from_secs(3);
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Runs every phase up to the end of the history. The servers are gone when it returns, whatever
/// happened.
pub(super) fn conduct(
    manifest: &Manifest,
    run: &RunDir,
    recorder: &Recorder,
    lab: &Lab,
    nemesis: Nemesis,
    schedule: &[Scheduled],
) -> Result<()> {
    let settings = &manifest.settings;
    let progress = Progress::start(Duration::from_secs_f64(settings.time_s));
    progress.note(&announce(manifest, run));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime")?;
    let stage = Stage { settings, run, recorder, lab, progress: &progress };
    let conducted = runtime.block_on(stage.conduct(nemesis, schedule));
    progress.finish();
    conducted
}

fn announce(manifest: &Manifest, run: &RunDir) -> String {
    let settings = &manifest.settings;
    let lacks = manifest.machine.lacks.iter().map(|(kind, why)| format!("\nwithout {kind}: {why}"));
    let planted = settings.mutant.as_ref().map_or(String::new(), |m| format!(", mutant {m}"));
    format!(
        "seed {}: {} servers, {} clients, {} s, faults {} by {}{planted}\n{}{}",
        settings.seed,
        settings.nodes,
        settings.clients,
        settings.time_s,
        if settings.faults.is_empty() { "none".to_owned() } else { settings.faults_in_words("+") },
        manifest.machine.partitions_by,
        run.path().display(),
        lacks.collect::<String>(),
    )
}

/// What every phase needs.
struct Stage<'a> {
    settings: &'a Settings,
    run: &'a RunDir,
    recorder: &'a Recorder,
    lab: &'a Lab,
    progress: &'a Progress,
}

impl Stage<'_> {
    async fn conduct(&self, mut nemesis: Nemesis, schedule: &[Scheduled]) -> Result<()> {
        let config = Arc::new(self.workload());
        let mut interrupts = Interrupts::new()?;
        self.phase(Phase::Boot);
        let scenario = scenario(self.settings)?;
        let breakable = breakable_disks(self.lab, schedule, scenario.as_ref());
        let breakable = breakable.is_some_and(|disks| disks.is_ok());
        for node in NodeId::first(self.settings.nodes as u8) {
            let data = data_dir(self.run, node)?;
            if breakable {
                nemesis.mount_disk(node, &data)?;
            }
            let launch = prepare(self.settings, self.run, self.lab, node)?;
            nemesis.sync_disk(node);
            nemesis.start(node, launch)?;
        }
        let observer = Some(self.lab.addr(Host::Observer).into());
        let watcher = watch_roles(&config.servers, observer, PROBE_EVERY, self.recorder);
        let _digests = watch_digests(&config.servers, observer, DIGEST_EVERY, self.recorder);
        let mut roles = watcher.view();
        let clients = tokio::select! {
            clients = self.prepare_load(&config, &mut roles, &mut nemesis) => clients?,
            () = interrupts.next() => bail!("interrupted before the load began"),
        };

        let loaded = self.load(nemesis, schedule, &roles, &clients, &mut interrupts).await;
        let (nemesis, healed) = loaded?;
        self.phase(Phase::Settle);
        clients.stop().await?;
        let settled = self.until_settled(&mut roles).await;

        self.phase(Phase::FinalReads);
        self.until_sessions_end().await;
        let unread =
            final_reads(Arc::clone(&config), self.recorder.clone(), FINAL_READS_WITHIN).await;
        final_digests(&config.servers, observer, self.recorder, LEVEL_WITHIN).await;
        notes(self.settings, self.run, self.recorder);
        self.phase(Phase::End);
        if let Err(error) = settled {
            self.progress.note(&error.to_string());
        }
        if let Some(first) = unread.first() {
            let (server, key) = (&first.server, &first.key);
            self.progress.note(&format!(
                "final reads: {} not answered, the first {key} on {server}",
                unread.len()
            ));
        }
        match nemesis {
            Some(mut nemesis) => healed.and(Ok(nemesis.stop()?)),
            // The kernel ends the servers when this process ends.
            None => healed,
        }
    }

    /// Waits for a leader, creates the znodes, opens the sessions.
    async fn prepare_load(
        &self,
        config: &Arc<Config>,
        roles: &mut RoleView,
        nemesis: &mut Nemesis,
    ) -> Result<Clients> {
        if let Err(error) = self.until_settled(roles).await {
            bail!("{error}{}", exits(nemesis)?);
        }
        self.phase(Phase::Setup);
        setup(config, SETUP_WITHIN).await?;
        let recorder = self.recorder.clone();
        Ok(Clients::open(Arc::clone(config), recorder, SETUP_WITHIN).await?)
    }

    /// The load and the faults, and the end of both. A failed heal ends the load early; it is
    /// returned beside the nemesis, for the history goes on without it.
    async fn load(
        &self,
        nemesis: Nemesis,
        schedule: &[Scheduled],
        roles: &RoleView,
        clients: &Clients,
        interrupts: &mut Interrupts,
    ) -> Result<(Option<Nemesis>, Result<()>)> {
        self.phase(Phase::Load);
        let tallies = clients.tallies();
        let breaker = Breaker::start(
            nemesis,
            schedule,
            roles.clone(),
            self.recorder.clone(),
            self.run.evidence(),
            Play { scenario: scenario(self.settings)?, answers: Box::new(move || tallies().ok) },
        )?;
        clients.go();
        self.watch(&breaker, roles, clients, interrupts).await;
        self.phase(Phase::Heal);
        tokio::task::spawn_blocking(move || breaker.heal()).await?
    }

    /// Shows progress until the time is over, or somebody presses ctrl-C.
    async fn watch(
        &self,
        breaker: &Breaker,
        roles: &RoleView,
        clients: &Clients,
        interrupts: &mut Interrupts,
    ) {
        let (start, time) = (Instant::now(), Duration::from_secs_f64(self.settings.time_s));
        while start.elapsed() < time {
            let leader = roles.leader().map(|idx| format!("n{}", idx + 1));
            self.show(start.elapsed(), clients, breaker.in_force(), leader);
            tokio::select! {
                () = sleep(PROGRESS_EVERY.min(time.saturating_sub(start.elapsed()))) => {}
                () = interrupts.next() => {
                    self.progress.note("interrupted: healing, reading, judging what there is");
                    break;
                }
            }
        }
        self.show(start.elapsed(), clients, Vec::new(), None);
    }

    fn show(
        &self,
        elapsed: Duration,
        clients: &Clients,
        faults: Vec<String>,
        leader: Option<String>,
    ) {
        let tally = clients.tally();
        let (ok, fail, info) = (tally.ok, tally.fail, tally.info);
        self.progress.tick(&Snapshot { elapsed, ok, fail, info, faults, leader });
    }

    /// The clients are gone, and so must be what belonged to their sessions when the tree is read: as
    /// long after the timeout as the checker's C17 and C10 ask.
    async fn until_sessions_end(&self) {
        let Settings { tick_ms, sync_limit, session_ms, .. } = *self.settings;
        if plan::workload(self.settings) == Workload::Znodes {
            let ticks = tick_ms * (u64::from(sync_limit) + 4);
            sleep(Duration::from_millis(u64::from(session_ms) + ticks + 2_100)).await;
        }
    }

    async fn until_settled(&self, roles: &mut RoleView) -> Result<()> {
        if timeout(SETTLE_WITHIN, roles.until_settled()).await.is_ok() {
            return Ok(());
        }
        let seen = roles.observations();
        let roles: Vec<_> =
            (1..).zip(&seen).map(|(n, seen)| format!("n{n} {}", seen.role.name())).collect();
        bail!(
            "the ensemble did not settle within {} s: {}; its logs are in {}",
            SETTLE_WITHIN.as_secs(),
            roles.join(", "),
            self.run.path().join("nodes").display()
        )
    }

    fn phase(&self, phase: Phase) {
        self.recorder.phase(phase);
        self.progress.phase(&phase.to_string());
    }

    fn workload(&self) -> Config {
        let settings = self.settings;
        let server =
            |node: NodeId| Server { name: node.to_string(), addr: client_address(self.lab, node) };
        Config {
            workload: plan::workload(settings),
            seed: settings.seed,
            clients: settings.clients as u64,
            servers: NodeId::first(settings.nodes as u8).into_iter().map(server).collect(),
            source: Some(self.lab.addr(Host::Clients).into()),
            session_timeout: Duration::from_millis(u64::from(settings.session_ms)),
            op_timeout: Duration::from_millis(settings.op_timeout_ms),
            rate: settings.rate,
            keys: plan::znodes(settings),
        }
    }
}

/// Servers that have ended on their own, in words.
fn exits(nemesis: &mut Nemesis) -> Result<String> {
    let exits = nemesis.exits()?;
    let exits = exits.iter().map(|(node, status)| format!("; {node} ended: {status}"));
    Ok(exits.collect())
}

/// SIGINT and SIGTERM. The contained process is pid 1, which ignores both without a handler.
struct Interrupts {
    int: Signal,
    term: Signal,
}

impl Interrupts {
    fn new() -> Result<Interrupts> {
        let int = signal(SignalKind::interrupt()).context("SIGINT")?;
        let term = signal(SignalKind::terminate()).context("SIGTERM")?;
        Ok(Interrupts { int, term })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}
