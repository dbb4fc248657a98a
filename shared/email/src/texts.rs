use crate::TemplateError;
use crate::fluent::{can_be_sent, fill_in};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use restock_domain::brand::TextsById;
use restock_domain::{Brand, ErrorCode, Invalid, Locale};
use std::collections::BTreeMap;
use unic_langid::LanguageIdentifier;

/// The languages that texts exist in; the first one is used where no other fits.
const LANGUAGES: [(&str, &str); 12] = [
    ("en", include_str!("../texts/en.ftl")),
    ("sv", include_str!("../texts/sv.ftl")),
    ("fi", include_str!("../texts/fi.ftl")),
    ("pl", include_str!("../texts/pl.ftl")),
    ("de", include_str!("../texts/de.ftl")),
    ("nb", include_str!("../texts/nb.ftl")),
    ("da", include_str!("../texts/da.ftl")),
    ("fr", include_str!("../texts/fr.ftl")),
    ("nl", include_str!("../texts/nl.ftl")),
    ("ro", include_str!("../texts/ro.ftl")),
    ("ar", include_str!("../texts/ar.ftl")),
    ("he", include_str!("../texts/he.ftl")),
];

/// The compiled-in texts of every language.
pub struct Texts {
    languages: Vec<CompiledIn>,
}

struct CompiledIn {
    tag: &'static str,
    bundle: FluentBundle<FluentResource>,
}

/// The texts of one language: the shop's own, and the compiled-in ones for what it has not written.
pub struct Language<'a> {
    /// The language that the texts are really in.
    pub locale: Locale,
    compiled_in: &'a CompiledIn,
    own: TextsById,
}

impl Texts {
    pub fn load() -> Result<Self, TemplateError> {
        let languages =
            LANGUAGES.iter().map(|(tag, source)| CompiledIn::load(tag, source)).collect::<Result<_, _>>()?;
        Ok(Self { languages })
    }

    /// Returns the texts that fit a locale best: of the locale itself, of its language, or the default ones.
    pub fn of(&self, locale: &Locale, own: TextsById) -> Language<'_> {
        let compiled_in = locale
            .fallbacks()
            .iter()
            .find_map(|tag| self.languages.iter().find(|language| language.tag == *tag))
            .unwrap_or(&self.languages[0]);
        let whole = ids().all(|id| own.contains_key(id));
        let spoken = if whole { locale.language() } else { Locale::from(compiled_in.tag.to_owned()) };
        Language { locale: spoken, compiled_in, own }
    }
}

/// Returns the tags of the languages that texts are compiled in for.
pub fn languages() -> impl Iterator<Item = &'static str> {
    LANGUAGES.iter().map(|(tag, _)| *tag)
}

/// Returns the id of each text with its pattern, in English.
fn english() -> impl Iterator<Item = (&'static str, &'static str)> {
    LANGUAGES[0].1.lines().filter_map(|line| line.split_once(" = "))
}

fn ids() -> impl Iterator<Item = &'static str> {
    english().map(|(id, _)| id)
}

/// Returns the names of a pattern's variables.
fn variables(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('$').skip(1).filter_map(|rest| rest.split([' ', '}']).next())
}

/// Returns what is wrong with a shop's own texts for a language, by their ids; `all` are those and the ones that it
/// falls back to.
pub fn check_texts(language: &Locale, own: &TextsById, all: &TextsById) -> Vec<(String, Invalid)> {
    let mut errors = Vec::new();
    for (id, text) in own {
        let Some((_, pattern)) = english().find(|(known, _)| known == id) else {
            let message = format!("There is no such text. There are {}.", ids().collect::<Vec<_>>().join(", "));
            errors.push((id.clone(), Invalid::new(ErrorCode::UnknownProperty, message)));
            continue;
        };
        let names: Vec<&str> = variables(pattern).collect();
        let values: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x")).collect();
        if !fill_in(text, &values).is_some_and(|text| can_be_sent(&text)) {
            let allowed = match &names[..] {
                [] => "without variables".to_owned(),
                [name] => format!("with {{ ${name} }} as its only variable"),
                names => format!("with the variables ${}", names.join(", $")),
            };
            let message = format!(
                "Write one line {allowed}, that is not empty; write other braces as {{\"{{\"}} and {{\"}}\"}}."
            );
            errors.push((id.clone(), Invalid::new(ErrorCode::InvalidText, message)));
        }
    }
    let compiled_in = language.fallbacks().iter().any(|tag| LANGUAGES.iter().any(|(known, _)| known == tag));
    let missing: Vec<&str> = ids().filter(|id| !all.contains_key(*id)).collect();
    if !compiled_in && !missing.is_empty() {
        let message = format!(
            "There are no texts in this language yet, so it needs all of them. Missing: {}.",
            missing.join(", ")
        );
        errors.push((String::new(), Invalid::new(ErrorCode::Required, message)));
    }
    errors
}

impl CompiledIn {
    fn load(tag: &'static str, source: &str) -> Result<Self, TemplateError> {
        let broken = || TemplateError::Texts(tag);
        let resource = FluentResource::try_new(source.to_owned()).map_err(|_| broken())?;
        let identifier: LanguageIdentifier = tag.parse().map_err(|_| broken())?;
        let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
        // The marks that isolate texts of another direction show up as boxes in subjects.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).map_err(|_| broken())?;
        Ok(Self { tag, bundle })
    }

