//! One entry of a map from keys to strings.

use stateright::semantics::SequentialSpec;

use crate::Searchable;

/// One key of a map to strings with `get`, `put` and `append`, which starts as the empty string:
/// the store of MIT's 6.824 labs. A map is as many of these as it has keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The key's string.
    pub text: String,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Get the string.
    Get,
    /// Replace the string.
    Put(String),
    /// Add to the end of the string.
    Append(String),
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// Of a `get`.
    Text(String),
    /// It was put or appended.
    Done,
}

impl SequentialSpec for Entry {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match op {
            Op::Get => return Ret::Text(self.text.clone()),
            Op::Put(text) => self.text.clone_from(text),
            Op::Append(text) => self.text.push_str(text),
        }
        Ret::Done
    }

    fn is_valid_step(&mut self, op: &Op, ret: &Ret) -> bool {
        match (op, ret) {
            // The comparison needs no copy of the string.
            (Op::Get, Ret::Text(text)) => self.text == *text,
            (Op::Put(_) | Op::Append(_), Ret::Done) => self.invoke(op) == Ret::Done,
            _ => false,
        }
    }
}

impl Searchable for Entry {
    fn is_read_only(op: &Op, _: &Ret) -> bool {
        *op == Op::Get
    }

    fn is_query(op: &Op) -> bool {
        *op == Op::Get
    }

    fn held(&self) -> usize {
        self.text.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_put_and_appended() {
        let text = |text: &str| text.to_owned();
        assert!(Entry::default().is_valid_history([
            (Op::Get, Ret::Text(text(""))),
            (Op::Append(text("a")), Ret::Done),
            (Op::Append(text("b")), Ret::Done),
            (Op::Get, Ret::Text(text("ab"))),
            (Op::Put(text("c")), Ret::Done),
            (Op::Get, Ret::Text(text("c"))),
        ]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let cases = [
            (Op::Get, Ret::Text("a".to_owned())),
            (Op::Get, Ret::Done),
            (Op::Put("a".to_owned()), Ret::Text("a".to_owned())),
        ];
        for case in cases {
            assert!(!Entry::default().is_valid_history([case.clone()]), "{case:?}");
        }
    }
}
