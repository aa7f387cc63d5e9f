//! The checker from outside: histories in, verdicts out.

mod cluster;
mod engine;
mod guarantees;
mod runs;
mod soundness;
mod story;
