use super::facts::Facts;
use crate::{ErrorCode, FieldValue, Invalid, Scalar, time};
use jiff::Timestamp;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use strum::{Display, EnumIter, EnumString, IntoEnumIterator};

/// The field that a test looks at. As text: `locale`, `product.shipping.country`, `contact.attributes.club`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Locale,
    Quantity,
    Sku,
    ExternalId,
    SubscribedOn,
    /// When the contact last bought the SKU.
    PurchasedOn,
    /// A field of the feed by its Google Merchant name, and of a nested one the way to it.
    Product(Vec<String>),
    Contact(ContactField),
}

#[derive(Debug, Clone, PartialEq, Eq, Display, EnumString, EnumIter)]
#[strum(serialize_all = "camelCase")]
pub enum ContactField {
    Email,
    FirstName,
    LastName,
    Language,
    CountryCode,
    AcceptsEmail,
    CreatedOn,
    #[strum(disabled)]
    Attribute(String),
}

/// The kind of values that a field has, which decides what operators make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Moment,
    /// Whatever the retailer put there.
    Any,
}

/// How two texts of a field compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Byte for byte, as SKUs and external ids do.
    Exact,
    IgnoringCase,
    /// As language tags: neither case nor `_` or `-` counts, nor whether a language has its old code.
    OfTags,
}

/// One value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldReading<'a> {
    Text(Cow<'a, str>),
    Number(Decimal),
    Boolean(bool),
    Moment(Timestamp),
    /// Something that compares with nothing, such as a nested field as a whole.
    Other,
}

/// Fields that are not part of the product or the contact.
const PLAIN: [(&str, Field); 6] = [
    ("locale", Field::Locale),
    ("quantity", Field::Quantity),
    ("sku", Field::Sku),
    ("externalId", Field::ExternalId),
    ("subscribedOn", Field::SubscribedOn),
    ("purchasedOn", Field::PurchasedOn),
];

const PRODUCT: &str = "product.";
const CONTACT: &str = "contact.";
const ATTRIBUTE: &str = "attributes.";

impl Field {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let plain = || PLAIN.iter().find(|(name, _)| *name == raw).map(|(_, field)| field.clone());
        let field = match (raw.strip_prefix(PRODUCT), raw.strip_prefix(CONTACT)) {
            (Some(path), _) => product_path(path).map(Self::Product),
            (_, Some(name)) => contact_field(name).map(Self::Contact),
            (None, None) => plain(),
        };
        field.ok_or_else(|| {
            let plain = PLAIN.map(|(name, _)| name).join(", ");
            let of_contact: Vec<String> = ContactField::iter().map(|field| field.to_string()).collect();
            let message = format!(
                "Use {plain}, product.<field of the feed>, contact.attributes.<name>, or contact.<property> with one of {}.",
                of_contact.join(", ")
            );
            Invalid::new(ErrorCode::UnknownField, message)
        })
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Locale | Self::Sku | Self::ExternalId => Kind::Text,
            Self::Quantity => Kind::Number,
            Self::SubscribedOn | Self::PurchasedOn => Kind::Moment,
            Self::Product(_) | Self::Contact(_) => Kind::Any,
        }
    }

    pub fn comparison(&self) -> Comparison {
        match self {
            Self::Sku | Self::ExternalId => Comparison::Exact,
            Self::Locale | Self::Contact(ContactField::Language) => Comparison::OfTags,
            _ => Comparison::IgnoringCase,
        }
    }

    /// Returns every value that the field has: none if it is missing, several if it repeats.
    pub fn values<'a>(&self, facts: &Facts<'a>) -> Vec<FieldReading<'a>> {
        let subscription = facts.subscription;
        let text = |text: &'a str| FieldReading::Text(Cow::Borrowed(text));
        match self {
            Self::Locale => vec![text(subscription.locale.as_str())],
            Self::Quantity => vec![FieldReading::Number(facts.quantity.into())],
            Self::Sku => vec![text(subscription.sku.as_str())],
            Self::ExternalId => subscription.external_id.iter().map(|id| text(id.as_str())).collect(),
            Self::SubscribedOn => vec![FieldReading::Moment(subscription.created_on)],
            Self::PurchasedOn => facts.purchased_on.into_iter().map(FieldReading::Moment).collect(),
            Self::Product(path) => {
                let mut found = Vec::new();
                if let Some((first, rest)) = path.split_first()
                    && let Some(value) = member(facts.product.data(), first)
                {
                    follow(value, rest, &mut found);
                }
                found
            }
            Self::Contact(field) => field.value(facts).into_iter().collect(),
        }
    }
}

