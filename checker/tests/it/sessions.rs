//! C16, C17 and C21: sessions last as long as they should and no longer, and so do their watches.

use checker::Outcome;
use history::znode::{Ask, Change, Told};
use history::{Hex, Phase};

use crate::story::Story;
use crate::znodes::{create, data, delete, ephemeral, get, made, owned, set, stat};

const A: &str = "/z0/a";
const E: &str = "/z0/e";
const G: &str = "/z0/g";
const SECOND: u64 = 1_000_000_000;

fn outcome(story: &Story, id: &str) -> (Outcome, String) {
    let check = story.check(id);
    let said = check.witness.map(|witness| witness.sentence).or(check.reason);
    (check.outcome, said.unwrap_or_default())
}

fn valid(story: &Story, id: &str) {
    assert_eq!(outcome(story, id), (Outcome::Valid, String::new()), "{id}");
}

fn invalid(story: &Story, id: &str, words: &str) {
    let (outcome, sentence) = outcome(story, id);
    assert_eq!(outcome, Outcome::Invalid, "{id}: {sentence}");
    assert!(sentence.contains(words), "{sentence:?} lacks {words:?}");
}

/// Client 2 makes an ephemeral znode in session 0x102, whose timeout is 4 s.
fn ephemeral_of_2() -> Story {
    let mut story = Story::new();
    story.connect(2, None, 0x102);
    story.does(2, &ephemeral(E, 21), 7, &made(E, owned(2, 7)));
    story
}

#[test]
fn an_ephemeral_of_a_client_that_was_just_heard_is_there() {
    let gone_after = |time: u64| {
        let mut story = ephemeral_of_2();
        story.does(2, &create(A, 11), 8, &made(A, stat(8, 8, 0)));
        story.now += time;
        story.refused(1, &get(E, false), 9, "NoNode", None);
        story
    };
    invalid(&gone_after(SECOND), "C16", "only 1.0 s after client 2's create /z0/a = 11 was sent");
    valid(&gone_after(3 * SECOND), "C16");
    let mut deleted = gone_after(SECOND);
    deleted.does(3, &delete(E), 9, &Told::Done);
    assert_eq!(outcome(&deleted, "C16").0, Outcome::Unknown);
    let mut closed = ephemeral_of_2();
    closed.does(2, &Ask::Close, 8, &Told::Done);
    closed.refused(1, &get(E, false), 9, "NoNode", None);
    assert_eq!(outcome(&closed, "C16").0, Outcome::Unknown);
}

/// A read is heard by the server asked; that the leader hears of it takes a while.
#[test]
fn reads_keep_a_session_too_once_their_server_has_had_time_to_report() {
    let reading = |after: u64| {
        let mut story = ephemeral_of_2();
        story.now += 3 * SECOND;
        story.connect(2, Some(0x102), 0x102);
        story.now += after;
        story.does(2, &get(E, false), 8, &data(21, owned(2, 7)));
        story.refused(1, &get(E, false), 9, "NoNode", None);
        story
    };
    valid(&reading(SECOND), "C16");
    invalid(&reading(2 * SECOND), "C16", "after client 2's get /z0/e was sent in that session");
}

#[test]
fn a_session_that_was_just_heard_is_resumed() {
    let refused_after = |time: u64| {
        let mut story = ephemeral_of_2();
        story.now += time;
        story.expired(2, 0x102);
        story
    };
    valid(&refused_after(3 * SECOND), "C16");
    invalid(&refused_after(SECOND), "C16", "client 2's session 0x102 had expired, as it was told");
}

/// Client 2 leaves its session for another; its znode is looked for after a while.
fn abandoned(after: u64) -> Story {
    let mut story = ephemeral_of_2();
    story.connect(2, None, 0x202);
    story.now += after;
    story
}

/// 4 s, 2 ticks of 100 ms and a second; and 1.7 s that a server may be behind.
#[test]
fn what_a_client_left_behind_is_gone_in_time() {
    let seen_after = |time: u64| {
        let mut story = abandoned(time);
        story.does(1, &get(E, false), 8, &data(21, owned(2, 7)));
        story
    };
    assert_eq!(outcome(&seen_after(6 * SECOND), "C17").0, Outcome::Unknown);
    invalid(&seen_after(7 * SECOND), "C17", "whose client had left it at 0.01 s, 7.0 s earlier");
    let mut story = abandoned(6 * SECOND);
    story.refused(1, &get(E, false), 9, "NoNode", None);
    valid(&story, "C17");
}

