use crate::{ErrorCode, Invalid};
use icu_locale::{LocaleDirectionality, LocaleExpander};
use icu_locale_core::LanguageIdentifier;
use icu_locale_core::subtags::{Language, Script, Variants, language, script};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};

/// Codes of languages that ISO 639 has given up, some of which Java still writes, and those that stand for them.
const OLD_CODES: [(&str, &str); 5] = [("iw", "he"), ("in", "id"), ("ji", "yi"), ("mo", "ro"), ("tl", "fil")];
const LATIN: Script = script!("Latn");

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

    /// Returns the locales whose feed serves this one, the best first: itself; those that CLDR takes for the same, such
    /// as `de-DE` and `de`; and Norwegian by each of its names, as CLDR falls back.
    pub fn feeds(&self) -> Vec<Self> {
        let mut feeds = vec![self.clone()];
        let Ok(own) = LanguageIdentifier::try_from_str(&self.key) else { return feeds };
        let full = maximized(own.clone());
        // Nobody writes the Latin script into a tag that is written in it anyway, and each tag is looked up.
        let names_script = own.script.is_some() || full.script != Some(LATIN);
        let forms = [
            (own.script, own.region),
            (own.script, full.region),
            (own.script, None),
            (full.script.filter(|_| names_script), full.region),
            (full.script.filter(|_| names_script), None),
            (None, full.region),
            (None, None),
        ];
        let names: &[&str] = match own.language.as_str() {
            "no" => &["no", "nb"],
            "nb" => &["nb", "no"],
            "nn" => &["nn", "no", "nb"],
            name => &[name],
        };
        for language in names.iter().filter_map(|name| Language::try_from_str(name).ok()) {
            // CLDR drops variants first, such as `posix`.
            let variants = [own.variants.clone(), Variants::default()];
            for ((script, region), variants) in variants.iter().flat_map(|variants| forms.map(|form| (form, variants)))
            {
                let id = LanguageIdentifier { language, script, region, variants: variants.clone() };
                let (locale, meant) = (Self::from(id.to_string()), maximized(id));
                if (meant.script, meant.region) == (full.script, full.region) && !feeds.contains(&locale) {
                    feeds.push(locale);
                }
            }
        }
        feeds
    }

    /// Returns the tags to try when something of the shop's own is looked for, which it may have named as it named its
    /// feed: those of [`Self::fallbacks`], then those of [`Self::feeds`].
    pub fn tags(&self) -> Vec<String> {
        let mut tags = self.fallbacks();
        for feed in self.feeds() {
            if !tags.contains(&feed.key) {
                tags.push(feed.key);
            }
        }
        tags
    }

    /// Returns true if its language is written from right to left (CLDR).
    pub fn is_right_to_left(&self) -> bool {
        let id = LanguageIdentifier::try_from_str(&self.key);
        id.is_ok_and(|id| LocaleDirectionality::new_common().is_right_to_left(&id))
    }

    /// Returns the tags to try when texts for this locale are looked for, the most specific first: `sv-se`, then `sv`.
    /// As CLDR falls back, none is in another script (`zh-hk`, then `zh-hant`), and Norwegian is found by each of its
    /// names.
    pub fn fallbacks(&self) -> Vec<String> {
        let own =
            std::iter::successors(Some(self.key.as_str()), |tag| tag.rsplit_once('-').map(|(shorter, _)| shorter));
        let others: &[&str] = match self.key.split('-').next() {
            Some("no") => &["nb"],
            Some("nb") => &["no"],
            Some("nn") => &["nb", "no"],
            _ => &[],
        };
        let mut tags: Vec<String> = own.map(ToOwned::to_owned).collect();
        let script = script_of(&self.key);
        tags.retain(|tag| script_of(tag) == script);
        let language = self.language().key;
        if !tags.contains(&language) {
            tags.push(language);
        }
        tags.extend(others.iter().map(|tag| (*tag).to_owned()));
        tags
    }

    /// Returns its language, with the script if the language is mostly written in another one: `zh-Hant` for `zh-TW`.
    pub fn language(&self) -> Self {
        let language = self.key.split('-').next().unwrap_or_default();
        match script_of(&self.key).filter(|script| Some(*script) != script_of(language)) {
            Some(script) => Self::from(format!("{language}-{script}")),
            None => Self::from(language.to_owned()),
        }
    }
}

/// Returns the script that CLDR takes a tag to be in, if it knows the language.
fn script_of(tag: &str) -> Option<Script> {
    maximized(LanguageIdentifier::try_from_str(tag).ok()?).script
}

