//! Sequential specifications: what a history is checked against. No IO.
