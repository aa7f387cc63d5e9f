//! What was asked for, and what it means.
