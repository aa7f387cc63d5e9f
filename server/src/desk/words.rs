//! Answers to four-letter words, line by line as ZooKeeper 3.8 gives them ("ZooKeeper Commands: The
//! Four Letter Words", Administrator's Guide). Pure, except for what `envi` asks of the system.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wire::frame::FourLetter;
use wire::opcode;
use zab::ServerId;

use super::variables::Variable;
use super::{Facts, Guest, Want, version};
use crate::Config;
use crate::clients::Latencies;
use crate::metrics::Sizes;

/// Writes into a string, which takes everything.
macro_rules! add {
    ($text:expr, $($argument:tt)*) => {
        $text.write_fmt(format_args!($($argument)*)).expect("a string takes everything")
    };
}

/// What a word needs to know.
pub(super) fn wants(word: FourLetter) -> Want {
    Want {
        clients: matches!(
            word,
            FourLetter::Cons | FourLetter::Stat | FourLetter::Dump | FourLetter::Wchc
        ) || word == FourLetter::Wchp,
        sessions: word == FourLetter::Dump,
        watches: matches!(word, FourLetter::Wchs | FourLetter::Wchc | FourLetter::Wchp),
        reset: word == FourLetter::Srst,
    }
}

pub(super) fn not_allowed(word: FourLetter) -> String {
    format!("{} is not executed because it is not in the whitelist.\n", word.word())
}

pub(super) fn not_serving(word: FourLetter) -> String {
    match word {
        FourLetter::Isro => "null".to_owned(),
        _ => "This ZooKeeper instance is not currently serving requests\n".to_owned(),
    }
}

pub(super) fn server(facts: &Facts, latencies: &Latencies) -> String {
    format!("Zookeeper version: {}\n{}", version(), figures(facts, latencies))
}

pub(super) fn stat(facts: &Facts, latencies: &Latencies, guests: &[Guest]) -> String {
    let mut text = format!("Zookeeper version: {}\nClients:\n", version());
    for guest in guests {
        add!(text, " {})\n", brief(guest));
    }
    add!(text, "\n{}", figures(facts, latencies));
    text
}

fn figures(facts: &Facts, latencies: &Latencies) -> String {
    let Facts { received, sent, connections, outstanding, zxid, node_count, .. } = facts;
    let all = &latencies.all;
    let text = format!(
        "Latency min/avg/max: {}/{:.4}/{}\nReceived: {received}\nSent: {sent}\n\
         Connections: {connections}\nOutstanding: {outstanding}\nZxid: {zxid:#x}\nMode: {}\n\
         Node count: {node_count}\n",
        all.min_ms(),
        all.mean_ms(),
        all.max_ms(),
        facts.mode.unwrap_or_default(),
    );
    text + &proposal_sizes(facts)
}

/// A line of the leader's.
fn proposal_sizes(facts: &Facts) -> String {
    let Sizes { last, min, max } = facts.metrics.proposal_bytes;
    match facts.leading {
        Some(_) => format!("Proposal sizes last/min/max: {last}/{min}/{max}\n"),
        None => String::new(),
    }
}

