//! Nothing outlives the harness: as root and as an ordinary user, whichever of its processes is killed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nemesis::contain::{self, Step};
use nemesis::fault::{Shape, grudge};
use nemesis::netlink::{Netlink, interface_index};
use nemesis::{Fault, FaultId, Namespace, Nemesis, NodeId, Outcome};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

use crate::support::{
    ensemble, enter_or_skip, is_in_state, linger, skip_outside, until, until_within, wait,
};

/// `nobody`: an ordinary user without a home, groups or rights.
const USER: u32 = 65534;

pub(crate) fn probe_agrees_with_enter() {
    let codes = ["probe", "enter"].map(|name| wait(&mut scene_process(name, None, None)).code());
    assert_eq!(codes[0], codes[1]);
    assert!(codes[0] == Some(0) || codes[0] == Some(crate::SKIPPED), "{codes:?}");
}

pub(crate) fn a_second_thread_is_refused() {
    assert_eq!(wait(&mut scene_process("threads", None, None)).code(), Some(0));
}

pub(crate) fn exit_status_is_passed_on() {
    let code = wait(&mut scene_process("exit-7", None, None)).code();
    assert!(code == Some(7) || code == Some(crate::SKIPPED), "{code:?}");
}

pub(crate) fn ctrl_c_is_left_to_the_inner() {
    let Some(mut scene) = Scene::start("hold", None) else { return };
    scene.signal(scene.outer.id(), Signal::SIGINT);
    // The second signal proves that the first was survived: it ends the process, in another way.
    scene.signal(scene.inner, Signal::SIGKILL);
    assert_eq!(wait(&mut scene.outer).code(), Some(137));
    scene.assert_nothing_left();
}

pub(crate) fn kill_9_of_outer() {
    check_kill(None, |scene| scene.outer.id());
}

pub(crate) fn kill_9_of_inner() {
    check_kill(None, |scene| scene.inner);
}

pub(crate) fn kill_9_of_outer_as_user() {
    as_user(|user| check_kill(Some(user), |scene| scene.outer.id()));
}

pub(crate) fn kill_9_of_inner_as_user() {
    as_user(|user| check_kill(Some(user), |scene| scene.inner));
}

pub(crate) fn a_refusal_says_what_to_do() {
    as_user(|user| {
        let folder = readable_copy();
        let code = wait(&mut scene_process("refused", Some(user), Some(folder.path()))).code();
        assert!(code == Some(0) || code == Some(crate::SKIPPED), "{code:?}");
    });
}

/// What a child process of these tests does.
pub(crate) fn scene(name: &str) -> ExitCode {
    match name {
        "probe" => ExitCode::from(if contain::probe().is_ok() { 0 } else { crate::SKIPPED as u8 }),
        "threads" => enter_with_two_threads(),
        "refused" => enter_where_it_is_forbidden(),
        _ => scene_inside(name),
    }
}

fn scene_inside(name: &str) -> ExitCode {
    enter_or_skip();
    match name {
        "enter" => ExitCode::SUCCESS,
        "exit-7" => ExitCode::from(7),
        "hold" => hold(),
        _ => panic!("no scene is called {name}"),
    }
}

fn enter_with_two_threads() -> ExitCode {
    std::thread::spawn(linger);
    let error = contain::enter().expect_err("there are two threads");
    assert_eq!(error.step, Step::SingleThread);
    ExitCode::SUCCESS
}

/// In a user namespace of its own, root may forbid further ones and then give up its rights.
fn enter_where_it_is_forbidden() -> ExitCode {
    enter_or_skip();
    fs::write("/proc/sys/user/max_user_namespaces", "0").expect("root of the namespace may");
    drop_capabilities();
    for error in
        [contain::probe().expect_err("forbidden"), contain::enter().expect_err("forbidden")]
    {
        assert_eq!(error.step, Step::UserNamespace);
        assert!(error.to_string().contains("sysctl -w user.max_user_namespaces"), "{error}");
    }
    ExitCode::SUCCESS
}

