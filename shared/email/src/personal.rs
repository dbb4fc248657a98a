//! What differs between the recipients of one mail. A template is filled in with marks in place of these values, and a mail is
//! a substitution of them, so that SES's bulk call can make it.

use crate::template::{Parts, escaped};
use std::hash::{BuildHasher, Hasher, RandomState};

/// The marks, which nothing that is put into a template can hold: each process draws a number for them.
#[derive(Debug, Clone)]
pub struct Personal {
    pub greeting: String,
    pub unsubscribe_url: String,
    pub also_waiting: String,
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

    fn of(number: &str) -> Self {
        // A filter changes one of these letters, and a part of it has digits that others don't have.
        let mark = |name: &str| format!("{number}{name}{number}åB!{number}");
        Self { greeting: mark("Greeting"), unsubscribe_url: mark("Unsubscribe"), also_waiting: mark("AlsoWaiting") }
    }

    /// Returns the parts of one recipient's mail.
    pub fn fill(&self, parts: &Parts, values: &Values) -> Parts {
        let marks = [
            (&self.greeting, &values.greeting),
            (&self.unsubscribe_url, &values.unsubscribe_url),
            (&self.also_waiting, &values.also_waiting),
        ];
        let fill = |part: &str, of: usize| {
            marks.iter().fold(part.to_owned(), |part, (mark, value)| part.replace(*mark, &value[of]))
        };
        Parts { html: fill(&parts.html, 0), text: fill(&parts.text, 1) }
    }
}
