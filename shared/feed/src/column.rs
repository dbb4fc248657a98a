use restock_domain::{FieldValue, Fields};

/// Attributes whose values have parts (Google's product data specification), and the order that these have without a
/// list of their own.
const GROUPS: [(&str, &[&str]); 14] = [
    ("shipping", &["country", "region", "service", "price"]),
    ("product_detail", &["section_name", "attribute_name", "attribute_value"]),
    ("certification", &[]),
    ("consumer_notice", &[]),
    ("free_shipping_threshold", &[]),
    ("installment", &[]),
    ("loyalty_points", &[]),
    ("loyalty_program", &[]),
    ("product_fee", &[]),
    ("structured_description", &[]),
    ("structured_title", &[]),
    ("subscription_cost", &[]),
    ("tax", &[]),
    ("vehicle_fulfillment", &[]),
];

/// Names of Google's Merchant API, and what feeds call the same.
const OF_API: [(&str, &str); 11] = [
    ("additionalImageLinks", "additional_image_link"),
    ("ageGroup", "age_group"),
    ("availabilityDate", "availability_date"),
    ("googleProductCategory", "google_product_category"),
    ("imageLink", "image_link"),
    ("itemGroupId", "item_group_id"),
    ("mobileLink", "mobile_link"),
    ("productTypes", "product_type"),
    ("salePrice", "sale_price"),
    ("salePriceEffectiveDate", "sale_price_effective_date"),
    ("structuredTitle", "structured_title"),
];

/// A column of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// The name of the field: `sale_price` for `g:Sale Price`.
    pub name: String,
    /// The parts of its values, as `shipping(country:price)` names them.
    parts: Vec<String>,
}

impl Column {
    pub fn parse(header: &str) -> Self {
        let header = header.trim();
        let of_api = OF_API.iter().find(|(name, _)| *name == header);
        let header = of_api.map_or_else(|| header.to_lowercase(), |(_, name)| (*name).to_owned());
        let group = |name: &str| GROUPS.iter().find(|(group, _)| *group == name);
        let listed = header.strip_suffix(')').and_then(|header| header.split_once('('));
        // Others have brackets too, such as Price (SEK).
        if let Some((name, parts)) =
            listed.map(|(name, parts)| (plain(name), parts)).filter(|(name, _)| group(name).is_some())
        {
            return Self { name, parts: parts.split(':').map(plain).collect() };
        }
        let name = plain(&header);
        let parts = group(&name).map_or(&[][..], |(_, parts)| parts).iter().map(|part| (*part).to_owned()).collect();
        Self { name, parts }
    }

    /// Returns a value as XML would have it: `SE:49 SEK,NO:59 SEK` as two groups. What does not have the column's parts
    /// stays a text.
    pub fn value(&self, text: &str) -> FieldValue {
        if self.parts.is_empty() {
            return text.into();
        }
        let Some(groups) = split(text) else { return text.into() };
        if groups.iter().any(|parts| parts.len() != self.parts.len()) {
            return text.into();
        }
        let mut groups: Vec<FieldValue> = groups.into_iter().map(|parts| self.group(parts)).collect();
        match groups.len() {
            1 => groups.swap_remove(0),
            _ => FieldValue::Many(groups),
        }
    }

    fn group(&self, values: Vec<String>) -> FieldValue {
        let named = self.parts.iter().zip(values).filter(|(_, value)| !value.is_empty());
        FieldValue::Group(named.map(|(name, value)| (name.clone(), FieldValue::from(value))).collect::<Fields>())
    }
}

fn plain(name: &str) -> String {
    let name = name.trim().replace(' ', "_");
    name.strip_prefix("g:").map(ToOwned::to_owned).unwrap_or(name)
}

/// Splits a value into groups by commas, and those into parts by colons; neither counts between double quotes. Returns
/// `None` if a quote is not closed.
fn split(text: &str) -> Option<Vec<Vec<String>>> {
    let mut groups = vec![vec![String::new()]];
    let mut letters = text.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        let group = groups.last_mut()?;
        let part = group.last_mut()?;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            ':' if !quoted => group.push(String::new()),
            ',' if !quoted => groups.push(vec![String::new()]),
            letter => part.push(letter),
        }
    }
    groups.iter_mut().flatten().for_each(|part| *part = part.trim().to_owned());
    (!quoted).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn value(header: &str, text: &str) -> Value {
        json!(Column::parse(header).value(text))
    }

    #[test]
    fn a_column_is_named_as_its_field_is() {
        for header in ["sale_price", " Sale Price ", "g:sale_price", "G:Sale Price"] {
            assert_eq!(Column::parse(header).name, "sale_price", "{header}");
        }
        assert_eq!(Column::parse("g:Shipping (Country:Price)").name, "shipping");
        assert_eq!(Column::parse("Price (SEK)"), Column { name: "price_(sek)".into(), parts: Vec::new() });
    }

    #[test]
    fn parts_that_the_header_names_become_groups() {
        assert_eq!(value("shipping(country:price)", "SE:49.00 SEK"), json!({"country": "SE", "price": "49.00 SEK"}));
        assert_eq!(
            value("shipping", "SE:::49.00 SEK, NO::Fast:59.00 SEK"),
            json!([{"country": "SE", "price": "49.00 SEK"}, {"country": "NO", "service": "Fast", "price": "59.00 SEK"}])
        );
        // Three quotes end the first value: two stand for one, and the last closes it.
        assert_eq!(
            value("product_detail", r#"Display:Size:"2.5""",:Names:"a, b: c""#),
            json!([
                {"section_name": "Display", "attribute_name": "Size", "attribute_value": "2.5\""},
                {"attribute_name": "Names", "attribute_value": "a, b: c"},
            ])
        );
    }

    #[test]
    fn what_does_not_have_the_parts_stays_a_text() {
        for text in ["49.00 SEK", "SE:49,00 SEK", "SE:Fast:1:49.00 SEK:x", "SE:::\"49.00 SEK"] {
            assert_eq!(value("shipping", text), json!(text));
        }
        assert_eq!(value("title", "a:b,c"), json!("a:b,c"));
    }
}
