//! `zoo.cfg`, nearly right.

use std::path::Path;

use fuzz::Target;

use super::Config;

const ENSEMBLE: &str = "# three servers
tickTime=2000
initLimit=10
syncLimit=5
dataDir=/var/lib/zookeeper
clientPort=2181
clientPortAddress=127.0.0.1
server.1=one.example:2888:3888
server.2=two.example:2888:3888:participant;0.0.0.0:2181
server.3=[2001:db8::3]:2888:3888
maxClientCnxns=60
minSessionTimeout=4000
maxSessionTimeout=40000
snapCount=100000
jute.maxbuffer=1048575
4lw.commands.whitelist=stat, ruok, *
";
const OPERATORS: &str = "dataDir=/d
clientPort=2181
secureClientPort=2281
ssl.keyStore.location=/k.pem
ssl.trustStore.location=/t.pem
ssl.clientAuth=want
admin.enableServer=true
admin.serverPort=8080
metricsProvider.httpPort=7000
extendedTypesEnabled=true
circuitBreaker.enabled=true
circuitBreaker.failureRatio=0.5
DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=
";

#[test]
fn configuration_files() {
    for text in [ENSEMBLE, OPERATORS] {
        Config::parse(Path::new("zoo.cfg"), text).expect("a valid configuration");
    }
    let samples = [ENSEMBLE, OPERATORS].map(|text| text.as_bytes().to_vec()).to_vec();
    let target = Target { name: "zoo.cfg", samples, bytes_per_byte: 64, floor: 16 << 10 };
    target.survives(|bytes| {
        let read = Config::parse(Path::new("zoo.cfg"), &String::from_utf8_lossy(bytes));
        if let Err(error) = read {
            let message = error.to_string();
            assert!(
                message.starts_with("zoo.cfg: ") || message.starts_with("zoo.cfg:"),
                "{message}"
            );
        }
    });
}
