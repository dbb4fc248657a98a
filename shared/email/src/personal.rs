//! What differs between the recipients of one mail. A template is filled in with marks in place of these values, and a mail is
//! a substitution of them, so that SES's bulk call can make it.

use crate::template::{Parts, escaped};
use std::hash::{BuildHasher, Hasher, RandomState};

/// The marks, which nothing that is put into a template can hold: each process draws a number for them.
#[derive(Debug, Clone)]
pub struct Personal {
    pub greeting: String,
    pub unsubscribe_url: String,
}

impl Personal {
    pub fn new() -> Self {
        let number = RandomState::new().build_hasher().finish();
        // A filter changes one of these letters, and a part of it has digits that others don't have.
        let mark = |name: &str| format!("{number} {name} åB! {number}");
        Self { greeting: mark("Greeting"), unsubscribe_url: mark("Unsubscribe") }
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
