//! Members that are added and removed while clients write.

mod support;

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
