use crate::TemplateError;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use restock_domain::{Brand, Locale};
use std::collections::BTreeMap;
use unic_langid::LanguageIdentifier;

/// The languages that texts exist in; the first one is used where no other fits.
const LANGUAGES: [(&str, &str); 10] = [
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
];

/// Languages that are read as another one where CLDR falls back so: Norwegian without a written form, as many shops write it,
/// and its other written form.
const READ_AS: [(&str, &str); 2] = [("no", "nb"), ("nn", "nb")];

/// The texts of every language.
pub struct Texts {
    languages: Vec<Language>,
}

/// The texts of one language.
pub struct Language {
    /// The tag of the language that the texts are really in.
    pub tag: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    pub fn load() -> Result<Self, TemplateError> {
        let languages = LANGUAGES.iter().map(|(tag, source)| Language::load(tag, source)).collect::<Result<_, _>>()?;
        Ok(Self { languages })
    }

    /// Returns the texts that fit a locale best: of the locale itself, of its language, or the default ones.
    pub fn of(&self, locale: &Locale) -> &Language {
        locale
            .fallbacks()
            .map(read_as)
            .find_map(|tag| self.languages.iter().find(|language| language.tag == tag))
            .unwrap_or(&self.languages[0])
    }
}

/// Returns the tag of the texts that a tag is read as.
fn read_as(tag: &str) -> &str {
    READ_AS.iter().find(|(from, _)| *from == tag).map_or(tag, |(_, to)| to)
}

impl Language {
    /// Returns true if the texts are in the language of a locale; false for the default ones where there are no better ones.
    pub fn speaks(&self, locale: &Locale) -> bool {
        locale.fallbacks().any(|tag| read_as(tag) == self.tag)
    }

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

    pub fn text(&self, id: &str) -> String {
        self.text_with(id, &[])
    }

    /// Returns a text with its variables filled in. A missing text shows its own id.
    pub fn text_with(&self, id: &str, variables: &[(&'static str, &str)]) -> String {
        let Some(pattern) = self.bundle.get_message(id).and_then(|message| message.value()) else {
            return id.to_owned();
        };
        let mut arguments = FluentArgs::new();
        for (name, value) in variables {
            arguments.set(*name, *value);
        }
        self.bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned()
    }

    /// Returns the sentence that says where shoppers may ask.
    pub fn support(&self, brand: &Brand) -> Option<String> {
        let address = brand.support.as_ref()?.as_str();
        Some(self.text_with("support", &[("address", address)]))
    }

    /// Texts without variables, for templates.
    pub fn texts(&self, ids: &[&'static str]) -> BTreeMap<&'static str, String> {
        ids.iter().map(|id| (*id, self.text(id))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_the_same_texts_with_the_same_variables() {
        let shape = |source: &str| -> Vec<(String, Vec<String>)> {
            let messages = source.lines().filter_map(|line| line.split_once(" = "));
            messages
                .map(|(id, text)| {
                    let variables = text.split('$').skip(1).map(|rest| rest.split(' ').next().unwrap().to_owned());
                    (id.to_owned(), variables.collect())
                })
                .collect()
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
        let tag = |locale: &str| texts.of(&Locale::parse(locale).unwrap()).tag;

        assert_eq!((tag("sv-SE"), tag("SV-fi"), tag("de"), tag("hu-HU")), ("sv", "sv", "de", "en"));
        assert_eq!((tag("no"), tag("nb-NO"), tag("nn-NO")), ("nb", "nb", "nb"));
    }
}