    /// Returns a text with its variables filled in. A missing text shows its own id.
    fn text(&self, id: &str, variables: &[(&str, &str)]) -> String {
        let Some(pattern) = self.bundle.get_message(id).and_then(|message| message.value()) else {
            return id.to_owned();
        };
        let arguments: FluentArgs = variables.iter().copied().collect();
        self.bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned()
    }
}

impl Language<'_> {
    /// Returns true if the texts are in the language of a locale; false for the default ones where there are no better
    /// ones.
    pub fn speaks(&self, locale: &Locale) -> bool {
        locale.fallbacks().iter().any(|tag| tag == self.locale.key())
    }

    pub fn text(&self, id: &str) -> String {
        self.text_with(id, &[])
    }

    /// Returns a text with its variables filled in.
    pub fn text_with(&self, id: &str, variables: &[(&str, &str)]) -> String {
        let own = self.own.get(id).and_then(|text| fill_in(text, variables));
        own.unwrap_or_else(|| self.compiled_in.text(id, variables))
    }

    /// Returns the sentence that says where shoppers may ask.
    pub fn support(&self, brand: &Brand) -> Option<String> {
        let address = brand.support.as_ref()?.as_str();
        Some(self.text_with("support", &[("address", address)]))
    }

    /// Returns the direction that the texts are written in, as HTML names it.
    pub fn direction(&self) -> &'static str {
        if self.locale.is_right_to_left() { "rtl" } else { "ltr" }
    }

    /// Returns texts without variables, for templates.
    pub fn texts(&self, ids: &[&'static str]) -> BTreeMap<&'static str, String> {
        ids.iter().map(|id| (*id, self.text(id))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_the_same_texts_with_the_same_variables() {
        let shape = |source: &'static str| -> Vec<(&str, Vec<&str>)> {
            let messages = source.lines().filter_map(|line| line.split_once(" = "));
            messages.map(|(id, text)| (id, variables(text).collect())).collect()
        };
        let english = shape(LANGUAGES[0].1);

        assert!(english.len() > 15);
        for (tag, source) in LANGUAGES {
            assert_eq!(shape(source), english, "{tag}");
        }
    }

    #[test]
    fn a_locale_falls_back_to_its_language_and_then_to_english() {
        let texts = Texts::load().unwrap();
        let tag = |locale: &str| texts.of(&Locale::parse(locale).unwrap(), TextsById::new()).locale.to_string();

        for (locale, expected) in [
            ("sv-SE", "sv"),
            ("SV-fi", "sv"),
            ("de", "de"),
            ("hu-HU", "en"),
            ("no", "nb"),
            ("nb-NO", "nb"),
            ("nn-NO", "nb"),
        ] {
            assert_eq!(tag(locale), expected, "{locale}");
        }
    }

    #[test]
    fn a_shops_own_texts_come_first_and_a_whole_set_is_a_language() {
        let texts = Texts::load().unwrap();
        let own = |pairs: &[(&str, &str)]| -> TextsById {
            pairs.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
        };
        let swedish =
            texts.of(&"sv-SE".to_owned().into(), own(&[("button", "Köp nu"), ("price", "{ $price } inkl. moms")]));
        let hungarian: TextsById = ids().map(|id| (id.to_owned(), format!("hu {id}"))).collect();
        let hungarian = texts.of(&"hu-HU".to_owned().into(), hungarian);

        assert_eq!(swedish.text("button"), "Köp nu");
        assert_eq!(swedish.text_with("price", &[("price", "5 kr")]), "5 kr inkl. moms");
        assert_eq!(swedish.text("greeting"), "Hej!");
        assert_eq!((hungarian.text("button"), hungarian.locale.key()), ("hu button".into(), "hu"));
        assert!(hungarian.speaks(&"hu-HU".to_owned().into()));
    }

    #[test]
    fn what_is_wrong_with_own_texts_is_named() {
        let check = |language: &str, pairs: &[(&str, &str)]| -> Vec<(String, ErrorCode)> {
            let own = pairs.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect();
            let errors = check_texts(&language.to_owned().into(), &own, &own);
            errors.into_iter().map(|(id, invalid)| (id, invalid.error_code)).collect()
        };
        let one = |id: &str, code| vec![(id.to_owned(), code)];

        assert_eq!(check("sv", &[("subject", "{ $title }!"), ("button", "Köp {\"{\"}")]), []);
        assert_eq!(check("sv", &[("buton", "Köp")]), one("buton", ErrorCode::UnknownProperty));
        for bad in ["{ $price }", "", " ", "{", "a\nb = c", "{\"\\u000A\"}", "\u{200b}", "a\u{202e}b"] {
            assert_eq!(check("sv-FI", &[("button", bad)]), one("button", ErrorCode::InvalidText), "{bad:?}");
        }
        assert_eq!(check("hu", &[("button", "Megnézem")]), one("", ErrorCode::Required));
    }
}
