use crate::content::Content;
use crate::links::with_parameters;
use crate::money::format_price;
use crate::parts::escaped;
use crate::people::{name_to_greet, one_line};
use crate::personal::{Personal, Values, plain};
use crate::subject::format_subject;
use crate::texts::Language;
use jiff::Timestamp;
use restock_domain::brand::Scheme;
use restock_domain::{Availability, Brand, Fields, Locale, Money, Product};
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
    #[serde(flatten)]
    product: ProductVariables<'a>,
    /// Other products of the feed.
    related: Vec<ProductVariables<'a>>,
    brand: Brand,
    light: Scheme,
    dark: Scheme,
    /// Where to ask, as a sentence.
    support: Option<String>,
    /// Texts without variables.
    t: BTreeMap<&'static str, String>,
}

/// What a template may show of a product.
#[derive(Serialize)]
struct ProductVariables<'a> {
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
}

/// The language and the settings that products are shown in.
struct Shown<'a> {
    language: &'a Language<'a>,
    /// Digits, signs and direction of a price go with the texts around it.
    locale: &'a Locale,
    /// Whose own currency a sign stands for that several have.
    shopper: &'a Locale,
    parameters: BTreeMap<String, String>,
    now: Timestamp,
}

impl<'a> Variables<'a> {
    /// Returns the variables of a mail, in which marks stand for what differs between recipients.
    pub fn of(content: Content<'a>, language: &Language<'_>, personal: &'a Personal) -> Self {
        let Content { product, .. } = content;
        let mut brand = content.brands.of(content.locale);
        let parameters = brand.link_parameters.take().unwrap_or_default();
        brand.link = brand.link.map(|link| with_parameters(&link, &parameters));
        let locale = if language.speaks(content.locale) { content.locale } else { &language.locale };
        let shown = Shown { language, locale, shopper: content.locale, parameters, now: content.now };
        let title = one_line(product.title());
        let own = content.email.subject(content.locale);
        let own = own.and_then(|text| format_subject(text, &title, shown.current_price(product).as_deref()));
        let subject = own.unwrap_or_else(|| language.text_with("subject", &[("title", &title)]));
        let right_to_left = language.direction() == "rtl";
        Self {
            lang: language.locale.canonical(),
            dir: language.direction(),
            start: if right_to_left { "right" } else { "left" },
            subject,
            greeting: &personal.greeting,
            unsubscribe_url: &personal.unsubscribe_url,
            also_waiting: &personal.also_waiting,
            product: shown.product(product),
            related: content.related.iter().map(|product| shown.product(product)).collect(),
            light: brand.light(),
            dark: brand.dark(),
            support: language.support(&brand),
            brand,
            t: language.texts(&["preview", "body", "button", "hurry", "related", "reason", "unsubscribe"]),
        }
    }
}

impl Shown<'_> {
    fn product<'a>(&self, product: &'a Product) -> ProductVariables<'a> {
        let (full, sale) = (product.price(), product.sale_price(self.now));
        let saving = full.zip(sale).map(|(full, sale)| Money { amount: full.amount - sale.amount, ..full });
        let price_text = if sale.is_some() { "price-before" } else { "price" };
        let with = |id: &str, name: &str, money: Option<Money>| {
            money.map(|money| self.language.text_with(id, &[(name, &format_price(&money, self.locale, self.shopper))]))
        };
        let availability = product.availability().and_then(text_of);
        ProductVariables {
            sku: product.sku().as_str(),
            title: one_line(product.title()),
            link: with_parameters(product.link().unwrap_or_default(), &self.parameters),
            image: product.image(),
            price: with(price_text, "price", full),
            sale_price: with("price-now", "sale", sale),
            saving: with("saving", "saving", saving),
            availability: availability.map(|id| self.language.text(id)),
            available_later: availability.is_some_and(|id| id != IN_STOCK),
            variant: variant(product),
            product: product.data(),
        }
    }

    fn current_price(&self, product: &Product) -> Option<String> {
        Some(format_price(&product.sale_price(self.now).or(product.price())?, self.locale, self.shopper))
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
