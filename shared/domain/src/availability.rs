/// Whether a product can be bought, as its feed says (Google Merchant, `availability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    InStock,
    Preorder,
    Backorder,
    /// Sold out, discontinued, or whatever else a feed calls it.
    Not,
}

impl Availability {
    /// Reads the word in every form that feeds write: `in_stock`, `In stock`, `pre-order`,
    /// `https://schema.org/BackOrder`.
    pub fn parse(raw: &str) -> Self {
        let word = raw.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        match word.to_lowercase().replace([' ', '_', '-'], "").as_str() {
            "instock" => Self::InStock,
            "preorder" => Self::Preorder,
            "backorder" => Self::Backorder,
            _ => Self::Not,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_read_in_every_form_that_feeds_write() {
        for (form, expected) in [
            ("in_stock", Availability::InStock),
            ("In Stock", Availability::InStock),
            ("http://schema.org/InStock/", Availability::InStock),
            ("pre-order", Availability::Preorder),
            ("https://schema.org/PreOrder", Availability::Preorder),
            ("https://schema.org/BackOrder", Availability::Backorder),
            ("back order", Availability::Backorder),
            ("out_of_stock", Availability::Not),
            ("not in stock", Availability::Not),
            ("", Availability::Not),
        ] {
            assert_eq!(Availability::parse(form), expected, "{form}");
        }
    }
}
