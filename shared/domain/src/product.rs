use crate::{Availability, Currency, ErrorCode, FieldValue, Fields, Invalid, Money, Sku, time};
use jiff::Timestamp;
use url::Url;

/// One item of a product feed. `data` has every field of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    sku: Sku,
    data: Fields,
}

impl Product {
    /// Checks the fields that a mail needs (`id`, `title`, `link`), and writes those that a mail shows in one form. Of
    /// the others, what can't be read is left out, and returned as what is wrong with it: a mail never shows what it
    /// was before. A price that says no currency is in the usual one.
    pub fn from_feed(mut data: Fields, usual: Option<Currency>) -> Result<(Self, Vec<Invalid>), Invalid> {
        let id = first_text(&data, "id").ok_or_else(|| Invalid::new(ErrorCode::MissingId, "The item has no id."))?;
        // Two items that have become one, in most cases.
        if let Some(Err(_)) = only_text(&data, "id", ErrorCode::InvalidId) {
            return Err(Invalid::new(ErrorCode::InvalidId, "The item has two ids. Send each item by itself."));
        }
        let sku = Sku::parse(id).map_err(|invalid| Invalid::new(ErrorCode::InvalidId, invalid.message))?;
        match first_text(&data, "title") {
            None => return Err(Invalid::new(ErrorCode::MissingTitle, "The item has no title.")),
            // "NAN" is a brand.
            Some(title) if is_no_value(title) && !title.eq_ignore_ascii_case("nan") => {
                let message = format!("The item has no title: \"{title}\" is what a program writes in place of one.");
                return Err(Invalid::new(ErrorCode::MissingTitle, message));
            }
            Some(_) => {}
        }
        let mut left_out: Vec<Invalid> =
            ["link", "image_link"].into_iter().filter_map(|field| only_first_address(&mut data, field)).collect();
        let usual = own_currency(&data, usual);
        let link =
            first_text(&data, "link").ok_or_else(|| Invalid::new(ErrorCode::MissingLink, "The item has no link."))?;
        let link = web_address(link)
            .ok_or_else(|| Invalid::new(ErrorCode::InvalidLink, "The item's link is not an http or https address."))?;
        for field in ["title", "link"] {
            if let Some(Err(invalid)) = only_text(&data, field, ErrorCode::RepeatedField) {
                let message = format!("The item is used with the first {field}. {}", invalid.message);
                left_out.push(Invalid::new(invalid.error_code, message));
            }
        }
        data.insert("id".into(), FieldValue::from(sku.as_str()));
        data.insert("link".into(), FieldValue::from(link.as_str()));
        for (field, read) in [
            ("price", price as fn(&Fields, &str, Option<Currency>) -> Option<Result<String, Invalid>>),
            ("sale_price", price),
            ("sale_price_effective_date", sale_period),
            ("image_link", image),
            ("availability", availability),
            ("color", only),
            ("size", only),
            ("sale_price", reduction),
        ] {
            match read(&data, field, usual) {
                None => {}
                Some(Ok(text)) => drop(data.insert(field.into(), FieldValue::from(text))),
                Some(Err(Invalid { error_code, message })) => {
                    leave_out(&mut data, field);
                    left_out.push(Invalid::new(error_code, format!("The item is used without its {field}. {message}")));
                }
            }
        }
        Ok((Self { sku, data }, left_out))
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
        self.text("link")
    }

    pub fn image(&self) -> Option<&str> {
        self.text("image_link")
    }

    /// Returns what the variants of one product share, whatever its case.
    pub fn group(&self) -> Option<String> {
        self.text("item_group_id").map(str::to_lowercase)
    }

    /// Returns what kind of product the shop says that it is, whatever its case.
    pub fn kind(&self) -> Option<String> {
        self.text("product_type").map(str::to_lowercase)
    }

    pub fn availability(&self) -> Option<Availability> {
        self.text("availability").map(Availability::parse)
    }

    pub fn price(&self) -> Option<Money> {
        read_price(self.text("price")?, None).ok()
    }

