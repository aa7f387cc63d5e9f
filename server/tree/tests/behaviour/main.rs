//! What the tree does: rule by rule, and against a model.

mod common;
mod model;
mod rules;
mod watches;
