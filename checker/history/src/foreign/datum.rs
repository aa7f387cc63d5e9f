//! Values of histories from elsewhere.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value in a history from elsewhere; written as EDN by `Display`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum {
    /// `nil`, `null`.
    #[default]
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, an exponent or too many digits, as it was written.
    Number(String),
    /// A string.
    Text(String),
    /// A keyword, without its colon.
    Keyword(String),
    /// A symbol or a character, as it was written.
    Symbol(String),
    /// A vector, list or array.
    List(Vec<Datum>),
    /// A set, in order, each element once.
    Set(Vec<Datum>),
    /// A map or object, in the order of the file.
    Map(Vec<(Datum, Datum)>),
}

impl Datum {
    /// Bytes that it holds beside itself, about.
    pub(super) fn held(&self) -> usize {
        let each = |all: &[Datum]| all.iter().map(|one| size_of::<Datum>() + one.held()).sum();
        match self {
            Datum::Nil | Datum::Bool(_) | Datum::Int(_) => 0,
            Datum::Number(text)
            | Datum::Text(text)
            | Datum::Keyword(text)
            | Datum::Symbol(text) => text.len() + 16,
            Datum::List(all) | Datum::Set(all) => each(all),
            Datum::Map(all) => all
                .iter()
                .map(|(key, value)| 2 * size_of::<Datum>() + key.held() + value.held())
                .sum(),
        }
    }

    /// What a map holds under a name: a keyword, or a string as in JSON.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Datum> {
        let Datum::Map(entries) = self else { return None };
        entries.iter().find(|(key, _)| key.name() == Some(name)).map(|(_, value)| value)
    }

    /// The text of a keyword, symbol or string.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Datum::Keyword(name) | Datum::Text(name) | Datum::Symbol(name) => Some(name),
            _ => None,
        }
    }

    /// The whole number that it is.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Datum::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// The elements of a vector, list or set.
    #[must_use]
    pub fn elements(&self) -> Option<&[Datum]> {
        match self {
            Datum::List(elements) | Datum::Set(elements) => Some(elements),
            _ => None,
        }
    }

    /// The same as JSON; keywords and symbols become strings.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Datum::Nil => Value::Null,
            Datum::Bool(bool) => Value::Bool(*bool),
            Datum::Int(int) => Value::from(*int),
            Datum::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())
            }
            Datum::Text(text) | Datum::Keyword(text) | Datum::Symbol(text) => text.clone().into(),
            Datum::List(all) | Datum::Set(all) => all.iter().map(Datum::to_json).collect(),
            Datum::Map(entries) => {
                let text = |key: &Datum| key.name().map_or_else(|| key.to_string(), str::to_owned);
                entries.iter().map(|(key, value)| (text(key), value.to_json())).collect()
            }
        }
    }
}

/// As JSON has it: no keywords, symbols or sets.
impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Datum, D::Error> {
        deserializer.deserialize_any(Json)
    }
}

struct Json;

impl<'de> Visitor<'de> for Json {
    type Value = Datum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Datum, E> {
        Ok(Datum::Nil)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Datum, E> {
        Ok(Datum::Bool(bool))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Datum, E> {
        Ok(Datum::Int(int))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Datum, E> {
        Ok(i64::try_from(int).map_or_else(|_| Datum::Number(int.to_string()), Datum::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Datum, E> {
        Ok(Datum::Number(Value::from(number).to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Datum, E> {
        Ok(Datum::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Datum, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Datum::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Datum, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry()? {
            map.push((Datum::Text(key), value));
        }
        Ok(Datum::Map(map))
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Nil => f.write_str("nil"),
            Datum::Bool(bool) => write!(f, "{bool}"),
            Datum::Int(int) => write!(f, "{int}"),
            Datum::Number(text) | Datum::Symbol(text) => f.write_str(text),
            Datum::Text(text) => quoted(f, text),
            Datum::Keyword(name) => write!(f, ":{name}"),
            Datum::List(all) => listed(f, "[", all, "]"),
            Datum::Set(all) => listed(f, "#{", all, "}"),
            Datum::Map(entries) => {
                f.write_str("{")?;
                for (n, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key} {value}", if n > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for letter in text.chars() {
        match letter {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ => write!(f, "{letter}")?,
        }
    }
    f.write_str("\"")
}

fn listed(f: &mut fmt::Formatter<'_>, open: &str, all: &[Datum], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (n, one) in all.iter().enumerate() {
        write!(f, "{}{one}", if n > 0 { " " } else { "" })?;
    }
    f.write_str(close)
}
