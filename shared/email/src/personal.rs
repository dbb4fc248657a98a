//! What differs between the recipients of one mail. A template is filled in with marks in place of these values, and a
//! mail is a substitution of them, so that SES's bulk call can make it.

use crate::parts::{Parts, escaped};
use std::hash::{BuildHasher, Hasher, RandomState};
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

/// The marks, which nothing that is put into a template can hold: each process draws a number for them.
#[derive(Debug, Clone)]
pub struct Personal {
    pub greeting: String,
    pub unsubscribe_url: String,
    pub also_waiting: String,
}

/// A piece of a part of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The same for every recipient.
    Shared(&'a str),
    Personal(Which),
}

/// What differs between recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Which {
    Greeting,
    UnsubscribeUrl,
    AlsoWaiting,
}

/// What stands in place of the marks in one recipient's mail, in HTML and in text.
pub struct Values {
    pub greeting: [String; 2],
    pub unsubscribe_url: [String; 2],
    pub also_waiting: [String; 2],
}

/// Returns a text as it is in HTML and in text.
pub fn plain(text: &str) -> [String; 2] {
    [escaped(text), text.to_owned()]
}

impl Personal {
    pub fn new() -> Self {
        Self::of(&RandomState::new().build_hasher().finish().to_string())
    }

    /// Returns marks that are longer than those of [`Self::new`].
    pub fn longer() -> Self {
        let number = RandomState::new().build_hasher().finish();
        Self::of(&format!("{number}{}", "7".repeat(30)))
    }

    /// Returns empty texts, as values and no marks.
    pub fn nothing() -> Self {
        Self { greeting: String::new(), unsubscribe_url: String::new(), also_waiting: String::new() }
    }

    fn of(number: &str) -> Self {
        // A filter changes one of these letters, and a part of it has digits that others don't have.
        let mark = |name: &str| format!("{number}{name}{number}åB!{number}");
        Self { greeting: mark("Greeting"), unsubscribe_url: mark("Unsubscribe"), also_waiting: mark("AlsoWaiting") }
    }

    /// Returns the parts of one recipient's mail.
    pub fn fill(&self, parts: &Parts, values: &Values) -> Parts {
        let fill = |part: &str, of: usize| {
            let pieces = self.pieces(part).into_iter();
            pieces
                .map(|piece| match piece {
                    Piece::Shared(text) => text,
                    Piece::Personal(which) => &values.get(which)[of],
                })
                .collect()
        };
        Parts { html: fill(&parts.html, 0), text: fill(&parts.text, 1) }
    }

    /// Cuts a part at its marks.
    pub fn pieces<'a>(&self, part: &'a str) -> Vec<Piece<'a>> {
        let (mut pieces, mut rest) = (Vec::new(), part);
        let mark = |which| match which {
            Which::Greeting => &self.greeting,
            Which::UnsubscribeUrl => &self.unsubscribe_url,
            Which::AlsoWaiting => &self.also_waiting,
        };
        loop {
            let places = Which::iter().filter_map(|which| Some((rest.find(mark(which))?, which)));
            let Some((at, which)) = places.min_by_key(|(at, _)| *at) else { break };
            pieces.extend([Piece::Shared(&rest[..at]), Piece::Personal(which)]);
            rest = &rest[at + mark(which).len()..];
        }
        pieces.push(Piece::Shared(rest));
        pieces
    }
}

impl Values {
    /// Returns a value in HTML and in text.
    pub fn get(&self, which: Which) -> &[String; 2] {
        match which {
            Which::Greeting => &self.greeting,
            Which::UnsubscribeUrl => &self.unsubscribe_url,
            Which::AlsoWaiting => &self.also_waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_cut_at_its_marks_and_a_value_is_not_looked_into() {
        let personal = Personal::new();
        let html = format!("a{}b{}{}", personal.greeting, personal.unsubscribe_url, personal.greeting);
        let values = Values {
            greeting: plain(&personal.unsubscribe_url),
            unsubscribe_url: plain("url"),
            also_waiting: plain(""),
        };

        let filled = personal.fill(&Parts { html, text: String::new() }, &values);

        assert_eq!(filled.html, format!("a{0}burl{0}", personal.unsubscribe_url));
    }
}
