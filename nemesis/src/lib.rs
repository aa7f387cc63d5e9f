//! The lab (namespaces, links, processes) and the ways to hurt it.
//!
//! A program calls [`contain::enter`] first in `main`, builds a [`Lab`], starts servers through the
//! [`Nemesis`], and lets it inject and heal the [`Fault`]s of a [`schedule`]. Every injection and every heal
//! returns a [`Report`] with evidence. Nothing outlives the program, even if it is killed with SIGKILL.
//!
//! ```no_run
//! use std::{collections::BTreeMap, sync::Arc, time::Duration};
//! use nemesis::{Host, Lab, Launch, Nemesis, contain, schedule};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     contain::enter()?;
//!     let lab = Arc::new(Lab::new(5)?);
//!     lab.enter_harness_ns()?;
//!     let mut nemesis = Nemesis::new(lab.clone());
//!     for node in lab.nodes() {
//!         let log = format!("/tmp/{node}.log");
//!         nemesis.start(node, Launch {
//!             program: "my-server".into(),
//!             args: vec!["--listen".into(), Host::Node(node).addr().to_string().into()],
//!             env: BTreeMap::new(),
//!             cwd: "/tmp".into(),
//!             stdout: log.clone().into(),
//!             stderr: log.into(),
//!             disks: vec![format!("/tmp/{node}").into()],
//!         })?;
//!     }
//!     let kinds = ["kill".parse()?, "partition:one-way".parse()?];
//!     for entry in schedule::generate(7, &kinds, Duration::from_secs(30), Duration::from_secs(3)) {
//!         // Wait until `entry.at_ms`, and ask the ensemble who leads; then:
//!         match entry.resolve(&nemesis.view(None)?) {
//!             Ok(fault) => println!("{:?}", nemesis.inject(entry.id, &fault)),
//!             Err(skip) => println!("{} skipped: {skip}", entry.id),
//!         }
//!         // At `entry.heal_at_ms()`:
//!         println!("{:?}", nemesis.heal(entry.id)?);
//!     }
//!     nemesis.heal_all()?;
//!     Ok(nemesis.stop()?)
//! }
//! ```
//!
//! `examples/break_tcp.rs` is such a program for any TCP service.
//!
//! It knows nothing of what the servers do: no protocol, no client, no history.

mod clock;
pub mod contain;
mod disk;
pub mod fault;
mod host;
pub mod iptables;
mod lab;
mod namespace;
mod nemesis;
pub mod netlink;
mod outcome;
mod partition;
mod place;
mod process;
pub mod scenario;
pub mod schedule;
pub mod switch;
mod trigger;
mod worker;

pub use disk::{DiskError, Loss, Means, Rules, available as disks_available, means as disk_means};
pub use fault::{Fault, FaultId, FaultSpec, Kind, Skip, View};
pub use host::{Host, NodeId, UnknownHost};
pub use lab::{Lab, LabError};
pub use namespace::Namespace;
pub use nemesis::{Nemesis, StopError};
pub use outcome::{NotHealed, Outcome, Report};
pub use process::{Launch, ProcessError};
pub use schedule::{Awaited, Scheduled};
pub use switch::Recovery;
pub use trigger::Trigger;
