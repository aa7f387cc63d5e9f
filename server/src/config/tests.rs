//! Configurations, right and wrong.

use std::fs;
use std::path::Path;

use wire::frame::FourLetter;

use super::{Config, Ignored};

const THREE: &str = "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/tmp/zk\nclientPort=2181\n\
    server.1=10.0.0.1:2888:3888\nserver.2=10.0.0.2:2888:3888:participant\n\
    server.3=zoo3:2888:3888:observer;2181\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("zoo.cfg"), text).map_err(|error| error.to_string())
}

#[test]
fn the_sample_of_the_documentation_is_read() {
    let config = parse(THREE).unwrap();
    let voters = config.servers.iter().filter(|(_, address)| !address.observer);
    assert!(voters.map(|(id, _)| *id).eq([1, 2]));
    assert_eq!((config.tick_ms, config.init_limit, config.sync_limit), (2000, 10, 5));
    assert_eq!((config.min_session_ms, config.max_session_ms), (4000, 40_000));
    assert_eq!(config.servers[&3].host, "zoo3");
    assert_eq!(config.servers[&2].election_port, 3888);
}

#[test]
fn a_duplicate_id_is_refused() {
    let text = THREE.to_owned() + "server.1=10.0.0.4:2888:3888\n";
    assert_eq!(parse(&text).unwrap_err(), "zoo.cfg:9: server.1 is set already in line 6");
    let text = THREE.to_owned() + "server.01=10.0.0.4:2888:3888\n";
    assert!(parse(&text).unwrap_err().contains("server id 1 is given twice"));
}

#[test]
fn two_servers_on_one_port_are_refused() {
    let text = THREE.to_owned() + "server.4=10.0.0.1:2888:3889\n";
    assert!(parse(&text).unwrap_err().contains("server.1 and server.4 both claim"));
    let text = THREE.to_owned() + "server.4=10.0.0.4:2888:2888\n";
    assert!(parse(&text).unwrap_err().contains("server.4 claims 10.0.0.4:2888 twice"));
}

