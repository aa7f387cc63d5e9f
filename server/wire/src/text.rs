//! How a [`SmolStr`] is read from bytes that do not stay: its own way wants them to outlive it. For a
//! field's `#[serde(deserialize_with = "text::deserialize")]`.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};
use smol_str::SmolStr;

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SmolStr, D::Error> {
    deserializer.deserialize_string(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = SmolStr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SmolStr, E> {
        Ok(text.into())
    }
}
