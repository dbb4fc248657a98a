use crate::TemplateError;
use crate::money::format_price;
use crate::subject::format_subject;
use crate::texts::Texts;
use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value};
use mrml::prelude::render::RenderOptions;
use restock_domain::brand::Scheme;
use restock_domain::{Brand, EmailChoice, Locale, Product, Template};
use serde::Serialize;
use std::collections::BTreeMap;
use unicode_segmentation::UnicodeSegmentation;

/// Each template as HTML and as text.
const SOURCES: [(Template, &str, &str); 2] = [
    (
        Template::BackInStock,
        include_str!("../templates/back-in-stock.mjml"),
        include_str!("../templates/back-in-stock.txt"),
    ),
    // The text of a letter is the same; it never had a picture.
    (Template::Letter, include_str!("../templates/letter.mjml"), include_str!("../templates/back-in-stock.txt")),
];

/// What the templates share, as they name it in `mj-include`.
const PARTS: [(&str, &str); 3] = [
    ("head.mjml", include_str!("../templates/head.mjml")),
    ("header.mjml", include_str!("../templates/header.mjml")),
    ("footer.mjml", include_str!("../templates/footer.mjml")),
];

/// The contents of one email.
pub struct Content<'a> {
    pub email: &'a EmailChoice,
    pub locale: &'a Locale,
    pub product: &'a Product,
    pub first_name: Option<&'a str>,
    pub unsubscribe_url: &'a str,
    /// Of the locale.
    pub brand: &'a Brand,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub html: String,
    pub text: String,
}

/// The templates, ready to be filled in. MJML becomes HTML once, when this is made; values are put in afterwards and
/// escaped, so no value is ever read as markup.
pub struct Renderer {
    templates: Environment<'static>,
    texts: Texts,
}

#[derive(Serialize)]
struct Variables<'a> {
    lang: &'a str,
    subject: &'a str,
    greeting: String,
    title: &'a str,
    link: &'a str,
    image: Option<&'a str>,
    price: Option<String>,
    sale_price: Option<String>,
    unsubscribe_url: &'a str,
    brand: &'a Brand,
    light: Scheme,
    dark: Scheme,
    /// Where to ask, as a sentence.
    support: Option<String>,
    /// Texts without variables.
    t: BTreeMap<&'static str, String>,
}

impl Renderer {
    pub fn new() -> Result<Self, TemplateError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_formatter(format_value);
        for (template, mjml, text) in SOURCES {
            templates.add_template_owned(html_name(template), html_of(mjml)?)?;
            templates.add_template_owned(text_name(template), text)?;
        }
        Ok(Self { templates, texts: Texts::load()? })
    }

    pub fn render(&self, content: &Content<'_>) -> Result<Rendered, TemplateError> {
        let language = self.texts.of(content.locale);
        let title = one_line(content.product.title());
        let greeting = match content.first_name.and_then(name_to_greet) {
            Some(name) => language.text_with("greeting-name", &[("name", &name)]),
            None => language.text("greeting"),
        };
        // Digits, signs and direction of a price go with the texts around it.
        let of_texts = Locale::from(language.tag.to_owned());
        let locale = if language.speaks(content.locale) { content.locale } else { &of_texts };
        let price = content.product.price().map(|price| format_price(&price, locale));
        let sale_price = content.product.sale_price(content.now).map(|price| format_price(&price, locale));
        let shown = sale_price.as_ref().or(price.as_ref()).map(String::as_str);
        let own = content.email.subject(content.locale).and_then(|text| format_subject(text, &title, shown));
        let subject = own.unwrap_or_else(|| language.text_with("subject", &[("title", &title)]));
        let price = price.map(|price| match &sale_price {
            Some(_) => language.text_with("price-before", &[("price", &price)]),
            None => language.text_with("price", &[("price", &price)]),
        });
        let sale_price = sale_price.map(|sale| language.text_with("price-now", &[("sale", &sale)]));
        let variables = Variables {
            lang: language.tag,
            subject: &subject,
            greeting,
            title: &title,
            link: content.product.link().unwrap_or_default(),
            image: content.product.image(),
            price,
            sale_price,
            unsubscribe_url: content.unsubscribe_url,
            brand: content.brand,
            light: content.brand.light(),
            dark: content.brand.dark(),
            support: language.support(content.brand),
            t: language.texts(&["preview", "body", "button", "hurry", "reason", "unsubscribe"]),
        };
        let template = content.email.template;
        let html = self.templates.get_template(&html_name(template))?.render(Serde(&variables))?;
        let text = self.templates.get_template(&text_name(template))?.render(Serde(&variables))?;
        Ok(Rendered { subject, html, text })
    }
}

