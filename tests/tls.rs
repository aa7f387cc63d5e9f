//! TLS for clients and between servers: who is served, and who is turned away.

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wire::{Acl, Request, Response};

use support::certificates::{Authority, Holder, dial_tls, holder};
use support::client::{Client, exchange};
use support::ensemble::{Ensemble, free_ports};
use support::{alone, scratch, seconds, until};

/// One server with a port for TLS.
struct Secure {
    ensemble: Ensemble,
    addr: SocketAddr,
    authority: Authority,
    _directory: TempDir,
}

impl Secure {
    fn started(extra: &str) -> Secure {
        let directory = scratch();
        let authority = Authority::new("authority", directory.path());
        let addr = SocketAddr::from(([127, 0, 0, 1], free_ports(1)[0]));
        let lines = format!(
            "secureClientPort={}\nsecureClientPortAddress=127.0.0.1\n\
             ssl.keyStore.location={}\nssl.trustStore.location={}\n{extra}",
            addr.port(),
            authority.sign(holder("server")).display(),
            authority.certificate().display()
        );
        let ensemble = Ensemble::started(1, &lines);
        Secure { ensemble, addr, authority, _directory: directory }
    }

    /// A session by TLS; the certificate in `key_store` is shown.
    fn client(
        &self,
        key_store: Option<&Path>,
    ) -> std::io::Result<Client<impl Read + Write + use<>>> {
        Client::open(dial_tls(self.addr, &self.authority.certificate(), key_store)?)
    }

    fn log_says(&self, words: &str) {
        until(words, seconds(10), || self.ensemble.log(1).contains(words).then_some(()));
    }
}

#[test]
fn a_client_with_a_certificate_is_served_and_known_by_it() {
    let _alone = alone();
    let admin = SocketAddr::from(([127, 0, 0, 1], free_ports(1)[0]));
    let secure = Secure::started(&format!(
        "admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={}\n",
        admin.port()
    ));
    let known = secure.authority.sign(holder("client"));
    let mut client = secure.client(Some(&known)).expect("it is signed by the authority");
    client.create("/a", &[7; 100_000]).expect("it serves");
    assert_eq!(client.get("/a").expect("it serves").len(), 100_000);
    let answer = client.call(&Request::WhoAmI).expect("it serves");
    let Ok(Some(Response::WhoAmI { identities })) = answer.result else { panic!("no identities") };
    let found =
        identities.iter().any(|info| info.scheme == "x509" && info.id.contains("CN=client"));
    assert!(found, "{identities:?}");

    let mut plain = secure.ensemble.client(1);
    assert_eq!(plain.get("/a").expect("the other port has no TLS").len(), 100_000);

    let listed = exchange(admin, b"GET /commands/cons HTTP/1.1\r\n\r\n").expect("it answers");
    let listed = String::from_utf8_lossy(&listed);
    let (_, after) = listed.split_once("\"secure_connections\": [").expect("JSON");
    assert!(after.contains("\"session_id\""), "{listed}");

    let authority = secure.authority.certificate();
    let mut words = dial_tls(secure.addr, &authority, Some(&known)).expect("it listens");
    words.write_all(b"ruok").expect("it reads");
    let mut said = [0; 4];
    words.read_exact(&mut said).expect("it answers");
    assert_eq!(&said, b"imok");
}

#[test]
fn the_holder_of_the_right_certificate_is_a_superuser() {
    let _alone = alone();
    let root = "OU=operators,CN=root";
    let secure = Secure::started(&format!("X509AuthenticationProvider.superUser={root}\n"));
    let mut owner = secure.client(Some(&secure.authority.sign(holder("owner")))).expect("signed");
    let acl = vec![Acl { perms: 31, scheme: "auth".into(), id: "".into() }];
    let (path, data, flags) = ("/private".to_owned(), Some(b"secret"[..].into()), 0);
    let create = Request::Create { path, data, acl, flags };
    assert!(owner.call(&create).expect("it serves").result.is_ok());
    let mut other = secure.client(Some(&secure.authority.sign(holder("other")))).expect("signed");
    assert!(other.get("/private").is_err(), "it is another's");
    assert_eq!(owner.get("/private").expect("its own"), b"secret");
    let mut root = secure.client(Some(&secure.authority.sign(holder("root")))).expect("signed");
    assert_eq!(root.get("/private").expect("it may do everything"), b"secret");
}

