//! The Rust crate `zookeeper-client`, unchanged, against an ensemble that loses its leader.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::ensemble::Ensemble;
use support::{alone, seconds};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use zookeeper_client::{
    Acls, AddWatchMode, Client, CreateMode, CreateOptions, Error, EventType, MultiReadResult,
    MultiWriteResult, OneshotWatcher, SessionState, Stat, WatchedEvent,
};

const PERSISTENT: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());
const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
const SEQUENTIAL: CreateOptions<'static> =
    CreateMode::PersistentSequential.with_acls(Acls::anyone_all());

#[test]
fn what_its_users_do_works() {
    let _alone = alone();
    let ensemble = Ensemble::started(3, "");
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = connect(&ensemble).await;
        data(&client).await;
        children(&client).await;
        sequences(&client).await;
        transactions(&client).await;
        watches(&client, &connect(&ensemble).await).await;
        ephemerals(&client, connect(&ensemble).await).await;
    });
}

#[test]
fn its_session_and_watches_outlive_the_leader() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let runtime = Runtime::new().expect("a runtime");
    let (client, other) = runtime.block_on(async {
        let client = connect(&ensemble).await;
        client.create("/kept", b"before", &PERSISTENT).await.expect("it serves");
        client.create("/mine", b"", &EPHEMERAL).await.expect("it serves");
        (client, connect(&ensemble).await)
    });
    let session = client.session_id();
    let watch = runtime.block_on(client.get_and_watch_data("/kept")).expect("it serves").2;

    let leader = ensemble.settle();
    ensemble.kill(leader);

    runtime.block_on(async {
        let stat = within(set_again(&other, "/kept", b"after")).await;
        assert!(stat.version >= 1, "{stat:?}");
        let event = within(changed(watch)).await;
        assert_eq!((event.event_type, event.path.as_str()), (EventType::NodeDataChanged, "/kept"));
        within(reconnected(&client)).await;
        assert_eq!(client.session_id(), session, "the session survives its server");
        let (data, _) = client.get_data("/kept").await.expect("it serves");
        assert_eq!(data, b"after");
        let mine = client.check_stat("/mine").await.expect("it serves").expect("its session lives");
        assert_eq!(mine.ephemeral_owner, session.0);
    });
    drop((client, other));
    ensemble.start(leader);
    ensemble.wait_until_level();
}

async fn connect(ensemble: &Ensemble) -> Client {
    let connector = Client::connector().with_session_timeout(seconds(10));
    connector.connect(&ensemble.addrs()).await.expect("the ensemble serves")
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), work).await.expect("not within 30 s")
}

async fn changed(watch: OneshotWatcher) -> WatchedEvent {
    watch.changed().await
}

/// Until a server has acknowledged it: it may have happened before, with its reply lost.
async fn set_again(client: &Client, path: &str, data: &[u8]) -> Stat {
    loop {
        match client.set_data(path, data, None).await {
            Ok(stat) => return stat,
            Err(Error::ConnectionLoss) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(other) => panic!("{other}"),
        }
    }
}

async fn reconnected(client: &Client) {
    let mut states = client.state_watcher();
    while states.state() != SessionState::SyncConnected {
        states.changed().await;
    }
}

async fn data(client: &Client) {
    let (created, _) = client.create("/data", b"one", &PERSISTENT).await.expect("it is new");
    assert_eq!(client.get_data("/data").await.expect("it exists"), (b"one".to_vec(), created));
    let again = client.create("/data", b"", &PERSISTENT).await.map(drop);
    assert_eq!(again, Err(Error::NodeExists));
    let set = client.set_data("/data", b"two", Some(0)).await.expect("the version is right");
    assert_eq!((set.version, set.data_length, set.czxid), (1, 3, created.czxid));
    assert!(set.mzxid > created.mzxid);
    assert_eq!(client.set_data("/data", b"", Some(0)).await, Err(Error::BadVersion));
    assert_eq!(client.check_stat("/data").await, Ok(Some(set)));
    assert_eq!(client.delete("/data", Some(0)).await, Err(Error::BadVersion));
    client.delete("/data", Some(1)).await.expect("the version is right");
    assert_eq!(client.check_stat("/data").await, Ok(None));
    assert_eq!(client.get_data("/data").await.map(drop), Err(Error::NoNode));
}

