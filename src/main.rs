//! The `zoobreak` command.

fn main() {}
