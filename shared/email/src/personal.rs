//! What differs between the recipients of one mail. A template is filled in once for all of them, with marks in place of these
//! values, so that a mail is a substitution of texts.

use crate::template::{Parts, escaped};
use std::hash::{BuildHasher, Hasher, RandomState};

/// The marks, which nothing that is put into a template can hold: they are drawn anew by each process.
#[derive(Debug, Clone)]
pub struct Personal {
    secret: String,
    pub greeting: String,
    pub unsubscribe_url: String,
}

impl Personal {
    pub fn new() -> Self {
        Self::of(&RandomState::new().build_hasher().finish().to_string())
    }

    /// Returns marks that have nothing in common with these, not even their length.
    pub fn others(&self) -> Self {
        Self::of(&format!("{0}{0}", Self::new().secret))
    }

    fn of(secret: &str) -> Self {
        let mark = |name: &str| format!("[{name} {secret}]");
        Self { greeting: mark("greeting"), unsubscribe_url: mark("unsubscribe"), secret: secret.to_owned() }
    }

    /// Returns the parts of one recipient's mail.
    pub fn fill(&self, parts: &Parts, greeting: &str, unsubscribe_url: &str) -> Parts {
        let values = [(&self.greeting, greeting), (&self.unsubscribe_url, unsubscribe_url)];
        let fill = |part: &String, value: &dyn Fn(&str) -> String| {
            values.iter().fold(part.clone(), |part, (mark, text)| part.replace(*mark, &value(text)))
        };
        Parts { html: fill(&parts.html, &escaped), text: fill(&parts.text, &str::to_owned) }
    }
}
