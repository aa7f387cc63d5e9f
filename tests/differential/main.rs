//! The same scripts of requests for Apache ZooKeeper and for our server, reply by reply and event
//! by event. `ZOOBREAK_DIFF_SEEDS=5000` plays more scripts; `ZOOBREAK_DIFF_SEEDS=70..80` these.

#[path = "../support/mod.rs"]
mod support;

mod apache;
mod compare;
mod connection;
mod coverage;
mod deliberate;
mod names;
mod play;
mod script;

use std::collections::BTreeSet;
use std::ops::Range;

use wire::Response;

use apache::Apache;
use compare::{explain, first_difference, smallest};
use play::{Player, Record, Seen, What};
use script::{Step, script, script_for_three};
use support::ensemble::Ensemble;
use support::{alone, skip};

const SEEDS: Range<u64> = 0..300;
/// Of scripts for three servers.
const SEEDS_FOR_THREE: Range<u64> = 0..60;
/// A difference is one that every play shows: a follower of Apache ZooKeeper 3.8.0 rarely leaves a `sync`
/// without an answer, or answers it with the zxid before the last one.
const PLAYS: usize = 3;
/// Differences shown before the test gives up.
const SHOWN: usize = 5;
/// `maxSessionTimeout`.
const MAX_TIMEOUT_MS: i32 = 60_000;
/// As `Ensemble` has them, and no limit.
const THEIR_OPTIONS: &str = "tickTime=200\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n";
const OUR_OPTIONS: &str = "extendedTypesEnabled=true\nznode.container.checkIntervalMs=3600000\n\
    maxClientCnxns=0\nDigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n";
const THEIR_PROPERTIES: [&str; 5] = [
    "-Dzookeeper.forceSync=no",
    "-Dzookeeper.extendedTypesEnabled=true",
    // Otherwise only a server with TLS knows this scheme.
    "-Dzookeeper.authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
    "-Dznode.container.checkIntervalMs=3600000",
    "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
];

#[test]
fn scripts_are_answered_as_by_apache_zookeeper() {
    let _alone = alone();
    if let Some(why) = apache::missing() {
        return skip("scripts_are_answered_as_by_apache_zookeeper", &why);
    }
    let apache = Apache::alone(THEIR_OPTIONS, &THEIR_PROPERTIES);
    let ensemble = Ensemble::started(1, OUR_OPTIONS);
    let (theirs, ours) = (Player::new(&apache.addrs, &[]), Player::new(&[ensemble.addr(1)], &[]));
    let reached = assert_alike(theirs, ours, seeds(SEEDS), script);
    if seeds(SEEDS) == SEEDS {
        assert_reached(&reached, coverage::EXPECTED);
    }
}

#[test]
fn three_servers_answer_as_three_of_apache_zookeeper() {
    let _alone = alone();
    if let Some(why) = apache::missing() {
        return skip("three_servers_answer_as_three_of_apache_zookeeper", &why);
    }
    let theirs = format!("{THEIR_OPTIONS}reconfigEnabled=true\n");
    let apache = Apache::ensemble(&theirs, &THEIR_PROPERTIES);
    let ensemble = Ensemble::started(3, &format!("{OUR_OPTIONS}reconfigEnabled=true\n"));
    let addrs: Vec<_> = (1..=3).map(|id| ensemble.addr(id)).collect();
    let lines: Vec<_> = (1..=3).map(|id| ensemble.line(id)).collect();
    let mut players = [Player::new(&apache.addrs, &apache.lines), Player::new(&addrs, &lines)];
    players.iter_mut().for_each(Player::open_configuration);
    let [theirs, ours] = players;
    let reached = assert_alike(theirs, ours, seeds(SEEDS_FOR_THREE), script_for_three);
    if seeds(SEEDS_FOR_THREE) == SEEDS_FOR_THREE {
        assert_reached(
            &reached,
            &["Reconfig", "Multi", "AddWatch", "NodeDataChanged", "BadVersion"],
        );
    }
}

