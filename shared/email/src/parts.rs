//! The two parts of a mail, and what may be wrong with a template of one.

/// Why a template can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unusable {
    pub part: Part,
    /// The line of the source, from 1, where it is known.
    pub line: Option<usize>,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Html,
    Text,
}

/// The two parts of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    pub html: String,
    pub text: String,
}

impl Unusable {
    pub fn new(part: Part, reason: impl Into<String>) -> Self {
        Self { part, line: None, reason: reason.into() }
    }
}

/// Returns a text as it stands in HTML, in an element or in a quoted attribute.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
