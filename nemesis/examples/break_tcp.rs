//! Breaks any TCP service: three copies of a program, each in a network of its own, are killed, paused and cut off
//! while a client asks each of them for a connection. No root, nothing to clean up.
//!
//! ```console
//! $ cargo run -p nemesis --example break_tcp -- 6379 redis-server --port 6379 --protected-mode no
//! $ cargo run -p nemesis --example break_tcp -- 8000 python3 -m http.server
//! ```

use std::error::Error;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nemesis::{Host, Kind, Lab, Launch, Nemesis, NodeId, contain, schedule};

const N_NODES: usize = 3;
const TIME: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [port, program, args @ ..] = args.as_slice() else {
        return Err("usage: break_tcp PORT PROGRAM [ARG…]".into());
    };
    let port: u16 = port.parse()?;
    contain::enter()?;
    let lab = Arc::new(Lab::new(N_NODES)?);
    lab.enter_harness_ns()?;
    let mut nemesis = Nemesis::new(lab.clone());
    for node in lab.nodes() {
        nemesis.start(node, launch(program, args))?;
    }
    let kinds: Vec<Kind> = ["kill:one", "pause:one", "partition:client", "link:lossy"]
        .map(str::parse)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let schedule = schedule::generate(7, &kinds, TIME, Duration::from_secs(3));
    let (start, mut answering) = (Instant::now(), [true; N_NODES]);
    let mut events: Vec<_> = schedule.iter().map(|entry| (entry.at_ms, true, entry)).collect();
    events.extend(schedule.iter().map(|entry| (entry.heal_at_ms(), false, entry)));
    events.sort_by_key(|(at_ms, ..)| *at_ms);
    for (at_ms, begins, entry) in events {
        while start.elapsed() < Duration::from_millis(at_ms) {
            tell_changes(&mut answering, port);
            sleep(LOOK_EVERY);
        }
        if !begins {
            println!("{} ends: {:?}", entry.id, nemesis.heal(entry.id)?.outcome);
            continue;
        }
        match entry.resolve(&nemesis.view(None)?) {
            Ok(fault) => {
                let outcome = nemesis.inject(entry.id, &fault).outcome;
                println!("{} {} begins: {outcome:?}", entry.id, entry.spec);
            }
            Err(skip) => println!("{} {} is skipped: {skip}", entry.id, entry.spec),
        }
    }
    nemesis.heal_all()?;
    Ok(nemesis.stop()?)
}

/// Says whose answers begin or cease.
fn tell_changes(answering: &mut [bool; N_NODES], port: u16) {
    for (node, before) in NodeId::first(N_NODES as u8).into_iter().zip(answering) {
        let address = (Host::Node(node).addr(), port).into();
        let now = TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok();
        if now != *before {
            println!("    {node} {}", if now { "answers" } else { "is silent" });
            *before = now;
        }
    }
}

fn launch(program: &str, args: &[String]) -> Launch {
    Launch {
        program: program.into(),
        args: args.iter().map(Into::into).collect(),
        env: [].into(),
        cwd: "/tmp".into(),
        stdout: "/dev/null".into(),
        stderr: "/dev/null".into(),
        disks: vec![],
    }
}