    /// Returns the sale price while it holds: lower than the price, in the same currency, and within
    /// `sale_price_effective_date` where the feed gives one.
    pub fn sale_price(&self, now: Timestamp) -> Option<Money> {
        let sale = read_price(self.text("sale_price")?, None).ok()?;
        let lower = is_reduced(sale, self.price()?);
        let within = |text: &str| period(text).is_some_and(|(from, to)| from <= now && now <= to);
        let current = self.text("sale_price_effective_date").is_none_or(within);
        (lower && current).then_some(sale)
    }
}

/// Removes a field of a feed's item, and with a period the sale price: nobody can tell then when that holds.
pub fn leave_out(data: &mut Fields, field: &str) {
    data.remove(field);
    if field == "sale_price_effective_date" {
        data.remove("sale_price");
    }
}

fn first_text<'a>(data: &'a Fields, field: &str) -> Option<&'a str> {
    data.get(field)?.first_text()
}

/// Returns the text of a field, if it has anything; an error if it has parts, or repeats with another text: nobody can
/// tell then which one counts.
fn only_text<'a>(data: &'a Fields, field: &str, error_code: ErrorCode) -> Option<Result<&'a str, Invalid>> {
    let texts = data.get(field)?.values().iter().map(|value| value.as_text().map(str::trim));
    let mut texts = texts.filter(|text| *text != Some(""));
    let first = texts.next()?;
    let only = first.filter(|_| texts.all(|text| text == first));
    Some(only.ok_or_else(|| Invalid::new(error_code, "It has parts, or repeats with another value: send one text.")))
}

/// Reads a price; what rounds to zero is none.
fn read_price(text: &str, usual: Option<Currency>) -> Result<Money, Invalid> {
    let price = Money::parse_in(text, usual)?;
    if price.is_next_to_nothing() {
        return Err(Invalid::new(ErrorCode::InvalidPrice, "Zero is no price."));
    }
    Ok(price)
}

/// Fields in which feeds say the currency of an item's prices.
const CURRENCIES: [&str; 4] = ["currency", "currency_code", "price_currency", "pricecurrency"];

/// Returns the currency of an item's prices that say none: the usual one, unless the item names another. One that it
/// names and nobody knows is none.
fn own_currency(data: &Fields, usual: Option<Currency>) -> Option<Currency> {
    match CURRENCIES.iter().find_map(|field| first_text(data, field)) {
        Some(named) => Currency::named(named.trim(), usual),
        None => usual,
    }
}

/// Leaves only the first of several addresses in one text, and returns what is wrong with it.
fn only_first_address(data: &mut Fields, field: &str) -> Option<Invalid> {
    let text = first_text(data, field)?;
    let begins_another = |(at, _): (usize, &str)| {
        let (before, rest) = text.split_at(at);
        let is_address = ["http://", "https://"].iter().any(|scheme| rest.starts_with(scheme));
        // A query may hold an address.
        let is_apart = before.ends_with([',', ';', '|', ' ', '\t', '\n']) && !before.contains('?');
        is_address && is_apart && before.contains("://")
    };
    let (at, _) = text.match_indices("http").find(|found| begins_another(*found))?;
    let first = text[..at].trim_end_matches([',', ';', '|', ' ', '\t', '\n', '\r']).to_owned();
    data.insert(field.to_owned(), FieldValue::from(first.as_str()));
    let message = format!("The item is used with the first {field}. The text has several addresses: send one.");
    Some(Invalid::new(ErrorCode::RepeatedField, message))
}

fn price(data: &Fields, field: &str, usual: Option<Currency>) -> Option<Result<String, Invalid>> {
    let text = only_text(data, field, ErrorCode::InvalidPrice)?;
    Some(text.and_then(|text| read_price(text, usual)).map(|price| price.to_string()))
}

/// Checks that a sale price which can be read is one.
fn reduction(data: &Fields, field: &str, _: Option<Currency>) -> Option<Result<String, Invalid>> {
    let sale = first_text(data, field)?;
    let read = |text| read_price(text, None).ok();
    // Many feeds repeat the price there while there is no sale.
    let fits = |(sale, price): (Money, Money)| sale == price || is_reduced(sale, price);
    let fits = read(sale).zip(first_text(data, "price").and_then(read)).is_some_and(fits);
    let message = "It is above the price, or there is no price in its currency.";
    Some(fits.then(|| sale.to_owned()).ok_or_else(|| Invalid::new(ErrorCode::InvalidPrice, message)))
}

