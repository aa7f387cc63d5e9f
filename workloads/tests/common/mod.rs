//! Fake servers and histories for the tests.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod history;
pub(crate) mod peer;
pub(crate) mod zookeeper;
