//! What a server finds on its disk after a kill, after damage, and after a long absence.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::disguise::Disguise;
use support::ensemble::Ensemble;
use support::{alone, skip, text};

#[test]
fn an_ensemble_that_was_killed_as_a_whole_has_all_that_it_acknowledged() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "snapCount=50\n");
    ensemble.write_znodes("a", 120);
    (1..=3).for_each(|id| ensemble.kill(id));
    (1..=3).for_each(|id| ensemble.start(id));
    ensemble.settle();
    ensemble.wait_until_level();
    (1..=3).for_each(|id| ensemble.assert_serves_znodes(id, "a", 120));
}

#[test]
fn a_torn_tail_is_cut_and_what_was_lost_is_fetched() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let follower = ensemble.a_follower();
    ensemble.write_znodes("a", 30);
    ensemble.wait_until_level();
    ensemble.kill(follower);
    let log = ensemble.newest_log_file(follower);
    let whole = fs::read(&log).expect("it is there");
    fs::write(&log, &whole[..whole.len() - 5]).expect("a scratch directory");

    ensemble.start(follower);
    ensemble.wait_until_level();
    let said = ensemble.log(follower);
    let expected = format!("{}: cut a torn tail at byte ", log.display());
    assert!(said.contains(&expected), "{said}");
    ensemble.assert_serves_znodes(follower, "a", 30);
}

#[test]
fn damage_that_no_crash_can_do_is_refused_with_file_and_offset() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let follower = ensemble.a_follower();
    ensemble.write_znodes("a", 30);
    ensemble.wait_until_level();
    ensemble.kill(follower);
    let log = ensemble.newest_log_file(follower);
    let middle = fs::metadata(&log).expect("it is there").len() / 2;
    flip_byte(&log, middle);
    let spoiled = fs::read(&log).expect("it is there");

    let said = ensemble.refused(follower);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let start = said.stderr.find(&format!("zoobreak: {}: damaged at byte ", log.display()));
    let start = start.unwrap_or_else(|| panic!("{}", said.stderr));
    let offset =
        said.stderr[start..].split("at byte ").nth(1).and_then(|rest| rest.split(':').next());
    let offset: u64 = offset.and_then(|digits| digits.parse().ok()).expect("a number");
    assert!(offset <= middle && middle - offset < 500, "byte {middle} was flipped, not {offset}");
    assert_eq!(fs::read(&log).expect("it is there"), spoiled, "the evidence is left as it was");
}

/// The last record may have been acknowledged: a flipped bit there is no torn write.
#[test]
fn a_flipped_bit_at_the_end_of_the_log_is_refused_too() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(1, "");
    ensemble.write_znodes("a", 3);
    ensemble.kill(1);
    let log = ensemble.newest_log_file(1);
    let end = fs::metadata(&log).expect("it is there").len();
    for back in 1..60 {
        flip_byte(&log, end - back);
        let said = ensemble.refused(1);
        assert_eq!(said.code, 3, "{back} bytes before the end: {}", said.stderr);
        assert!(said.stderr.contains("damaged at byte "), "{}", said.stderr);
        flip_byte(&log, end - back);
    }
    ensemble.start(1);
    ensemble.settle();
    ensemble.assert_serves_znodes(1, "a", 3);
}

/// Whatever is missing of a server's files, it refuses to serve what is left as if it were all.
#[test]
fn missing_and_garbled_files_are_named_and_what_is_left_is_left() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(1, "snapCount=20\n");
    ensemble.write_znodes("a", 150);
    ensemble.kill(1);
    let root = ensemble.home(1).join("zoobreak");
    let state = root.join("state");
    let files = |prefix: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join("g0")).expect("it has run").flatten();
        let named = entries.filter(|e| e.file_name().to_string_lossy().starts_with(prefix));
        let mut paths: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let (logs, snapshots) = (files("log."), files("snapshot."));
    assert!(logs.len() > 2 && snapshots.len() > 2, "{logs:?} {snapshots:?}");
    let away = ensemble.home(1).join("away");
    fs::create_dir(&away).expect("a scratch directory");
    let whole = fs::read_to_string(&state).expect("it has run");
    let cases: [(&str, Vec<PathBuf>, &str); 4] = [
        ("the state", vec![state.clone()], "state is missing, but "),
        ("the snapshots", snapshots.clone(), "is missing"),
        ("a log in the middle", vec![logs[logs.len() - 2].clone()], "is missing"),
        (
            "all logs and the state",
            [&logs[..], std::slice::from_ref(&state)].concat(),
            "state is missing",
        ),
    ];
    for (what, missing, words) in cases {
        let name = |path: &PathBuf| away.join(path.file_name().expect("a file"));
        missing.iter().for_each(|path| fs::rename(path, name(path)).expect("it is there"));
        if what == "a log in the middle" {
            // Newer snapshots hold what it held.
            snapshots[1..].iter().for_each(|path| fs::rename(path, name(path)).expect("there"));
        }
        let said = ensemble.refused(1);
        assert_eq!(said.code, 3, "without {what}: {}", said.stderr);
        assert!(said.stderr.contains(words), "without {what}: {}", said.stderr);
        for entry in fs::read_dir(&away).expect("made above").flatten() {
            let is_state = entry.file_name() == "state";
            let home = if is_state { root.clone() } else { root.join("g0") };
            fs::rename(entry.path(), home.join(entry.file_name())).expect("where it was");
        }
    }
    for (text, words) in [
        (whole.replace("Epoch=1", "Epoch=2"), "wrong checksum"),
        (whole.replace("format=", "format=9"), "another version"),
        ("garbage\n".to_owned(), "not a state file"),
        (String::new(), "not a state file"),
    ] {
        fs::write(&state, &text).expect("it is there");
        let said = ensemble.refused(1);
        assert_eq!(said.code, 3, "{text:?}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{text:?}: {}", said.stderr);
    }
    fs::write(&state, whole).expect("it is there");
    ensemble.start(1);
    ensemble.settle();
    ensemble.assert_serves_znodes(1, "a", 150);
}

