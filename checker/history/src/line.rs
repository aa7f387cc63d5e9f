//! A line of a history as it is read: like [`Event`](crate::Event), but names borrow the text, since
//! a long history names the same few things millions of times.

use std::borrow::Cow;
use std::ops::Deref;

use serde::Deserialize;
use serde_json::Value;

use crate::event::{Hex, Kind, Process, Stat};

#[derive(Debug, Deserialize)]
pub(crate) struct Line<'a> {
    pub(crate) index: u64,
    pub(crate) time: u64,
    pub(crate) process: Process,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(borrow)]
    pub(crate) f: Name<'a>,
    #[serde(borrow, default)]
    pub(crate) key: Option<Name<'a>>,
    #[serde(default)]
    pub(crate) value: Value,
    #[serde(borrow, default)]
    pub(crate) error: Option<Name<'a>>,
    #[serde(borrow, default)]
    pub(crate) node: Option<Name<'a>>,
    #[serde(default)]
    pub(crate) session: Option<Hex>,
    #[serde(default)]
    pub(crate) zxid: Option<Hex>,
    #[serde(default)]
    pub(crate) stat: Option<Stat>,
}

/// A string, borrowed unless it holds escapes. A type of its own, for serde borrows no
/// `Option<Cow<str>>`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Name<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
