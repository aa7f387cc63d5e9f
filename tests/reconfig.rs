//! Members that are added and removed while clients write.

mod support;

use std::fs;

use support::alone;
use support::client::{Client, srvr};
use support::ensemble::Ensemble;
use support::load::Load;
use support::{seconds, until};
use wire::{ErrorCode, EventType, Request, Response};

const CONFIG: &str = "/zookeeper/config";

#[test]
fn an_ensemble_grows_loses_its_leader_and_shrinks_without_losing_a_write() {
    let _alone = alone();
    let mut ensemble = Ensemble::growing(3, 2);
    (1..=3).for_each(|id| ensemble.start(id));
    let leader = ensemble.settle();
    let addrs: Vec<_> = (1..=5).map(|id| ensemble.addr(id)).collect();
    let load = Load::start(4, &addrs);

    // Servers that are no members yet are brought up, and serve nobody.
    (4..=5).for_each(|id| ensemble.start(id));
    let both = format!("{},{}", ensemble.line(4), ensemble.line(5));
    assert!(Client::connect(ensemble.addr(4)).is_err(), "a stranger gave a session");
    let mut watcher = ensemble.client(leader);
    watcher.call(&get(true)).expect("it serves").result.expect("it exists");
    let data = reconfigure(&ensemble, &[1, 2, 3], &both, "");
    assert!((1..=5).all(|id| data.contains(&format!("server.{id}="))), "{data}");
    let event = watcher.event().expect("the watch fires");
    assert_eq!((event.path.as_str(), event.event_type), (CONFIG, EventType::NodeDataChanged));
    assert_eq!(ensemble.settle(), leader, "growing costs no leader");

    // The leader makes way for another one.
    reconfigure(&ensemble, &[1, 2, 3, 4, 5], "", &leader.to_string());
    let rest: Vec<usize> = (1..=5).filter(|id| *id != leader).collect();
    let next = until("another leads", seconds(20), || leader_among(&ensemble, &rest));
    until("the removed server serves nobody", seconds(20), || {
        ensemble.zxid(leader).is_none().then_some(())
    });
    assert!(ensemble.log(leader).contains("no member of the ensemble"));

    // One more goes.
    let gone = *rest.iter().find(|id| **id != next).expect("there are four");
    let members: Vec<usize> = rest.iter().copied().filter(|id| *id != gone).collect();
    let data = reconfigure(&ensemble, &members, "", &gone.to_string());
    assert_eq!(data.lines().count(), 4, "three servers and the version: {data}");
    let written = load.finish();

    // What is in force is in the logs, whatever the files say that the servers were started with.
    (1..=5).for_each(|id| ensemble.kill(id));
    members.iter().for_each(|id| ensemble.start(*id));
    until("the three find each other", seconds(20), || leader_among(&ensemble, &members));
    for id in members {
        let mut client = ensemble.client(id);
        client.call(&Request::Sync { path: "/".into() }).expect("it serves").result.expect("ok");
        for path in written.iter().flat_map(|one| &one.acknowledged) {
            assert_eq!(client.get(path).expect("it was acknowledged"), b"x", "{path} on {id}");
        }
        assert_eq!(config(&mut client), data);
    }
}

#[test]
fn what_may_not_be_is_refused() {
    let _alone = alone();
    let mut ensemble = Ensemble::growing(3, 2);
    (1..=3).for_each(|id| ensemble.start(id));
    let leader = ensemble.settle();
    let mut client = ensemble.client(leader % 3 + 1);
    assert!(config(&mut client).ends_with("version=0"));
    let both = format!("{},{}", ensemble.line(4), ensemble.line(5));
    let mut refused = |joining: &str, leaving: &str, version: i64| {
        let answer = client.call(&reconfig(joining, leaving, version)).expect("it serves");
        answer.result.expect_err("it makes no sense")
    };
    assert_eq!(refused(&ensemble.line(4), "", 7), ErrorCode::BadVersion);
    assert_eq!(refused("some thing", "", -1), ErrorCode::BadArguments);
    assert_eq!(refused("", "1,2", -1), ErrorCode::BadArguments, "one participant is left");
    assert_eq!(refused("", "3", -1), ErrorCode::NoAuth);
    // Of five participants two would have to be there that are not.
    ensemble.kill(leader % 3 + 1);
    let mut client = superuser(&ensemble, leader);
    let answer = client.call(&reconfig(&both, "", -1)).expect("it serves");
    assert_eq!(answer.result.expect_err("no quorum"), ErrorCode::NewConfigNoQuorum);
}

