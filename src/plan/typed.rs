//! A value as it stands in a plan file.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A TOML value of any type: which types are allowed is for each setting to say.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Typed {
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<String>),
    Other(IgnoredAny),
}

impl Typed {
    /// The number as text.
    pub(super) fn number(self) -> Option<String> {
        match self {
            Typed::Integer(n) => Some(n.to_string()),
            Typed::Float(n) => Some(n.to_string()),
            Typed::Text(_) | Typed::List(_) | Typed::Other(_) => None,
        }
    }

    /// The text.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Typed::Text(text) => Some(text),
            _ => None,
        }
    }
}
