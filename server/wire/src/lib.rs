//! ZooKeeper's client protocol: bytes in, values out. No sockets, no clock.
