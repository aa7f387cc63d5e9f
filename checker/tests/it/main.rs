//! The checker from outside: histories in, verdicts out.

mod cluster;
mod engine;
mod engines;
mod foreign;
mod guarantees;
mod runs;
mod soundness;
mod story;
mod tree;
