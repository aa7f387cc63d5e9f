//! Every check of the tree, on a history where its promise is kept and on ones where it is broken.

use checker::{Check, Outcome};
use history::znode::{Ask, Change, Told, ZnodeStat};
use history::{Hex, Kind, Process, f};

use crate::story::Story;
use crate::znodes::{
    Z, children, create, data, delete, ephemeral, errors, get, made, names, owned, parent,
    sequential, set, stat,
};

const A: &str = "/z0/a";
const B: &str = "/z0/b";
const E: &str = "/z0/e";
const G: &str = "/z0/g";

/// Client 1 creates and sets, alone and in a multi; client 2 watches, reads and owns an ephemeral.
fn correct() -> Story {
    let mut story = Story::new();
    story.does(1, &create(A, 11), 5, &made(A, stat(5, 5, 0)));
    story.does(2, &get(A, true), 5, &data(11, stat(5, 5, 0)));
    story.does(2, &children(true), 5, &names(&["a"], parent(5, 1, 1)));
    story.does(1, &set(A, 12, 0), 6, &Told::Set { stat: stat(5, 6, 1) });
    story.is_told(2, A, Change::Changed);
    story.is_told(2, Z, Change::Children);
    story.does(2, &ephemeral(E, 21), 7, &made(E, owned(2, 7)));
    story.does(1, &sequential(13), 8, &made("/z0/s-0000000002", stat(8, 8, 0)));
    let results =
        vec![Told::Set { stat: stat(5, 9, 2) }, Told::Created { path: B.into(), stat: None }];
    let ops = vec![set(A, 14, -1), create(B, 15)];
    story.does(1, &Ask::Multi { ops }, 9, &Told::Multi { results });
    let ops = vec![set(A, 16, -1), Ask::Check { path: "/z0/never".into(), version: 0 }];
    story.refused(1, &Ask::Multi { ops }, 10, "NoNode", Some(&errors(&[0, -101])));
    story.refused(1, &set(A, 17, 0), 11, "BadVersion", None);
    story.does(2, &get(A, false), 11, &data(14, stat(5, 9, 2)));
    story.does(2, &get(B, false), 11, &data(15, stat(9, 9, 0)));
    story.does(2, &Ask::Close, 12, &Told::Done);
    let all = ["a", "b", "s-0000000002"];
    story.does(1, &children(false), 12, &names(&all, parent(12, 5, 3)));
    story
}

fn invalid(story: &Story, id: &str, words: &str) -> Check {
    let check = story.check(id);
    assert_eq!(check.outcome, Outcome::Invalid, "{id}");
    let sentence = &check.witness.as_ref().expect("a violation has a witness").sentence;
    assert!(sentence.contains(words), "{sentence:?} lacks {words:?}");
    check
}

fn valid(story: &Story, id: &str) {
    let check = story.check(id);
    assert_eq!(check.outcome, Outcome::Valid, "{id}: {:?} {:?}", check.reason, check.witness);
}

#[test]
fn a_correct_history_keeps_every_promise() {
    let verdict = correct().verdict();
    let (bound, free): (Vec<_>, Vec<_>) = verdict.checks.iter().partition(|check| check.binding);
    for check in &bound {
        assert_eq!(check.outcome, Outcome::Valid, "{check:?}");
        assert!(check.examined > 0, "{check:?}");
    }
    let ids: Vec<&str> = bound.iter().map(|check| check.id.as_str()).collect();
    let expected = [
        "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C11", "C12", "C13", "C14", "C15", "C18", "C19",
        "C20",
    ];
    assert_eq!(ids, expected);
    // It is over too soon for the others, and they say so.
    let not_examined =
        |check: &&Check| check.reason.as_deref().unwrap_or("").starts_with("not exa");
    let ids: Vec<&str> = free.iter().filter(|c| not_examined(c)).map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["C10", "C16", "C17", "C21", "C23", "C24"]);
}

#[test]
fn shared_zxids_and_sessions_are_refused() {
    let mut story = correct();
    story.does(1, &delete(B), 9, &Told::Done);
    invalid(&story, "C1", "with zxid 0x9");
    let mut story = correct();
    story.does(3, &get(A, false), 12, &data(14, stat(5, 9, 2)));
    valid(&story, "C18");
    story.asks(4, &get(A, false));
    story.complete(4, Kind::Fail, "get", serde_json::Value::Null).session = Some(Hex(0x101));
    invalid(&story, "C18", "in session 0x101, which is that of client 1");
}