async fn children(client: &Client) {
    client.mkdir("/tree/a", &PERSISTENT).await.expect("it serves");
    client.create("/tree/b", b"", &PERSISTENT).await.expect("it is new");
    let listed: BTreeSet<String> =
        client.list_children("/tree").await.expect("it exists").into_iter().collect();
    assert_eq!(listed, ["a", "b"].map(str::to_owned).into());
    let (_, stat) = client.get_children("/tree").await.expect("it exists");
    assert_eq!((stat.num_children, stat.cversion), (2, 2));
    assert_eq!(client.count_descendants_number("/tree").await, Ok(2));
    assert_eq!(client.delete("/tree", None).await, Err(Error::NotEmpty));
    let rooted = client.clone().chroot("/tree").expect("a path");
    rooted.delete("/a", None).await.expect("it exists");
    assert_eq!(client.list_children("/tree").await, Ok(vec!["b".to_owned()]));
}

async fn sequences(client: &Client) {
    client.create("/queue", b"", &PERSISTENT).await.expect("it is new");
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let (_, number) = client.create("/queue/n-", b"", &SEQUENTIAL).await.expect("it serves");
        numbers.push(number.into_i64());
    }
    assert_eq!(numbers, [0, 1, 2]);
    let mut names = client.list_children("/queue").await.expect("it exists");
    names.sort_unstable();
    assert_eq!(names, ["n-0000000000", "n-0000000001", "n-0000000002"]);
}

async fn transactions(client: &Client) {
    let mut all = client.new_multi_writer();
    all.add_create("/multi", b"one", &PERSISTENT).expect("a path");
    all.add_set_data("/multi", b"two", Some(0)).expect("a path");
    all.add_create("/multi/child", b"", &PERSISTENT).expect("a path");
    let results = all.commit().await.expect("all can be done");
    assert_eq!(results.len(), 3);
    assert!(matches!(&results[1], MultiWriteResult::SetData { stat } if stat.version == 1));

    let mut nothing = client.new_multi_writer();
    nothing.add_delete("/multi/child", None).expect("a path");
    nothing.add_check_version("/multi", 7).expect("a path");
    nothing.commit().await.expect_err("the version is another");
    assert_eq!(client.list_children("/multi").await, Ok(vec!["child".to_owned()]));

    let mut reads = client.new_multi_reader();
    reads.add_get_data("/multi").expect("a path");
    reads.add_get_children("/multi").expect("a path");
    let results = reads.commit().await.expect("both exist");
    assert!(matches!(&results[0], MultiReadResult::Data { data, .. } if data == b"two"));
    assert!(
        matches!(&results[1], MultiReadResult::Children { children } if children == &["child"])
    );
}

async fn watches(client: &Client, other: &Client) {
    let (_, created) = client.check_and_watch_stat("/watched").await.expect("it serves");
    other.create("/watched", b"", &PERSISTENT).await.expect("it is new");
    assert_eq!(within(changed(created)).await.event_type, EventType::NodeCreated);

    client.sync("/watched").await.expect("it serves");
    let (_, _, children) = client.get_and_watch_children("/watched").await.expect("it exists");
    let mut always =
        client.watch("/watched", AddWatchMode::PersistentRecursive).await.expect("it serves");
    other.create("/watched/child", b"", &PERSISTENT).await.expect("it is new");
    assert_eq!(within(changed(children)).await.event_type, EventType::NodeChildrenChanged);
    other.set_data("/watched/child", b"new", None).await.expect("it exists");
    for expected in [EventType::NodeCreated, EventType::NodeDataChanged] {
        let event = within(always.changed()).await;
        assert_eq!((event.event_type, event.path.as_str()), (expected, "/watched/child"));
    }
    drop(always);
}

async fn ephemerals(client: &Client, leaving: Client) {
    leaving.create("/leaving", b"", &EPHEMERAL).await.expect("it is new");
    client.sync("/leaving").await.expect("it serves");
    let (stat, gone) = client.check_and_watch_stat("/leaving").await.expect("it serves");
    assert_eq!(stat.expect("it exists").ephemeral_owner, leaving.session_id().0);
    drop(leaving);
    assert_eq!(within(changed(gone)).await.event_type, EventType::NodeDeleted);
}
