//! Starts a server.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tracing::{info, warn};

use std::sync::Arc;

use crate::clients::{Front, Registry, accept_clients};
use crate::desk::{Desk, serve_admin, serve_metrics};
use crate::engine::{Engine, Events, Parts};
use crate::files::room_for_clients;
use crate::gate;
use crate::links::{accept_channels, accept_votes};
use crate::pid_file::PidFile;
use crate::proposal::{State, Txn};
use crate::recheck::recheck;
use crate::storage::{self, Diverged, Grouping, StorageError, Store, Worker};
use crate::tls::{self, Door};
use crate::trace::Trace;
use crate::{Config, ConfigError, Ignored, Mutant};

/// Why a server does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A planted defect is configured but was not asked for, or the other way round.
    #[error(
        "{path}: mutant={found} plants a defect; only `zoobreak server --mutant {found}` starts such a server"
    )]
    Mutant {
        /// The file.
        path: PathBuf,
        /// The mutant it names.
        found: Mutant,
    },
    /// The disk cannot be used, or failed: a server that cannot write must not go on.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The files are each intact, but do not belong together.
    #[error("{path}: {flaw}; empty this directory to fetch everything from the leader")]
    Flaw {
        /// The data directory.
        path: PathBuf,
        /// What no crash can leave behind.
        flaw: String,
    },
    /// This server's state is not the one that a quorum has.
    #[error(
        "{path}: this server's state differs from that of a quorum at {zxid}: digest {own:#018x}, \
         theirs {right:#018x}; while the others serve, move {path} away and start this server \
         again: it fetches everything from the leader"
    )]
    Diverged {
        /// The directory with its log and snapshots.
        path: PathBuf,
        /// Where they were compared.
        zxid: zab::Zxid,
        /// This server's lineage there.
        own: u64,
        /// That of a quorum.
        right: u64,
    },
    /// Two servers would write the same files.
    #[error("{data_dir}: process {pid} is a server with this dataDir already")]
    Running {
        /// The data directory.
        data_dir: PathBuf,
        /// The other server; 0 if it is in another container.
        pid: u32,
    },
    /// The file that keeps a second server away cannot be used.
    #[error("{path}: {error}")]
    PidFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The log is intact, but an entry is not one that this version has written.
    #[error(
        "the transaction {zxid} cannot be read: {error}; start the version that has written it, or \
         empty the data directory to fetch everything from the leader"
    )]
    Unreadable {
        /// Its zxid.
        zxid: zab::Zxid,
        /// Why.
        error: postcard::Error,
    },
    /// Nobody says what is to happen.
    #[error(
        "gate=true: nothing happens but what standard input orders, and that has ended; without this \
         line the server is an ordinary one"
    )]
    Gate,
    /// A port cannot be listened on.
    #[error("{address}: {error}; is another server running with this port?")]
    Listen {
        /// Host and port.
        address: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A thread or the runtime cannot be started.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

impl ServerError {
    /// `root` is `dataDir/zoobreak`.
    pub(crate) fn diverged(root: &Path, note: Diverged) -> ServerError {
        let Diverged { zxid, own, right } = note;
        ServerError::Diverged { path: root.to_owned(), zxid, own, right }
    }
}

/// Reads a `zoo.cfg` and runs that server until it fails. A mutant in the file must be named by
/// `mutant` too.
///
/// Logs to standard error, from the level that the variable `ZOOBREAK_LOG` names (`info`).
///
/// # Errors
/// [`ServerError`], in words for the operator.
pub fn run_from_file(path: &Path, mutant: Option<Mutant>) -> Result<(), ServerError> {
    log_to_stderr();
    abort_on_panic();
    let config = Config::read(path)?;
    if let Some(found) = config.mutant
        && mutant != Some(found)
    {
        return Err(ServerError::Mutant { path: path.to_owned(), found });
    }
    let _pid_file = PidFile::take(&config.data_dir)?;
    for Ignored { line, key, reason } in &config.ignored {
        let reason = reason.unwrap_or("it means nothing to this server");
        warn!("{}:{line}: {key} is ignored: {reason}", path.display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(config, mutant))
}

async fn run(config: Config, mutant: Option<Mutant>) -> Result<(), ServerError> {
    if let Some(mutant) = mutant {
        warn!("planted defect {mutant}: {}", mutant.what());
    }
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let door = Door::new(config.quorum_tls.as_ref())?;
    let secure = config.secure.as_ref().map(tls::client_acceptor).transpose()?;
    // A server alone has promised nothing to anybody: it may look at any server's data.
    if !config.servers.is_empty() {
        storage::claim(&config.data_dir.join("zoobreak"), config.id)?;
    }
    let (mut store, recovered) = Store::<Txn, State>::open_as(&config.data_dir, mutant)?;
    for note in &recovered.notes {
        warn!("{note}");
    }
    if let Some(note) = recheck(&config.data_dir.join("zoobreak"), &recovered)? {
        warn!("{note}");
    }
    let (links, link_events) = unbounded_channel();
    let (clients, client_events) = unbounded_channel();
    let (storage, storage_events) = unbounded_channel();
    let (orders, order_events) = unbounded_channel();
    if config.gate {
        gate::listen(orders)?;
    }
    store.keep_snapshots(config.snapshots_kept);
    let grouping =
        Grouping { max: config.max_batch, delay: Duration::from_millis(config.flush_delay_ms) };
    let worker = Worker::start(store, grouping, move |report| {
        let _stopping = storage.send(report);
    })?;
    if let Some(address) = config.servers.get(&config.id) {
        let votes = listen(&address.host, address.election_port).await?;
        tokio::spawn(accept_votes(votes, door.clone(), links.clone()));
        let learners = listen(&address.host, address.quorum_port).await?;
        tokio::spawn(accept_channels(learners, door.clone(), links.clone()));
    }
    let host = config.client_address.as_deref().unwrap_or("0.0.0.0");
    let listener = listen(host, config.client_port).await?;
    let registry = Registry::new(config.max_client_cnxns, config.max_outstanding, config.breaker);
    let desk = Desk::new(&config, registry.clone(), clients.clone());
    if let Some((host, port)) = &config.admin {
        tokio::spawn(serve_admin(listen(host, *port).await?, desk.clone()));
    }
    if let Some((host, port)) = &config.metrics {
        tokio::spawn(serve_metrics(listen(host, *port).await?, desk.clone()));
    }
    let (max_buffer, max_connections) = (config.max_buffer, room_for_clients(config.max_cnxns));
    let front =
        Front { max_buffer, max_connections, registry: registry.clone(), desk, events: clients };
    let front = Arc::new(front);
    tokio::spawn(accept_clients(listener, None, front.clone()));
    if let (Some(port), Some(acceptor)) = (&config.secure, secure) {
        let host = port.address.as_deref().unwrap_or("0.0.0.0");
        let listener = listen(host, port.port).await?;
        tokio::spawn(accept_clients(listener, Some(acceptor), front));
    }
    info!(id = config.id, client_port = config.client_port, zxid = %last(&recovered), "started");

    let first_session = first_session(config.id, mutant);
    let incarnation = rand::random();
    let data_dir = config.data_dir.clone();
    let trace = config
        .trace
        .then(|| Trace::open(config.trace_dir.as_deref().unwrap_or(&data_dir)))
        .transpose()?;
    let parts =
        Parts { config, mutant, recovered, worker, links, door, incarnation, first_session, trace };
    let engine = Engine::new(parts, &data_dir)?;
    let (stop, stop_events) = unbounded_channel();
    tokio::spawn(stop_on_signal(terminate, interrupt, stop));
    let events = Events {
        links: link_events,
        clients: client_events,
        storage: storage_events,
        stop: stop_events,
        orders: order_events,
    };
    engine.run(events).await?;
    last_replies(&registry).await;
    info!("stopped");
    Ok(())
}

/// `kill` and Ctrl-C: the server says good-bye before it ends.
async fn stop_on_signal(mut terminate: Signal, mut interrupt: Signal, stop: UnboundedSender<()>) {
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _stopping = stop.send(());
    }
}

/// Waits until the clients have their last replies, or do not take them.
async fn last_replies(registry: &Registry) {
    let deadline = tokio::time::Instant::now() + FAREWELL;
    while !registry.connections().is_empty() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How long the last replies to clients may take.
const FAREWELL: Duration = Duration::from_millis(200);

fn log_to_stderr() {
    let level = std::env::var("ZOOBREAK_LOG").ok().and_then(|level| level.parse().ok());
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(level.unwrap_or(tracing::Level::INFO))
        .with_writer(std::io::stderr)
        .finish();
    // A program that runs a server in its own process may have a subscriber already.
    let _own = tracing::subscriber::set_global_default(subscriber);
}

/// A server with a task missing must not go on as if nothing had happened.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}

fn last(recovered: &storage::Recovered<Txn, State>) -> zab::Zxid {
    let snapshot = recovered.snapshot.as_ref().map_or(zab::Zxid::ZERO, |(zxid, _)| *zxid);
    recovered.log.last().map_or(snapshot, |entry| entry.zxid)
}

/// How long a port may stay taken: a server killed a moment ago may not be quite gone.
const PATIENCE: Duration = Duration::from_secs(1);

async fn listen(host: &str, port: u16) -> Result<TcpListener, ServerError> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match bind(host, port).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrInUse
                    && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => {
                return Err(ServerError::Listen { address: format!("{host}:{port}"), error });
            }
        }
    }
}

async fn bind(host: &str, port: u16) -> std::io::Result<TcpListener> {
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    TcpListener::bind(addresses.as_slice()).await
}

/// Session ids as ZooKeeper makes them: the server's id in the high byte, then the time, so that a
/// restarted server gives out new ones.
fn first_session(id: zab::ServerId, mutant: Option<Mutant>) -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = if mutant == Some(Mutant::SessionIdsAgain) { 1 } else { since.as_millis() as u64 };
    (id << 56 | (ms << 24) >> 8).cast_signed()
}