#[test]
fn clients_without_a_good_certificate_are_turned_away_and_logged() {
    let _alone = alone();
    let secure = Secure::started("");
    let plain = exchange(secure.addr, &[0; 49]).expect("it closes the connection");
    assert!(!plain.windows(4).any(|four| four == b"imok"));
    secure.log_says("corrupt message");

    assert!(secure.client(None).is_err(), "it shows no certificate");
    secure.log_says("peer sent no certificates");

    let stranger = Authority::new("stranger", secure._directory.path());
    let foreign = stranger.sign(holder("client"));
    assert!(secure.client(Some(&foreign)).is_err(), "another authority signed it");
    secure.log_says("UnknownIssuer");

    let old = secure.authority.sign(Holder { expired: true, ..holder("old") });
    assert!(secure.client(Some(&old)).is_err(), "it has expired");
    secure.log_says("certificate expired");

    let good = secure.authority.sign(holder("good"));
    secure.client(Some(&good)).expect("the same with a good one");
}

#[test]
fn where_certificates_are_optional_a_bad_one_is_still_refused() {
    let _alone = alone();
    let secure = Secure::started("ssl.clientAuth=want\n");
    secure.client(None).expect("none is needed");
    let stranger = Authority::new("stranger", secure._directory.path());
    let foreign = stranger.sign(holder("client"));
    assert!(secure.client(Some(&foreign)).is_err(), "another authority signed it");
}

/// Servers that reach one another by TLS, each with the certificate that `certificate` gives it.
fn quorum(
    extra: &str,
    certificate: impl Fn(usize, &Authority, &Path) -> PathBuf,
) -> (Ensemble, TempDir) {
    let directory = scratch();
    let authority = Authority::new("authority", directory.path());
    let ensemble = Ensemble::new(3, "");
    for id in 1..=3 {
        let lines = format!(
            "sslQuorum=true\nssl.quorum.keyStore.location={}\nssl.quorum.trustStore.location={}\n{extra}",
            certificate(id, &authority, directory.path()).display(),
            authority.certificate().display(),
        );
        append(&ensemble.config(id), &lines);
    }
    (ensemble, directory)
}

#[test]
fn servers_with_certificates_serve_and_survive_the_leader() {
    let _alone = alone();
    let (mut ensemble, files) =
        quorum("", |id, authority, _| authority.sign(holder(&format!("server{id}"))));
    (1..=3).for_each(|id| ensemble.start(id));
    let leader = ensemble.settle();
    ensemble.write_znodes("a", 20);
    for addr in ensemble.peer_addrs(leader) {
        let heard = exchange(addr, &[7; 12]).expect("it closes the connection");
        // The alert of TLS (RFC 8446, section 6): its type, and then its version.
        assert!(heard.is_empty() || heard.starts_with(&[21, 3]), "{heard:?}");
    }
    assert!(ensemble.log(leader).contains("corrupt message"), "{}", ensemble.log(leader));
    let (authority, stranger) =
        (files.path().join("authority.pem"), Authority::new("stranger", files.path()));
    let foreign = stranger.sign(holder("client"));
    for (shown, words) in [(None, "peer sent no certificates"), (Some(&*foreign), "UnknownIssuer")]
    {
        for addr in ensemble.peer_addrs(leader) {
            let turned_away = || ensemble.log(leader).matches(words).count();
            let before = turned_away();
            let mut caller = dial_tls(addr, &authority, shown).expect("it listens");
            let _refused = caller.write_all(&[7; 12]);
            assert!(caller.read(&mut [0]).is_err(), "an alert of TLS");
            until(words, seconds(10), || (turned_away() > before).then_some(()));
        }
    }
    ensemble.kill(leader);
    ensemble.settle();
    ensemble.write_znodes("b", 20);
    ensemble.start(leader);
    ensemble.settle();
    ensemble.wait_until_level();
    (1..=3).for_each(|id| ensemble.assert_serves_znodes(id, "b", 20));
}

#[test]
fn a_server_with_a_foreign_certificate_does_not_get_in() {
    one_is_kept_out("UnknownIssuer", |directory| {
        Authority::new("stranger", directory).sign(holder("server3"))
    });
}

