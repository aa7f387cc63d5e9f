//! The task that owns the server's state: it feeds the protocol core and the tree, one event at a
//! time, and carries out what they say.

mod compare;
mod deliver;
mod facts;
mod farewell;
mod gated;
mod housekeeping;
mod neighbours;
mod planted;
mod quotas;
mod read_only;
mod reads;
mod reconfig;
mod requests;
mod sessions;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{info, warn};
use tree::{Tree, Watches};
use zab::{Command, Role, ServerId, Zxid};

use crate::clients::{ClientEvent, ConnId};
use crate::comparison::Comparison;
use crate::gate::Gate;
use crate::links::{Caller, Channel, Frame, LinkEvent, Voters};
use crate::membership;
use crate::metrics::Metrics;
use crate::proposal::{Input, Origin, Output, Peer, State, Txn};
use crate::seldom::Seldom;
use crate::sessions::{Millis, Sessions};
use crate::storage::{Recovered, Report, Worker};
use crate::summary::Summary;
use crate::timers::Timers;
use crate::tls::Door;
use crate::trace::{Step, Trace};
use crate::{Config, Mutant, ServerError};

use deliver::Window;
use requests::{Client, Waiting};

/// Silence that ends an election once a quorum agrees, if a server that could still vote says
/// nothing. ZooKeeper waits 200 ms; a better vote that comes later only costs another round, never
/// safety.
const SETTLE_MS: u64 = 20;
/// Rounds of events handled before everybody else has a turn.
const TURN: usize = 64;
/// Between two repetitions of a vote.
const RESEND_MS: u64 = 50;

static SLOW_FSYNCS: Seldom = Seldom::new();

/// Everything one server knows.
pub(crate) struct Engine {
    config: Config,
    mutant: Option<Mutant>,
    peer: Peer,
    role: Role,
    outputs: Vec<Output>,
    timers: Timers,

    tree: Tree,
    /// Transactions since the last snapshot was begun.
    since_snapshot: u64,
    /// What they take in the log.
    log_bytes: u64,
    window: Window,
    /// The snapshot being written.
    snapshotting: Option<Zxid>,
    worker: Worker<Txn, State>,

    /// Who this server is to others; `None` when standalone, and so are its links.
    caller: Option<Caller>,
    voters: Option<Voters>,
    /// Whether it is a member, as far as it knows.
    belongs: bool,
    /// The configuration that `dynamicConfigFile` is to show.
    written_members: Zxid,
    /// Those whose addresses the configuration has.
    contacts: BTreeSet<ServerId>,
    channels: BTreeMap<ServerId, Channel>,
    dialling: Option<(ServerId, AbortHandle)>,
    links: UnboundedSender<LinkEvent>,
    door: Door,

    clients: BTreeMap<ConnId, Client>,
    by_session: BTreeMap<i64, ConnId>,
    watches: Watches,
    waiting: BTreeMap<u64, Waiting>,
    /// Sessions heard from since the last report to the leader.
    touched: BTreeSet<i64>,
    /// Used while leading.
    sessions: Sessions,
    /// Serving reads, and these only, while there is no quorum.
    read_only: bool,
    read_only_at: Millis,
    /// When containers and times to live are looked at again, while leading.
    reap_at: Millis,

    /// Used while leading.
    comparison: Comparison,
    /// Servers differ and it is not known who is right: nobody is served.
    doubt: bool,
    /// Mutant X13 is at work: the next transaction is not applied.
    skip_next: bool,
    /// Told to stop: when it does so at the latest.
    stop_by: Option<Instant>,
    /// Why this server must end.
    failed: Option<ServerError>,

    origin: Origin,
    next_session: i64,
    started: Instant,
    received: u64,
    sent: u64,
    /// Of writes and syncs.
    latency: Summary,
    metrics: Metrics,
    trace: Option<Trace>,
    /// While nothing happens but what is ordered.
    gate: Option<Gate>,
}

/// What the engine listens to.
pub(crate) struct Events {
    pub(crate) links: UnboundedReceiver<LinkEvent>,
    pub(crate) clients: UnboundedReceiver<ClientEvent>,
    pub(crate) storage: UnboundedReceiver<Report>,
    /// The operator wants the server to end.
    pub(crate) stop: UnboundedReceiver<()>,
    /// What is ordered of a server that is gated.
    pub(crate) orders: UnboundedReceiver<Command>,
}

/// What the engine is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) recovered: Recovered<Txn, State>,
    pub(crate) worker: Worker<Txn, State>,
    pub(crate) links: UnboundedSender<LinkEvent>,
    pub(crate) door: Door,
    /// Drawn for this process.
    pub(crate) incarnation: u64,
    /// The first session id this process gives out.
    pub(crate) first_session: i64,
    pub(crate) trace: Option<Trace>,
}