#[test]
fn all_members_can_be_given_as_a_list() {
    let _alone = alone();
    let mut ensemble = Ensemble::growing(3, 1);
    (1..=4).for_each(|id| ensemble.start(id));
    let leader = until("three are there", seconds(20), || leader_among(&ensemble, &[1, 2, 3]));
    // A server for another one, and an observer.
    let (gone, watching) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    let observer = ensemble.line(watching).replace(":participant", ":observer");
    let list = [ensemble.line(leader), observer, ensemble.line(4)];
    let mut client = superuser(&ensemble, leader);
    let mut whole = |new_members: String, cur_config_id: i64| {
        let (joining, leaving) = ("not looked at".into(), "x".into());
        let new_members = Some(new_members);
        let request = Request::Reconfig { joining, leaving, new_members, cur_config_id };
        client.call(&request).expect("it serves").result
    };
    assert_eq!(whole(list.join(","), 7), Err(ErrorCode::BadVersion));
    for nonsense in [String::new(), "some thing".to_owned(), ensemble.line(leader)] {
        assert_eq!(whole(nonsense.clone(), -1), Err(ErrorCode::BadArguments), "{nonsense}");
    }
    let done =
        until("the fourth is brought up", seconds(20), || match whole(list.join("\n"), -1) {
            Err(ErrorCode::NewConfigNoQuorum) => None,
            other => Some(other.expect("it is allowed")),
        });
    let Some(Response::GetData { data: Some(data), .. }) = done else { panic!("{done:?}") };
    let data = String::from_utf8(data.to_vec()).expect("it is text");
    let mut lines: Vec<&str> = data.lines().collect();
    assert!(lines.pop().is_some_and(|last| last.starts_with("version=")), "{data}");
    let mut expected = list.to_vec();
    expected.sort();
    assert_eq!(lines, expected);
    until("they are what the list says", seconds(20), || {
        let mode = |id| srvr(ensemble.addr(id), "Mode");
        let modes = [mode(leader), mode(watching), mode(4), mode(gone)];
        (modes
            == [Some("leader"), Some("observer"), Some("follower"), None]
                .map(|m| m.map(str::to_owned)))
        .then_some(())
    });
    // The observer counts for nothing: both participants are needed.
    ensemble.kill(4);
    until("one of two is no quorum", seconds(20), || ensemble.zxid(leader).is_none().then_some(()));
}

/// Servers and the clients' ports stand in a file of their own, which reconfigurations rewrite.
#[test]
fn members_are_read_from_a_file_of_their_own_and_written_there() {
    let _alone = alone();
    let mut ensemble = Ensemble::new(
        3,
        "reconfigEnabled=true\n\
        DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n",
    );
    let members =
        |ids: &[usize]| -> String { ids.iter().map(|id| ensemble.line(*id) + "\n").collect() };
    let (all, two) = (members(&[1, 2, 3]), members(&[1, 2]));
    let file = |ensemble: &Ensemble, id| ensemble.home(id).join("zoo.cfg.dynamic");
    for id in 1..=3 {
        let text = fs::read_to_string(ensemble.config(id)).expect("just written");
        let is_static =
            |line: &&str| !line.starts_with("server.") && !line.starts_with("clientPort");
        let lines: String =
            text.lines().filter(is_static).map(|line| format!("{line}\n")).collect();
        let dynamic = file(&ensemble, id);
        let text = format!("{lines}dynamicConfigFile={}\n", dynamic.display());
        fs::write(ensemble.config(id), text).expect("a scratch directory");
        fs::write(dynamic, &all).expect("a scratch directory");
    }
    (1..=3).for_each(|id| ensemble.start(id));
    ensemble.settle();
    assert!(config(&mut ensemble.client(3)).starts_with(all.trim_end()), "from the files");

    let data = reconfigure(&ensemble, &[1, 2], "", "3");
    assert!(data.starts_with(two.trim_end()) && data.lines().count() == 3, "{data}");
    for id in [1, 2] {
        until("the file is rewritten", seconds(20), || {
            let text = fs::read_to_string(file(&ensemble, id)).ok()?;
            (text == data.clone() + "\n").then_some(())
        });
    }
    // What was written is what a server starts from.
    (1..=3).for_each(|id| ensemble.kill(id));
    (1..=2).for_each(|id| ensemble.start(id));
    until("the two find each other", seconds(20), || leader_among(&ensemble, &[1, 2]));
    assert_eq!(config(&mut ensemble.client(1)), data);
}

#[test]
fn reconfigurations_are_off_unless_allowed() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let leader = ensemble.settle();
    let mut client = ensemble.client(leader);
    let answer = client.call(&reconfig("", "1", -1)).expect("it serves");
    assert_eq!(answer.result.expect_err("it is off"), ErrorCode::ReconfigDisabled);
}

fn reconfig(joining: &str, leaving: &str, cur_config_id: i64) -> Request {
    let (joining, leaving, new_members) = (joining.into(), leaving.into(), None);
    Request::Reconfig { joining, leaving, new_members, cur_config_id }
}

/// Tries on one server after another until it is done: a joiner has to be brought up before, and
/// a connection may break when the leader changes. What `/zookeeper/config` says then.
fn reconfigure(ensemble: &Ensemble, on: &[usize], joining: &str, leaving: &str) -> String {
    let mut turn = on.iter().cycle();
    until("the reconfiguration is done", seconds(20), || {
        let id = *turn.next()?;
        let mut client = Client::connect(ensemble.addr(id)).ok()?;
        authenticate(&mut client);
        match client.call(&reconfig(joining, leaving, -1)).ok()?.result {
            Ok(Some(Response::GetData { data, .. })) => {
                Some(String::from_utf8(data?.to_vec()).expect("it is text"))
            }
            Err(ErrorCode::NewConfigNoQuorum | ErrorCode::ReconfigInProgress) => None,
            other => panic!("{other:?}"),
        }
    })
}

fn superuser(ensemble: &Ensemble, id: usize) -> Client {
    let mut client = ensemble.client(id);
    authenticate(&mut client);
    client
}

fn authenticate(client: &mut Client) {
    let auth = Some(b"super:test".as_slice().into());
    let auth = Request::Auth { auth_type: 0, scheme: "digest".into(), auth };
    client.call(&auth).expect("it serves").result.expect("the password is right");
}

fn get(watch: bool) -> Request {
    Request::GetData { path: CONFIG.into(), watch }
}

fn config(client: &mut Client) -> String {
    String::from_utf8(client.get(CONFIG).expect("it exists")).expect("it is text")
}

fn leader_among(ensemble: &Ensemble, ids: &[usize]) -> Option<usize> {
    let modes: Option<Vec<String>> =
        ids.iter().map(|id| srvr(ensemble.addr(*id), "Mode")).collect();
    modes?.iter().position(|mode| mode == "leader").map(|at| ids[at])
}
