//! Sequential consistency and ZooKeeper's, of histories from elsewhere.

use std::fs;
use std::time::Duration;

use checker::{Consistency, Limits, Outcome, Spec, Verdict, check_foreign};
use history::foreign::{Options, read};

const ALL: [Consistency; 3] =
    [Consistency::Linearizable, Consistency::Zookeeper, Consistency::Sequential];
const VALID: Outcome = Outcome::Valid;
const INVALID: Outcome = Outcome::Invalid;

fn within(spec: &str, consistency: Consistency, events: &str, limits: Limits) -> Verdict {
    let line = |line: &str| {
        let parts: Vec<_> = line.trim().splitn(4, ' ').collect();
        let [process, kind, f, value] = parts[..] else { panic!("{line}: four parts") };
        format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n")
    };
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.edn");
    let text: String = events.trim().lines().map(line).collect();
    fs::write(&path, text).expect("an empty scratch directory");
    let options = Options { keyed: events.contains("[:"), ..Options::default() };
    let foreign = read(&path, options).expect("a good file");
    let spec = Spec::named(spec).expect("a known name").under(consistency);
    check_foreign(&foreign, spec, limits).expect("operations of the specification")
}

/// Each call is over when the next begins: `CLIENT F ARGUMENT RESULT`, split by semicolons.
fn in_turn(calls: &str) -> String {
    let both = |call: &str| {
        let parts: Vec<_> = call.trim().splitn(4, ' ').collect();
        let [client, f, asked, answered] = parts[..] else { panic!("{call}: four parts") };
        format!("{client} invoke {f} {asked}\n{client} ok {f} {answered}\n")
    };
    calls.split(';').map(both).collect()
}

/// The verdicts on registers, in the order of [`ALL`].
fn judged(events: &str) -> [Outcome; 3] {
    ALL.map(|consistency| within("register", consistency, events, Limits::default()).outcome)
}

#[test]
fn reads_may_be_stale_and_never_go_back() {
    let stale = "0 write 1 1;0 write 2 2;1 read nil 1";
    assert_eq!(judged(&in_turn(stale)), [INVALID, VALID, VALID]);
    let later = format!("{stale};1 read nil 2");
    assert_eq!(judged(&in_turn(&later)), [INVALID, VALID, VALID]);
    let back = format!("{later};1 read nil 1");
    assert_eq!(judged(&in_turn(&back)), [INVALID, INVALID, INVALID]);
    // Another client may be behind.
    let other = format!("{later};2 read nil 1");
    assert_eq!(judged(&in_turn(&other)), [INVALID, VALID, VALID]);
}

#[test]
fn a_client_sees_its_own_writes() {
    let lost = in_turn("0 write 1 1;0 read nil nil");
    assert_eq!(judged(&lost), [INVALID, INVALID, INVALID]);
}

#[test]
fn zookeepers_changes_agree_with_real_time() {
    let turned = in_turn("0 write 1 1;1 write 2 2;2 read nil 2;2 read nil 1");
    assert_eq!(judged(&turned), [INVALID, INVALID, VALID]);
    // No read shows what is written later.
    let ahead = in_turn("0 read nil 1;1 write 1 1");
    assert_eq!(judged(&ahead), [INVALID, INVALID, VALID]);
}

/// Each register by itself is in order (L. Lamport, 1979, with two processors that want to enter).
#[test]
fn all_objects_have_one_order() {
    let x = "0 write [:x,1] [:x,1];0 read [:y,nil] [:y,nil]";
    let y = "1 write [:y,1] [:y,1];1 read [:x,nil] [:x,nil]";
    assert_eq!(judged(&in_turn(&format!("{x};{y}"))), [INVALID, INVALID, INVALID]);
    let seen = "1 write [:y,1] [:y,1];1 read [:x,nil] [:x,1]";
    assert_eq!(judged(&in_turn(&format!("{x};{seen}"))), [VALID, VALID, VALID]);
}

