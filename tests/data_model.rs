//! Access control, transactions, containers and persistent watches as clients see them, on an
//! ensemble of processes.

mod support;

use wire::{
    Acl, CreateMode, ErrorCode, EventType, Identity, OpResult, Request, Response, Stat, perms,
};

use support::client::Client;
use support::ensemble::Ensemble;
use support::{alone, seconds, until};

const OPTIONS: &str = "extendedTypesEnabled=true\nznode.container.checkIntervalMs=200\n\
    DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n";

fn outcome(client: &mut Client, request: &Request) -> Result<Option<Response>, ErrorCode> {
    client.call(request).expect("an answer").result
}

fn log_in(client: &mut Client, credentials: &str) {
    let auth = Some(credentials.as_bytes().into());
    let request = Request::Auth { auth_type: 0, scheme: "digest".into(), auth };
    assert_eq!(outcome(client, &request), Ok(None));
}

fn create(path: &str, acl: Vec<Acl>) -> Request {
    Request::Create { path: path.into(), data: None, acl, flags: 0 }
}

fn set(path: &str) -> Request {
    Request::SetData { path: path.into(), data: Some([7].into()), version: -1 }
}

fn get(path: &str, watch: bool) -> Request {
    Request::GetData { path: path.into(), watch }
}

fn creator_only() -> Vec<Acl> {
    vec![Acl { perms: perms::ALL, scheme: "auth".into(), id: "".into() }]
}

#[test]
fn lists_are_enforced_on_every_server_and_survive_restarts() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, OPTIONS);
    let mut owner = ensemble.client(1);
    let refused = outcome(&mut owner, &create("/a", creator_only()));
    assert_eq!(refused, Err(ErrorCode::InvalidACL), "nothing is proved yet");
    log_in(&mut owner, "bob:secret");
    outcome(&mut owner, &create("/a", creator_only())).expect("proved");
    outcome(&mut owner, &set("/a")).expect("it is the owner's");
    let strangers = |ensemble: &Ensemble| {
        for id in 1..=3 {
            let mut stranger = ensemble.client(id);
            outcome(&mut stranger, &Request::Sync { path: "/".into() }).expect("a quorum");
            for request in [
                get("/a", false),
                set("/a"),
                create("/a/b", Acl::open()),
                Request::Exists { path: "/a".into(), watch: false },
                Request::GetChildren { path: "/a".into(), watch: false },
                Request::GetAcl { path: "/a".into() },
                Request::GetAllChildrenNumber { path: "/a".into() },
                Request::SetAcl { path: "/a".into(), acl: Acl::open(), version: -1 },
            ] {
                assert_eq!(outcome(&mut stranger, &request), Err(ErrorCode::NoAuth), "{request:?}");
            }
        }
    };
    strangers(&ensemble);
    for id in 1..=3 {
        ensemble.kill(id);
    }
    (1..=3).for_each(|id| ensemble.start(id));
    ensemble.settle();
    strangers(&ensemble);
    let mut superuser = ensemble.client(2);
    log_in(&mut superuser, "super:test");
    outcome(&mut superuser, &set("/a")).expect("a superuser may");
}

#[test]
fn a_client_is_known_by_its_address_and_what_it_proved() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, OPTIONS);
    let mut client = ensemble.client(1);
    log_in(&mut client, "bob:secret");
    log_in(&mut client, "bob:secret");
    let identities = vec![Identity::new("ip", "127.0.0.1"), Identity::new("digest", "bob")];
    let told = outcome(&mut client, &Request::WhoAmI);
    assert_eq!(told, Ok(Some(Response::WhoAmI { identities })));
    let auth = Request::Auth { auth_type: 0, scheme: "sasl".into(), auth: None };
    assert_eq!(outcome(&mut client, &auth), Err(ErrorCode::AuthFailed));
    assert!(client.call(&Request::WhoAmI).is_err(), "the connection is closed");
    let mut crowd = ensemble.client(1);
    let outcomes = (0..200).map(|i| {
        let auth = Some(format!("user{i}:p").into_bytes().into());
        crowd.call(&Request::Auth { auth_type: 0, scheme: "digest".into(), auth })
    });
    let accepted = outcomes.filter(|answer| matches!(answer, Ok(a) if a.result.is_ok())).count();
    assert_eq!(accepted, 99, "each write carries them, so there is a bound");
}

