//! Fake servers and histories for the tests.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod peer;
