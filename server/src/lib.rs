//! An ensemble member: the sockets, disk and clock around [`zab`] and [`tree`].

mod config;
mod mutant;
pub mod storage;

pub use config::{Config, ConfigError, ServerAddress};
pub use mutant::Mutant;