/// An epoch is a promise: an older one than the log shows was put back by somebody; a newer one is kept.
#[test]
fn an_older_epoch_is_refused_and_a_newer_one_is_kept() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let follower = ensemble.a_follower();
    let state = ensemble.home(follower).join("zoobreak/state");
    let first = fs::read_to_string(&state).expect("it has run");
    let leader = ensemble.settle();
    ensemble.kill(leader);
    ensemble.settle();
    ensemble.write_znodes("a", 3);
    ensemble.start(leader);
    ensemble.wait_until_level();
    ensemble.kill(follower);
    let second = fs::read_to_string(&state).expect("it has run");
    assert_ne!(first, second, "another leader is another epoch");

    fs::write(&state, first).expect("it is there");
    let said = ensemble.refused(follower);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("is older than the history's"), "{}", said.stderr);

    // It follows nobody of an older epoch. The others' next leader needs it, and begins a newer one.
    fs::write(&state, with_accepted_epoch(&second, 70)).expect("it is there");
    let leader = ensemble.settle();
    ensemble.kill(leader);
    ensemble.start(follower);
    ensemble.settle();
    let mut client = ensemble.client(follower);
    let zxid = client.create("/newer", b"").expect("it serves").zxid;
    assert_eq!(zxid >> 32, 71);
    ensemble.start(leader);
    ensemble.wait_until_level();
    (1..=3).for_each(|id| ensemble.assert_serves_znodes(id, "a", 3));
}

/// A state file with another promise, and the checksum for it.
fn with_accepted_epoch(text: &str, epoch: u32) -> String {
    let line = |line: &str| match line.strip_prefix("acceptedEpoch=") {
        Some(_) => format!("acceptedEpoch={epoch}\n"),
        None => format!("{line}\n"),
    };
    let body: String = text.lines().filter(|line| !line.starts_with("crc=")).map(line).collect();
    format!("{body}crc={:08x}\n", crc32fast::hash(body.as_bytes()))
}

#[test]
fn a_server_without_room_on_its_disk_stops_and_says_so_and_the_others_serve() {
    let _alone = alone();
    let mut ensemble = Ensemble::new(3, "");
    let store = ensemble.home(3).join("zoobreak");
    fs::create_dir(&store).expect("a scratch directory");
    let small = match Disguise::with_little_room(text(&store), 256) {
        Ok(small) => small,
        Err(why) => {
            return skip("a_server_without_room_on_its_disk_stops_and_says_so", &why);
        }
    };
    // It follows: while the others elect a leader again, they would serve nobody either.
    ensemble.start(1);
    ensemble.start(2);
    ensemble.settle();
    ensemble.start_in(3, &small);
    ensemble.settle();
    let mut client = ensemble.client(1);
    for n in 0..60 {
        client.create(&format!("/{n}"), &[7; 10_000]).expect("a quorum").result.expect("new");
    }
    assert_eq!(ensemble.ended(3), 3, "{}", ensemble.log(3));
    let said = ensemble.log(3);
    assert!(said.contains(&format!("zoobreak: {}", store.display())), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(client.get("/59").expect("the others serve"), [7; 10_000]);
}

#[test]
fn a_server_that_was_away_for_long_is_brought_up_by_a_snapshot() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "snapCount=50\ncommitLogCount=20\n");
    let follower = ensemble.a_follower();
    ensemble.write_znodes("a", 30);
    ensemble.wait_until_level();
    ensemble.kill(follower);
    ensemble.write_znodes("b", 5);
    ensemble.start(follower);
    ensemble.wait_until_level();
    assert!(!ensemble.log(follower).contains("state replaced"), "5 transactions are a DIFF");

    ensemble.kill(follower);
    ensemble.write_znodes("c", 200);
    ensemble.start(follower);
    ensemble.wait_until_level();
    let leader = ensemble.settle();
    assert!(ensemble.log(leader).contains("sending a snapshot"), "{}", ensemble.log(leader));
    assert!(ensemble.log(follower).contains("state replaced"), "{}", ensemble.log(follower));
    for (prefix, n) in [("a", 30), ("b", 5), ("c", 200)] {
        ensemble.assert_serves_znodes(follower, prefix, n);
    }

    // What was installed is on disk: it is there after another kill, without the others' help.
    ensemble.kill(follower);
    ensemble.start(follower);
    ensemble.wait_until_level();
    assert_eq!(ensemble.log(follower).matches("state replaced").count(), 1);
    ensemble.assert_serves_znodes(follower, "c", 200);
}

/// Spoils one bit of a byte.
fn flip_byte(path: &Path, at: u64) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[usize::try_from(at).expect("logs are small")] ^= 0x10;
    fs::write(path, bytes).expect("a scratch directory");
}
