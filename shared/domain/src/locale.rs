use crate::{ErrorCode, Invalid};
use icu_locale_core::LanguageIdentifier;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A BCP 47 language tag such as `sv-SE`. Compares without regard to case and remembers how it was spelled.
///
/// It is written to tables and messages as it was spelled, and reading it back trusts it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Locale {
    spelling: String,
    key: String,
}

impl Locale {
    /// Reads a tag; `sv_SE`, as programs name their locales, is `sv-SE`.
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let tag = raw.trim().replace('_', "-");
        if tag.len() > 35 || LanguageIdentifier::try_from_str(&tag).is_err() {
            return Err(Invalid::new(ErrorCode::InvalidLocale, "Use a BCP 47 language tag such as sv-SE."));
        }
        Ok(tag.into())
    }

    /// Returns the tag as the caller wrote it.
    pub fn as_str(&self) -> &str {
        &self.spelling
    }

    /// Returns the usual spelling, such as `sv-SE` for `SV-se`.
    pub fn canonical(&self) -> String {
        LanguageIdentifier::try_from_str(&self.key).map_or_else(|_| self.key.clone(), |tag| tag.to_string())
    }

    /// Returns the form that two spellings of one locale share; what is stored in keys.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the tags to try when texts for this locale are looked for, the most specific first: `sv-se`, then `sv`.
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.key.as_str()), |tag| tag.rsplit_once('-').map(|(shorter, _)| shorter))
    }
}

impl PartialEq for Locale {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Locale {}

impl Hash for Locale {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

impl From<String> for Locale {
    fn from(spelling: String) -> Self {
        let key = spelling.to_ascii_lowercase();
        Self { spelling, key }
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.spelling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_locale_are_equal_and_kept() {
        let lower = Locale::parse("sv-se").unwrap();
        let mixed = Locale::parse("sv-SE").unwrap();

        assert_eq!(lower, mixed);
        assert_eq!(mixed.as_str(), "sv-SE");
        assert_eq!(lower.key(), mixed.key());
        assert_eq!(
            (Locale::parse("sv_SE").unwrap().as_str(), Locale::parse(" sv-SE ").unwrap().as_str()),
            ("sv-SE", "sv-SE")
        );
        assert_eq!(
            (lower.canonical(), Locale::parse("ZH-hant-tw").unwrap().canonical()),
            ("sv-SE".into(), "zh-Hant-TW".into())
        );
    }

    #[test]
    fn texts_fall_back_from_region_to_language() {
        let locale = Locale::parse("zh-Hant-TW").unwrap();

        assert_eq!(locale.fallbacks().collect::<Vec<_>>(), ["zh-hant-tw", "zh-hant", "zh"]);
    }

    #[test]
    fn what_is_not_a_language_tag_is_refused() {
        for raw in ["", "s", "sv__SE", "_", "svenska språket", "sv-SE-", "12", "../etc", "sv SE"] {
            assert_eq!(Locale::parse(raw).unwrap_err().error_code, ErrorCode::InvalidLocale, "{raw}");
        }
    }
}