#[test]
fn a_reply_that_lacks_an_acknowledged_change_is_refused() {
    let mut story = correct();
    story.does(3, &get(A, false), 12, &data(12, stat(5, 6, 1)));
    invalid(&story, "C5", "/z0/a has older data");
    let mut story = correct();
    story.refused(3, &get(B, false), 12, "NoNode", None);
    invalid(&story, "C5", "/z0/b is missing");
    let mut story = correct();
    story.does(3, &children(false), 12, &names(&["a", "b"], parent(12, 5, 3)));
    invalid(&story, "C5", "/z0/s-0000000002 is missing");
    let mut story = correct();
    story.refused(3, &delete(A), 13, "NoNode", None);
    invalid(&story, "C5", "/z0/a is missing");
}

#[test]
fn a_reply_with_more_than_was_done_is_refused() {
    let mut story = correct();
    story.does(1, &delete(B), 13, &Told::Done);
    story.does(3, &get(B, false), 13, &data(15, stat(9, 9, 0)));
    invalid(&story, "C5", "/z0/b is there");
    let mut story = correct();
    story.does(3, &children(false), 12, &names(&["a", "b", "x", "s-0000000002"], parent(12, 5, 3)));
    invalid(&story, "C5", "/z0/x is there, though nobody is known to have created it");
    let mut story = correct();
    story.does(3, &get(A, false), 12, &data(14, stat(5, 10, 3)));
    invalid(&story, "C5", "/z0/a has data that nobody wrote");
}

#[test]
fn requests_of_unknown_outcome_explain_what_they_can() {
    let mut story = correct();
    story.loses(1, &delete(B));
    story.loses(1, &create("/z0/x", 31));
    story.loses(1, &set(A, 32, -1));
    story.does(3, &get(A, false), 15, &data(32, stat(5, 15, 3)));
    story.does(3, &children(false), 15, &names(&["a", "x", "s-0000000002"], parent(14, 7, 3)));
    for id in ["C5", "C6", "C7", "C14", "C20"] {
        valid(&story, id);
    }
    let mut story = correct();
    story.refused(3, &get(B, false), 12, "NoNode", None);
    story.loses(1, &delete(B));
    invalid(&story, "C5", "/z0/b is missing");
}

/// A session that wrote later was alive, and so were its ephemerals.
#[test]
fn an_ephemeral_may_go_with_its_session_but_not_before() {
    let base = || {
        let mut story = correct();
        story.does(3, &ephemeral(G, 33), 13, &made(G, owned(3, 13)));
        story.refused(1, &get(G, false), 14, "NoNode", None);
        story
    };
    valid(&base(), "C5");
    let mut story = base();
    story.does(3, &set(A, 34, -1), 15, &Told::Set { stat: stat(5, 15, 3) });
    invalid(&story, "C5", "/z0/g is missing");
}

#[test]
fn servers_that_show_other_states_are_refused() {
    let mut story = correct();
    story.does(3, &get(A, false), 11, &data(14, stat(5, 9, 3)));
    invalid(&story, "C6", "was shown of /z0/a version 3");
    let mut story = correct();
    story.does(3, &children(false), 12, &names(&["a", "b"], parent(12, 5, 3)));
    invalid(&story, "C6", "/z0/s-0000000002 nothing");
    let mut story = correct();
    story.does(3, &get(B, false), 13, &data(15, stat(8, 8, 0)));
    invalid(&story, "C6", "created at 0x8");
}

#[test]
fn data_that_nobody_wrote_or_that_was_refused_is_a_phantom() {
    let phantom = |value, mzxid| {
        let mut story = correct();
        story.does(3, &get(A, false), 13, &data(value, stat(5, mzxid, 3)));
        story
    };
    invalid(&phantom(99, 13), "C7", "got 99, which nobody wrote");
    invalid(&phantom(17, 13), "C7", "though refused was client 1's set /z0/a = 17 at version 0");
    invalid(&phantom(15, 13), "C7", "which was written elsewhere by");
    invalid(&phantom(14, 13), "C7", "not at the zxid of");
    let mut story = phantom(41, 13);
    story.does(1, &set(A, 41, -1), 13, &Told::Set { stat: stat(5, 13, 3) });
    invalid(&story, "C7", "before it was written by");
}

