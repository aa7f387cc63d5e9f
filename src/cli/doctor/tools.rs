//! Programs of others.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Finding;

/// Where Debian's package puts Apache ZooKeeper.
const ZOOKEEPER_JAR: &str = "/usr/share/java/zookeeper.jar";

pub(super) fn iptables() -> Finding {
    let advice = "the switch drops the packets of partitions instead; to have the kernel do it: \
                  `apt-get install iptables`";
    version("iptables", &["--version"], advice)
}

pub(super) fn java() -> Finding {
    let advice = "needed for --target zookeeper only: `apt-get install default-jre-headless`";
    version("java", &["-version"], advice)
}

pub(super) fn zookeeper() -> Finding {
    Finding::unless(
        Path::new(ZOOKEEPER_JAR).exists(),
        format!("Apache ZooKeeper: {ZOOKEEPER_JAR}"),
        "absent, needed for --target zookeeper only: `apt-get install zookeeper`",
    )
}

/// The first line that the program says about its version.
fn version(program: &str, args: &[&str], advice: &str) -> Finding {
    let Some(path) = find(program) else {
        return Finding::limited(format!("{program}: not found"), advice);
    };
    match Command::new(&path).args(args).output() {
        Ok(output) if output.status.success() => {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            Finding::ok(format!("{program}: {}", said.lines().next().unwrap_or_default()))
        }
        Ok(output) => Finding::limited(format!("{}: {}", path.display(), output.status), advice),
        Err(error) => Finding::limited(format!("{}: {error}", path.display()), advice),
    }
}

/// Looks in `PATH`, then where administrators' programs are, which an ordinary user's `PATH` may
/// lack.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn programs_are_found_absent_or_failing() {
        assert_eq!(version("sh", &["-c", "echo 1.2"], "").to_string(), "ok       sh: 1.2");
        let absent = version("no-such-program", &[], "install it");
        assert_eq!(absent.to_string(), "limited  no-such-program: not found — install it");
        assert_eq!(version("false", &[], "").state, State::Limited);
    }
}
