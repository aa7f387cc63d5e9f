//! Histories of registers from disk, judged as they go by: what is held is what is under way, and
//! what can still be shown.
//!
//! The engines here accept only what has an order. What they do not accept is judged again: first what
//! they blame, then, within the budget, all calls of the objects in question, by the engines that hold
//! them.

mod call;
mod file;

mod own;
mod reading;
mod sweep;
mod values;
mod versions;
mod window;

pub use file::{FileError, check_file};
pub use own::check_own;

#[cfg(test)]
mod tests;
