use crate::TemplateError;
use crate::content::Content;
use crate::parts::Parts;
use crate::personal::{Personal, Values};
use crate::template::Compiled;
use crate::texts::{Language, Texts};
use crate::variables::{Variables, values};
use restock_domain::{Brands, Locale, Template, TemplateSource};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub html: String,
    pub text: String,
    /// Why such a mail is not sent, but one in the default template.
    pub fault: Option<&'static str>,
}

/// A mail with marks where recipients differ.
pub(crate) struct Draft {
    pub subject: String,
    pub parts: Parts,
    pub values: Values,
}

/// Renders mails. Templates are made ready when they are first used.
pub struct Renderer {
    texts: Texts,
    personal: Personal,
    compiled: Mutex<HashMap<Sources, Arc<Compiled>>>,
}

/// The sources of a template, for HTML and for text. Its id and version would not do: drafts have none of their own.
type Sources = (TemplateSource, Option<String>);

/// Templates that are kept ready; a shop uses a few.
const MAX_COMPILED: usize = 50;

impl Renderer {
    pub fn new() -> Result<Self, TemplateError> {
        Ok(Self { texts: Texts::load()?, personal: Personal::new(), compiled: Mutex::default() })
    }

    /// Renders one recipient's mail.
    pub fn render(&self, content: Content<'_>) -> Result<Rendered, TemplateError> {
        let Draft { subject, parts, values } = self.draft(content)?;
        let fault = parts.fault(&self.personal);
        let Parts { html, text } = self.personal.fill(&parts, &values);
        Ok(Rendered { subject, html, text, fault })
    }

    /// Renders what a recipient's mail shares with others, and what differs.
    pub(crate) fn draft(&self, content: Content<'_>) -> Result<Draft, TemplateError> {
        let compiled = self.compiled(content.template)?;
        let language = self.language(content.locale, content.brands);
        let variables = Variables::of(content, &language, &self.personal);
        let parts = compiled.fill(&variables)?;
        Ok(Draft { subject: variables.subject, parts, values: values(content, &language) })
    }

    pub(crate) fn personal(&self) -> &Personal {
        &self.personal
    }

    /// Returns true if mails to a locale are in its language.
    pub fn speaks(&self, locale: &Locale, brands: &Brands) -> bool {
        self.language(locale, brands).speaks(locale)
    }

