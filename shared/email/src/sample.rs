//! Products and a brand to try templates with.

use jiff::Timestamp;
use restock_domain::brand::{Color, Logo, Palette, SocialLink};
use restock_domain::{Brand, Brands, EmailAddress, FieldValue, Fields, Product, Sku};

const WHOLE: [(&str, &str); 12] = [
    ("id", "SKU-1"),
    ("title", "Wool sweater Fjäll, grey melange"),
    ("link", "https://shop.example/wool-sweater?color=grey"),
    ("image_link", "https://shop.example/images/sweater.svg"),
    ("price", "119.00 EUR"),
    ("availability", "in_stock"),
    ("brand", "Fjäll"),
    ("color", "Grey melange"),
    ("size", "M"),
    ("description", "Warm merino wool for cold days."),
    ("product_type", "Clothing > Sweaters"),
    ("item_group_id", "sweater"),
];

/// Returns a product with everything that mails show, one on sale, those that are delivered later, and one with nothing
/// that may be missing.
pub fn products() -> [Product; 5] {
    let available = |how| product(WHOLE.into_iter().chain([("availability", how)]));
    [product(WHOLE), on_sale(), available("preorder"), available("backorder"), bare()]
}

pub fn on_sale() -> Product {
    product(WHOLE.into_iter().chain([("sale_price", "89.00 EUR")]))
}

/// Returns other products of the same feed: a variant, one on sale and one with nothing that may be missing.
pub fn related() -> [Product; 3] {
    let other = |id, fields: &[(&'static str, &'static str)]| {
        product(WHOLE.into_iter().chain([("id", id)]).chain(fields.iter().copied()))
    };
    let navy = [("color", "Navy"), ("link", "https://shop.example/wool-sweater?color=navy")];
    let cardigan =
        [("title", "Cardigan Björk"), ("link", "https://shop.example/cardigan"), ("sale_price", "79.00 EUR")];
    [other("SKU-4", &navy), other("SKU-5", &cardigan), bare()]
}

pub fn bare() -> Product {
    product([("id", "SKU-3"), ("title", "Mug"), ("link", "https://shop.example/mug")])
}

fn product(fields: impl IntoIterator<Item = (&'static str, &'static str)>) -> Product {
    let data: Fields = fields.into_iter().map(|(name, text)| (name.to_owned(), FieldValue::from(text))).collect();
    let sku = data.get("id").and_then(FieldValue::as_text).unwrap_or_default();
    Product::restore(Sku::restore(sku), data.clone())
}

/// Returns a brand with every part.
pub fn brands() -> Brands {
    let lines = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect());
    let shop = Brand {
        name: Some("Northfell".into()),
        link: Some("https://shop.example/".into()),
        logo: Some(Logo { url: "https://shop.example/logo.png".into(), width: 150, alt: None }),
        colors: Palette { button: Color::parse("#1f6f54").ok(), ..Palette::default() },
        address: lines(&["Northfell AB", "Fjällgatan 1", "831 31 Östersund"]),
        legal: lines(&["Org. no. 556000-0000"]),
        support: EmailAddress::parse("help@shop.example").ok(),
        social: Some(vec![SocialLink { name: "Instagram".into(), url: "https://social.example/northfell".into() }]),
        ..Brand::default()
    };
    Brands { shop, ..Brands::default() }
}

/// Returns a moment to render at.
pub fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}