impl Engine {
    /// Restarts from what was found in `data_dir`.
    ///
    /// # Errors
    /// When the snapshot is not readable, or the files do not belong together.
    pub(crate) fn new(parts: Parts, data_dir: &Path) -> Result<Engine, ServerError> {
        let Parts {
            config,
            mutant,
            recovered,
            worker,
            links,
            door,
            incarnation,
            first_session,
            mut trace,
        } = parts;
        let (zxid, State(tree)) = recovered.snapshot.unwrap_or_default();
        let durable = zab::Durable {
            accepted_epoch: recovered.accepted_epoch,
            current_epoch: recovered.current_epoch,
            snapshot: zxid,
            settled: recovered.settled,
            log: recovered.log,
        };
        if let Some(flaw) = durable.flaw() {
            return Err(ServerError::Flaw { path: data_dir.to_owned(), flaw });
        }
        let mut outputs = Vec::new();
        let configuration = membership::in_tree(&tree).unwrap_or_else(|| {
            zab::Configuration::initial(membership::initial(config.id, &config.servers))
        });
        let core = core_config(&config, configuration, mutant);
        let recorded = trace.is_some().then(|| (core.clone(), durable.clone()));
        let peer = Peer::restart(core, durable, &mut outputs);
        if let (Some(trace), Some((core, durable))) = (&mut trace, recorded) {
            trace.start(core, &durable, &outputs);
        }
        let caller = config.servers.get(&config.id).cloned();
        let caller = caller.map(|address| Caller { id: config.id, address });
        let voters = caller.clone().map(|one| Voters::new(one, door.clone(), links.clone()));
        let origin = Origin { server: config.id, incarnation, number: 0 };
        Ok(Engine {
            role: Role::Looking,
            peer,
            outputs,
            timers: Timers::default(),
            tree,
            since_snapshot: 0,
            log_bytes: 0,
            window: Window::default(),
            snapshotting: None,
            worker,
            caller,
            voters,
            belongs: true,
            written_members: Zxid::ZERO,
            contacts: BTreeSet::new(),
            channels: BTreeMap::new(),
            dialling: None,
            links,
            door,
            clients: BTreeMap::new(),
            by_session: BTreeMap::new(),
            watches: Watches::default(),
            waiting: BTreeMap::new(),
            touched: BTreeSet::new(),
            sessions: Sessions::default(),
            read_only: false,
            read_only_at: config.tick_ms.max(read_only::GRACE_MS),
            reap_at: 0,
            comparison: Comparison::new(config.id),
            doubt: false,
            skip_next: false,
            stop_by: None,
            failed: None,
            origin,
            next_session: first_session,
            started: Instant::now(),
            received: 0,
            sent: 0,
            latency: Summary::default(),
            metrics: Metrics::new(Instant::now()),
            trace,
            gate: config.gate.then(Gate::default),
            config,
            mutant,
        })
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When the disk fails, or this server's state is found to be wrong.
    pub(crate) async fn run(mut self, mut events: Events) -> Result<(), ServerError> {
        self.carry_out();
        self.gated(&mut events).await?;
        let half_tick = Duration::from_millis((self.config.tick_ms / 2).max(1));
        let mut housekeeping = interval(half_tick);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(timer) = self.timers.pop() {
                self.input(Input::Timer(timer));
            }
            let due = self.timers.next().unwrap_or_else(|| Instant::now() + half_tick);
            tokio::select! {
                Some(report) = events.storage.recv() => self.report(report),
                Some(event) = events.links.recv() => self.link(event),
                Some(event) = events.clients.recv() => self.client(event),
                Some(()) = events.stop.recv() => self.stop(),
                _ = housekeeping.tick() => self.housekeeping(),
                () = sleep_until(due) => {}
            }
            self.drain(&mut events);
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.may_end() {
                self.farewell().await;
                return Ok(());
            }
        }
    }

