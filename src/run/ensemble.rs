//! The servers of a run: their configuration files, and how each is started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use history::{DigestEvent, Draft, Hex, Kind, Process, Recorder, RunDir, Settings, Target, f};
use nemesis::{Lab, Launch, NodeId};
use server::storage::Diverged;

const CLIENT_PORT: u16 = 2181;
/// Debian's package `zookeeper`; its manifest names the other jars.
const ZOOKEEPER_JAR: &str = "/usr/share/java/zookeeper.jar";
/// A logger, which the manifest leaves to the packager. With all jars of the directory there would be
/// six, and the first of them writes nothing.
const ZOOKEEPER_CLASSPATH: &str =
    "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-log4j12.jar:/usr/share/java/log4j-1.2.jar";

/// A snapshot every so many transactions, so that a run of seconds crosses the boundaries between
/// DIFF, TRUNC and SNAP.
const SNAP_COUNT: u32 = 1000;

/// Is there everything that a run against `target` needs?
pub(crate) fn available(target: Target) -> Result<()> {
    if target == Target::Zoobreak {
        return Ok(());
    }
    if !Path::new(ZOOKEEPER_JAR).exists() {
        bail!("{ZOOKEEPER_JAR} is missing; install it: apt-get install zookeeper");
    }
    let java = std::process::Command::new("java").arg("-version").output();
    java.context("java cannot be started; install it: apt-get install default-jre-headless")?;
    Ok(())
}

/// The version in the name of the link that Debian's package puts beside the jar.
pub(crate) fn zookeeper_version() -> Option<String> {
    let mut names = fs::read_dir(Path::new(ZOOKEEPER_JAR).parent()?).ok()?.flatten();
    names.find_map(|entry| version_in(entry.file_name().to_str()?).map(str::to_owned))
}

/// `3.8.0` of `zookeeper-3.8.0.jar`.
fn version_in(name: &str) -> Option<&str> {
    let version = name.strip_prefix("zookeeper-")?.strip_suffix(".jar")?;
    version.starts_with(|first: char| first.is_ascii_digit()).then_some(version)
}

/// Where clients reach a server.
pub(super) fn client_address(lab: &Lab, node: NodeId) -> SocketAddr {
    (lab.addr(node.into()), CLIENT_PORT).into()
}

/// The directory of a server's data, made if it is not there.
pub(super) fn data_dir(run: &RunDir, node: NodeId) -> Result<PathBuf> {
    let data = run.node(usize::from(node.0)).join("data");
    fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    Ok(data)
}

/// Writes a server's files into its directory and says how to start it.
pub(super) fn prepare(
    settings: &Settings,
    run: &RunDir,
    lab: &Lab,
    node: NodeId,
) -> Result<Launch> {
    let home = run.node(usize::from(node.0));
    let data = data_dir(run, node)?;
    let write = |path: PathBuf, text: String| {
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    write(data.join("myid"), format!("{}\n", node.0))?;
    write(home.join("zoo.cfg"), zoo_cfg(settings, &data, lab, node))?;
    if settings.target == Target::Zookeeper {
        write(home.join("log4j.properties"), LOG4J.to_owned())?;
    }
    let (program, args) = command(settings, &home)?;
    Ok(Launch {
        program,
        args,
        env: BTreeMap::new(),
        stdout: home.join("stdout.log"),
        stderr: home.join("stderr.log"),
        disks: vec![data.join("zoobreak"), data.join("version-2")],
        cwd: home,
    })
}

/// The configuration file, which means the same to both targets.
fn zoo_cfg(settings: &Settings, data: &Path, lab: &Lab, node: NodeId) -> String {
    let Settings { tick_ms, init_limit, sync_limit, session_ms, .. } = settings;
    let mut text = format!(
        "tickTime={tick_ms}\ninitLimit={init_limit}\nsyncLimit={sync_limit}\n\
         dataDir={}\nclientPort={CLIENT_PORT}\nclientPortAddress={}\nsnapCount={SNAP_COUNT}\n\
         minSessionTimeout={min}\nmaxSessionTimeout={session_ms}\n",
        data.display(),
        lab.addr(node.into()),
        min = (2 * tick_ms).min(u64::from(*session_ms)),
    );
    for node in NodeId::first(settings.nodes as u8) {
        let address = lab.addr(node.into());
        writeln!(text, "server.{}={address}:2888:3888", node.0).expect("a string takes everything");
    }
    match (settings.target, &settings.mutant) {
        (Target::Zookeeper, _) => {
            text.push_str("admin.enableServer=false\n4lw.commands.whitelist=srvr,mntr,ruok,hash\n");
        }
        (Target::Zoobreak, Some(mutant)) => {
            text.push_str(&our_keys(data));
            writeln!(text, "mutant={mutant}").expect("a string takes everything");
        }
        (Target::Zoobreak, None) => text.push_str(&our_keys(data)),
    }
    text
}

/// The words that the harness asks besides those that are always answered; and a trace, for
/// `zoobreak model trace`, beside the data, whose disk may lose what was not synced.
fn our_keys(data: &Path) -> String {
    let home = data.parent().unwrap_or(data).display();
    format!("4lw.commands.whitelist=hash\ntrace=true\ntraceDir={home}\n")
}

/// Records what servers of ours have noted that stopped because a quorum had another state.
pub(crate) fn notes(settings: &Settings, run: &RunDir, recorder: &Recorder) {
    for node in NodeId::first(settings.nodes as u8) {
        let root = run.node(usize::from(node.0)).join("data/zoobreak");
        // An unreadable note is told by the server itself, which does not start with it.
        if let Ok(Some(note)) = Diverged::read(&root) {
            let (zxid, digest) = (Hex(note.zxid.0), Hex(note.own));
            let value = DigestEvent { zxid, digest, quorum: Some(Hex(note.right)) };
            let draft = Draft::new(Process::probe(), Kind::Info, f::DIGEST);
            recorder.record(draft.node(node.to_string()).value(value));
        }
    }
}

/// Everything to standard output.
pub(crate) const LOG4J: &str = "log4j.rootLogger=INFO, CONSOLE
log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender
log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout
log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} [%t] %-5p %C{1} - %m%n
";

