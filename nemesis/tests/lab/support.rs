//! A small server, and the questions that the scenarios ask of it.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nemesis::{Host, Lab, Launch, Nemesis, NodeId, contain};

pub(crate) const PORT: u16 = 7000;

/// No step of any scenario takes longer unless it hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn enter_or_skip() {
    if let Err(error) = contain::enter() {
        skip_inside(&error.to_string());
    }
}

/// Ends a child that cannot do its test here.
pub(crate) fn skip_inside(why: &str) -> ! {
    println!("  skipped: {why}");
    exit(crate::SKIPPED)
}

/// Says that a test outside of children cannot be done here; it returns then.
pub(crate) fn skip_outside(why: &str) {
    println!("  skipped: {why}");
    SKIPPED_OUTSIDE.store(true, Ordering::Relaxed);
}

/// Did the test that has just ended call [`skip_outside`]?
pub(crate) fn was_skipped_outside() -> bool {
    SKIPPED_OUTSIDE.swap(false, Ordering::Relaxed)
}

static SKIPPED_OUTSIDE: AtomicBool = AtomicBool::new(false);

/// Where everything needed has been installed, a skipped test is a failure.
pub(crate) fn must_not_skip() -> bool {
    std::env::var_os("ZOOBREAK_NO_SKIP").is_some_and(|value| value == "1")
}

/// Answers on TCP and UDP, to `time?` with the time, and has a child that survives it, as a badly behaved server would.
#[expect(clippy::zombie_processes, reason = "that is the bad behaviour")]
pub(crate) fn echo_server() -> ExitCode {
    Command::new("/proc/self/exe")
        .arg("--linger")
        .process_group(0)
        .spawn()
        .expect("a child starts");
    let udp = UdpSocket::bind(("0.0.0.0", PORT)).expect("the port is free");
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((len, from)) = udp.recv_from(&mut buffer) {
            let text = match &buffer[..len] {
                b"time?" => now_ms().to_string().into_bytes(),
                other => other.to_vec(),
            };
            // An answer that cannot be sent is a lost packet, which the asker expects.
            let _ = udp.send_to(&text, from);
        }
    });
    let tcp = TcpListener::bind(("0.0.0.0", PORT)).expect("the port is free");
    for stream in tcp.incoming().flatten() {
        thread::spawn(move || echo(stream));
    }
    ExitCode::FAILURE
}

/// The same, but SIGTERM does not end it.
pub(crate) fn deaf_echo_server() -> ExitCode {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: nothing is handled, so no handler can be unsafe.
    unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }.expect("SIGTERM can be ignored");
    echo_server()
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 2048];
    stream.set_nodelay(true).expect("a socket takes its options");
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
}

pub(crate) fn linger() -> ExitCode {
    loop {
        thread::park();
    }
}

/// A lab with an echo server on every node, all of them answering.
pub(crate) fn ensemble(n_nodes: usize, nemesis: fn(Arc<Lab>) -> Nemesis) -> (Arc<Lab>, Nemesis) {
    let lab = Arc::new(Lab::new(n_nodes).expect("a contained process may build a lab"));
    let mut nemesis = nemesis(lab.clone());
    for node in lab.nodes() {
        nemesis.start(node, echo_launch()).expect("the server starts");
    }
    for node in lab.nodes() {
        until("a server answers", || answers(&lab, Host::Observer, node));
    }
    (lab, nemesis)
}

pub(crate) fn echo_launch() -> Launch {
    Launch {
        program: "/proc/self/exe".into(),
        args: vec![OsString::from("--echo")],
        env: [].into(),
        cwd: "/".into(),
        stdout: "/dev/null".into(),
        stderr: "/dev/null".into(),
        disks: vec![],
    }
}

/// One datagram there and back. A false "no" is possible, and so asked again by [`until`].
pub(crate) fn answers(lab: &Lab, from: Host, to: NodeId) -> bool {
    let ask = || -> std::io::Result<()> {
        let socket = UdpSocket::bind((from.addr(), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(150)))?;
        socket.connect((Host::Node(to).addr(), PORT))?;
        socket.send(b"?")?;
        socket.recv(&mut [0; 1]).map(drop)
    };
    lab.namespace(from).run(ask).expect("the namespace can be entered").is_ok()
}

/// What a server's clock says, in milliseconds since 1970.
pub(crate) fn time_at(lab: &Lab, node: NodeId) -> i64 {
    let ask = || {
        let socket = UdpSocket::bind((Host::Observer.addr(), 0)).expect("a port is free");
        socket.set_read_timeout(Some(LIMIT)).expect("a socket takes its options");
        socket.send_to(b"time?", (Host::Node(node).addr(), PORT)).expect("it is sent");
        let mut buffer = [0; 64];
        let len = socket.recv(&mut buffer).expect("the server answers");
        String::from_utf8_lossy(&buffer[..len]).parse().expect("a number")
    };
    lab.namespace(Host::Observer).run(ask).expect("the namespace can be entered")
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    since.as_millis() as i64
}

/// A TCP connection from one host to another's server.
pub(crate) fn connect(lab: &Lab, from: Host, to: NodeId) -> TcpStream {
    let open = || TcpStream::connect((Host::Node(to).addr(), PORT));
    let stream = lab.namespace(from).run(open).expect("the namespace can be entered");
    let stream = stream.expect("the server accepts");
    stream.set_nodelay(true).expect("a socket takes its options");
    stream
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    until_within(LIMIT, what, &mut done);
}

/// Waits for a condition; how long it took.
pub(crate) fn until_within(
    limit: Duration,
    what: &str,
    mut done: impl FnMut() -> bool,
) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("a child ends", || {
        status = child.try_wait().expect("a child can be waited for");
        status.is_some()
    });
    status.expect("it was waited for")
}

/// True if the process has threads, and the kernel's state of each of them is one of `states`.
pub(crate) fn is_in_state(pid: i32, states: &str) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let mut stats = tasks.flatten().map(|task| fs::read_to_string(task.path().join("stat")));
    stats.all(|stat| {
        let state = stat.ok().and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
        state.is_some_and(|state| states.contains(state))
    })
}
