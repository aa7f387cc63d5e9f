//! Znodes, sessions and watches: apply a transaction, get a reply and the watches it fired. No IO, no clock.