#[test]
fn a_new_leader_gives_each_session_its_timeout_again() {
    let led_anew = |after: u64| {
        let mut story = abandoned(5 * SECOND);
        story.leader("n2", 2);
        story.now += after;
        story.does(1, &get(E, false), 8, &data(21, owned(2, 7)));
        story
    };
    assert_eq!(outcome(&led_anew(6 * SECOND), "C17").0, Outcome::Unknown);
    invalid(&led_anew(7 * SECOND), "C17", "was shown /z0/e of session 0x102");
}

#[test]
fn at_the_end_every_client_has_gone() {
    let mut story = ephemeral_of_2();
    story.phase(Phase::FinalReads);
    story.now += 7 * SECOND;
    story.does(9, &get(E, false), 8, &data(21, owned(2, 7)));
    invalid(&story, "C17", "it had to be over by");
}

/// Client 3 watches /z0/a, and whether /z0/g comes into being; goes to another connection, and sets its
/// watches again, which is answered at zxid 14.
fn reconnected(meanwhile: impl FnOnce(&mut Story), then: impl FnOnce(&mut Story)) -> Story {
    let mut story = Story::new();
    story.does(1, &create(A, 11), 5, &made(A, stat(5, 5, 0)));
    story.connect(3, None, 0x103);
    story.does(3, &get(A, true), 6, &data(11, stat(5, 5, 0)));
    story.refused(3, &Ask::Exists { path: G.into(), watch: true }, 6, "NoNode", None);
    meanwhile(&mut story);
    story.connect(3, Some(0x103), 0x103);
    let (data, exist) = (vec![A.into()], vec![G.into()]);
    let again = Ask::SetWatches { since: Hex(6), data, exist, child: Vec::new() };
    story.asks(3, &again);
    then(&mut story);
    let event = story.complete(3, history::Kind::Ok, "set-watches", serde_json::json!(Told::Done));
    event.zxid = Some(Hex(14));
    story
}

fn changes(story: &mut Story) {
    story.does(1, &set(A, 12, -1), 8, &Told::Set { stat: stat(5, 8, 1) });
}

fn comes_and_goes(story: &mut Story) {
    story.does(1, &create(G, 13), 9, &made(G, stat(9, 9, 0)));
    story.does(1, &delete(G), 10, &Told::Done);
}

#[test]
fn a_watch_that_is_set_again_tells_of_what_it_missed() {
    let told = |story: &mut Story| story.is_told(3, A, Change::Changed);
    let story = reconnected(changes, told);
    valid(&story, "C21");
    assert_eq!(story.check("C21").examined, 2);
    valid(&story, "C20");
    invalid(
        &reconnected(changes, |_| {}),
        "C21",
        "that was set again after a reconnect: it changed at",
    );
    valid(&reconnected(|_| {}, |_| {}), "C21");
    invalid(&reconnected(|_| {}, told), "C20", "though nobody did that");
}

#[test]
fn a_watch_that_is_set_again_lasts() {
    let mut story = reconnected(|_| {}, |_| {});
    story.does(1, &set(A, 12, -1), 15, &Told::Set { stat: stat(5, 15, 1) });
    story.does(3, &get(G, false), 14, &data(13, stat(9, 9, 0)));
    valid(&story, "C21");
    story.does(3, &get(A, false), 15, &data(12, stat(5, 15, 1)));
    invalid(&story, "C21", "before the event of the watch on /z0/a");
}

#[test]
fn of_a_znode_that_came_and_went_there_is_nothing_to_tell() {
    valid(&reconnected(comes_and_goes, |_| {}), "C21");
    let stays = |story: &mut Story| story.does(1, &create(G, 13), 9, &made(G, stat(9, 9, 0)));
    invalid(&reconnected(stays, |_| {}), "C21", "before the event of the watch on /z0/g");
    let told = |story: &mut Story| story.is_told(3, G, Change::Created);
    valid(&reconnected(stays, told), "C21");
}

/// A deletion and a creation while nobody watched look like a change.
#[test]
fn a_znode_that_was_replaced_was_changed() {
    let replaced = |story: &mut Story| {
        story.does(1, &delete(A), 8, &Told::Done);
        story.does(1, &create(A, 14), 9, &made(A, stat(9, 9, 0)));
    };
    let story = reconnected(replaced, |story| story.is_told(3, A, Change::Changed));
    valid(&story, "C20");
    valid(&story, "C21");
}

#[test]
fn without_a_reconnect_there_is_no_occasion() {
    let (outcome, why) = outcome(&ephemeral_of_2(), "C21");
    assert_eq!(outcome, Outcome::Unknown);
    assert_eq!(why, "not examined: no client with an open watch changed its connection");
}