#[test]
fn what_nobody_heard_of_comes_at_any_later_place_of_its_client_or_not_at_all() {
    let lost =
        |then: &str| format!("{}0 invoke write 2\n0 info write 2\n{then}", in_turn("0 write 1 1"));
    let seen_late = lost(&in_turn("0 read nil 1;0 read nil 2;1 read nil 1"));
    assert_eq!(judged(&seen_late), [INVALID, VALID, VALID]);
    assert_eq!(judged(&lost(&in_turn("0 read nil 1;1 read nil 1"))), [VALID, VALID, VALID]);
    // Not before what its client had done.
    let early = lost(&in_turn("1 read nil 2;1 read nil 1"));
    assert_eq!(judged(&early), [INVALID, INVALID, INVALID]);
    let once = lost(&in_turn("1 read nil 2;0 write 3 3;1 read nil 3;1 read nil 2"));
    assert_eq!(judged(&once), [INVALID, INVALID, INVALID]);
}

#[test]
fn a_violation_is_shrunk_to_what_has_no_order_whatever_the_others_did() {
    let writes: Vec<String> = (0..60).map(|n| format!("{} write {n} {n}", n % 2)).collect();
    let events = in_turn(&format!("{};3 read nil 40;3 read nil 10", writes.join(";")));
    // The even values are client 0's, one after the other.
    for consistency in [Consistency::Zookeeper, Consistency::Sequential] {
        let verdict = within("register", consistency, &events, Limits::default());
        let check = &verdict.checks[0];
        let witness = check.witness.as_ref().expect("a violation has a witness");
        assert_eq!(witness.operations.len(), 4, "both writes and both reads: {witness:#?}");
        assert_eq!(witness.operations.last(), Some(&122), "the second read has no place");
        assert_eq!(witness.order.len(), 3, "all others fit: {witness:#?}");
        assert!(verdict.sentence.contains("keeps each client's own"), "{}", verdict.sentence);
        assert!(check.source.contains("(1979)") || check.source.contains("(2016)"));
    }
}

#[test]
fn other_specifications_too() {
    let cases = [
        (
            "queue",
            "0 enqueue 1 1;0 enqueue 2 2;1 dequeue nil nil;1 dequeue nil 1",
            [INVALID, INVALID, VALID],
        ),
        ("queue", "0 enqueue 1 1;0 enqueue 2 2;1 dequeue nil 2", [INVALID, INVALID, INVALID]),
        ("counter", "0 add 1 1;1 read nil 0;1 read nil 1", [INVALID, VALID, VALID]),
        ("set", "0 add 1 1;0 add 2 2;1 read nil #{2}", [INVALID, INVALID, INVALID]),
        (
            "znodes",
            "0 create {:path,\"/a\"} nil;1 exists {:path,\"/a\"} false;1 children {:path,\"/\"} [\"a\"]",
            [INVALID, VALID, VALID],
        ),
        (
            "znodes",
            "0 create {:path,\"/a\"} nil;1 children {:path,\"/\"} [\"a\"];1 exists {:path,\"/a\"} false",
            [INVALID, INVALID, INVALID],
        ),
    ];
    for (spec, calls, outcomes) in cases {
        let events = in_turn(calls);
        let found = ALL.map(|one| within(spec, one, &events, Limits::default()).outcome);
        assert_eq!(found, outcomes, "{spec}: {calls}");
    }
}

/// Nothing says which of many additions came first, and what is read cannot be.
#[test]
fn past_its_budget_it_does_not_know() {
    let mut events = String::new();
    for n in 0..40 {
        events += &format!("{n} invoke add {}\n", 1_u64 << n);
    }
    events += &in_turn("99 read nil -1");
    let limits = Limits { bytes: 1 << 20, time: Duration::from_mins(1) };
    let verdict = within("counter", Consistency::Sequential, &events, limits);
    assert_eq!(verdict.outcome, Outcome::Unknown, "{}", verdict.sentence);
    assert!(verdict.sentence.contains("gave up with 0 operations of 1 in order, at 1048576 bytes"));
}
