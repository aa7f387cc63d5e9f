//! Protocol models under stateright.