fn is_reduced(sale: Money, price: Money) -> bool {
    sale.currency == price.currency && sale.amount < price.amount
}

fn sale_period(data: &Fields, field: &str, _: Option<Currency>) -> Option<Result<String, Invalid>> {
    let message = "Write a sale period as two ISO 8601 times with a slash between them, such as 2026-11-20T00:00+0100/2026-11-30T23:59+0100.";
    let sound = |text: &str| period(text).map(|_| text.to_owned());
    let text = only_text(data, field, ErrorCode::InvalidSalePeriod)?;
    Some(text.and_then(|text| sound(text).ok_or_else(|| Invalid::new(ErrorCode::InvalidSalePeriod, message))))
}

/// What programs write where a value is missing.
const NO_VALUE: [&str; 8] = ["#n/a", "#ref!", "#value!", "n/a", "nan", "null", "undefined", "[object object]"];

/// Returns true if a text stands for no value.
fn is_no_value(text: &str) -> bool {
    NO_VALUE.contains(&text.to_lowercase().as_str())
}

/// Reads a text that mails show as it is.
fn only(data: &Fields, field: &str, _: Option<Currency>) -> Option<Result<String, Invalid>> {
    let text = only_text(data, field, ErrorCode::RepeatedField)?;
    Some(text.and_then(|text| match is_no_value(text) {
        true => Err(Invalid::new(ErrorCode::Empty, format!("\"{text}\" is no value; leave the field empty."))),
        false => Ok(text.to_owned()),
    }))
}

/// Reads the only availability, in however many spellings it is there.
fn availability(data: &Fields, field: &str, _: Option<Currency>) -> Option<Result<String, Invalid>> {
    let first = first_text(data, field)?.to_owned();
    let mut texts =
        data.get(field)?.values().iter().filter_map(FieldValue::as_text).filter(|text| !text.trim().is_empty());
    let is_same = |text: &str| Availability::parse(text) == Availability::parse(&first);
    let message = "It repeats with another value: send one text.";
    Some(if texts.all(is_same) { Ok(first) } else { Err(Invalid::new(ErrorCode::RepeatedField, message)) })
}

/// Reads the first picture of several.
fn image(data: &Fields, field: &str, _: Option<Currency>) -> Option<Result<String, Invalid>> {
    data.get(field).filter(|value| value.bytes() > 0)?;
    let address = first_text(data, field).and_then(web_address);
    Some(address.ok_or_else(|| Invalid::new(ErrorCode::InvalidLink, "It is not an http or https address.")))
}

/// Returns an address that a browser would open, in the form that it opens: spaces are written `%20`, line breaks are
/// left out, and one without a scheme is https. Links reach a mail's `href`, so `javascript:` and the like are none.
fn web_address(text: &str) -> Option<String> {
    // As browsers do: a line break within an address is none.
    let text: String = text.trim().chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let text = text.replace("&amp;", "&").replace(' ', "%20");
    let text = if text.starts_with("//") { format!("https:{text}") } else { text };
    let host = ["http://", "https://"].iter().find_map(|scheme| {
        text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).map(|_| &text[scheme.len()..])
    })?;
    if host.starts_with('/') || text.chars().any(char::is_control) {
        return None;
    }
    let parsed = Url::parse(&text).ok()?;
    let has_host = parsed.host_str().is_some_and(|host| !host.trim_matches('.').is_empty());
    // What is not ASCII is written as links have it: the host in Punycode, the rest percent-encoded.
    has_host.then(|| if text.is_ascii() { text } else { parsed.into() })
}

