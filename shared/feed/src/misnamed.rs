//! Fields that a mail shows and that a feed has under a name of its own. They are not guessed at, but whoever sends the
//! feed is told.

use crate::item::{Item, ItemFault};
use restock_domain::{ErrorCode, FieldValue};

/// A field, how other names of it begin, and what its values are like.
struct Shown {
    field: &'static str,
    beginnings: &'static [&'static str],
    is_like: fn(&str) -> bool,
}

const SHOWN: [Shown; 2] = [
    Shown {
        field: "image_link",
        beginnings: &["image", "img", "main_image", "photo", "picture", "product_image"],
        is_like: |text| text.starts_with("http"),
    },
    Shown {
        field: "price",
        beginnings: &["current_price", "list_price", "price", "product_price", "regular_price", "retail_price"],
        is_like: |text| text.contains(|letter: char| letter.is_ascii_digit()),
    },
];

/// Tells once for a file which of these fields it seems to have under another name.
#[derive(Default)]
pub struct Misnamed {
    told: [bool; SHOWN.len()],
}

impl Misnamed {
    pub fn tell(&mut self, item: &mut Item) {
        for (shown, told) in SHOWN.iter().zip(&mut self.told) {
            let Some(name) = shown.other_name(item).filter(|_| !*told) else { continue };
            let field = shown.field;
            let message = format!(
                "The item has no {field}, and `{name}` is not known: if it is the {field}, name it so. This is said of the first such item only."
            );
            let sku = Some(item.product.sku().as_str().to_owned());
            item.left_out.push(ItemFault { sku, error_code: ErrorCode::UnknownField, message });
            *told = true;
        }
    }
}

impl Shown {
    /// Returns the name under which an item seems to have the field that it lacks.
    fn other_name(&self, item: &Item) -> Option<String> {
        let data = item.product.data();
        let is_like = |value: &FieldValue| value.first_text().is_some_and(|text| (self.is_like)(text.trim()));
        let begins = |name: &str| self.beginnings.iter().any(|beginning| name.starts_with(beginning));
        let mut others = data.iter().filter(|(name, value)| begins(name) && is_like(value));
        if data.contains_key(self.field) { None } else { others.next().map(|(name, _)| name.clone()) }
    }
}
