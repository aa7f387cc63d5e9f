//! This machine made poorer: a command that finds less than there is. Needs `unshare` of
//! util-linux, and mostly user namespaces; nothing of it is seen outside.

use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;

/// The start of a command line that runs the rest of it in a poorer machine.
pub(crate) struct Disguise(Vec<String>);

impl Disguise {
    /// Where these directories are empty. `Err`: why that cannot be done here.
    pub(crate) fn without(directories: &[&str]) -> Result<Disguise, String> {
        let mounts = directories.iter().map(|d| format!("mount -t tmpfs none {d} && "));
        with_mounts(&mounts.collect::<String>())
    }

    /// Where a directory is empty and has room for so many KiB. `Err`: why that cannot be done here.
    pub(crate) fn with_little_room(directory: &str, kib: u32) -> Result<Disguise, String> {
        with_mounts(&format!("mount -t tmpfs -o size={kib}k none {directory} && "))
    }

    /// Where there is no `/dev/fuse`; `place` is made a poorer `/dev`. `Err`: why that cannot be done here.
    pub(crate) fn without_fuse(place: &Path) -> Result<Disguise, String> {
        let dev = place.join("dev");
        let dev = dev.display();
        with_mounts(&format!(
            "mkdir -p {dev} && mount -t tmpfs none {dev} && \
             for d in null zero random urandom; do \
             touch {dev}/$d && mount --bind /dev/$d {dev}/$d || exit 1; done && \
             mount --rbind {dev} /dev && "
        ))
    }

    /// Where everybody may open `/dev/fuse`, of which `place` gets a copy. `Err`: why that cannot be done here.
    pub(crate) fn with_fuse_for_all(place: &Path) -> Result<Disguise, String> {
        let node = place.join("fuse");
        let node = node.display();
        let make = format!("rm -f {node} && mknod -m 666 {node} c 10 229 && ");
        with_mounts(&format!("{make} mount --bind {node} /dev/fuse && "))
    }

    /// Where the packet filter has a rule that is named like ours; what it has before and after a command is listed in
    /// `place`. `Err`: why that cannot be done here.
    pub(crate) fn with_rules(place: &Path) -> Result<Disguise, String> {
        let (rule, list) =
            ("-s 10.9.9.9 -m comment --comment zoobreak-f1 -j DROP", place.display());
        let list = |name| format!("iptables-save | grep -v '^[#:]' > {list}/{name}");
        let script = format!(
            "PATH=$PATH:/usr/sbin:/sbin && iptables -A INPUT {rule} && {} && \
             {{ \"$@\"; code=$?; {}; exit $code; }}",
            list("before"),
            list("after")
        );
        let flags: &[&str] = match geteuid().is_root() {
            true => &["--net"],
            false => &["--map-root-user", "--net"],
        };
        Disguise(unshare(flags, &script)).tried()
    }

    /// A program in it, started by another user without groups or rights.
    pub(crate) fn as_user(&self, user: u32, program: &Path) -> Command {
        let mut command = self.command("setpriv");
        let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
        command.args([&uid, &gid, "--clear-groups"]).arg(program);
        command
    }

    /// Where no namespace can be made. `Err`: why that cannot be done here.
    pub(crate) fn without_namespaces() -> Result<Disguise, String> {
        let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && \
                      exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
        // In a user namespace even for root, whose limit is this machine's.
        Disguise(unshare(&["--map-root-user"], forbid)).tried()
    }

    /// `zoobreak` in it. Its `PATH` names no directory of administrators' programs.
    pub(crate) fn zoobreak(&self, argv: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_zoobreak"));
        command.args(argv).env("PATH", "/usr/bin:/bin");
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]).arg(program);
        command
    }

    fn tried(self) -> Result<Disguise, String> {
        match self.command("true").output() {
            Ok(tried) if tried.status.success() => Ok(self),
            Ok(tried) => Err(String::from_utf8_lossy(&tried.stderr).trim().replace('\n', "; ")),
            Err(error) => Err(format!("unshare: {error}; install util-linux")),
        }
    }
}

fn with_mounts(mounts: &str) -> Result<Disguise, String> {
    let flags: &[&str] = match geteuid().is_root() {
        true => &["--mount"],
        false => &["--map-root-user", "--mount"],
    };
    Disguise(unshare(flags, &format!("{mounts} exec \"$@\""))).tried()
}

fn unshare(flags: &[&str], script: &str) -> Vec<String> {
    let shell = ["sh", "-c", script, "sh"];
    ["unshare"].iter().chain(flags).chain(&shell).map(ToString::to_string).collect()
}