fn drop_capabilities() {
    const VERSION_3: u32 = 0x2008_0522;
    let (header, data) = ([VERSION_3, 0], [0_u32; 6]);
    // SAFETY: header and data have the sizes of version 3 of this interface (capset(2)).
    let result =
        unsafe { nix::libc::syscall(nix::libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    assert_eq!(result, 0);
}

/// A harness in the middle of its work: servers with children, a partition, a paused node.
fn hold() -> ExitCode {
    let (_lab, nemesis) = ensemble(5, Nemesis::new);
    let nodes = NodeId::first(5);
    let grudge = grudge::halves(&nodes);
    let cut = nemesis::fault::Cut::Everything;
    let partition = Fault::Partition { shape: Shape::Halves, grudge, cut };
    assert_eq!(nemesis.inject(FaultId(1), &partition).outcome, Outcome::Installed);
    let pause = Fault::Pause { nodes: vec![NodeId(1)] };
    assert_eq!(nemesis.inject(FaultId(2), &pause).outcome, Outcome::Installed);
    println!("ready");
    linger()
}

fn as_user(test: impl FnOnce(u32)) {
    if Uid::effective().is_root() {
        test(USER);
    } else {
        skip_outside("only root can become another user");
    }
}

fn check_kill(user: Option<u32>, victim: impl FnOnce(&Scene) -> u32) {
    let Some(scene) = Scene::start("hold", user) else { return };
    let canaries = Canaries::place(&scene);
    let killed = Instant::now();
    scene.signal(victim(&scene), Signal::SIGKILL);
    scene.assert_nothing_left();
    if let Some(canaries) = canaries {
        canaries.assert_dead();
    }
    println!("  no process, network namespace or mount left after {:.2?}", killed.elapsed());
}

/// With a folder, the copy of this program in it.
fn scene_process(name: &str, user: Option<u32>, folder: Option<&Path>) -> Child {
    let program = folder.map_or("/proc/self/exe".into(), |folder| folder.join(COPY));
    let mut command = Command::new(program);
    command.args(["--scene", name]).stdout(Stdio::piped());
    user.map(|user| command.uid(user).gid(user));
    command.spawn().expect("the program can start itself")
}

/// A contained process tree, seen from outside.
struct Scene {
    outer: Child,
    /// As it is numbered outside, where it is not 1.
    inner: u32,
    pid_namespace: PathBuf,
    mounts: String,
    _folder: Option<TempDir>,
}

impl Scene {
    /// `None` if this machine forbids containment.
    fn start(name: &str, user: Option<u32>) -> Option<Scene> {
        let folder = user.map(|_| readable_copy());
        let mounts = own_mounts();
        let mut outer = scene_process(name, user, folder.as_ref().map(TempDir::path));
        let stdout = outer.stdout.take().expect("it is piped");
        let ready = BufReader::new(stdout).lines().map_while(Result::ok).find(|l| l == "ready");
        if ready.is_none() {
            assert_eq!(wait(&mut outer).code(), Some(crate::SKIPPED), "the scene failed");
            skip_outside("containment is forbidden here");
            return None;
        }
        let inner = only_child(outer.id());
        let pid_namespace = pid_namespace(inner).expect("it is alive");
        let scene = Scene { outer, inner, pid_namespace, mounts, _folder: folder };
        assert_eq!(scene.members().len(), 11, "pid 1, five servers, each with a child");
        assert_eq!(own_mounts(), scene.mounts, "no mount is visible outside");
        Some(scene)
    }

    /// Living processes of the contained tree. A zombie only waits for this machine's init to take note.
    fn members(&self) -> Vec<u32> {
        let inside = |pid: &u32| pid_namespace(*pid).as_ref() == Some(&self.pid_namespace);
        pids().filter(inside).filter(|&pid| !is_in_state(pid as i32, "ZX")).collect()
    }

    fn signal(&self, pid: u32, signal: Signal) {
        kill(Pid::from_raw(pid as i32), signal).expect("the process is there");
    }

    fn assert_nothing_left(&self) {
        let second = Duration::from_secs(1);
        until_within(second, "all processes are gone", || self.members().is_empty());
        assert_eq!(own_mounts(), self.mounts);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // All dead already, unless an assertion failed.
        for pid in self.members() {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
        }
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

/// One end of a veth pair in each network namespace of the tree, the other end here. The kernel removes a
/// pair when the namespace of either end is freed, so the near ends tell when the far namespaces died.
struct Canaries {
    home: Namespace,
    n_placed: usize,
}

impl Canaries {
    /// `None` without root, who alone may put an interface into somebody else's namespace.
    fn place(scene: &Scene) -> Option<Canaries> {
        if !Uid::effective().is_root() {
            println!("  not watching network namespaces: that needs root");
            return None;
        }
        let home = std::thread::spawn(Namespace::unshare).join().expect("no panic");
        let home = home.expect("root may");
        let links: BTreeSet<PathBuf> = scene.members().into_iter().filter_map(network).collect();
        assert_eq!(links.len(), 6, "five nodes and the harness");
        let n_placed = links.len();
        let mut seen = BTreeSet::new();
        for pid in scene.members() {
            if network(pid).is_some_and(|link| seen.insert(link)) {
                put_canary(&home, seen.len() - 1, pid);
            }
        }
        Some(Canaries { home, n_placed })
    }

    fn n_alive(&self) -> usize {
        let exists = |i: &usize| interface_index(&format!("canary{i}")).is_ok();
        let count = || (0..self.n_placed).filter(exists).count();
        self.home.run(count).expect("the namespace can be entered")
    }

    fn assert_dead(&self) {
        until_within(Duration::from_secs(1), "all namespaces are gone", || self.n_alive() == 0);
    }
}

fn put_canary(home: &Namespace, number: usize, pid: u32) {
    let ns = File::open(format!("/proc/{pid}/ns/net")).expect("root may");
    let name = format!("canary{number}");
    let mac = [2, 0, 0, 0, 1, number as u8];
    let add = || Netlink::open()?.add_veth(&name, "canary", ns.as_fd(), mac);
    home.run(add).expect("the namespace can be entered").expect("root may");
    let alive = home.run(|| interface_index(&name)).expect("the namespace can be entered");
    alive.expect("a canary that was never alive proves nothing");
}

const COPY: &str = "lab-test";

/// The folder of the build may be closed to others.
fn readable_copy() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::copy("/proc/self/exe", folder.path().join(COPY)).expect("there is room");
    folder
}

fn only_child(pid: u32) -> u32 {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let mut child = None;
    until("the outer process has a child", || {
        child = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        child.is_some()
    });
    child.expect("it was waited for")
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("proc is mounted").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn pid_namespace(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

fn network(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn own_mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("proc is mounted")
}