#[test]
fn a_multi_is_all_or_nothing_with_zookeepers_answers() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, OPTIONS);
    let mut client = ensemble.client(1);
    let check = |path: &str| Request::Check { path: path.into(), version: 0 };
    let ops = vec![create("/m", Acl::open()), set("/m"), check("/missing"), set("/m")];
    let failed = client.call(&Request::Multi { ops }).expect("an answer");
    let results = [0, 0, -101, -2].map(|code| OpResult::Error { code }).to_vec();
    assert_eq!(failed.result, Ok(Some(Response::Multi { results })));
    assert_eq!(outcome(&mut client, &get("/m", false)), Err(ErrorCode::NoNode));

    let delete = Request::Delete { path: "/m/c".into(), version: 0 };
    let ops = vec![create("/m", Acl::open()), create("/m/c", Acl::open()), check("/m"), delete];
    let done = client.call(&Request::Multi { ops }).expect("an answer");
    assert_eq!(done.zxid, failed.zxid + 1, "one zxid each, failed or not");
    let path = |path: &str| OpResult::Create { path: path.into() };
    let results = vec![path("/m"), path("/m/c"), OpResult::Check, OpResult::Delete];
    assert_eq!(done.result, Ok(Some(Response::Multi { results })));

    let ops = vec![get("/m", true), Request::GetChildren { path: "/no".into(), watch: false }];
    match outcome(&mut client, &Request::MultiRead { ops }) {
        Ok(Some(Response::Multi { results })) => {
            let [OpResult::GetData { stat, .. }, OpResult::Error { code: -101 }] = &results[..]
            else {
                panic!("{results:?}");
            };
            assert_eq!((stat.czxid, stat.cversion), (done.zxid, 2));
        }
        other => panic!("{other:?}"),
    }
    outcome(&mut client, &set("/m")).expect("no notice comes between: a multiRead leaves no watch");
    assert_eq!(outcome(&mut client, &check("/m")), Err(ErrorCode::Unimplemented), "not alone");
    assert!(client.call(&Request::Ping).is_err(), "it is the connection's last answer");
    outcome(&mut ensemble.client(1), &Request::Ping).expect("and the server goes on");
}

#[test]
fn a_multi_of_thousands_is_taken_back_and_one_of_a_hundred_thousand_refused() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, OPTIONS);
    let mut client = ensemble.client(1);
    let mut ops: Vec<_> = (0..15_000).map(|i| create(&format!("/{i}"), Acl::open())).collect();
    ops.push(Request::Check { path: "/missing".into(), version: -1 });
    let (path, count) = ("/".to_owned(), || Request::GetAllChildrenNumber { path: "/".into() });
    let before = outcome(&mut client, &count());
    match outcome(&mut client, &Request::Multi { ops }) {
        Ok(Some(Response::Multi { results })) => {
            assert_eq!(results.len(), 15_001);
            assert_eq!(results.last(), Some(&OpResult::Error { code: -101 }));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome(&mut client, &count()), before);
    let ops = (0..100_000).map(|_| Request::Check { path: path.clone(), version: -1 }).collect();
    assert!(client.call(&Request::Multi { ops }).is_err(), "it is above jute.maxbuffer");
    outcome(&mut ensemble.client(1), &count()).expect("the server goes on");
}

#[test]
fn containers_and_times_to_live_run_out_everywhere() {
    let _alone = alone();
    let ensemble = Ensemble::started(3, OPTIONS);
    let mut client = ensemble.client(2);
    let open = Acl::open;
    let container =
        Request::CreateContainer { path: "/c".into(), data: None, acl: open(), flags: 4 };
    let made = outcome(&mut client, &container);
    assert!(matches!(
        made,
        Ok(Some(Response::Create2 { stat: Stat { ephemeral_owner: 0, .. }, .. }))
    ));
    let ttl = |path: &str, ttl| Request::CreateTtl {
        path: path.into(),
        data: None,
        acl: open(),
        flags: CreateMode::Ttl.flags(),
        ttl,
    };
    outcome(&mut client, &ttl("/long", 1_000_000)).expect("created");
    outcome(&mut client, &ttl("/short", 300)).expect("created");
    assert_eq!(outcome(&mut client, &ttl("/never", 0)), Err(ErrorCode::BadArguments));
    outcome(&mut client, &create("/c/a", open())).expect("created");
    outcome(&mut client, &Request::Delete { path: "/c/a".into(), version: -1 }).expect("deleted");
    for id in 1..=3 {
        let mut client = ensemble.client(id);
        for path in ["/c", "/short"] {
            until("it runs out", seconds(20), || {
                let gone = outcome(&mut client, &get(path, false)) == Err(ErrorCode::NoNode);
                gone.then_some(())
            });
        }
        outcome(&mut client, &get("/long", false)).expect("its time has not come");
    }
}

