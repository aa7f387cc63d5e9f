//! A counterexample of the model of our servers' core, played on real processes: messages arrive, writes
//! become durable, timers go off and servers die in its order. Then everything takes its course, every
//! server is read, and the history is judged.
//!
//! Each step that a server takes is compared with the model's. What the model cannot know is decided
//! before: all servers begin with the same history, in which the clients' sessions were opened.

mod clients;
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, absolute};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use checker::{Exit, Outcome};
use history::{FORMAT, Manifest, Phase, Recorder, RunDir, Settings};
use model::catalogue;
use model::zab::{Base, Move, Part};
use model::{Counterexample, Replay};
use nemesis::contain;
use nemesis::netlink::{Netlink, interface_index};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use workloads::{Config, final_digests, final_reads, setup, watch_roles};

use crate::cli;
use crate::plan::{self, Plan};
use crate::run::{ensemble, machine};
use clients::Hands;
use server::{Missing, Server};

/// The only znode.
const KEY: &str = "/r0";
const SETUP_WITHIN: Duration = Duration::from_secs(20);
const SETTLE_WITHIN: Duration = Duration::from_secs(20);
const FINAL_READS_WITHIN: Duration = Duration::from_secs(10);
const LEVEL_WITHIN: Duration = Duration::from_secs(3);
const PROBE_EVERY: Duration = Duration::from_millis(50);

/// Plays `stored` on real servers, in a run directory below `results`. Call it on a program's first
/// and only thread, as [`run`](crate::run::run()).
///
/// The verdict's exit code; [`Exit::Unknown`] where the servers did something else than the model.
///
/// # Errors
/// When the machine fails, or what is stored cannot be played: see [`playable`].
pub fn rehearse(stored: &Counterexample, results: &Path, argv: Vec<String>) -> Result<Exit> {
    let results = absolute(results).with_context(|| results.display().to_string())?;
    if results.starts_with("/run") {
        bail!("{}: /run is private to the harness; choose another place", results.display());
    }
    let parts = playable(stored).map_err(anyhow::Error::msg)?;
    contain::enter()?;
    let netlink = Netlink::open()?;
    netlink.set_up(interface_index("lo")?)?;
    fs::create_dir_all(&results).with_context(|| results.display().to_string())?;

    let settings = settings(stored, clients_in(&parts))?;
    let manifest = manifest(settings, argv);
    let run = RunDir::create(&results, &manifest)?;
    run.link_as(&results, "latest")?;
    run.write_json("counterexample.json", stored)?;
    let recorder = Recorder::create(&run.history())?;
    let played = Stage::new(stored, &manifest.settings, &run, &recorder)?.play();
    recorder.finish()?;
    match played {
        Ok(()) => judge(&run, &results),
        Err(Missing::Machine(error)) => Err(error.context(run.path().display().to_string())),
        Err(Missing::Step(what)) => {
            println!("REALITY DIFFERS  {what}\n{}", run.path().display());
            Ok(Exit::Unknown)
        }
    }
}

/// What it takes to play `stored`, from servers without any history.
///
/// # Errors
/// In words, when processes cannot be made to do it, or the model does not allow it any more.
pub fn playable(stored: &Counterexample) -> Result<Vec<Part>, String> {
    if let Replay::Refused { step } = catalogue::replay_stored(stored)? {
        return Err(format!("step {step} cannot happen any more"));
    }
    catalogue::rehearse(stored, &Base::default())
}

fn judge(run: &RunDir, results: &Path) -> Result<Exit> {
    let verdict = cli::judge(run)?;
    if verdict.outcome == Outcome::Invalid {
        run.link_as(results, "latest-invalid")?;
    } else {
        println!("\nthe servers did what the model does, and clients saw nothing wrong");
    }
    Ok(verdict.exit())
}

/// One for each thing that a client does.
fn clients_in(parts: &[Part]) -> usize {
    let moves = parts.iter().flat_map(|part| &part.moves);
    moves.filter(|one| matches!(one, Move::Submit { .. } | Move::Sync { .. })).count().max(1)
}

fn settings(stored: &Counterexample, clients: usize) -> Result<Settings> {
    let defaults = Plan::default().resolve(0)?;
    Ok(Settings {
        nodes: stored.bounds.servers,
        clients,
        keys: 1,
        faults: Vec::new(),
        tick_ms: 2000,
        init_limit: 5,
        sync_limit: 5,
        session_ms: 40_000,
        op_timeout_ms: 20_000,
        mutant: stored.mutant.clone(),
        ..defaults
    })
}

fn manifest(settings: Settings, argv: Vec<String>) -> Manifest {
    let by = "the servers' gates, in the order of a counterexample".to_owned();
    Manifest {
        format: FORMAT,
        zoobreak: env!("CARGO_PKG_VERSION").to_owned(),
        started: machine::utc_now(),
        argv,
        schedule: serde_json::json!([]),
        machine: machine::describe(by, None, BTreeMap::new(), settings.target),
        settings,
    }
}

struct Stage<'a> {
    stored: &'a Counterexample,
    run: &'a RunDir,
    settings: &'a Settings,
    recorder: &'a Recorder,
    config: Arc<Config>,
    servers: Vec<Server>,
    runtime: Runtime,
    hands: Hands,
}