/// Plays the seeds' scripts on both sides; what was reached.
fn assert_alike(
    mut theirs: Player,
    mut ours: Player,
    seeds: Range<u64>,
    script: fn(u64) -> Vec<Step>,
) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut differ = |steps: &[Step]| {
        let mut found = None;
        for _ in 0..PLAYS {
            let (theirs, ours) = play(&mut theirs, &mut ours, steps);
            reached.extend(coverage::reached(steps, &ours));
            found = Some(first_difference(steps, &theirs, &ours)?);
        }
        found
    };
    let mut shown = Vec::new();
    for seed in seeds {
        let steps = script(seed);
        if let Some(difference) = differ(&steps) {
            let (steps, difference) = smallest(steps, difference, &mut differ);
            shown.push(explain(seed, &steps, &difference));
        }
        if shown.len() == SHOWN {
            break;
        }
    }
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    reached
}

fn play(theirs: &mut Player, ours: &mut Player, steps: &[Step]) -> (Record, Record) {
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| theirs.play(steps));
        let ours = ours.play(steps);
        (theirs.join().expect("it plays"), ours)
    })
}

fn assert_reached(reached: &BTreeSet<String>, expected: &[&str]) {
    let missed: Vec<_> = expected.iter().filter(|what| !reached.contains(**what)).collect();
    assert_eq!(missed, [] as [&&str; 0], "no script gets there");
}

/// Those asked for, or these.
fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(asked) = std::env::var("ZOOBREAK_DIFF_SEEDS") else { return usual };
    let number = |text: &str| text.parse().expect("ZOOBREAK_DIFF_SEEDS is N or FROM..TO");
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&asked),
    }
}

#[test]
fn a_planted_difference_is_found_and_shown_in_a_few_steps() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, OUR_OPTIONS);
    let mut player = Player::new(&[ensemble.addr(1)], &[]);
    let mut found = |plant: fn(&mut Seen) -> bool| {
        let mut differ = |steps: &[Step]| {
            let told = player.play(steps);
            let planted = told.iter().map(|seen| with(plant, seen)).collect();
            first_difference(steps, &told, &planted)
        };
        let scripts = (0..20).map(script);
        let mut found = scripts.filter_map(|steps| Some((differ(&steps)?, steps)));
        let (difference, steps) = found.next().expect("a difference is seen");
        drop(found);
        let (steps, difference) = smallest(steps, difference, &mut differ);
        (steps.len(), explain(0, &steps, &difference))
    };
    // A version too high.
    let (n, text) = found(|seen| match &mut seen.what {
        What::Reply { body: Some(Response::SetData { stat }), .. } => {
            stat.version += 1;
            true
        }
        _ => true,
    });
    assert!(n <= 2 && text.contains("SetData {"), "{text}");
    // An event that does not come, a reply that does not, a zxid too many.
    let (n, text) = found(|seen| !matches!(seen.what, What::Event { .. }));
    assert!(n <= 2 && text.contains("Event {"), "{text}");
    let (n, text) = found(|seen| !matches!(seen.what, What::Closed));
    assert!(n == 1 && text.contains("Closed"), "{text}");
    let (n, _) = found(|seen| {
        if let What::Reply { xid: 1, zxid, .. } = &mut seen.what {
            *zxid += 1;
        }
        true
    });
    assert_eq!(n, 1);
    // A wrong timeout: of a new session, of one that is resumed.
    let (n, text) = found(|seen| {
        if let What::Opened { timeout_ms, .. } = &mut seen.what {
            *timeout_ms += 1;
        }
        true
    });
    assert!(n == 0 && text.contains("when the sessions are opened"), "{text}");
    let (n, text) = found(|seen| {
        if let What::Resumed { timeout_ms, .. } = &mut seen.what {
            *timeout_ms += 1;
        }
        true
    });
    assert!(n <= 2 && text.contains("Resumed {"), "{text}");
}

/// What was seen, with a change; what the change says no to is left out.
fn with(plant: fn(&mut Seen) -> bool, seen: &[Seen]) -> Vec<Seen> {
    let mut seen = seen.to_vec();
    seen.retain_mut(plant);
    seen
}

#[test]
fn what_is_deliberate_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/differences.md");
    let page = std::fs::read_to_string(path).expect("it is in the repository");
    for cell in deliberate::ROWS.iter().map(|row| row.cell).chain([deliberate::TOLD_TWICE]) {
        assert!(page.contains(&format!("\n| {cell} |")), "no row {cell:?} in {path}");
    }
}
