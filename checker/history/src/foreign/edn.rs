//! A reader of EDN (<https://github.com/edn-format/edn>), as much of it as histories use. Tags are
//! read and dropped: `#jepsen.history.Op{…}` is the map.

use std::str::Chars;

use super::Datum;

/// Deeper than any history nests; deeper text is refused before it can exhaust the stack.
const DEPTH_MAX: usize = 64;

/// Why a text is not one EDN form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EdnError {
    /// The text ends within a form; more of it may follow.
    Incomplete,
    /// It can never become one.
    Wrong(String),
}

/// Reads the first form of a text, and the number of bytes up to its end; none if there is only
/// white space and comments.
pub(super) fn first(text: &str) -> Result<Option<(Datum, usize)>, EdnError> {
    let mut reader = Reader { rest: text.chars(), depth: 0 };
    Ok(match reader.form()? {
        Some(Form::Datum(datum)) => Some((datum, text.len() - reader.rest.as_str().len())),
        Some(Form::Close(letter)) => return Err(wrong(format!("{letter:?} closes nothing"))),
        None => None,
    })
}

struct Reader<'a> {
    rest: Chars<'a>,
    depth: usize,
}

enum Form {
    Datum(Datum),
    Close(char),
}

fn wrong(message: impl Into<String>) -> EdnError {
    EdnError::Wrong(message.into())
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn skip_blank(&mut self) {
        while let Some(letter) = self.peek() {
            match letter {
                ';' => while !matches!(self.rest.next(), None | Some('\n')) {},
                _ if letter.is_whitespace() || letter == ',' => {
                    self.rest.next();
                }
                _ => return,
            }
        }
    }

    fn form(&mut self) -> Result<Option<Form>, EdnError> {
        self.skip_blank();
        let before = self.rest.clone();
        let Some(letter) = self.rest.next() else { return Ok(None) };
        Ok(Some(Form::Datum(match letter {
            ')' | ']' | '}' => return Ok(Some(Form::Close(letter))),
            '(' => Datum::List(self.until(')')?),
            '[' => Datum::List(self.until(']')?),
            '{' => map(self.until('}')?)?,
            '"' => Datum::Text(self.string()?),
            '#' => return self.dispatch(),
            '\\' => {
                self.rest.next().ok_or(EdnError::Incomplete)?;
                self.word();
                Datum::Symbol(taken(&before, &self.rest).to_owned())
            }
            _ => {
                self.word();
                // What is not closed yet may go on in the middle of a word.
                let may_go_on = self.depth > 0 && self.rest.as_str().is_empty();
                let unfinished = |wrong| if may_go_on { EdnError::Incomplete } else { wrong };
                atom(taken(&before, &self.rest)).map_err(unfinished)?
            }
        })))
    }

    /// A form that must be there.
    fn datum(&mut self) -> Result<Datum, EdnError> {
        match self.form()? {
            Some(Form::Datum(datum)) => Ok(datum),
            Some(Form::Close(letter)) => Err(wrong(format!("{letter:?} where a value belongs"))),
            None => Err(EdnError::Incomplete),
        }
    }

    fn until(&mut self, close: char) -> Result<Vec<Datum>, EdnError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong(format!("nested deeper than {DEPTH_MAX}")));
        }
        let mut all = Vec::new();
        loop {
            match self.form()?.ok_or(EdnError::Incomplete)? {
                Form::Datum(datum) => all.push(datum),
                Form::Close(found) if found == close => break,
                Form::Close(found) => {
                    return Err(wrong(format!("{found:?} where {close:?} belongs")));
                }
            }
        }
        self.depth -= 1;
        Ok(all)
    }

    /// What follows a `#`: a set, a discarded form, or a tag.
    fn dispatch(&mut self) -> Result<Option<Form>, EdnError> {
        match self.peek().ok_or(EdnError::Incomplete)? {
            '{' => {
                self.rest.next();
                let mut all = self.until('}')?;
                all.sort();
                all.dedup();
                Ok(Some(Form::Datum(Datum::Set(all))))
            }
            '_' => {
                self.rest.next();
                self.nested(Reader::datum)?;
                self.nested(Reader::form)
            }
            letter if letter.is_alphabetic() => {
                self.word();
                Ok(Some(Form::Datum(self.nested(Reader::datum)?)))
            }
            letter => Err(wrong(format!("\"#{letter}\" is not known"))),
        }
    }

    /// Tags nest too.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, EdnError>,
    ) -> Result<T, EdnError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong(format!("nested deeper than {DEPTH_MAX}")));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn string(&mut self) -> Result<String, EdnError> {
        let mut text = String::new();
        loop {
            match self.rest.next().ok_or(EdnError::Incomplete)? {
                '"' => return Ok(text),
                '\\' => text.push(self.escaped()?),
                letter => text.push(letter),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, EdnError> {
        Ok(match self.rest.next().ok_or(EdnError::Incomplete)? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let digits: String = self.rest.by_ref().take(4).collect();
                if digits.chars().count() < 4 {
                    return Err(EdnError::Incomplete);
                }
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                code.ok_or_else(|| wrong(format!("\"\\u{digits}\" is no character")))?
            }
            letter @ ('"' | '\\') => letter,
            letter => return Err(wrong(format!("\"\\{letter}\" is no escape"))),
        })
    }

    fn word(&mut self) {
        let ends = |letter: char| letter.is_whitespace() || ",;\"()[]{}".contains(letter);
        while self.peek().is_some_and(|letter| !ends(letter)) {
            self.rest.next();
        }
    }
}

