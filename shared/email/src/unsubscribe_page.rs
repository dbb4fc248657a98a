use crate::TemplateError;
use crate::texts::Texts;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use restock_domain::brand::Scheme;
use restock_domain::unsubscribe::Unsubscribe;
use restock_domain::{Brand, Brands, Locale};
use serde::Serialize;

const PAGE: &str = "unsubscribe.html";

/// A page that a person sees who follows an unsubscribe link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsubscribePage {
    /// Asks, with a button: scanners follow links, so following one must change nothing.
    Question(Unsubscribe),
    Done(Unsubscribe),
    /// The link is not one that we made.
    Invalid,
    /// The contact that the link belongs to was erased, so nothing was done; its address may belong to another contact
    /// now.
    Gone,
}

#[derive(Serialize)]
struct Variables<'a> {
    lang: String,
    dir: &'static str,
    title: String,
    text: String,
    button: Option<String>,
    /// Where to ask, as a sentence.
    support: Option<String>,
    brand: &'a Brand,
    light: Scheme,
    dark: Scheme,
}

/// The pages, ready to be filled in.
pub struct Pages {
    templates: Environment<'static>,
    texts: Texts,
}

impl Pages {
    pub fn new() -> Result<Self, TemplateError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.add_template(PAGE, include_str!("../templates/unsubscribe.html"))?;
        Ok(Self { templates, texts: Texts::load()? })
    }

    /// Returns a page in the language of a locale, with the brand of it.
    pub fn render(&self, page: UnsubscribePage, locale: &Locale, brands: &Brands) -> Result<String, TemplateError> {
        let language = self.texts.of(locale, brands.texts(locale));
        let brand = &brands.of(locale);
        let (title, text) = match page {
            UnsubscribePage::Question(Unsubscribe::All { .. }) => ("unsubscribe-title", "unsubscribe-question"),
            UnsubscribePage::Question(Unsubscribe::One(_)) => ("unsubscribe-title", "unsubscribe-one-question"),
            UnsubscribePage::Done(Unsubscribe::All { .. }) => ("unsubscribed-title", "unsubscribed-text"),
            UnsubscribePage::Done(Unsubscribe::One(_)) => ("unsubscribed-title", "unsubscribed-one-text"),
            UnsubscribePage::Invalid => ("unsubscribe-invalid-title", "unsubscribe-invalid-text"),
            UnsubscribePage::Gone => ("unsubscribe-gone-title", "unsubscribe-gone-text"),
        };
        let asks = matches!(page, UnsubscribePage::Question(_));
        let variables = Variables {
            lang: language.locale.canonical(),
            dir: language.direction(),
            title: language.text(title),
            text: language.text(text),
            button: asks.then(|| language.text("unsubscribe-button")),
            support: language.support(brand),
            brand,
            light: brand.light(),
            dark: brand.dark(),
        };
        Ok(self.templates.get_template(PAGE)?.render(Serde(&variables))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restock_domain::signing::AddressKey;
    use restock_domain::{ContactId, EmailAddress};

    fn all_mail() -> Unsubscribe {
        let address = AddressKey([7; 32]).digest_of_address(&EmailAddress::parse("a@example.com").unwrap());
        Unsubscribe::All { contact: ContactId::new(uuid::Uuid::nil()), address }
    }

    #[test]
    fn only_the_question_has_a_button_and_it_posts() {
        let pages = Pages::new().unwrap();
        let html = |page| pages.render(page, &Locale::parse("pl-PL").unwrap(), &Brands::default()).unwrap();

        let all = all_mail();
        assert!(html(UnsubscribePage::Question(all)).contains("<form method=\"post\">"));
        assert!(html(UnsubscribePage::Question(all)).contains("lang=\"pl\""));
        assert!(!html(UnsubscribePage::Done(all)).contains("<form"));
        assert!(!html(UnsubscribePage::Invalid).contains("<form"));
    }

    #[test]
    fn a_page_in_arabic_or_hebrew_is_in_its_language_and_from_right_to_left() {
        let pages = Pages::new().unwrap();
        let all = all_mail();

        for (locale, head) in [("ar-EG", "lang=\"ar\" dir=\"rtl\""), ("iw-IL", "lang=\"he\" dir=\"rtl\"")] {
            let locale = Locale::parse(locale).unwrap();
            let html = pages.render(UnsubscribePage::Done(all), &locale, &Brands::default()).unwrap();
            assert!(html.contains(head) && !html.contains("unsubscribed"), "{html}");
        }
    }
}