/// What `java` is told, so that it runs Apache ZooKeeper with `zoo.cfg` and `log4j.properties` of
/// the directory `home`.
pub(crate) fn java_args(home: &Path, options: &[&str]) -> Vec<OsString> {
    let class_path = format!("{}:{ZOOKEEPER_CLASSPATH}", home.display());
    let main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    let mut args: Vec<OsString> = options.iter().map(OsString::from).collect();
    args.extend(["-cp", &class_path, main].map(OsString::from));
    args.push(home.join("zoo.cfg").into_os_string());
    args
}

fn command(settings: &Settings, home: &Path) -> Result<(PathBuf, Vec<OsString>)> {
    let config = home.join("zoo.cfg").into_os_string();
    if settings.target == Target::Zookeeper {
        // Small heaps and one collector thread: five servers share this machine.
        let options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
        return Ok(("java".into(), java_args(home, &options)));
    }
    let mut args = vec![OsString::from("server"), config];
    if let Some(mutant) = &settings.mutant {
        args.extend([OsString::from("--mutant"), OsString::from(mutant)]);
    }
    Ok((std::env::current_exe().context("the program's own path")?, args))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    fn lab() -> Lab {
        Lab::on_loopback(5).expect("needs no rights")
    }

    fn defaults() -> Settings {
        Plan::default().resolve(1).expect("the defaults are allowed")
    }

    #[test]
    fn each_server_is_told_of_all() {
        let lab = lab();
        let text = zoo_cfg(&defaults(), Path::new("/run/n1/data"), &lab, NodeId(1));
        assert!(text.contains("dataDir=/run/n1/data\n"));
        assert_eq!(text.matches("server.").count(), 5);
        let addr = |node| lab.addr(NodeId(node).into());
        assert!(text.contains(&format!("clientPortAddress={}\n", addr(1))), "{text}");
        assert!(text.contains(&format!("server.5={}:2888:3888\n", addr(5))), "{text}");
    }

    #[test]
    fn a_mutant_is_in_the_file_and_on_the_command_line() {
        let settings = Settings { mutant: Some("X9".to_owned()), ..defaults() };
        assert!(zoo_cfg(&settings, Path::new("/d"), &lab(), NodeId(1)).ends_with("mutant=X9\n"));
        let (_, args) = command(&settings, Path::new("/d")).expect("a path");
        assert_eq!(args, ["server", "/d/zoo.cfg", "--mutant", "X9"]);
        assert!(!zoo_cfg(&defaults(), Path::new("/d"), &lab(), NodeId(1)).contains("mutant"));
    }

    #[test]
    fn the_version_is_in_the_name_of_one_jar_of_several() {
        assert_eq!(version_in("zookeeper-3.8.0.jar"), Some("3.8.0"));
        for other in ["zookeeper.jar", "zookeeper-jute-3.8.0.jar", "zookeeper-3.8.0.pom"] {
            assert_eq!(version_in(other), None);
        }
    }

    #[test]
    fn zookeeper_may_be_asked_for_its_role() {
        let settings = Settings { target: Target::Zookeeper, ..defaults() };
        assert!(
            zoo_cfg(&settings, Path::new("/d"), &lab(), NodeId(1))
                .contains("4lw.commands.whitelist=srvr")
        );
    }
}
