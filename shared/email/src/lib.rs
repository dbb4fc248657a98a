//! The email: its texts by language, its templates, prices in the format of a locale, and sending through SES.

mod bulk;
mod check;
mod content;
mod fluent;
mod html;
mod links;
mod mail;
mod markup;
mod money;
mod outcome;
mod parts;
mod people;
mod personal;
mod render;
pub mod sample;
mod send;
mod ses;
mod subject;
mod template;
mod texts;
mod unsubscribe_page;
mod variables;

pub use check::MAX_HTML_BYTES;
pub use content::Content;
pub use mail::{Mail, Mailer, Sent};
pub use money::format_price;
pub use parts::{Part, Unusable};
pub use render::{Rendered, Renderer};
pub use send::{SesMailer, Signing};
pub use ses::{Letter, Ses};
pub use subject::check_subject;
pub use template::{built_in_template, built_in_templates, default_template};
pub use texts::{check_texts, languages};
pub use unsubscribe_page::{Pages, UnsubscribePage};

/// A mail or a page can't be rendered. Templates are tried before they are stored, and tests render those that are
/// compiled in, so this does not happen in production.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("a page can't be filled in")]
    Fill(#[from] minijinja::Error),
    #[error("the texts of the language {0} are broken")]
    Texts(&'static str),
}