/// Reads two ISO 8601 times with a slash between them, as in `2026-11-20T00:00+0100/2026-11-30T23:59+0100`. One without
/// a zone is in UTC; a date begins at midnight, and as the end of a period it ends with its day.
fn period(raw: &str) -> Option<(Timestamp, Timestamp)> {
    let (from, to) = raw.split_once('/')?;
    let (from, to) = (time::moment(from)?, time::end_of(to)?);
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(extra: &[(&str, &str)]) -> Result<Product, &'static str> {
        let usual = [("id", "A"), ("title", "T"), ("link", "https://shop.example/a"), ("price", "100.00 SEK")];
        let fields = usual.iter().chain(extra).map(|(name, text)| ((*name).to_owned(), FieldValue::from(*text)));
        Product::from_feed(fields.collect(), None)
            .map(|(product, _)| product)
            .map_err(|invalid| invalid.error_code.as_str())
    }

    fn left_out(extra: &[(&str, &str)]) -> (Product, Vec<&'static str>) {
        let usual = [("id", "A"), ("title", "T"), ("link", "https://shop.example/a"), ("price", "100.00 SEK")];
        let fields = usual.iter().chain(extra).map(|(name, text)| ((*name).to_owned(), FieldValue::from(*text)));
        let (product, left_out) = Product::from_feed(fields.collect(), None).unwrap();
        (product, left_out.iter().map(|invalid| invalid.error_code.as_str()).collect())
    }

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_a_mail_needs_must_be_there() {
        assert_eq!(product(&[("id", " ")]).unwrap_err(), "MissingId");
        for title in ["", "null", "#REF!", "[object Object]"] {
            assert_eq!(product(&[("title", title)]).unwrap_err(), "MissingTitle", "{title}");
        }
        assert!(product(&[("title", "NAN")]).is_ok() && product(&[("title", "Null and void")]).is_ok());
        assert_eq!(product(&[("link", "")]).unwrap_err(), "MissingLink");
        assert_eq!(product(&[("link", "javascript:alert(1)")]).unwrap_err(), "InvalidLink");
    }

    #[test]
    fn what_a_mail_can_do_without_is_left_out_if_it_can_not_be_read() {
        for (field, text, word) in [
            ("price", "1 299,00 kr", "InvalidPrice"),
            ("price", "199.00", "InvalidPrice"),
            ("price", "0.00 EUR", "InvalidPrice"),
            ("sale_price", "N/A", "InvalidPrice"),
            ("sale_price", "0 EUR", "InvalidPrice"),
            ("price", "0.004 EUR", "InvalidPrice"),
            ("sale_price", "120.00 SEK", "InvalidPrice"),
            ("sale_price", "8.00 EUR", "InvalidPrice"),
            ("image_link", "data:text/html,x", "InvalidLink"),
            ("image_link", "/a.jpg", "InvalidLink"),
            ("image_link", "https:///a.jpg", "InvalidLink"),
            ("image_link", "https://?a.jpg", "InvalidLink"),
            ("image_link", "https:// shop.example/a.jpg", "InvalidLink"),
            ("image_link", "https://[::1/a.jpg", "InvalidLink"),
            ("image_link", "https://shop.example:99999/a.jpg", "InvalidLink"),
            ("image_link", "https://./a.jpg", "InvalidLink"),
        ] {
            let (product, words) = left_out(&[(field, text)]);
            assert_eq!((product.text(field), words), (None, vec![word]), "{field} {text}");
        }
        let (product, words) = left_out(&[("sale_price", "80.00 SEK"), ("sale_price_effective_date", "soon")]);
        assert_eq!((product.sale_price(now()), words), (None, vec!["InvalidSalePeriod"]));
        let (product, words) = left_out(&[("sale_price", "100.00 SEK")]);
        assert_eq!((product.sale_price(now()), words), (None, Vec::<&str>::new()), "the price itself is no sale");
    }

    #[test]
    fn a_field_that_is_no_single_text_is_left_out() {
        let group = |parts: &[(&str, &str)]| {
            FieldValue::Group(parts.iter().map(|(name, text)| ((*name).to_owned(), FieldValue::from(*text))).collect())
        };
        let many = |texts: &[&str]| FieldValue::Many(texts.iter().map(|text| FieldValue::from(*text)).collect());
        let read = |field: &str, value: FieldValue| {
            let usual = [("id", "A"), ("title", "T"), ("link", "https://shop.example/a"), ("price", "100.00 SEK")];
            let mut fields: Fields =
                usual.map(|(name, text)| (name.to_owned(), FieldValue::from(text))).into_iter().collect();
            fields.insert("sale_price".into(), FieldValue::from("80.00 SEK"));
            fields.insert(field.to_owned(), value);
            let (product, left_out) = Product::from_feed(fields, None).unwrap();
            let words: Vec<_> = left_out.iter().map(|invalid| invalid.error_code.as_str()).collect();
            (product.text(field).map(ToOwned::to_owned), product.sale_price(now()).is_some(), words)
        };

        let period = group(&[("start", "2020-01-01"), ("end", "2020-01-31")]);
        assert_eq!(read("sale_price_effective_date", period), (None, false, vec!["InvalidSalePeriod"]));
        let two = many(&["2020-01-01/2020-01-31", "2026-01-01/2026-12-31"]);
        assert_eq!(read("sale_price_effective_date", two), (None, false, vec!["InvalidSalePeriod"]));
        let amount = || group(&[("value", "90.00"), ("currency", "SEK")]);
        assert_eq!(read("price", amount()), (None, false, vec!["InvalidPrice", "InvalidPrice"]));
        assert_eq!(read("sale_price", amount()), (None, false, vec!["InvalidPrice"]));
        assert_eq!(read("sale_price", many(&["80 SEK", "90 SEK"])), (None, false, vec!["InvalidPrice"]));
        assert_eq!(read("sale_price", many(&["80 SEK", " 80 SEK"])), (Some("80 SEK".into()), true, vec![]));
        assert_eq!(read("image_link", group(&[("url", "x")])), (None, true, vec!["InvalidLink"]));
        assert_eq!(
            read("image_link", many(&["", "https://a.example/1.jpg", "https://a.example/2.jpg"])),
            (Some("https://a.example/1.jpg".into()), true, vec![])
        );
    }

    #[test]
    fn an_address_is_written_as_a_browser_opens_it() {
        for (text, opened) in [
            ("https://shop.example/a?x=1 2", "https://shop.example/a?x=1%202"),
            (" https://shop.example/a ", "https://shop.example/a"),
            ("https://blåbär.example/å", "https://xn--blbr-noae.example/%C3%A5"),
            ("https://shop.example/a\u{202e}gpj", "https://shop.example/a%E2%80%AEgpj"),
            ("//cdn.shop.example/a.jpg", "https://cdn.shop.example/a.jpg"),
            ("https://shop.example/a?x=1&amp;y=2", "https://shop.example/a?x=1&y=2"),
            ("https://shop.example/a\u{a0}b", "https://shop.example/a%C2%A0b"),
            ("https://shop.example/\n\ta\r\nb", "https://shop.example/ab"),
        ] {
            assert_eq!(product(&[("link", text)]).unwrap().link(), Some(opened));
            assert_eq!(product(&[("image_link", text)]).unwrap().image(), Some(opened));
        }
    }

    #[test]
    fn an_image_that_is_no_web_address_is_left_out_of_mails() {
        assert_eq!(product(&[("image_link", "")]).unwrap().image(), None);
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
        // Without time or zone, on the 23rd at noon.
        assert!(during("2026-11-01T00:00/2026-11-23T12:01").is_some());
        assert!(during("2026-11-01T00:00/2026-11-23T11:59").is_none());
        assert!(during("2026-11-01/2026-11-23").is_some());
        assert!(during("2026-11-01/2026-11-22").is_none());
        assert!(during("2026-01-01/9999-12-31").is_some());
        assert!(during("2026-01-01T00:00+0100/9999-12-31T23:59+0100").is_some());
        assert!(during("2026-01-01/9999-garbage").is_none());
        assert!(during("20261123/20261123").is_some());
        assert!(during("20260101/99991231").is_some());
        assert!(during("20261122/20261122").is_none());
        assert!(during("2026-11-24/2026-11-30").is_none());
        assert!(during("2020-01-01T00:00:00/2020-01-31T23:59:59").is_none());
        assert!(during("2099-01-01T00:00:00/2099-01-31T23:59:59").is_none());
        assert!(during("2026-11-30/2026-11-01").is_none());
        assert!(during("soon").is_none());
    }
}
