//! What the tree does: rule by rule, and against a model.

mod access;
mod common;
mod model;
mod multi;
mod quota;
mod reaped;
mod rules;
mod specification;
mod watches;