#[test]
fn a_multi_that_happens_in_part_is_refused() {
    let mut story = correct();
    story.does(3, &get(A, false), 12, &data(16, stat(5, 10, 3)));
    invalid(&story, "C11", "which was refused");
    let mut story = correct();
    story.does(3, &get(B, false), 12, &data(15, stat(10, 10, 0)));
    invalid(&story, "C11", "which happened at zxid 0x9");
    // Its outcome is unknown, but one part was seen at 0xd.
    let mut story = correct();
    story.loses(1, &Ask::Multi { ops: vec![set(A, 51, -1), set(B, 52, -1)] });
    story.does(3, &get(A, false), 14, &data(51, stat(5, 13, 3)));
    valid(&story, "C11");
    story.does(3, &get(B, false), 14, &data(15, stat(9, 9, 0)));
    invalid(&story, "C11", "of which a part happened at zxid 0xd, but not this one");
}

#[test]
fn a_multi_with_results_that_no_multi_has_is_refused() {
    let refused = |codes: &[i32]| {
        let mut story = correct();
        let ops = vec![set(A, 61, -1), set("/z0/x", 62, -1), set(B, 63, -1)];
        story.refused(1, &Ask::Multi { ops }, 13, "NoNode", Some(&errors(codes)));
        story
    };
    valid(&refused(&[0, -101, -2]), "C11");
    invalid(&refused(&[0, -101, 0]), "C11", "with results that fit no such multi");
    invalid(&refused(&[0, -101]), "C11", "with results that fit no such multi");
    let mut story = correct();
    let results = vec![Told::Set { stat: stat(5, 12, 3) }];
    story.does(1, &Ask::Multi { ops: vec![set(A, 64, -1)] }, 13, &Told::Multi { results });
    invalid(&story, "C11", "with results that fit no such multi");
}

#[test]
fn lost_updates_and_wrong_refusals_are_refused() {
    let mut story = correct();
    story.does(1, &set(A, 71, 2), 13, &Told::Set { stat: stat(5, 13, 4) });
    invalid(&story, "C12", "at version 2 on n1");
    let mut story = correct();
    story.does(1, &set(A, 71, -1), 13, &Told::Set { stat: stat(5, 13, 2) });
    invalid(&story, "C12", "and made version 2, as did");
    let mut story = correct();
    story.refused(1, &set(A, 72, 2), 13, "BadVersion", None);
    valid(&story, "C12");
    story.does(2, &get(A, false), 14, &data(14, stat(5, 9, 2)));
    invalid(&story, "C12", "but it was at that version from zxid 0xb to 0xe");
}

#[test]
fn sequence_numbers_count_the_children_before() {
    let numbered = |number: &str, zxid| {
        let mut story = correct();
        story.does(
            1,
            &sequential(81),
            zxid,
            &made(&format!("/z0/s-{number}"), stat(zxid, zxid, 0)),
        );
        story
    };
    valid(&numbered("0000000004", 13), "C13");
    invalid(&numbered("0000000005", 13), "C13", "had been given 4 children");
    invalid(&numbered("0000000003", 13), "C13", "had been given 4 children");
    invalid(&numbered("0000000002", 13), "C13", "got number 2 at zxid 0xd, after");
    invalid(&numbered("", 13), "C13", "a name without a number");
    let mut story = correct();
    story.loses(3, &create(G, 82));
    story.does(1, &sequential(81), 14, &made("/z0/s-0000000005", stat(14, 14, 0)));
    valid(&story, "C13");
}

#[test]
fn a_stat_that_does_not_add_up_is_refused() {
    let shown = |stat: ZnodeStat| {
        let mut story = correct();
        story.does(3, &get(A, false), 12, &data(14, stat));
        story
    };
    let right = stat(5, 9, 2);
    valid(&shown(right), "C14");
    invalid(&shown(ZnodeStat { mzxid: Hex(13), ..right }), "C14", "mzxid is out of order");
    invalid(&shown(ZnodeStat { pzxid: Hex(4), ..right }), "C14", "pzxid is out of order");
    invalid(&shown(ZnodeStat { version: 0, ..right }), "C14", "version 0 is that");
    invalid(&shown(ZnodeStat { cversion: 2, ..right }), "C14", "cversion 0 means no child");
    let odd = ZnodeStat { cversion: 1, pzxid: Hex(7), ..right };
    invalid(&shown(odd), "C14", "cversion does not fit the children");
    let family = ZnodeStat { owner: Hex(0x102), cversion: 1, children: 1, pzxid: Hex(7), ..right };
    invalid(&shown(family), "C14", "an ephemeral znode has no children");
    invalid(&shown(ZnodeStat { length: 3, ..right }), "C14", "the length differs");
    let mut story = correct();
    story.does(3, &get(B, false), 12, &data(15, ZnodeStat { owner: Hex(0x102), ..stat(9, 9, 0) }));
    invalid(&story, "C14", "the owner is not who created it");
}

