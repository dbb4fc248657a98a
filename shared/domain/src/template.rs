//! Templates of mails: those that are compiled in, and the shop's own.

use crate::identifiers::{is_slug, text_type};
use crate::{ErrorCode, Invalid};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A name of up to 50 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TemplateId(String);
text_type!(TemplateId);

/// A template of mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub id: TemplateId,
    pub name: Option<String>,
    pub html: TemplateSource,
    /// The source of the text part; the compiled-in one if there is none.
    pub text: Option<String>,
    /// Counts the changes, from 1; 0 for those that are compiled in.
    pub version: u64,
    pub updated_on: Option<Timestamp>,
}

/// The source of the HTML part, with variables that are filled in for each mail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateSource {
    Mjml(String),
    Html(String),
}

/// The template of automations that name none: picture, title, price and a button.
const DEFAULT: &str = "back-in-stock";

impl TemplateId {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        if !is_slug(raw) {
            let message = "Use up to 50 lower-case letters, digits and hyphens, such as spring-sale.";
            return Err(Invalid::new(ErrorCode::InvalidTemplateId, message));
        }
        Ok(Self(raw.to_owned()))
    }
}

impl Template {
    /// Returns true if it shows what the recipient waits for besides, which has to be read for each mail.
    pub fn shows_other_wishes(&self) -> bool {
        self.html.text().contains("also_waiting")
            || self.text.as_ref().is_some_and(|text| text.contains("also_waiting"))
    }

    /// Returns true if its HTML part shows other products of the feed, which have to be read for each message of
    /// recipients. The compiled-in text part shows those that there are.
    pub fn shows_related(&self) -> bool {
        self.html.text().contains("related")
    }
}

impl TemplateSource {
    pub fn text(&self) -> &str {
        let (Self::Mjml(text) | Self::Html(text)) = self;
        text
    }
}

impl Default for TemplateId {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}