/// Returns the name of the HTML part's template. The ending of a name says whether values are escaped.
fn html_name(template: Template) -> String {
    format!("{template:?}.html")
}

fn text_name(template: Template) -> String {
    format!("{template:?}.txt")
}

fn html_of(mjml: &str) -> Result<String, TemplateError> {
    let broken = |error: &dyn std::fmt::Display| TemplateError::Mjml(error.to_string());
    // mrml includes files too, but renders their sections as wide as the screen.
    let include =
        |mjml: String, (name, part): &(&str, &str)| mjml.replace(&format!("<mj-include path=\"{name}\" />"), part);
    let whole = PARTS.iter().fold(mjml.to_owned(), include);
    let parsed = mrml::parse(whole).map_err(|error| broken(&error))?;
    // No fonts: the email loads nothing but the logo and the product's image.
    let options = RenderOptions { disable_comments: true, social_icon_origin: None, fonts: Default::default() };
    parsed.element.render(&options).map_err(|error| broken(&error))
}

/// Writes a value into a template, and escapes in HTML what has a meaning there. A slash has none, so links stay readable.
fn format_value(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    let (AutoEscape::Html, Some(text)) = (state.auto_escape(), value.as_str()) else {
        return minijinja::escape_formatter(output, state, value);
    };
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    output.write_str(&escaped).map_err(minijinja::Error::from)
}

/// Characters of a title in a subject line.
const MAX_TITLE: usize = 150;
/// Characters of a name in a greeting.
const MAX_NAME: usize = 40;

/// Returns a title for a subject line: one line, without marks that change the direction of what follows, and cut between
/// two characters as readers see them.
fn one_line(title: &str) -> String {
    let words: Vec<&str> = title
        .split(|c: char| c.is_whitespace() || c.is_control() || turns_text(c))
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.grapheme_indices(true).nth(MAX_TITLE) {
        Some((cut, _)) => format!("{}…", line[..cut].trim_end()),
        None => line,
    }
}

/// Returns a name as it stands in a greeting; nothing for what is no name but a message or a link.
fn name_to_greet(name: &str) -> Option<String> {
    let name = one_line(name);
    let is_link = |word: &str| {
        let after_dot = word.trim_end_matches('.').split('.').skip(1).last().unwrap_or_default();
        word.contains("://") || word.contains('@') || word.contains('/') || after_dot.chars().count() > 1
    };
    let greeted = !name.is_empty() && name.graphemes(true).count() <= MAX_NAME && !name.split(' ').any(is_link);
    greeted.then_some(name)
}

/// Returns true for the marks that embed, override or isolate a direction (Unicode Standard Annex 9).
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use restock_domain::EmailAddress;
    use restock_domain::brand::{Color, FontStack, Logo, Palette, SocialLink};
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
            .render(&Content {
                email: &EmailChoice::default(),
                locale: &Locale::parse(locale).unwrap(),
                product: &Product::from_feed(serde_json::from_value(Json::Object(data)).unwrap(), None).unwrap().0,
                first_name,
                unsubscribe_url: "https://api.example/unsubscribe/token",
                brand,
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
            "Storgatan 1<br />111 22 Stockholm<br />Org. no. 556000-0000",
            ">Instagram</a>",
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
    fn a_mail_in_a_language_without_texts_is_english_down_to_its_prices() {
        for (locale, price, written) in [
            ("ar-EG", "1299.50 EGP", "EGP 1,299.50"),
            ("he-IL", "1299.50 ILS", "₪1,299.50"),
            ("hu-HU", "1299.00 HUF", "Ft 1,299"),
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