#[test]
fn wrong_values_name_line_and_key() {
    for (line, expected) in [
        (
            "tickTime=fast",
            "zoo.cfg:2: tickTime: expected a number from 1 to 600000, found \"fast\"",
        ),
        ("clientPort=70000", "zoo.cfg:2: clientPort: expected a number"),
        ("nonsense", "zoo.cfg:2: expected key=value"),
        ("server.x=h:1:2", "zoo.cfg:2: server.x: the id is a number"),
        ("server.1=h:1", "zoo.cfg:2: server.1=h:1: expected host:quorumPort:electionPort"),
        ("server.1=h:1:0", "electionPort: expected a port"),
        ("server.1=h:1:2:leader", "expected a port, participant or observer"),
        ("peerType=leader", "zoo.cfg:2: peerType: expected participant or observer"),
        ("extendedTypesEnabled=yes", "extendedTypesEnabled: expected true or false"),
        ("mutant=X99", "no mutant is called"),
        (
            "circuitBreaker.failureRatio=1.5",
            "zoo.cfg:2: circuitBreaker.failureRatio: expected a number from 0.001 to 1",
        ),
        ("circuitBreaker.sleepWindowSize=301", "openCircuitDuration is shorter than"),
        ("admin.enableServer=yes", "zoo.cfg:2: admin.enableServer: expected true or false"),
        ("4lw.commands.whitelist=stat,sta", "zoo.cfg:2: 4lw.commands.whitelist: no \"sta\""),
    ] {
        let error = parse(&format!("dataDir=/d\n{line}\n")).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert_eq!(parse("tickTime=2000\n").unwrap_err(), "zoo.cfg: dataDir is missing");
}

#[test]
fn keys_of_zookeeper_that_mean_nothing_here_are_listed() {
    let config = parse("dataDir=/d\nautopurge.purgeInterval=1\ncnxTimeout=5\n").unwrap();
    let ignored = |line, key: &str, reason| Ignored { line, key: key.to_owned(), reason };
    let purge = Some("old snapshots and logs go with each new snapshot");
    let expected = [ignored(2, "autopurge.purgeInterval", purge), ignored(3, "cnxTimeout", None)];
    assert_eq!(config.ignored, expected);
}

#[test]
fn keys_without_which_a_server_is_less_safe_are_refused() {
    let error = parse("dataDir=/d\nquorum.auth.enableSasl=true\n").unwrap_err();
    assert!(error.contains("zoo.cfg:2: quorum.auth.enableSasl: this server cannot do that"));
    assert!(parse("dataDir=/d\nssl.crl=True\n").unwrap_err().contains("ssl.crl: this server"));
    parse("dataDir=/d\nquorum.auth.enableSasl=false\n").unwrap();
}

#[test]
fn what_tunes_a_server_is_read() {
    let defaults = parse("dataDir=/d\n").unwrap();
    assert_eq!(
        (defaults.snapshots_kept, defaults.max_batch, defaults.flush_delay_ms),
        (3, 1000, 0)
    );
    let text = "dataDir=/d\nautopurge.snapRetainCount=5\nmaxBatchSize=7\nflushDelay=2\n\
        fsync.warningthresholdms=20\nmaxCnxns=9\nznode.container.maxPerMinute=4\n";
    let config = parse(text).unwrap();
    assert_eq!((config.snapshots_kept, config.max_batch, config.flush_delay_ms), (5, 7, 2));
    assert_eq!((config.fsync_warning_ms, config.max_cnxns, config.container_max), (20, 9, 4));
    assert_eq!(config.ignored, []);
}

#[test]
fn numbers_and_flags_are_written_as_for_java() {
    let buffer =
        |value: &str| Ok(parse(&format!("dataDir=/d\njute.maxbuffer={value}\n"))?.max_buffer);
    for (value, bytes) in [
        ("0xfffff", 1_048_575),
        ("0XFFFFF", 1_048_575),
        ("#100000", 1 << 20),
        ("010000", 1 << 12),
        ("+4096", 4096),
        ("4096", 4096),
    ] {
        assert_eq!(buffer(value), Ok::<_, String>(bytes), "{value}");
    }
    for value in [
        "0x",
        "0xg",
        "0x+fffff",
        "++4096",
        "-4096",
        "09999",
        "4096L",
        "1e4",
        "",
        "0x1ffffffffffffffff",
    ] {
        let error = buffer(value).unwrap_err();
        assert!(error.contains("jute.maxbuffer: expected a number from 1024"), "{value}: {error}");
    }
    // Not a system property: decimal.
    assert_eq!(parse("dataDir=/d\ntickTime=0100\n").unwrap().tick_ms, 100);
    parse("dataDir=/d\ntickTime=0x100\n").unwrap_err();

    let text = "dataDir=/d\ntickTime=100\nminSessionTimeout=-1\nmaxSessionTimeout=-1\n\
        reconfigEnabled=True\nstandaloneEnabled=FALSE\n";
    let config = parse(text).unwrap();
    assert_eq!((config.min_session_ms, config.max_session_ms), (200, 2000));
    assert!(config.reconfig_enabled && !config.standalone_enabled);
    parse("dataDir=/d\nstandaloneEnabled=no\n").unwrap_err();
}

#[test]
fn what_operators_reach_is_configured_as_in_zookeeper() {
    let config = parse("dataDir=/d\n").unwrap();
    assert_eq!((config.max_client_cnxns, config.max_outstanding), (60, 1000));
    assert_eq!((&config.admin, &config.metrics), (&None, &None));
    assert_eq!(config.four_letter_words.len(), 3);
    let text = "dataDir=/d\n4lw.commands.whitelist=stat, wchs\nadmin.enableServer=true\n\
        admin.serverPort=81\nmetricsProvider.httpPort=70\nmaxClientCnxns=0\n";
    let config = parse(text).unwrap();
    assert_eq!(config.admin, Some(("0.0.0.0".to_owned(), 81)));
    assert_eq!(config.metrics, Some(("0.0.0.0".to_owned(), 70)));
    assert_eq!((config.max_client_cnxns, config.four_letter_words.len()), (0, 5));
    assert_eq!(config.ignored, []);
    let all = parse("dataDir=/d\n4lw.commands.whitelist=*\n").unwrap();
    assert_eq!(all.four_letter_words.len(), FourLetter::ALL.len());
}

#[test]
fn secrets_are_not_shown() {
    let config = parse("dataDir=/d\nDigestAuthenticationProvider.superDigest=super:x=\n").unwrap();
    assert!(config.text.contains("super:x="));
    let shown = "dataDir=/d\nDigestAuthenticationProvider.superDigest=***\n";
    assert_eq!(config.shown_text(), shown);
}

#[test]
fn my_id_must_be_in_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zoo.cfg");
    let text = THREE.replace("/tmp/zk", &dir.path().display().to_string());
    fs::write(&path, text).unwrap();
    assert!(Config::read(&path).unwrap_err().to_string().contains("myid"));
    fs::write(dir.path().join("myid"), "7\n").unwrap();
    assert!(Config::read(&path).unwrap_err().to_string().contains("no line server.7"));
    fs::write(dir.path().join("myid"), "2\n").unwrap();
    assert_eq!(Config::read(&path).unwrap().id, 2);
}
