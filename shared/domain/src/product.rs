use crate::{ErrorCode, FieldValue, Fields, Invalid, Money, Sku, time};
use jiff::Timestamp;

/// One item of a product feed. `data` has every field of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    sku: Sku,
    data: Fields,
}

impl Product {
    /// Checks the fields that a mail needs: `id`, `title`, `link`, and the prices where there are any.
    pub fn from_feed(data: Fields) -> Result<Self, Invalid> {
        let id = first_text(&data, "id").ok_or_else(|| Invalid::new(ErrorCode::MissingId, "The item has no id."))?;
        let sku = Sku::parse(id).map_err(|invalid| Invalid::new(ErrorCode::InvalidId, invalid.message))?;
        if first_text(&data, "title").is_none() {
            return Err(Invalid::new(ErrorCode::MissingTitle, "The item has no title."));
        }
        let link =
            first_text(&data, "link").ok_or_else(|| Invalid::new(ErrorCode::MissingLink, "The item has no link."))?;
        if !is_web_address(link) {
            return Err(Invalid::new(ErrorCode::InvalidLink, "The item's link is not an http or https address."));
        }
        for field in ["price", "sale_price"] {
            if let Some(price) = first_text(&data, field) {
                Money::parse(price)
                    .map_err(|invalid| Invalid::new(invalid.error_code, format!("In {field}: {}", invalid.message)))?;
            }
        }
        Ok(Self { sku, data })
    }

    /// Returns a product that was checked when it was imported.
    pub fn restore(sku: Sku, data: Fields) -> Self {
        Self { sku, data }
    }

    pub fn sku(&self) -> &Sku {
        &self.sku
    }

    pub fn data(&self) -> &Fields {
        &self.data
    }

    /// Returns a field's text, trimmed; the first if the field repeats. `None` if it is missing or blank.
    pub fn text(&self, field: &str) -> Option<&str> {
        first_text(&self.data, field)
    }

    pub fn title(&self) -> &str {
        self.text("title").unwrap_or(self.sku.as_str())
    }

    pub fn link(&self) -> Option<&str> {
        self.text("link").filter(|link| is_web_address(link))
    }

    pub fn image(&self) -> Option<&str> {
        self.text("image_link").filter(|link| is_web_address(link))
    }

    pub fn price(&self) -> Option<Money> {
        Money::parse(self.text("price")?).ok()
    }

    /// Returns the sale price while it holds: lower than the price, in the same currency, and within
    /// `sale_price_effective_date` where the feed gives one.
    pub fn sale_price(&self, now: Timestamp) -> Option<Money> {
        let sale = Money::parse(self.text("sale_price")?).ok()?;
        let price = self.price()?;
        let lower = sale.currency == price.currency && sale.amount < price.amount;
        let current =
            self.text("sale_price_effective_date").and_then(period).is_none_or(|(from, to)| from <= now && now <= to);
        (lower && current).then_some(sale)
    }
}

fn first_text<'a>(data: &'a Fields, field: &str) -> Option<&'a str> {
    let value = match data.get(field)? {
        FieldValue::Many(values) => values.first()?,
        value => value,
    };
    let FieldValue::Text(text) = value else { return None };
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// Links reach a mail's `href`, so `javascript:` and the like must not.
fn is_web_address(link: &str) -> bool {
    let scheme_ok = ["http://", "https://"].iter().any(|scheme| {
        link.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) && link.len() > scheme.len()
    });
    scheme_ok && !link.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Reads two ISO 8601 times with a slash between them, as in `2026-11-20T00:00+0100/2026-11-30T23:59+0100`.
fn period(raw: &str) -> Option<(Timestamp, Timestamp)> {
    let (from, to) = raw.split_once('/')?;
    Some((time::moment(from)?, time::moment(to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(extra: &[(&str, &str)]) -> Result<Product, &'static str> {
        let usual = [("id", "A"), ("title", "T"), ("link", "https://shop.example/a"), ("price", "100.00 SEK")];
        let fields = usual.iter().chain(extra).map(|(name, text)| ((*name).to_owned(), FieldValue::from(*text)));
        Product::from_feed(fields.collect()).map_err(|invalid| invalid.error_code.as_str())
    }

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_a_mail_needs_must_be_there() {
        assert_eq!(product(&[("id", " ")]).unwrap_err(), "MissingId");
        assert_eq!(product(&[("title", "")]).unwrap_err(), "MissingTitle");
        assert_eq!(product(&[("link", "")]).unwrap_err(), "MissingLink");
        assert_eq!(product(&[("link", "javascript:alert(1)")]).unwrap_err(), "InvalidLink");
        assert_eq!(product(&[("price", "1 299,00 kr")]).unwrap_err(), "InvalidPrice");
    }

    #[test]
    fn an_image_that_is_no_web_address_is_left_out_of_mails() {
        assert_eq!(product(&[("image_link", "")]).unwrap().image(), None);
        assert_eq!(product(&[("image_link", "data:text/html,x")]).unwrap().image(), None);
        let images = ["https://a.example/1.jpg", "https://a.example/2.jpg"].map(FieldValue::from);
        let data = Fields::from([("image_link".into(), FieldValue::Many(images.into()))]);
        let several = Product::restore(Sku::parse("A").unwrap(), data);
        assert_eq!(several.image(), Some("https://a.example/1.jpg"));
    }

    #[test]
    fn a_sale_price_counts_only_if_it_is_lower_and_current() {
        let sale = |extra: &[(&str, &str)]| product(extra).unwrap().sale_price(now()).map(|money| money.to_string());

        assert_eq!(sale(&[("sale_price", "80.00 SEK")]), Some("80.00 SEK".into()));
        assert_eq!(sale(&[("sale_price", "100.00 SEK")]), None);
        assert_eq!(sale(&[("sale_price", "8.00 EUR")]), None);
        let during = |period| sale(&[("sale_price", "80.00 SEK"), ("sale_price_effective_date", period)]);
        assert!(during("2026-11-20T00:00+0100/2026-11-30T23:59+0100").is_some());
        assert!(during("2026-11-20T00:00Z/2026-11-30T23:59Z").is_some());
        assert!(during("2026-11-01T00:00+0100/2026-11-02T23:59+0100").is_none());
    }
}