fn one_is_kept_out(words: &str, bad: fn(&Path) -> PathBuf) {
    let _alone = alone();
    let (mut ensemble, _files) = quorum("", |id, authority, directory| match id {
        3 => bad(directory),
        _ => authority.sign(holder(&format!("server{id}"))),
    });
    [1, 2].into_iter().for_each(|id| ensemble.start(id));
    ensemble.settle();
    ensemble.start(3);
    until("it is refused", seconds(20), || {
        (1..=2).any(|id| ensemble.log(id).contains(words)).then_some(())
    });
    until("it hears why", seconds(20), || ensemble.log(3).contains("TLS").then_some(()));
    ensemble.write_znodes("a", 5);
    assert_eq!(ensemble.zxid(3), None, "it does not serve");
}

#[test]
fn a_server_with_an_expired_certificate_does_not_get_in() {
    let _alone = alone();
    let (mut ensemble, _files) = quorum("", |id, authority, _| {
        authority.sign(Holder { expired: id == 3, ..holder(&format!("server{id}")) })
    });
    [1, 2].into_iter().for_each(|id| ensemble.start(id));
    ensemble.settle();
    ensemble.start(3);
    until("it is refused", seconds(20), || {
        (1..=2).any(|id| ensemble.log(id).contains("certificate expired")).then_some(())
    });
    ensemble.write_znodes("a", 5);
    assert_eq!(ensemble.zxid(3), None, "it does not serve");
}

#[test]
fn a_certificate_for_another_host_is_good_only_if_hosts_are_not_verified() {
    let _alone = alone();
    let elsewhere = |id: usize, authority: &Authority, _: &Path| {
        authority.sign(Holder { host: "elsewhere.example", ..holder(&format!("server{id}")) })
    };
    let (mut strict, _files) = quorum("", elsewhere);
    (1..=3).for_each(|id| strict.start(id));
    until("they refuse one another", seconds(20), || {
        (1..=3).all(|id| strict.log(id).contains("not valid for name")).then_some(())
    });
    assert_eq!(strict.zxid(1), None);
    drop(strict);
    let (mut lenient, _files) = quorum("ssl.quorum.hostnameVerification=false\n", elsewhere);
    (1..=3).for_each(|id| lenient.start(id));
    lenient.settle();
    lenient.write_znodes("a", 5);
}

#[test]
fn stores_that_cannot_be_used_are_named_with_their_key() {
    let directory = scratch();
    let authority = Authority::new("authority", directory.path());
    let path = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &str| {
        fs::write(path(name), text).expect("a scratch directory");
        path(name)
    };
    let own = authority.sign(holder("server"));
    let (one, other) = (text(&own), text(&authority.sign(holder("other"))));
    let end = "-----END CERTIFICATE-----\n";
    let at = |pem: &str| pem.find(end).expect("a certificate comes first") + end.len();
    let mixed = one[..at(&one)].to_owned() + &other[at(&other)..];
    let cases = [
        (path("absent.pem"), "No such file"),
        (write("store.jks", "\u{fe}\u{ed}"), "this is not PEM text"),
        (authority.certificate(), "there is no readable PRIVATE KEY section"),
        (write("key.pem", &one[at(&one)..]), "there is no CERTIFICATE section"),
        (write("mixed.pem", &mixed), "its private key is not that of its first certificate"),
        (
            write(
                "locked.pem",
                &(one[..at(&one)].to_owned() + "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
            ),
            "its private key is encrypted",
        ),
    ];
    for (store, words) in cases {
        let lines = format!(
            "secureClientPort=1\nssl.clientAuth=none\nssl.keyStore.location={}\n",
            store.display()
        );
        let said = Ensemble::new(1, &lines).refused(1);
        let expected = format!("ssl.keyStore.location={}: {words}", store.display());
        assert_eq!(said.code, 64, "{}", said.all());
        assert!(said.stderr.contains(&expected), "{expected}: {}", said.stderr);
    }
    for (lines, words) in [
        ("secureClientPort=1\n", "ssl.keyStore.location is missing"),
        ("sslQuorum=true\n", "ssl.quorum.keyStore.location is missing"),
        ("sslQuorum=true\nssl.quorum.crl=true\n", "ssl.quorum.crl: this server cannot do that"),
        (
            "secureClientPort=1\nssl.keyStore.location=a\nssl.clientAuth=no\n",
            "expected need, want or none",
        ),
    ] {
        let said = Ensemble::new(1, lines).refused(1);
        assert!(said.code == 64 && said.stderr.contains(words), "{words}: {}", said.all());
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("made here")
}

fn append(path: &Path, lines: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    file.write_all(lines.as_bytes()).expect("a scratch directory");
}