impl<'a> Stage<'a> {
    fn new(
        stored: &'a Counterexample,
        settings: &'a Settings,
        run: &'a RunDir,
        recorder: &'a Recorder,
    ) -> Result<Stage<'a>> {
        let numbers = 1..=settings.nodes;
        let servers: Vec<Server> =
            numbers.map(|n| Server::new(n as u64, run.node(n))).collect::<Result<_>>()?;
        let config = Arc::new(workload(settings, &servers));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("the runtime")?;
        let hands = Hands::new(&config, recorder);
        Ok(Stage { stored, run, settings, recorder, config, servers, runtime, hands })
    }

    fn play(mut self) -> Result<(), Missing> {
        let base = self.prepare()?;
        let parts = catalogue::rehearse(self.stored, &base).map_err(anyhow::Error::msg)?;
        self.recorder.phase(Phase::Load);
        for (idx, part) in parts.iter().enumerate() {
            self.act(idx, part)?;
        }
        Ok(self.end()?)
    }

    /// The history that all servers have at first: one of them, alone, makes it.
    fn prepare(&mut self) -> Result<Base> {
        self.recorder.phase(Phase::Boot);
        let first = &mut self.servers[0];
        first.start_alone()?;
        self.recorder.phase(Phase::Setup);
        let alone = Config { servers: self.config.servers[..1].to_vec(), ..(*self.config).clone() };
        self.runtime.block_on(async {
            setup(&alone, SETUP_WITHIN).await?;
            self.hands.open().await
        })?;
        let (first, others) = self.servers.split_first_mut().expect("there are servers");
        first.kill()?;
        others.iter().try_for_each(|other| server::copy(&first.files(), &other.files()))?;
        first.drop_trace()?;
        self.read_base()
    }

    fn read_base(&mut self) -> Result<Base> {
        let n = self.servers.len() as u64;
        let first = &mut self.servers[0];
        first.start_gated(n, None)?;
        let line = first.step().map_err(|missing| match missing {
            Missing::Step(what) => anyhow::Error::msg(what),
            Missing::Machine(error) => error,
        })?;
        let base = Base::of(line).map_err(anyhow::Error::msg)?;
        first.kill()?;
        first.drop_trace()?;
        Ok(base)
    }

    fn act(&mut self, idx: usize, part: &Part) -> Result<(), Missing> {
        let words = part.story.as_deref().unwrap_or("the first state is brought about");
        for one in &part.moves {
            let done = self.take(one).map_err(|missing| match missing {
                Missing::Step(what) => Missing::Step(format!("at step {idx}, {words}: {what}")),
                machine => machine,
            });
            done?;
        }
        println!("  {idx:2}. {words}");
        Ok(())
    }

    fn take(&mut self, one: &Move) -> Result<(), Missing> {
        let n = self.servers.len() as u64;
        match one {
            Move::Start { server, planted } => {
                let mutant = self.stored.mutant.as_deref().filter(|_| *planted);
                self.server(*server).start_gated(n, mutant)?;
            }
            Move::Kill { server } => self.server(*server).kill()?,
            Move::Submit { server } => self.hands.write(&self.runtime, *server),
            Move::Sync { server } => self.hands.read(&self.runtime, *server),
            Move::Answered { turn } => self.hands.answered(&self.runtime, *turn)?,
            Move::Order { server, command } => self.server(*server).order(command)?,
            Move::Expect { server, step } => {
                let line = self.server(*server).step()?;
                let same = step.compare(line);
                same.map_err(|what| Missing::Step(format!("n{server}: {what}")))?;
            }
        }
        Ok(())
    }

    fn server(&mut self, number: u64) -> &mut Server {
        &mut self.servers[number as usize - 1]
    }

    /// Everything takes its course, and every server is read.
    fn end(mut self) -> Result<()> {
        self.recorder.phase(Phase::Heal);
        let n = self.servers.len() as u64;
        let mutant = self.stored.mutant.as_deref();
        for server in &mut self.servers {
            if !server.is_up() {
                server.start_gated(n, mutant)?;
            }
            if let Err(Missing::Machine(error)) = server.order(&"open") {
                return Err(error);
            }
        }
        let Stage { run, settings, recorder, config, hands, runtime, .. } = &mut self;
        runtime.block_on(async {
            recorder.phase(Phase::Settle);
            let watcher = watch_roles(&config.servers, None, PROBE_EVERY, recorder);
            if timeout(SETTLE_WITHIN, watcher.view().until_settled()).await.is_err() {
                println!("the servers did not agree on a leader in {} s", SETTLE_WITHIN.as_secs());
            }
            hands.finish().await;
            recorder.phase(Phase::FinalReads);
            final_reads(Arc::clone(config), recorder.clone(), FINAL_READS_WITHIN).await;
            final_digests(&config.servers, None, recorder, LEVEL_WITHIN).await;
            ensemble::notes(settings, run, recorder);
            recorder.phase(Phase::End);
        });
        Ok(())
    }
}

fn workload(settings: &Settings, servers: &[Server]) -> Config {
    let server = |(n, server): (usize, &Server)| workloads::Server {
        name: format!("n{n}"),
        addr: (Ipv4Addr::LOCALHOST, server.client_port()).into(),
    };
    Config {
        workload: plan::workload(settings),
        seed: settings.seed,
        clients: settings.clients as u64,
        servers: (1..).zip(servers).map(server).collect(),
        source: None,
        session_timeout: Duration::from_millis(u64::from(settings.session_ms)),
        op_timeout: Duration::from_millis(settings.op_timeout_ms),
        rate: settings.rate,
        keys: vec![KEY.to_owned()],
    }
}
