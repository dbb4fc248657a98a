//! The brand: how mails and pages look as the shop's own.

mod color;

pub use color::{Color, MIN_CONTRAST, Palette, Scheme};

use crate::{EmailAddress, ErrorCode, Invalid, Locale, Sender};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The look of mails and pages. What is missing is left out, or is as the deployment's settings say.
///
/// It is written to a table as it is, and reading it back trusts it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brand {
    pub name: Option<String>,
    /// Where name and logo lead.
    pub link: Option<String>,
    pub logo: Option<Logo>,
    pub colors: Palette,
    pub dark_colors: Palette,
    pub font: Option<FontStack>,
    /// The lines of the postal address.
    pub address: Option<Vec<String>>,
    /// What the law wants said besides, a line each.
    pub legal: Option<Vec<String>>,
    /// Where shoppers may ask.
    pub support: Option<EmailAddress>,
    pub social: Option<Vec<SocialLink>>,
    /// For automations that have none of their own.
    pub sender: Option<Sender>,
    /// For automations that have none of their own.
    pub reply_to: Option<EmailAddress>,
    /// What is added to links to the shop, such as `utm_source`.
    pub link_parameters: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    pub url: String,
    /// In CSS pixels.
    pub width: u32,
    /// What is read where the picture is not shown; the name of the shop if there is none.
    pub alt: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocialLink {
    pub name: String,
    pub url: String,
}

/// Names of fonts, the best first, such as `Lato, Helvetica, Arial, sans-serif`. It is safe in CSS and in HTML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FontStack(String);

/// The brand of the shop, and what is different for single locales.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Brands {
    pub shop: Brand,
    /// By language tag in lower case (`sv`, `sv-se`).
    pub locales: BTreeMap<String, Brand>,
    /// By language tag in lower case, texts in place of the compiled-in ones.
    pub texts: BTreeMap<String, TextsById>,
    /// Counts the changes, from 1; 0 if none was stored.
    pub version: u64,
    pub updated_on: Option<Timestamp>,
}

/// Texts of mails and pages, in Fluent's syntax.
pub type TextsById = BTreeMap<String, String>;

/// The families that every mail client has.
const GENERIC_FONTS: [&str; 5] = ["serif", "sans-serif", "monospace", "cursive", "system-ui"];
const MAX_FONT_BYTES: usize = 200;

impl Brands {
    /// Returns the brand of a locale: what `sv-SE` names, then what `sv` names, then what the shop does.
    pub fn of(&self, locale: &Locale) -> Brand {
        let tags = locale.tags();
        let named = tags.iter().filter_map(|tag| self.locales.get(tag));
        let brand = named.fold(Brand::default(), |brand, less_special| brand.or(less_special));
        brand.or(&self.shop)
    }

    /// Returns the shop's own texts for a locale: those of `sv-SE`, and those of `sv` that it lacks.
    pub fn texts(&self, locale: &Locale) -> TextsById {
        let mut texts = TextsById::new();
        for named in locale.tags().iter().filter_map(|tag| self.texts.get(tag)) {
            for (id, text) in named {
                texts.entry(id.clone()).or_insert_with(|| text.clone());
            }
        }
        texts
    }
}

impl Brand {
    /// Returns this brand, with what another one says where this one says nothing.
    fn or(self, other: &Self) -> Self {
        let other = other.clone();
        Self {
            name: self.name.or(other.name),
            link: self.link.or(other.link),
            logo: self.logo.or(other.logo),
            colors: self.colors.or(other.colors),
            dark_colors: self.dark_colors.or(other.dark_colors),
            font: self.font.or(other.font),
            address: self.address.or(other.address),
            legal: self.legal.or(other.legal),
            support: self.support.or(other.support),
            social: self.social.or(other.social),
            sender: self.sender.or(other.sender),
            reply_to: self.reply_to.or(other.reply_to),
            link_parameters: self.link_parameters.or(other.link_parameters),
        }
    }

    /// Returns the colours on a light screen.
    pub fn light(&self) -> Scheme {
        self.colors.light()
    }

    /// Returns the colours on a dark screen.
    pub fn dark(&self) -> Scheme {
        self.dark_colors.dark(self.colors)
    }
}

impl FontStack {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let families: Vec<&str> = raw.split(',').map(|family| family.trim().trim_matches(['\'', '"'])).collect();
        // A name of CSS identifiers needs no quotes.
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let fits = raw.len() <= MAX_FONT_BYTES
            && families.iter().all(|family| family.split(' ').all(is_word))
            && families.last().is_some_and(|last| GENERIC_FONTS.contains(last));
        if fits {
            return Ok(Self(families.join(", ")));
        }
        let message = format!(
            "Use names of fonts with commas between them, the last of which is one of {}, such as Lato, Arial, sans-serif.",
            GENERIC_FONTS.join(", ")
        );
        Err(Invalid::new(ErrorCode::InvalidFontStack, message))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_has_what_it_names_and_else_what_its_language_and_the_shop_do() {
        let named = |name: &str, link: Option<&str>| Brand {
            name: Some(name.to_owned()),
            link: link.map(ToOwned::to_owned),
            ..Brand::default()
        };
        let brands = Brands {
            shop: Brand { font: FontStack::parse("Lato, serif").ok(), ..named("Shop", Some("https://shop.example")) },
            locales: BTreeMap::from([
                ("sv".into(), named("Butik", Some("https://shop.example/sv"))),
                ("sv-fi".into(), named("Butik i Finland", None)),
                ("nb-no".into(), named("Butikk", None)),
            ]),
            ..Brands::default()
        };
        let brand = |tag: &str| brands.of(&Locale::parse(tag).unwrap());

        assert_eq!(brand("de").name.as_deref(), Some("Shop"));
        assert_eq!(brand("sv-SE").name.as_deref(), Some("Butik"));
        // As it finds its feed.
        assert_eq!((brand("no").name.as_deref(), brand("nn-NO").name.as_deref()), (Some("Butikk"), Some("Butikk")));
        assert_eq!(brand("SV_fi").name.as_deref(), Some("Butik i Finland"));
        assert_eq!(brand("sv-FI").link.as_deref(), Some("https://shop.example/sv"));
        assert_eq!(brand("sv-FI").font, brands.shop.font);
    }

    #[test]
    fn a_font_stack_ends_with_a_family_that_every_client_has() {
        let stack = |raw: &str| FontStack::parse(raw).map(|stack| stack.as_str().to_owned());

        assert_eq!(stack("'Segoe UI',\"Arial\" , sans-serif").unwrap(), "Segoe UI, Arial, sans-serif");
        for bad in ["", "Lato", "Lato,", "Lato; color: red, serif", "a\"b, serif", "Lato, Serif", "Mörk, serif"] {
            assert_eq!(stack(bad).unwrap_err().error_code, ErrorCode::InvalidFontStack, "{bad}");
        }
    }
}
