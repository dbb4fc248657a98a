//! The email: its texts by language, its templates, prices in the format of a locale, and sending through SES.

mod money;
mod render;
mod send;
mod subject;
mod texts;
mod unsubscribe_page;

pub use money::format_price;
pub use render::{Content, Rendered, Renderer};
pub use send::{Mail, Mailer, SesMailer};
pub use subject::check_subject;
pub use unsubscribe_page::{Pages, UnsubscribePage};

/// A template or a text that was compiled in is broken. Tests render all of them, so this does not happen in production.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("an MJML template can't be rendered: {0}")]
    Mjml(String),
    #[error("a template can't be filled in")]
    Fill(#[from] minijinja::Error),
    #[error("the texts of the language {0} are broken")]
    Texts(&'static str),
}