impl ContactField {
    fn value<'a>(&self, facts: &Facts<'a>) -> Option<FieldReading<'a>> {
        let contact = facts.contact;
        let text = |text: &'a String| FieldReading::Text(Cow::Borrowed(text));
        match self {
            Self::Email => Some(FieldReading::Text(Cow::Borrowed(contact.email.as_str()))),
            Self::FirstName => contact.first_name.as_ref().map(text),
            Self::LastName => contact.last_name.as_ref().map(text),
            Self::Language => {
                contact.language.as_ref().map(|locale| FieldReading::Text(Cow::Borrowed(locale.as_str())))
            }
            Self::CountryCode => contact.country_code.as_ref().map(|code| FieldReading::Text(code.as_str().into())),
            Self::AcceptsEmail => contact.accepts_email.map(FieldReading::Boolean),
            Self::CreatedOn => Some(FieldReading::Moment(contact.created_on)),
            Self::Attribute(name) => of_scalar(member(&contact.attributes, name)?),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(path) => write!(f, "{PRODUCT}{}", path.join(".")),
            Self::Contact(ContactField::Attribute(name)) => write!(f, "{CONTACT}{ATTRIBUTE}{name}"),
            Self::Contact(field) => write!(f, "{CONTACT}{field}"),
            plain => f.write_str(PLAIN.iter().find(|(_, field)| field == plain).map_or("", |(name, _)| name)),
        }
    }
}

/// Reads names with dots in between. How many callers may write is for the contract to say.
fn product_path(raw: &str) -> Option<Vec<String>> {
    // Feeds write `g:brand`, and their fields are kept without the prefix.
    let path: Vec<String> = raw.split('.').map(|name| name.strip_prefix("g:").unwrap_or(name).to_owned()).collect();
    let named = path.iter().all(|name| !name.trim().is_empty() && !name.contains(char::is_control));
    named.then_some(path)
}

fn contact_field(raw: &str) -> Option<ContactField> {
    match raw.strip_prefix(ATTRIBUTE) {
        // The name of an attribute may have dots in it.
        Some(name) if name.is_empty() || name.contains(char::is_control) => None,
        Some(name) => Some(ContactField::Attribute(name.to_owned())),
        None => ContactField::from_str(raw).ok(),
    }
}

/// Goes down a nested field, through each element of those that repeat.
fn follow<'a>(value: &'a FieldValue, path: &[String], found: &mut Vec<FieldReading<'a>>) {
    match (value, path.split_first()) {
        (FieldValue::Many(values), _) => values.iter().for_each(|value| follow(value, path, found)),
        (FieldValue::Group(fields), Some((name, rest))) => {
            if let Some(value) = member(fields, name) {
                follow(value, rest, found);
            }
        }
        (FieldValue::Group(fields), None) if !fields.is_empty() => found.push(FieldReading::Other),
        (FieldValue::Text(text), None) => found.extend(of_text(text)),
        (FieldValue::Group(_), None) | (FieldValue::Text(_), Some(_)) => {}
    }
}

/// Returns the member of this name; case does not count, unless there are two.
pub(crate) fn member<'a, T>(map: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    let ignoring_case = || map.iter().find(|(key, _)| key.to_lowercase() == name.to_lowercase());
    map.get(name).or_else(|| ignoring_case().map(|(_, value)| value))
}

fn of_scalar(value: &Scalar) -> Option<FieldReading<'_>> {
    match value {
        Scalar::Text(text) => of_text(text),
        Scalar::Number(number) => Some(number.decimal().map_or(FieldReading::Other, FieldReading::Number)),
        Scalar::Boolean(value) => Some(FieldReading::Boolean(*value)),
        Scalar::Null => None,
    }
}

/// Reads a text. A blank one counts as missing, as it does where mails are rendered.
fn of_text(text: &str) -> Option<FieldReading<'_>> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(|text| FieldReading::Text(text.into()))
}

impl FieldReading<'_> {
    /// Returns the value as text, if it can be taken for one.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(number.normalize().to_string().into()),
            Self::Boolean(value) => Some(value.to_string().into()),
            Self::Moment(at) => Some(time::sortable(*at).into()),
            Self::Other => None,
        }
    }
}
