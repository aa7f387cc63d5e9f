//! The lab (namespaces, links, processes) and the ways to hurt it.
//!
//! A program calls [`contain::enter`] first in `main`, builds a [`Lab`], starts servers through the
//! [`Nemesis`], and lets it inject and heal the [`Fault`]s of a [`schedule`]. Every injection and every heal
//! returns a [`Report`] with evidence. Nothing outlives the program, even if it is killed with SIGKILL.
//!
//! It knows nothing of what the servers do: no protocol, no client, no history.

pub mod contain;
pub mod fault;
mod host;
pub mod iptables;
mod lab;
mod namespace;
mod nemesis;
pub mod netlink;
mod outcome;
mod partition;
mod process;
pub mod schedule;
pub mod switch;

pub use fault::{Fault, FaultId, FaultSpec, Kind, Skip, View};
pub use host::{Host, NodeId, UnknownHost};
pub use lab::{Lab, LabError};
pub use namespace::Namespace;
pub use nemesis::Nemesis;
pub use outcome::{NotHealed, Outcome, Report};
pub use process::{Launch, ProcessError};
pub use schedule::Scheduled;