    /// Handles what has come meanwhile, for a while: sockets and timers need their turn too.
    fn drain(&mut self, events: &mut Events) {
        for _ in 0..TURN {
            let (report, link) = (events.storage.try_recv(), events.links.try_recv());
            let client = events.clients.try_recv();
            if report.is_err() && link.is_err() && client.is_err() || self.failed.is_some() {
                return;
            }
            report.into_iter().for_each(|report| self.report(report));
            link.into_iter().for_each(|event| self.link(event));
            client.into_iter().for_each(|event| self.client(event));
        }
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Stored { ops, fsync } => {
                fsync.into_iter().for_each(|took| self.synced(took));
                self.input(Input::Stored { ops });
            }
            Report::Snapshot { zxid, took } => {
                self.metrics.snapshot.add(took);
                self.snapshot_done(zxid);
            }
            Report::Failed(error) => self.failed = Some(error.into()),
        }
    }

    fn synced(&mut self, took: Duration) {
        self.metrics.fsync.add(took);
        if took.as_millis() > u128::from(self.config.fsync_warning_ms) {
            self.metrics.slow_fsyncs += 1;
            if SLOW_FSYNCS.may() {
                let ms = took.as_millis() as u64;
                warn!(ms, "writing the log takes long: the disk is slow, or others use it too");
            }
        }
    }

    /// Feeds the core and carries out what it says.
    fn input(&mut self, input: Input) {
        let step = self.trace.is_some().then(|| Step::new(&input, |peer| self.via(peer)));
        let before = self.outputs.len();
        self.peer.handle(input, &mut self.outputs);
        if let (Some(trace), Some(step)) = (&mut self.trace, step) {
            trace.step(step, &self.outputs[before..]);
        }
        self.carry_out();
    }

    fn via(&self, peer: ServerId) -> Option<u64> {
        self.channels.get(&peer).and_then(|channel| channel.via).map(u64::from)
    }

    fn carry_out(&mut self) {
        // Carrying out may call `input` again; its outputs come after these.
        while !self.outputs.is_empty() {
            for output in std::mem::take(&mut self.outputs) {
                self.carry_out_one(output);
            }
        }
    }

    fn carry_out_one(&mut self, output: Output) {
        self.metrics.output(&output, self.role);
        match output {
            Output::Send { to, message } if message.is_for_election() => {
                self.voters.iter().for_each(|voters| voters.send(to, message.clone()));
            }
            Output::Send { to, message } => self.send(to, Frame::Zab(message)),
            Output::SendSnapshot { to, zxid } => self.send_snapshot(to, zxid),
            Output::Connect { to } => self.connect(to),
            Output::Disconnect { peer } => self.disconnect(peer),
            Output::Store(op) => match &mut self.gate {
                Some(gate) => gate.writes.push_back(op),
                None => self.worker.store(op),
            },
            Output::SetTimer { timer: zab::Timer::Beat, .. }
                if self.mutant == Some(Mutant::PatientFollowers) && self.upstream().is_some() => {}
            Output::SetTimer { timer, ms } => self.timers.set(timer, ms),
            Output::CancelTimer(timer) => self.timers.cancel(timer),
            Output::Deliver(entry) => {
                self.deliver(&entry);
                self.metrics.digest(entry.zxid.0, self.tree.lineage());
            }
            Output::Reset { zxid, state } => self.reset(zxid, state),
            Output::Role(role) => self.change_role(role),
            Output::Contacts(members) => self.meet(&members),
            Output::SyncDone { token } => self.sync_done(token),
        }
    }

    fn send(&mut self, to: ServerId, frame: Frame) {
        let cut = self.gate.as_ref().is_some_and(|gate| gate.cut.contains(&to));
        if let Some(channel) = self.channels.get(&to).filter(|_| !cut) {
            channel.send(frame);
        }
    }

    fn change_role(&mut self, role: Role) {
        info!(?role, "role");
        self.metrics.role(self.role, role, Instant::now());
        let served = self.role.serving();
        self.role = role;
        self.comparison = Comparison::new(self.config.id);
        self.doubt = false;
        self.skip_next = self.mutant == Some(Mutant::SkipFirstOfDiff)
            && matches!(role, Role::Following { serving: false, .. });
        if served && !role.serving() {
            self.drop_clients();
        }
        if role != Role::Looking {
            self.end_read_only();
        }
        self.put_off_read_only();
        if !served && role.serving() {
            self.start_serving();
        }
    }

    fn serving(&self) -> bool {
        self.role.serving() && !self.doubt
    }

    /// The leader that this server learns from.
    fn upstream(&self) -> Option<ServerId> {
        match self.role {
            Role::Following { leader, .. } | Role::Observing { leader, .. } => Some(leader),
            Role::Looking | Role::Leading { .. } => None,
        }
    }

    /// Those whose word counts.
    fn participants(&self) -> BTreeSet<ServerId> {
        self.peer.configuration().members.voters().collect()
    }

    fn leading(&self) -> bool {
        matches!(self.role, Role::Leading { .. })
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }
}

fn core_config(
    config: &Config,
    configuration: zab::Configuration,
    mutant: Option<Mutant>,
) -> zab::Config {
    zab::Config {
        id: config.id,
        configuration,
        timing: zab::Timing {
            tick_ms: config.tick_ms,
            init_limit: config.init_limit,
            sync_limit: config.sync_limit,
            settle_ms: SETTLE_MS,
            resend_ms: RESEND_MS,
        },
        log_kept: config.commit_log_count,
        mutant: mutant.and_then(Mutant::protocol),
    }
}

/// Says why a client is cut off.
fn refuse(conn: ConnId, why: &str) {
    warn!(conn, why, "client refused");
}