    /// Returns the texts of mails to a locale.
    pub(crate) fn language(&self, locale: &Locale, brands: &Brands) -> Language<'_> {
        self.texts.of(locale, brands.texts(locale))
    }

    fn compiled(&self, template: &Template) -> Result<Arc<Compiled>, TemplateError> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (template.html.clone(), template.text.clone());
        if let Some(ready) = compiled.get(&key) {
            return Ok(ready.clone());
        }
        let ready = Arc::new(Compiled::of(template)?);
        if compiled.len() >= MAX_COMPILED {
            compiled.clear();
        }
        compiled.insert(key, ready.clone());
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::built_in_templates;
    use restock_domain::brand::{Color, FontStack, Logo, Palette, SocialLink};
    use restock_domain::{Brand, EmailAddress};
    use restock_domain::{EmailChoice, Product};
    use serde_json::{Value as Json, json};

    fn rendered(locale: &str, first_name: Option<&str>, fields: Json) -> Rendered {
        rendered_as(&Brand::default(), locale, first_name, fields)
    }

    fn rendered_as(brand: &Brand, locale: &str, first_name: Option<&str>, fields: Json) -> Rendered {
        let mut data = json!({"id": "A", "title": "Wool socks", "link": "https://shop.example/a?x=1&y=2"});
        if let (Json::Object(data), Json::Object(fields)) = (&mut data, fields) {
            data.extend(fields);
        }
        let Json::Object(data) = data else { unreachable!() };
        Renderer::new()
            .unwrap()
            .render(Content {
                email: &EmailChoice::default(),
                template: &built_in_templates()[0],
                locale: &Locale::parse(locale).unwrap(),
                product: &Product::from_feed(serde_json::from_value(Json::Object(data)).unwrap(), None).unwrap().0,
                first_name,
                unsubscribe_url: "https://api.example/unsubscribe/token",
                also_waiting: &[],
                related: &[],
                brands: &Brands { shop: brand.clone(), ..Brands::default() },
                now: "2026-11-23T12:00:00Z".parse().unwrap(),
            })
            .unwrap()
    }

    #[test]
    fn the_text_part_reads_well_in_each_language() {
        for locale in ["en-GB", "sv-SE", "fi-FI", "pl-PL", "de-DE"] {
            let mail = rendered(locale, Some("Åsa"), json!({"price": "1299.00 EUR", "sale_price": "999.00 EUR"}));
            let readable = format!("{}\n\n{}", mail.subject, mail.text).replace(['\u{a0}', '\u{202f}'], " ");
            insta::assert_snapshot!(format!("text-{locale}"), readable);
        }
    }

    fn brand() -> Brand {
        let lines = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect());
        let color = |text| Color::parse(text).ok();
        Brand {
            name: Some("Wool & Co".into()),
            link: Some("https://shop.example/?utm_source=mail&x=1".into()),
            logo: Some(Logo { url: "https://shop.example/logo.png".into(), width: 140, alt: None }),
            colors: Palette { button: color("#b3261e"), background: color("#fffaf0"), ..Palette::default() },
            font: FontStack::parse("Lato, Arial, sans-serif").ok(),
            address: lines(&["Wool & Co AB", "Storgatan 1", "111 22 Stockholm"]),
            legal: lines(&["Org. no. 556000-0000"]),
            support: EmailAddress::parse("help@shop.example").ok(),
            social: Some(vec![SocialLink { name: "Instagram".into(), url: "https://instagram.example/wool".into() }]),
            ..Brand::default()
        }
    }

    #[test]
    fn a_branded_mail_has_the_shops_logo_colors_font_and_footer() {
        let mail = rendered_as(&brand(), "sv-SE", None, json!({"price": "1299.00 SEK"}));

        for part in [
            "src=\"https://shop.example/logo.png\" alt=\"Wool &amp; Co\" width=\"140\"",
            "href=\"https://shop.example/?utm_source=mail&amp;x=1\"",
            "bgcolor=\"#b3261e\"",
            "background-color:#fffaf0",
            "font-family:Lato, Arial, sans-serif",
            "href=\"mailto:help@shop.example\"",
            "Frågor? Skriv till help@shop.example",
            "<bdi>Storgatan 1</bdi><br /><bdi>111 22 Stockholm</bdi><br /><bdi>Org. no. 556000-0000</bdi>",
            "<bdi>Instagram</bdi></a>",
        ] {
            assert!(mail.html.contains(part), "{part} is missing in {}", mail.html);
        }
        assert!(!mail.html.contains("{{") && !mail.html.contains("{%"));
        insta::assert_snapshot!("text-branded", mail.text.replace(['\u{a0}', '\u{202f}'], " "));
    }

    #[test]
    fn every_part_of_a_brand_may_be_missing() {
        let whole = brand();
        let logo = Brand { logo: None, ..whole.clone() };
        let name = Brand { name: None, ..whole.clone() };
        let link = Brand { link: None, ..whole.clone() };
        let footer = Brand { support: None, social: None, address: None, ..whole.clone() };
        let social = Brand { support: None, legal: None, address: Some(Vec::new()), ..whole };
        for brand in [logo, name, link, footer, social] {
            let mail = rendered_as(&brand, "en", None, json!({"price": "5 EUR"}));

            for text in [&mail.html, &mail.text] {
                assert!(!text.contains("none") || text.contains("text-decoration:none"), "{text}");
                assert!(!text.contains("{{") && !text.contains("{%") && !text.contains("None"), "{text}");
            }
            assert!(!mail.text.contains("\n\n\n"), "{}", mail.text);
        }
    }

    #[test]
    fn a_product_that_comes_later_is_said_to_in_every_form_that_feeds_write() {
        let said = |availability: &str| rendered("en", None, json!({"availability": availability})).text;

        assert_eq!(said("pre-order"), said("preorder"));
        assert_eq!(said("https://schema.org/BackOrder"), said("backorder"));
        assert_ne!(said("backorder"), said("out_of_stock"));
    }

    #[test]
    fn a_mail_in_arabic_is_written_from_right_to_left_with_the_digits_of_its_country() {
        let mail = rendered("ar-EG", None, json!({"price": "1299.50 SAR"}));

        assert!(mail.html.contains("lang=\"ar\" dir=\"rtl\""), "{}", mail.html);
        assert!(!mail.html.contains("direction:ltr") && mail.text.contains("١٬٢٩٩٫٥٠"), "{}", mail.text);
    }

    #[test]
    fn a_mail_in_hebrew_is_written_from_right_to_left() {
        let mail = rendered(
            "he-IL",
            Some("נועה"),
            json!({"price": "1299.50 ILS", "image_link": "https://shop.example/a.jpg"}),
        );

        assert!(mail.html.contains("lang=\"he\" dir=\"rtl\"") && mail.text.starts_with("שלום נועה!"), "{}", mail.text);
        assert!(!mail.html.contains("direction:ltr") && !mail.html.contains("align=\"left\""), "{}", mail.html);
    }

    #[test]
    fn a_mail_in_a_language_without_texts_is_english_down_to_its_prices() {
        for (locale, price, written) in [
            ("fa-IR", "1299.50 EUR", "€1,299.50"),
            ("ur-PK", "1299.50 EGP", "EGP 1,299.50"),
            ("hu-HU", "1299.00 HUF", "HUF 1,299"),
            ("hi-IN", "1299.50 INR", "₹1,299.50"),
            ("nn-NO", "1299.50 NOK", "1 299,50 kr"),
        ] {
            let text = rendered(locale, None, json!({ "price": price })).text.replace(['\u{a0}', '\u{202f}'], " ");

            assert!(text.contains(written), "{locale}: {text}");
        }
    }

    #[test]
    fn every_value_is_escaped() {
        let nasty = "<script>alert('x')</script>\" & {{ 7*7 }} {% raw %}";

        let mail =
            rendered("en", Some(nasty), json!({"title": nasty, "image_link": "https://shop.example/\"onerror=\"x"}));

        assert!(!mail.html.contains("<script>") && !mail.html.contains("\"onerror"));
        assert!(mail.html.contains("&lt;script&gt;") && mail.html.contains("{{ 7*7 }}"));
        assert!(mail.text.contains(nasty));
    }

    #[test]
    fn a_mail_without_image_price_and_name_has_no_trace_of_them() {
        let bare = rendered("en", None, json!({}));

        assert!(!bare.html.contains("<img") && !bare.html.contains("None") && !bare.html.contains("{%"));
        assert!(bare.text.starts_with("Hi!\n"));
        assert!(!bare.text.contains("Price"));
    }

    #[test]
    fn the_html_part_has_language_alt_text_links_and_loads_nothing_else() {
        let mail = rendered("sv-SE", None, json!({"image_link": "https://shop.example/a.jpg", "price": "199.00 SEK"}));
        let html = mail.html;

        assert!(html.contains("lang=\"sv\""));
        assert!(html.contains("alt=\"Wool socks\"") && html.contains("src=\"https://shop.example/a.jpg\""));
        assert!(html.contains("href=\"https://api.example/unsubscribe/token\""));
        assert!(html.contains("href=\"https://shop.example/a?x=1&amp;y=2\""));
        assert!(!html.contains("fonts.googleapis") && !html.contains("@import"));
        assert!(html.len() < 20_000, "{} bytes", html.len());
    }

    #[test]
    fn a_greeting_has_a_name_and_nothing_else() {
        let greeting = |name: &str| rendered("en", Some(name), json!({})).text.lines().next().unwrap().to_owned();

        assert_eq!(greeting("Åsa"), "Hi Åsa!");
        assert_eq!(greeting("J. R. R."), "Hi J. R. R.!");
        assert_eq!(greeting("evil\u{202e}cod\u{2066}"), "Hi evil cod!");
        for no_name in [
            "Win $500 now: https://evil.example/x",
            "www.evil.example",
            "evil.example",
            "evil。example",
            "ｅｖｉｌ．ｃｏｍ",
            "mailto:x",
            "a@b",
            &"x".repeat(41),
            "\u{202e}",
        ] {
            assert_eq!(greeting(no_name), "Hi!", "{no_name}");
        }
    }

    #[test]
    fn a_subject_is_cut_between_characters_as_readers_see_them() {
        let family = "👨\u{200d}👩\u{200d}👧";
        let mail = rendered("en", None, json!({"title": family.repeat(200)}));

        assert!(mail.subject.ends_with(&format!("{family}…")), "{}", mail.subject);
    }

    #[test]
    fn a_subject_is_one_line_of_bounded_length() {
        let long = rendered("en", None, json!({"title": format!("a\r\nBcc: x@y.z\t{}", "ö".repeat(300))}));

        assert!(!long.subject.contains(char::is_control));
        assert!(long.subject.chars().count() < 180);
    }
}
