use crate::{ErrorCode, Invalid};
use icu_locale::{LocaleDirectionality, LocaleExpander};
use icu_locale_core::LanguageIdentifier;
use icu_locale_core::subtags::Language;
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

    /// Returns the locales whose feed serves this one, the best first: itself; for a language alone, the one of the country that
    /// CLDR takes it for, such as `de-DE` for `de`; and Norwegian by each of its names, as CLDR falls back.
    pub fn feeds(&self) -> Vec<Self> {
        let mut feeds = vec![self.clone()];
        let Ok(own) = LanguageIdentifier::try_from_str(&self.key) else { return feeds };
        let names: &[&str] = match own.language.as_str() {
            "no" => &["no", "nb"],
            "nb" => &["nb", "no"],
            "nn" => &["nn", "no", "nb"],
            name => &[name],
        };
        let languages: Vec<Language> = names.iter().filter_map(|name| Language::try_from_str(name).ok()).collect();
        let named = |language: &Language| LanguageIdentifier { language: *language, ..own.clone() };
        let likely = |language: &Language| {
            let mut id = named(language);
            LocaleExpander::new_common().maximize(&mut id);
            id.region
        };
        let region = own.region.or_else(|| languages.iter().find_map(likely));
        for language in &languages {
            for id in [named(language), LanguageIdentifier { region, ..named(language) }] {
                let locale = Self::from(id.to_string());
                if !feeds.contains(&locale) {
                    feeds.push(locale);
                }
            }
        }
        feeds
    }

    /// Returns true if its language is written from right to left (CLDR).
    pub fn is_right_to_left(&self) -> bool {
        let id = LanguageIdentifier::try_from_str(&self.key);
        id.is_ok_and(|id| LocaleDirectionality::new_common().is_right_to_left(&id))
    }

    /// Returns the tags to try when texts for this locale are looked for, the most specific first: `sv-se`, then `sv`. Norwegian
    /// is found by each of its names, as CLDR falls back.
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        let own =
            std::iter::successors(Some(self.key.as_str()), |tag| tag.rsplit_once('-').map(|(shorter, _)| shorter));
        let others: &[&str] = match self.key.split('-').next() {
            Some("no") => &["nb"],
            Some("nb") => &["no"],
            Some("nn") => &["nb", "no"],
            _ => &[],
        };
        own.chain(others.iter().copied())
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
    fn a_locale_is_served_by_its_own_feed_or_by_that_of_its_likely_country() {
        let feeds = |tag: &str| -> Vec<String> {
            Locale::parse(tag).unwrap().feeds().iter().map(|feed| feed.as_str().to_owned()).collect()
        };

        assert_eq!(feeds("sv-FI"), ["sv-FI"]);
        assert_eq!(feeds("sv"), ["sv", "sv-SE"]);
        assert_eq!(feeds("en"), ["en", "en-US"]);
        assert_eq!(feeds("no"), ["no", "no-NO", "nb", "nb-NO"]);
        assert_eq!(feeds("nb"), ["nb", "nb-NO", "no", "no-NO"]);
        assert_eq!(feeds("nn-NO"), ["nn-NO", "no-NO", "nb-NO"]);
        assert_eq!(feeds("zh-Hant"), ["zh-Hant", "zh-Hant-TW"]);
        assert_eq!(feeds("xx"), ["xx"]);
    }

    #[test]
    fn hebrew_and_arabic_are_written_from_right_to_left() {
        let right_to_left = |tag: &str| Locale::parse(tag).unwrap().is_right_to_left();

        assert!(right_to_left("ar-EG") && right_to_left("he") && right_to_left("fa-IR") && right_to_left("az-Arab"));
        assert!(!right_to_left("sv-SE") && !right_to_left("az") && !right_to_left("xx"));
    }

    #[test]
    fn texts_fall_back_from_region_to_language() {
        let locale = Locale::parse("zh-Hant-TW").unwrap();

        assert_eq!(locale.fallbacks().collect::<Vec<_>>(), ["zh-hant-tw", "zh-hant", "zh"]);
        let fallbacks = |tag: &str| Locale::parse(tag).unwrap().fallbacks().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(fallbacks("nn-NO"), ["nn-no", "nn", "nb", "no"]);
        assert_eq!(fallbacks("no"), ["no", "nb"]);
    }

    #[test]
    fn what_is_not_a_language_tag_is_refused() {
        for raw in ["", "s", "sv__SE", "_", "svenska språket", "sv-SE-", "12", "../etc", "sv SE"] {
            assert_eq!(Locale::parse(raw).unwrap_err().error_code, ErrorCode::InvalidLocale, "{raw}");
        }
    }
}
