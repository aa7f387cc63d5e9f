//! The checker from outside: histories in, verdicts out.

mod brute_force;
mod cluster;
mod consistency;
mod documented;
mod drawn;
mod engine;
mod engines;
mod foreign;
mod guarantees;
mod limits;
mod logs;
mod mutations;
mod osc;
mod osc_order;
mod runs;
mod sessions;
mod soundness;
mod story;
mod stream;
mod time;
mod tree;
mod trees;
mod znodes;