#[test]
fn an_ephemeral_that_outlives_its_session_is_refused() {
    let mut story = correct();
    story.does(3, &get(E, false), 12, &data(21, owned(2, 7)));
    invalid(&story, "C15", "had ended at zxid 0xc");
    let mut story = correct();
    story.does(2, &create(G, 91), 13, &made(G, stat(13, 13, 0)));
    invalid(&story, "C15", "had ended at zxid 0xc");
}

#[test]
fn ephemerals_of_a_session_vanish_together() {
    let both = |gone_at, seen_at| {
        let mut story = correct();
        story.does(3, &ephemeral(E, 92), 13, &made(E, owned(3, 13)));
        story.does(3, &ephemeral(G, 93), 14, &made(G, owned(3, 14)));
        story.refused(1, &get(E, false), gone_at, "NoNode", None);
        story.does(4, &get(G, false), seen_at, &data(93, owned(3, 14)));
        story
    };
    valid(&both(16, 15), "C15");
    invalid(&both(16, 17), "C15", "its /z0/e was gone and nobody had deleted it");
    let mut deleted = both(16, 17);
    deleted.does(1, &delete(E), 15, &Told::Done);
    valid(&deleted, "C15");
}

#[test]
fn data_before_its_event_is_refused() {
    let mut story = correct();
    story.does(3, &get(B, true), 12, &data(15, stat(9, 9, 0)));
    story.does(1, &set(B, 94, -1), 13, &Told::Set { stat: stat(9, 13, 1) });
    story.does(3, &get(A, false), 12, &data(14, stat(5, 9, 2)));
    valid(&story, "C19");
    story.does(3, &get(A, false), 13, &data(14, stat(5, 9, 2)));
    invalid(&story, "C19", "before the event of the watch on /z0/b");
}

#[test]
fn a_watch_ends_with_its_connection() {
    let mut story = correct();
    story.does(3, &get(B, true), 12, &data(15, stat(9, 9, 0)));
    story.does(1, &set(B, 94, -1), 13, &Told::Set { stat: stat(9, 13, 1) });
    story.event(Process::Client(3), Kind::Invoke, f::CONNECT, "n2");
    story.complete(3, Kind::Ok, f::CONNECT, serde_json::json!("n2"));
    story.does(3, &get(A, false), 13, &data(14, stat(5, 9, 2)));
    valid(&story, "C19");
    story.is_told(3, B, Change::Changed);
    invalid(&story, "C20", "/z0/b was set, without a watch on it");
}

#[test]
fn events_of_nothing_are_refused() {
    let watching = |ask: Ask, told: Option<&Told>, path: &str, change| {
        let mut story = correct();
        match told {
            Some(told) => story.does(3, &ask, 12, told),
            None => story.refused(3, &ask, 12, "NoNode", None),
        }
        story.is_told(3, path, change);
        story
    };
    let of_b = data(15, stat(9, 9, 0));
    let never = watching(get(B, true), Some(&of_b), B, Change::Changed);
    invalid(&never, "C20", "/z0/b was set, though nobody did that after client 3's get /z0/b");
    invalid(&watching(get(B, true), Some(&of_b), B, Change::Deleted), "C20", "was deleted");
    invalid(&watching(get(B, true), Some(&of_b), Z, Change::Children), "C20", "without a watch");
    let exists = Ask::Exists { path: G.into(), watch: true };
    invalid(&watching(exists.clone(), None, G, Change::Created), "C20", "was created");
    let mut story = watching(exists, None, G, Change::Created);
    story.does(1, &create(G, 95), 13, &made(G, stat(13, 13, 0)));
    valid(&story, "C20");
    story.is_told(3, G, Change::Deleted);
    invalid(&story, "C20", "/z0/g was deleted, without a watch on it");
}
