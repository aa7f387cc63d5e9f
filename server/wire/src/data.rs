//! How [`Data`] is serialised: as one piece, not byte by byte. For a field's
//! `#[serde(with = "wire::data")]`.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Data;

/// Writes it.
pub fn serialize<S: Serializer>(data: &Data, serializer: S) -> Result<S::Ok, S::Error> {
    data.as_deref().map(Bytes).serialize(serializer)
}

/// Reads it.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
    Ok(Option::<Shared>::deserialize(deserializer)?.map(|Shared(bytes)| bytes))
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Shared(Arc<[u8]>);

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shared, D::Error> {
        deserializer.deserialize_byte_buf(Copy)
    }
}

struct Copy;

impl Visitor<'_> for Copy {
    type Value = Shared;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Shared, E> {
        Ok(Shared(bytes.into()))
    }
}
