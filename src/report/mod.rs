//! A run, for people.