#[test]
fn a_time_to_live_needs_the_key() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, "");
    let mut client = ensemble.client(1);
    let acl = Acl::open();
    let ttl = Request::CreateTtl { path: "/t".into(), data: None, acl, flags: 5, ttl: 9 };
    assert_eq!(outcome(&mut client, &ttl), Err(ErrorCode::Unimplemented));
}

#[test]
fn persistent_watches_stay_until_they_are_removed() {
    let _alone = alone();
    let ensemble = Ensemble::started(3, OPTIONS);
    let mut watcher = ensemble.client(1);
    let mut writer = ensemble.client(2);
    let ask = |client: &mut Client, request: Request| outcome(client, &request);
    let (path, any) = (|| "/w".to_owned(), 3);
    let add = Request::AddWatch { path: path(), mode: 1 };
    assert_eq!(ask(&mut watcher, add), Ok(Some(Response::AddWatch { err: 0 })));
    for request in [create("/w", Acl::open()), create("/w/c", Acl::open()), set("/w/c")] {
        outcome(&mut writer, &request).expect("written");
    }
    let expected = [
        (EventType::NodeCreated, "/w"),
        (EventType::NodeCreated, "/w/c"),
        (EventType::NodeDataChanged, "/w/c"),
    ];
    for (event, path) in expected {
        let told = watcher.event().expect("an event");
        assert_eq!((told.event_type, told.path.as_str()), (event, path));
    }
    let check = Request::CheckWatches { path: path(), watcher_type: any };
    let remove = || Request::RemoveWatches { path: path(), watcher_type: any };
    assert_eq!(ask(&mut watcher, check), Ok(None));
    assert_eq!(ask(&mut watcher, remove()), Ok(None));
    assert_eq!(ask(&mut watcher, remove()), Err(ErrorCode::NoWatcher));
    outcome(&mut writer, &set("/w/c")).expect("written");
    let sync = Request::Sync { path: path() };
    assert!(ask(&mut watcher, sync).is_ok(), "an event before it would be taken for the answer");
}

#[test]
fn a_client_that_comes_back_sets_its_watches_again() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, OPTIONS);
    let (mut watcher, mut writer) = (ensemble.client(1), ensemble.client(1));
    let seen = writer.create("/a", b"").expect("an answer").zxid;
    outcome(&mut writer, &create("/a/b", Acl::open())).expect("created");
    let paths = |path: &str| vec![path.to_owned()];
    let again = Request::SetWatches2 {
        relative_zxid: seen,
        data: paths("/a"),
        exist: vec![],
        child: vec![],
        persistent: paths("/a"),
        persistent_recursive: paths("/a/b"),
    };
    assert_eq!(outcome(&mut watcher, &again), Ok(None), "no event: the data are the same");
    for path in ["/a", "/a/b", "/a"] {
        outcome(&mut writer, &set(path)).expect("written");
        let told = watcher.event().expect("an event");
        assert_eq!((told.event_type, told.path.as_str()), (EventType::NodeDataChanged, path));
    }
}

#[test]
fn no_event_tells_of_a_znode_that_may_not_be_read() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, OPTIONS);
    let (mut owner, mut spy) = (ensemble.client(1), ensemble.client(1));
    outcome(&mut spy, &Request::AddWatch { path: "/".into(), mode: 1 }).expect("added");
    log_in(&mut owner, "bob:secret");
    outcome(&mut owner, &create("/secret", creator_only())).expect("created");
    outcome(&mut owner, &create("/open", Acl::open())).expect("created");
    assert_eq!(spy.event().expect("an event").path, "/open");
}

#[test]
fn a_session_lists_its_own_ephemerals() {
    let _alone = alone();
    let ensemble = Ensemble::started(1, OPTIONS);
    let (mut mine, mut theirs) = (ensemble.client(1), ensemble.client(1));
    for (is_mine, path) in [(true, "/m1"), (false, "/t"), (true, "/m2")] {
        let client = if is_mine { &mut mine } else { &mut theirs };
        let acl = Acl::open();
        let flags = CreateMode::Ephemeral.flags();
        let request = Request::Create { path: path.into(), data: None, acl, flags };
        outcome(client, &request).expect("created");
    }
    let mut list = |prefix: &str| match outcome(
        &mut mine,
        &Request::GetEphemerals { prefix: prefix.into() },
    ) {
        Ok(Some(Response::GetEphemerals { paths })) => paths,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (list("/"), list("/m2")),
        (vec!["/m1".into(), "/m2".into()], vec!["/m2".to_owned()])
    );
}