fn taken<'a>(before: &Chars<'a>, after: &Chars<'a>) -> &'a str {
    let text = before.as_str();
    &text[..text.len() - after.as_str().len()]
}

fn atom(word: &str) -> Result<Datum, EdnError> {
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    Ok(match word {
        "nil" => Datum::Nil,
        "true" => Datum::Bool(true),
        "false" => Datum::Bool(false),
        _ if digits.starts_with(|first: char| first.is_ascii_digit()) => number(word)?,
        _ => match word.strip_prefix(':') {
            Some("") => return Err(wrong("a keyword without a name")),
            Some(name) => Datum::Keyword(name.to_owned()),
            None => Datum::Symbol(word.to_owned()),
        },
    })
}

fn number(word: &str) -> Result<Datum, EdnError> {
    let plain = word.strip_suffix(['N', 'M']).unwrap_or(word);
    match plain.parse() {
        Ok(int) => Ok(Datum::Int(int)),
        Err(_) if plain.parse::<f64>().is_ok() => Ok(Datum::Number(plain.to_owned())),
        Err(_) => Err(wrong(format!("{word:?} is no number"))),
    }
}

fn map(forms: Vec<Datum>) -> Result<Datum, EdnError> {
    if !forms.len().is_multiple_of(2) {
        return Err(wrong("a map with a key without a value"));
    }
    let mut forms = forms.into_iter();
    let mut entries = Vec::new();
    while let (Some(key), Some(value)) = (forms.next(), forms.next()) {
        entries.push((key, value));
    }
    Ok(Datum::Map(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(text: &str) -> String {
        first(text).expect("it is EDN").expect("a form").0.to_string()
    }

    #[test]
    fn what_histories_hold_is_read() {
        let same =
            ["nil", "true", "-3", ":timed-out", "[3 0]", "#{1 2}", r#"{:f :cas, "k" [1 nil]}"#];
        for text in same {
            assert_eq!(echo(text), text);
        }
        let other = [
            ("#jepsen.history.Op{:index 0}", "{:index 0}"),
            ("(1, 2)", "[1 2]"),
            ("; note\n #_[old] 7N", "7"),
            ("1.5M", "1.5"),
            ("99999999999999999999", "99999999999999999999"),
            (r#""a\n\u0041""#, r#""a\nA""#),
            ("\\newline", "\\newline"),
            ("#{2 1 2}", "#{1 2}"),
        ];
        for (text, read) in other {
            assert_eq!(echo(text), read);
        }
    }

    #[test]
    fn the_rest_of_the_text_is_left() {
        let text = "{:a 1} {:b 2}";
        let (_, end) = first(text).expect("EDN").expect("a form");
        assert_eq!(&text[end..], " {:b 2}");
        assert_eq!(first(" , ;x"), Ok(None));
    }

    #[test]
    fn what_is_cut_is_told_from_what_is_wrong() {
        for cut in ["{:a", "[1 2", "\"abc", "#", "#tag", "\"\\", "{:", "[1", "\"\\u00"] {
            assert_eq!(first(cut), Err(EdnError::Incomplete), "{cut}");
        }
        for bad in ["]", "{:a}", "(1]", "12x", ":", "\"\\q\"", "#{:a 1)", "\"\\uZZZZ\""] {
            assert!(matches!(first(bad), Err(EdnError::Wrong(_))), "{bad}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        for open in ["[", "#t ", "#_ "] {
            let text = open.repeat(1_000_000);
            assert!(matches!(first(&text), Err(EdnError::Wrong(_))), "{open}");
        }
    }
}