/// Adds the script and the region that CLDR takes a tag for. It knows Norwegian as `no`.
fn maximized(mut id: LanguageIdentifier) -> LanguageIdentifier {
    if matches!(id.language.as_str(), "nb" | "nn") {
        id.language = language!("no");
    }
    LocaleExpander::new_common().maximize(&mut id);
    id
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
        let mut key = spelling.to_ascii_lowercase();
        let language = key.split('-').next().unwrap_or_default();
        if let Some((old, new)) = OLD_CODES.iter().find(|(old, _)| *old == language) {
            key.replace_range(..old.len(), new);
        }
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
    fn a_locale_is_served_by_its_own_feed_or_by_one_that_means_the_same() {
        let feeds = |tag: &str| -> Vec<String> {
            Locale::parse(tag).unwrap().feeds().iter().map(|feed| feed.as_str().to_owned()).collect()
        };

        assert_eq!(feeds("sv-FI"), ["sv-FI"]);
        assert_eq!(feeds("sv"), ["sv", "sv-SE"]);
        assert_eq!(feeds("sv-SE"), ["sv-SE", "sv"]);
        assert_eq!(feeds("sv-Latn-SE"), ["sv-Latn-SE", "sv-Latn", "sv-SE", "sv"]);
        assert_eq!(feeds("en"), ["en", "en-US"]);
        assert_eq!(
            (feeds("en-GB"), feeds("es-419"), feeds("xx-YY")),
            (vec!["en-GB".into()], vec!["es-419".into()], vec!["xx-YY".into()])
        );
        assert_eq!(feeds("no"), ["no", "no-NO", "nb", "nb-NO"]);
        assert_eq!(feeds("nb"), ["nb", "nb-NO", "no", "no-NO"]);
        assert_eq!(feeds("nb-NO"), ["nb-NO", "nb", "no-NO", "no"]);
        assert_eq!(feeds("nn-NO"), ["nn-NO", "nn", "no-NO", "no", "nb-NO", "nb"]);
        assert_eq!(feeds("nb-SJ"), ["nb-SJ", "no-SJ"]);
        assert_eq!(feeds("zh-Hant"), ["zh-Hant", "zh-Hant-TW", "zh-TW"]);
        assert_eq!(feeds("zh-Hant-TW"), ["zh-Hant-TW", "zh-Hant", "zh-TW"]);
        assert_eq!(feeds("zh-TW"), ["zh-TW", "zh-Hant-TW", "zh-Hant"]);
        assert_eq!(feeds("zh-HK"), ["zh-HK", "zh-Hant-HK"]);
        assert_eq!(feeds("xx"), ["xx"]);
        assert_eq!(feeds("en_US_POSIX"), ["en-US-POSIX", "en-posix", "en-US", "en"]);
        assert_eq!(feeds("de-DE-1996").last().map(String::as_str), Some("de"));
    }

    #[test]
    fn a_language_by_its_old_code_is_the_same_language() {
        let (old, new) = (Locale::parse("iw_IL").unwrap(), Locale::parse("he-IL").unwrap());

        assert_eq!((&old, old.key(), old.as_str()), (&new, "he-il", "iw-IL"));
        assert_eq!(old.fallbacks(), ["he-il", "he"]);
        assert!(old.is_right_to_left() && old.canonical() == "he-IL");
        assert_eq!(Locale::parse("in").unwrap(), Locale::parse("ID").unwrap());
        assert_ne!(Locale::parse("inh").unwrap().key(), "idh");
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

        assert_eq!(locale.fallbacks(), ["zh-hant-tw", "zh-hant"]);
        let fallbacks = |tag: &str| Locale::parse(tag).unwrap().fallbacks();
        assert_eq!(
            (fallbacks("zh-HK"), fallbacks("zh-CN")),
            (vec!["zh-hk".into(), "zh-hant".into()], vec!["zh-cn".into(), "zh".into()])
        );
        assert_eq!(
            [fallbacks("sr-Latn-RS"), fallbacks("pa-PK")].concat(),
            ["sr-latn-rs", "sr-latn", "pa-pk", "pa-arab"]
        );
        let language = |tag: &str| Locale::parse(tag).unwrap().language().canonical();
        assert_eq!([language("pa-Arab-PK"), language("zh-TW"), language("sr-Latn")], ["pa-Arab", "zh-Hant", "sr-Latn"]);
        assert_eq!([language("sv-Latn-SE"), language("nb-NO"), language("xx-YY")], ["sv", "nb", "xx"]);
        assert_eq!(fallbacks("nn-NO"), ["nn-no", "nn", "nb", "no"]);
        assert_eq!(fallbacks("no"), ["no", "nb"]);
        let tags = |tag: &str| Locale::parse(tag).unwrap().tags().join(" ");
        assert_eq!([tags("no"), tags("de"), tags("sv-SE")], ["no nb no-no nb-no", "de de-de", "sv-se sv"]);
    }

    #[test]
    fn what_is_not_a_language_tag_is_refused() {
        for raw in ["", "s", "sv__SE", "_", "svenska språket", "sv-SE-", "12", "../etc", "sv SE"] {
            assert_eq!(Locale::parse(raw).unwrap_err().error_code, ErrorCode::InvalidLocale, "{raw}");
        }
    }
}