pub(super) fn monitor(variables: &[(&'static str, Variable)]) -> String {
    let mut text = String::new();
    for (name, variable) in variables {
        match variable {
            Variable::Text(value) => add!(text, "zk_{name}\t{value}\n"),
            Variable::Counter(value) => add!(text, "zk_{name}\t{value}\n"),
            Variable::Gauge(value) if value.fract() == 0.0 => add!(text, "zk_{name}\t{value}\n"),
            Variable::Gauge(value) => add!(text, "zk_{name}\t{value:.4}\n"),
            Variable::Summary(summary) => {
                add!(text, "zk_avg_{name}\t{:.4}\n", summary.mean_ms());
                add!(text, "zk_min_{name}\t{}\n", summary.min_ms());
                add!(text, "zk_max_{name}\t{}\n", summary.max_ms());
                add!(text, "zk_cnt_{name}\t{}\n", summary.count());
                add!(text, "zk_sum_{name}\t{:.4}\n", summary.sum_ms());
            }
        }
    }
    text
}

pub(super) fn connections(guests: &[Guest]) -> String {
    let mut text = String::new();
    for guest in guests {
        add!(text, " {}{})\n", brief(guest), session(guest));
    }
    text.push('\n');
    text
}

fn brief(guest: &Guest) -> String {
    let queued = guest.client.map_or(0, |client| client.queued);
    let interest = u8::from(guest.client.is_some());
    let (received, sent) = (guest.counters.received, guest.counters.sent);
    format!("/{}[{interest}](queued={queued},recved={received},sent={sent}", guest.stats.from)
}

fn session(guest: &Guest) -> String {
    let Some(client) = guest.client else { return String::new() };
    let counters = &guest.counters;
    let mut text = format!(
        ",sid={:#x},lop={},est={},to={}",
        client.session,
        counters.last_operation.map_or("NA", operation),
        since_1970(guest.stats.established).as_millis(),
        client.timeout_ms,
    );
    if counters.last_xid >= 0 {
        add!(text, ",lcxid={:#x}", counters.last_xid);
    }
    add!(
        text,
        ",lzxid={:#x},lresp={},llat={},minlat={},avglat={:.0},maxlat={}",
        counters.last_zxid,
        counters.last_reply.map_or(0, |at| since_1970(on_the_wall(at)).as_millis()),
        counters.last_latency_ms,
        counters.latency.min_ms(),
        counters.latency.mean_ms().floor(),
        counters.latency.max_ms(),
    );
    text
}

/// `Request.op2String`, as far as `cons` shows it: four letters.
pub(super) fn operation(number: i32) -> &'static str {
    match number {
        opcode::CREATE | opcode::CREATE2 | opcode::CREATE_CONTAINER | opcode::CREATE_TTL => "CREA",
        opcode::DELETE => "DELE",
        opcode::EXISTS => "EXIS",
        opcode::GET_DATA => "GETD",
        opcode::SET_DATA => "SETD",
        opcode::GET_ACL => "GETA",
        opcode::SET_ACL => "SETA",
        opcode::GET_CHILDREN | opcode::GET_CHILDREN2 => "GETC",
        opcode::SYNC => "SYNC",
        opcode::PING => "PING",
        opcode::MULTI | opcode::MULTI_READ => "MULT",
        opcode::SET_WATCHES | opcode::SET_WATCHES2 => "SETW",
        opcode::ADD_WATCH => "ADDW",
        opcode::CHECK_WATCHES => "CHKW",
        opcode::REMOVE_WATCHES => "REMW",
        opcode::AUTH => "AUTH",
        opcode::SASL => "SASL",
        opcode::CLOSE_SESSION => "CLOS",
        _ => "NA",
    }
}

pub(super) fn configuration(config: &Config, facts: &Facts) -> String {
    let directory = config.data_dir.join("zoobreak");
    let size = super::bytes_in(&directory);
    let directory = directory.display();
    let mut text = format!(
        "clientPort={}\nsecureClientPort={}\ndataDir={directory}\ndataDirSize={size}\n\
         dataLogDir={directory}\ndataLogSize={size}\ntickTime={}\nmaxClientCnxns={}\n\
         minSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog=-1\nserverId={}\n",
        config.client_port,
        config.secure.as_ref().map_or(-1, |secure| i32::from(secure.port)),
        config.tick_ms,
        config.max_client_cnxns,
        config.min_session_ms,
        config.max_session_ms,
        if config.servers.is_empty() { 0 } else { config.id },
    );
    if let Some(own) = config.servers.get(&config.id) {
        let (init, sync) = (config.init_limit, config.sync_limit);
        let (election, quorum) = (own.election_port, own.quorum_port);
        let (members, version) = (members(facts), facts.version);
        add!(
            text,
            "initLimit={init}\nsyncLimit={sync}\nelectionAlg=3\nelectionPort={election}\n\
             quorumPort={quorum}\npeerType={}\nmembership: \n{members}version={version:x}",
            peer_type(config.id, facts)
        );
    }
    text
}

/// The lines `server.N=…` of the configuration in force.
pub(super) fn members(facts: &Facts) -> String {
    facts.servers.iter().map(|(id, server)| format!("server.{id}={server}\n")).collect()
}

/// ZooKeeper's `LearnerType`: 1 for an observer.
pub(super) fn peer_type(id: ServerId, facts: &Facts) -> u8 {
    facts.servers.get(&id).map_or(1, |server| u8::from(server.observer))
}

pub(super) fn directories(bytes: u64) -> String {
    // One directory holds both.
    format!("datadir_size: {bytes}\nlogdir_size: {bytes}\n")
}

pub(super) fn dump(facts: &Facts, guests: &[Guest]) -> String {
    let mut text = "SessionTracker dump:\n".to_owned();
    match facts.leading.is_some() {
        true => expiries(&mut text, facts),
        false => timeouts(&mut text, facts),
    }
    let owners: Vec<_> = facts.sessions.iter().filter(|open| !open.ephemerals.is_empty()).collect();
    add!(text, "ephemeral nodes dump:\nSessions with Ephemerals ({}):\n", owners.len());
    for session in owners {
        add!(text, "{:#x}:\n", session.id);
        session.ephemerals.iter().for_each(|path| add!(text, "\t{path}\n"));
    }
    add!(text, "Connections dump:\nConnections Sets (1)/({}):\n", guests.len());
    for guest in guests {
        let id = guest.client.map_or(0, |client| client.session);
        add!(text, "\tip: /{} sessionId: {id:#x}\n", guest.stats.from);
    }
    text
}

/// The leader's: when each session expires unless it is heard from.
fn expiries(text: &mut String, facts: &Facts) {
    let mut sets: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    let now = since_1970(SystemTime::now());
    for session in &facts.sessions {
        let at = (now + session.expires_in.unwrap_or_default()).as_secs();
        sets.entry(at).or_default().push(session.id);
    }
    add!(text, "Session Sets ({})/({}):\n", sets.len(), facts.sessions.len());
    for (at, sessions) in sets {
        add!(text, "{} expire at {}:\n", sessions.len(), date(at));
        sessions.iter().for_each(|id| add!(text, "\t{id:#x}\n"));
    }
}

/// A follower's: it does not know when they expire.
fn timeouts(text: &mut String, facts: &Facts) {
    add!(text, "Global Sessions({}):\n", facts.sessions.len());
    for session in &facts.sessions {
        add!(text, "{:#x}\t{}ms\n", session.id, session.timeout_ms);
    }
}

pub(super) fn digests(facts: &Facts) -> String {
    let mut text = String::new();
    for (zxid, digest) in digest_log(facts) {
        add!(text, "{zxid:x}: {}\n", digest.cast_signed());
    }
    text
}

/// Every 128th transaction, as in ZooKeeper, and the state now.
pub(super) fn digest_log(facts: &Facts) -> Vec<(u64, u64)> {
    let mut digests: Vec<_> = facts.metrics.digests().collect();
    if digests.last().is_none_or(|(zxid, _)| *zxid != facts.zxid) {
        digests.push((facts.zxid, facts.lineage));
    }
    digests
}

pub(super) fn watch_summary(facts: &Facts) -> String {
    let paths: BTreeSet<_> = facts.watches.values().flatten().collect();
    let (conns, paths) = (facts.watches.len(), paths.len());
    format!("{conns} connections watching {paths} paths\nTotal watches:{}\n", facts.n_watches)
}

pub(super) fn watches_by_session(facts: &Facts) -> String {
    let mut text = String::new();
    for (session, paths) in by_session(facts) {
        add!(text, "{session:#x}\n");
        paths.iter().for_each(|path| add!(text, "\t{path}\n"));
    }
    text + "\n"
}

pub(super) fn watches_by_path(facts: &Facts) -> String {
    let mut text = String::new();
    for (path, sessions) in by_path(facts) {
        add!(text, "{path}\n");
        sessions.iter().for_each(|session| add!(text, "\t{session:#x}\n"));
    }
    text + "\n"
}

/// The paths that each session watches.
pub(super) fn by_session(facts: &Facts) -> BTreeMap<i64, &BTreeSet<String>> {
    let session = |conn| facts.clients.get(conn).map(|client| client.session);
    facts.watches.iter().filter_map(|(conn, paths)| Some((session(conn)?, paths))).collect()
}

/// The sessions that watch each path.
pub(super) fn by_path(facts: &Facts) -> BTreeMap<&str, BTreeSet<i64>> {
    let mut paths: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for (session, watched) in by_session(facts) {
        for path in watched {
            paths.entry(path).or_default().insert(session);
        }
    }
    paths
}

pub(super) fn environment() -> String {
    let mut text = "Environment:\n".to_owned();
    environment_pairs().iter().for_each(|(name, value)| add!(text, "{name}={value}\n"));
    text
}

/// ZooKeeper's names; those of Java's machine have no meaning here and are absent.
pub(super) fn environment_pairs() -> Vec<(&'static str, String)> {
    let variable = |name| std::env::var(name).unwrap_or_else(|_| "<NA>".to_owned());
    let kernel = |file: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{file}"));
        text.map_or("<NA>".to_owned(), |text| text.trim().to_owned())
    };
    let directory = std::env::current_dir().map(|path| path.display().to_string());
    vec![
        ("zookeeper.version", version()),
        ("host.name", kernel("hostname")),
        ("os.name", kernel("ostype")),
        ("os.arch", std::env::consts::ARCH.to_owned()),
        ("os.version", kernel("osrelease")),
        ("user.name", variable("USER")),
        ("user.home", variable("HOME")),
        ("user.dir", directory.unwrap_or_else(|_| "<NA>".to_owned())),
    ]
}

/// The time of day at that instant.
pub(super) fn on_the_wall(at: Instant) -> SystemTime {
    SystemTime::now().checked_sub(at.elapsed()).unwrap_or(UNIX_EPOCH)
}

pub(super) fn since_1970(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970 as Java prints a date: `Fri Nov 20 22:52:15 UTC 2026`.
fn date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = seconds / 86_400;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut rest) = (1970, days);
    while rest >= 365 + u64::from(is_leap(year)) {
        rest -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while rest >= lengths[month] {
        rest -= lengths[month];
        month += 1;
    }
    let (weekday, month, day) = (DAYS[(days % 7) as usize], MONTHS[month], rest + 1);
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
