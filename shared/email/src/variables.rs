use crate::content::Content;
use crate::links::with_parameters;
use crate::money::format_price;
use crate::parts::escaped;
use crate::people::{name_to_greet, one_line};
use crate::personal::{Personal, Values, plain};
use crate::subject::format_subject;
use crate::texts::Language;
use restock_domain::brand::Scheme;
use restock_domain::{Availability, Brand, Fields, Money, Product};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a template may show. `docs/templates.md` lists it.
#[derive(Serialize)]
pub struct Variables<'a> {
    lang: String,
    dir: &'static str,
    /// The side where lines begin.
    start: &'static str,
    pub subject: String,
    greeting: &'a str,
    unsubscribe_url: &'a str,
    also_waiting: &'a str,
    sku: &'a str,
    title: String,
    link: String,
    image: Option<&'a str>,
    price: Option<String>,
    sale_price: Option<String>,
    saving: Option<String>,
    availability: Option<String>,
    /// It can be ordered, and is delivered later.
    available_later: bool,
    variant: Option<String>,
    /// All fields of the feed.
    product: &'a Fields,
    brand: Brand,
    light: Scheme,
    dark: Scheme,
    /// Where to ask, as a sentence.
    support: Option<String>,
    /// Texts without variables.
    t: BTreeMap<&'static str, String>,
}

impl<'a> Variables<'a> {
    /// Returns the variables of a mail, in which marks stand for what differs between recipients.
    pub fn of(content: Content<'a>, language: &Language<'_>, personal: &'a Personal) -> Self {
        let Content { product, .. } = content;
        let mut brand = content.brands.of(content.locale);
        let parameters = brand.link_parameters.take().unwrap_or_default();
        brand.link = brand.link.map(|link| with_parameters(&link, &parameters));
        let title = one_line(product.title());
        // Digits, signs and direction of a price go with the texts around it.
        let locale = if language.speaks(content.locale) { content.locale } else { &language.locale };
        let written = |money: Money| format_price(&money, locale);
        let (full, sale) = (product.price(), product.sale_price(content.now));
        let saving = full.zip(sale).map(|(full, sale)| Money { amount: full.amount - sale.amount, ..full });
        let shown = sale.or(full).map(written);
        let own = content.email.subject(content.locale);
        let own = own.and_then(|text| format_subject(text, &title, shown.as_deref()));
        let subject = own.unwrap_or_else(|| language.text_with("subject", &[("title", &title)]));
        let price_text = if sale.is_some() { "price-before" } else { "price" };
        let with = |id: &str, name: &str, money: Option<Money>| {
            money.map(|money| language.text_with(id, &[(name, &written(money))]))
        };
        let availability = product.availability().and_then(text_of);
        let right_to_left = language.direction() == "rtl";
        Self {
            lang: language.locale.canonical(),
            dir: language.direction(),
            start: if right_to_left { "right" } else { "left" },
            subject,
            greeting: &personal.greeting,
            unsubscribe_url: &personal.unsubscribe_url,
            also_waiting: &personal.also_waiting,
            sku: product.sku().as_str(),
            title,
            link: with_parameters(product.link().unwrap_or_default(), &parameters),
            image: product.image(),
            price: with(price_text, "price", full),
            sale_price: with("price-now", "sale", sale),
            saving: with("saving", "saving", saving),
            availability: availability.map(|id| language.text(id)),
            available_later: availability.is_some_and(|id| id != IN_STOCK),
            variant: variant(product),
            product: product.data(),
            light: brand.light(),
            dark: brand.dark(),
            support: language.support(&brand),
            brand,
            t: language.texts(&["preview", "body", "button", "hurry", "reason", "unsubscribe"]),
        }
    }
}

/// Returns what stands in place of the marks.
pub fn values(content: Content<'_>, language: &Language<'_>) -> Values {
    Values {
        greeting: plain(&greeting(content, language)),
        unsubscribe_url: plain(content.unsubscribe_url),
        also_waiting: also_waiting(content, language),
    }
}

const IN_STOCK: &str = "in-stock";

/// Returns the id of the text that says whether a product can be bought. A mail that says that it is back does not say
/// that it is not.
fn text_of(availability: Availability) -> Option<&'static str> {
    match availability {
        Availability::InStock => Some(IN_STOCK),
        Availability::Preorder => Some("preorder"),
        Availability::Backorder => Some("backorder"),
        Availability::Not => None,
    }
}

/// Returns colour and size, as far as the feed names them.
fn variant(product: &Product) -> Option<String> {
    let named: Vec<String> = ["color", "size"].iter().filter_map(|field| product.text(field)).map(one_line).collect();
    (!named.is_empty()).then(|| named.join(" · "))
}

/// Returns a list of the products that the recipient waits for besides, in HTML and in text; nothing if there are none.
fn also_waiting(content: Content<'_>, language: &Language<'_>) -> [String; 2] {
    if content.also_waiting.is_empty() {
        return Default::default();
    }
    let parameters = content.brands.of(content.locale).link_parameters.unwrap_or_default();
    let title = language.text("also-waiting");
    let (mut html, mut text) = (format!("{}<ul>", escaped(&title)), title);
    for product in content.also_waiting {
        let (title, link) = (one_line(product.title()), product.link().unwrap_or_default());
        let link = with_parameters(link, &parameters);
        html += &format!("<li><a href=\"{}\"><bdi>{}</bdi></a></li>", escaped(&link), escaped(&title));
        text += &format!("\n- {title}: {link}");
    }
    [html + "</ul>", text]
}

fn greeting(content: Content<'_>, language: &Language<'_>) -> String {
    match content.first_name.and_then(name_to_greet) {
        Some(name) => language.text_with("greeting-name", &[("name", &name)]),
        None => language.text("greeting"),
    }
}
