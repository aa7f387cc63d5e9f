//! An ensemble member: the sockets, disk and clock around zab and tree.
