//! Reads and describes the values of `restock-domain`, and the few that only the API has.

use crate::payload::each;
use crate::schema::{Described, Schemas, of, of_type, words};
use crate::wire::{Read, alone, escaped, string, wrong_type};
use crate::{Errors, FieldError, answer};
use jiff::Timestamp;
use restock_domain::brand::{Color, FontStack};
use restock_domain::{
    Attributes, AutomationId, ContactId, CountryCode, Currency, EmailAddress, ErrorCode, EventId, ExternalId,
    FeedWarning, ImportStatus, Invalid, Locale, MAX_IDENTIFIER_BYTES, Number, Scalar, Sender, SendingState, Sku,
    Source, SubscriptionId, Suppression, TemplateId, time,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use strum::VariantNames;
use url::Url;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

/// Says how a type is read from a string, without the spaces around it, and described.
macro_rules! text_value {
    ($type:ty, $parse:expr, $builder:expr) => {
        text_value!($type, None, $parse, $builder);
    };
    ($type:ty, $name:expr, $parse:expr, $builder:expr) => {
        impl Read for $type {
            const IS_TEXT: bool = true;

            fn read(value: Value) -> Result<Self, Vec<FieldError>> {
                string(value, |text| $parse(text.trim()))
            }
        }

        impl Described for $type {
            const NAME: Option<&'static str> = $name;

            fn schema(_: &mut Schemas) -> RefOr<Schema> {
                of($builder)
            }
        }
    };
}

pub(crate) use text_value;

/// Says how a type is described that is a choice of words.
macro_rules! word_value {
    ($type:ty, $name:literal, $about:literal) => {
        impl Described for $type {
            const NAME: Option<&'static str> = Some($name);

            fn schema(_: &mut Schemas) -> RefOr<Schema> {
                crate::schema::described(words(<$type>::VARIANTS.iter().copied()), $about)
            }
        }
    };
}

fn text(example: &str) -> ObjectBuilder {
    of_type(Type::String).examples([json!(example)])
}

/// Language, script, region and variants (BCP 47).
const LANGUAGE_TAG: &str = "^([A-Za-z]{2,3}|[A-Za-z]{5,8})(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*$";

fn identifier(example: &str) -> ObjectBuilder {
    let about = format!("At most {MAX_IDENTIFIER_BYTES} bytes; compares exactly.");
    text(example).min_length(Some(1)).description(Some(about))
}

text_value!(Sku, Some("Sku"), Sku::parse, identifier("SKU-1"));
text_value!(ExternalId, Some("ExternalId"), ExternalId::parse, identifier("SE-north"));
text_value!(EventId, Some("EventId"), EventId::parse, identifier("count-2026-11-29-17"));
text_value!(
    Locale,
    Some("Locale"),
    Locale::parse,
    text("sv-SE")
        .max_length(Some(35))
        .pattern(Some(LANGUAGE_TAG))
        .description(Some("A BCP 47 language tag; case does not count."))
);
text_value!(
    ContactId,
    Some("ContactId"),
    ContactId::parse,
    text("ff9fd9af-6778-4714-b0fe-f6e6612840c8").format(Some(SchemaFormat::Custom("uuid".into())))
);
text_value!(
    EmailAddress,
    Some("EmailAddress"),
    EmailAddress::parse,
    text("name@example.com").format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
);
text_value!(
    AutomationId,
    Some("AutomationId"),
    AutomationId::parse,
    text("early-birds").pattern(Some("^[a-z0-9][a-z0-9-]{0,49}$"))
);
text_value!(
    TemplateId,
    Some("TemplateId"),
    TemplateId::parse,
    text("back-in-stock").pattern(Some("^[a-z0-9][a-z0-9-]{0,49}$"))
);
text_value!(
    Sender,
    Some("Sender"),
    Sender::parse,
    text("My Shop <hello@shop.example>")
        .description(Some("An address, or a name and an address that SES may send from."))
);
text_value!(Color, Color::parse, text("#1f2328").pattern(Some("^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$")));
text_value!(FontStack, FontStack::parse, text("Lato, Helvetica, Arial, sans-serif").max_length(Some(200)));
text_value!(CountryCode, CountryCode::parse, of_type(Type::String).pattern(Some("^[A-Za-z]{2}$")));
text_value!(
    Currency,
    |raw| {
        let invalid = || Invalid::new(ErrorCode::InvalidCurrency, "Use an ISO 4217 code such as SEK.");
        Currency::parse(raw).ok_or_else(invalid)
    },
    of_type(Type::String).pattern(Some("^[A-Za-z]{3}$"))
);
text_value!(SubscriptionId, SubscriptionId::parse, of_type(Type::String));

word_value!(Suppression, "Suppression", "Why an address gets no more mail, from the least to the most serious.");
word_value!(Source, "Source", "How a level reached us.");
word_value!(ImportStatus, "ImportStatus", "");
word_value!(SendingState, "SendingState", "Whether mails leave.");
word_value!(FeedWarning, "FeedWarning", "Why somebody should look at a feed.");
/// A moment: RFC 3339 with an offset when it is read, and in UTC with three decimals when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Moment(pub Timestamp);

text_value!(
    Moment,
    Moment::parse,
    of_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
);

impl Moment {
    fn parse(raw: &str) -> Result<Self, Invalid> {
        let at = time::with_offset(raw).map(Self);
        at.ok_or_else(|| {
            let message = "Use an RFC 3339 time with an offset, such as 2026-11-23T08:30:00Z.";
            Invalid::new(ErrorCode::InvalidTimestamp, message)
        })
    }
}

/// A moment as exports of other systems have it: RFC 3339, other ISO 8601 forms, or a date. What has no zone is in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportedTime(pub Timestamp);

text_value!(ExportedTime, ExportedTime::parse, of_type(Type::String));

impl ExportedTime {
    fn parse(raw: &str) -> Result<Self, Invalid> {
        time::moment(raw).map(Self).ok_or_else(|| {
            let message = "Use a time such as 2026-11-23T08:30:00Z or 2026-11-23 08:30:00 +0100, or a date.";
            Invalid::new(ErrorCode::InvalidTimestamp, message)
        })
    }
}

impl Serialize for ExportedTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Moment(self.0).serialize(serializer)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::sortable(self.0))
    }
}

impl Read for bool {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        value.as_bool().ok_or_else(|| alone(wrong_type("true or false", &value)))
    }
}

/// A whole number of 64 bits. `5.0` and `1e3` are whole numbers too, as JSON Schema has it; `"5"` and `null` are not.
impl Read for i64 {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        // Beyond 2^53 a number with a decimal point is not exact.
        let whole = |number: &f64| number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        if let Some(number) = value.as_i64().or_else(|| value.as_f64().filter(whole).map(|number| number as i64)) {
            return Ok(number);
        }
        Err(alone(match &value {
            Value::Number(number) if number.is_u64() => Invalid::new(
                ErrorCode::OutOfRange,
                "Use a whole number between -9223372036854775808 and 9223372036854775807.",
            ),
            other => wrong_type("a whole number", other),
        }))
    }
}

/// A short text for people, such as a name: trimmed, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ShortText(pub String);

const MAX_CHARACTERS: usize = 200;

text_value!(ShortText, ShortText::parse, of_type(Type::String).max_length(Some(MAX_CHARACTERS)));

impl ShortText {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let text = raw.trim();
        if text.chars().count() > MAX_CHARACTERS {
            return Err(Invalid::new(ErrorCode::TooLong, format!("Use at most {MAX_CHARACTERS} characters.")));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new(ErrorCode::InvalidCharacter, "Leave control characters out."));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text, or `None` if it is empty.
    pub fn not_empty(self) -> Option<String> {
        Some(self.0).filter(|text| !text.is_empty())
    }
}

/// A text that is not empty.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Name(pub String);

impl Read for Name {
    const IS_TEXT: bool = true;

    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let empty = || alone(Invalid::new(ErrorCode::Empty, "The text can't be empty or blank."));
        ShortText::read(value)?.not_empty().map(Self).ok_or_else(empty)
    }
}

impl Described for Name {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let mut schema = ShortText::schema(schemas);
        if let RefOr::T(Schema::Object(text)) = &mut schema {
            text.min_length = Some(1);
        }
        schema
    }
}

/// An http or https URL without user name and password.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct WebAddress(pub String);

pub(crate) const MAX_URL_CHARACTERS: usize = 2_000;

text_value!(WebAddress, WebAddress::parse, of_type(Type::String).max_length(Some(MAX_URL_CHARACTERS)));

impl WebAddress {
    fn parse(raw: &str) -> Result<Self, Invalid> {
        let invalid = || {
            let message = "Use an http or https URL of at most 2,000 characters, without user name and password.";
            Invalid::new(ErrorCode::InvalidUrl, message)
        };
        let url = Url::parse(raw).map_err(|_| invalid())?;
        let usable = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && raw.len() <= MAX_URL_CHARACTERS;
        if usable { Ok(Self(url.into())) } else { Err(invalid()) }
    }
}

/// A list of at most `MAX` values.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct UpTo<const MAX: usize, T>(pub Vec<T>);

impl<const MAX: usize, T: Read> Read for UpTo<MAX, T> {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        match value {
            Value::Array(values) if values.len() <= MAX => each(values, T::read).map(Self),
            Value::Array(_) => Err(alone(Invalid::new(ErrorCode::TooMany, format!("Use at most {MAX}.")))),
            other => Err(alone(wrong_type("an array", &other))),
        }
    }
}

impl<const MAX: usize, T: Described> Described for UpTo<MAX, T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let list = ArrayBuilder::new().items(schemas.of::<T>()).max_items(Some(MAX));
        Schema::from(list.build()).into()
    }
}

/// Reads values by language tag, which are kept as they are looked up (`sv_SE` as `sv-se`). Other names may stand
/// beside them.
pub fn by_language<T: Read>(value: Value, others: &[&str]) -> Result<BTreeMap<String, T>, Vec<FieldError>> {
    let Value::Object(map) = value else {
        return Err(alone(wrong_type("an object with language tags as names", &value)));
    };
    let (mut values, mut errors) = (BTreeMap::new(), Errors::default());
    for (name, value) in map {
        let pointer = format!("/{}", escaped(&name));
        let key = match Locale::parse(&name) {
            _ if others.contains(&name.as_str()) => Some(name),
            Ok(locale) => Some(locale.key().to_owned()),
            Err(invalid) => errors.take(&pointer, Err(alone(invalid))),
        };
        if let (Some(value), Some(key)) = (errors.take(&pointer, T::read(value)), key)
            && values.insert(key, value).is_some()
        {
            let message = "Another name stands for the same language: case and _ or - do not count. Keep one of them.";
            errors.add(&pointer, Invalid::new(ErrorCode::InvalidLocale, message));
        }
    }
    errors.finish()?;
    Ok(values)
}

/// Values by language tag, which is kept as it is looked up.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct ByLanguage<T>(pub BTreeMap<String, T>);

impl<T> Default for ByLanguage<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Read> Read for ByLanguage<T> {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        by_language(value, &[]).map(Self)
    }
}

impl<T: Described> Described for ByLanguage<T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        BTreeMap::<String, T>::schema(schemas)
    }
}

/// At most `MAX` texts by their names, each of at most `MAX_CHARACTERS` characters.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct NamedTexts<const MAX: usize, const MAX_CHARACTERS: usize>(pub BTreeMap<String, String>);

impl<const MAX: usize, const MAX_CHARACTERS: usize> Read for NamedTexts<MAX, MAX_CHARACTERS> {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(map) = value else {
            return Err(alone(wrong_type("an object of texts", &value)));
        };
        if map.len() > MAX {
            return Err(alone(Invalid::new(ErrorCode::TooMany, format!("Use at most {MAX}."))));
        }
        let (mut texts, mut errors) = (BTreeMap::new(), Errors::default());
        for (name, value) in map {
            if name.trim().is_empty() {
                errors.add("", Invalid::new(ErrorCode::InvalidName, "Every text needs a name."));
                continue;
            }
            let read = string(value, |text| {
                let fits = text.chars().count() <= MAX_CHARACTERS;
                let long = || Invalid::new(ErrorCode::TooLong, format!("Use at most {MAX_CHARACTERS} characters."));
                if fits { Ok(text.trim().to_owned()) } else { Err(long()) }
            });
            if let Some(text) = errors.take(&format!("/{}", escaped(&name)), read) {
                texts.insert(name, text);
            }
        }
        errors.finish()?;
        Ok(Self(texts))
    }
}

impl<const MAX: usize, const MAX_CHARACTERS: usize> Described for NamedTexts<MAX, MAX_CHARACTERS> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        BTreeMap::<String, String>::schema(schemas)
    }
}

/// Attributes of a contact.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AttributeMap(pub Attributes);

pub(crate) const MAX_ATTRIBUTES: usize = 100;
pub(crate) const MAX_ATTRIBUTE_BYTES: usize = 20_000;

impl Described for AttributeMap {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        let any = utoipa::openapi::schema::AdditionalProperties::FreeForm(true);
        of(of_type(Type::Object).additional_properties(Some(any)))
    }
}

impl Read for AttributeMap {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(map) = value else {
            return Err(alone(wrong_type("an object", &value)));
        };
        check_attributes(&map)?;
        Ok(Self(map.into_iter().filter_map(|(name, value)| Some((name, scalar(value).ok()?))).collect()))
    }
}

fn check_attributes(map: &Map<String, Value>) -> Result<(), Vec<FieldError>> {
    if map.len() > MAX_ATTRIBUTES {
        return Err(alone(Invalid::new(ErrorCode::TooMany, format!("Use at most {MAX_ATTRIBUTES} attributes."))));
    }
    let wrong = map.iter().filter_map(|(name, value)| {
        let invalid = check_attribute(name, value).err()?;
        Some(FieldError::new(&format!("/{}", escaped(name)), invalid))
    });
    let wrong: Vec<FieldError> = wrong.collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let bytes: usize = map.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    if bytes > MAX_ATTRIBUTE_BYTES {
        let message = "Use at most 20,000 bytes for all attributes together.";
        return Err(alone(Invalid::new(ErrorCode::TooLong, message)));
    }
    Ok(())
}

fn check_attribute(name: &str, value: &Value) -> Result<(), Invalid> {
    if name.trim().is_empty() || name.contains(char::is_control) {
        let message = "Give the attribute a name, without control characters.";
        return Err(Invalid::new(ErrorCode::InvalidName, message));
    }
    if value.is_object() || value.is_array() {
        return Err(wrong_type("a string, a number, a boolean or null", value));
    }
    // What DynamoDB stores as a number.
    let storable = |number: f64| number == 0.0 || (1e-129..1e125).contains(&number.abs());
    if value.as_f64().is_some_and(|number| !storable(number)) {
        let message = "Use a number between 1E-129 and 1E125 in size, or zero.";
        return Err(Invalid::new(ErrorCode::OutOfRange, message));
    }
    Ok(())
}

/// Returns a JSON value that has no parts; an array or an object is returned as it is.
pub fn scalar(value: Value) -> Result<Scalar, Value> {
    match value {
        Value::Null => Ok(Scalar::Null),
        Value::Bool(value) => Ok(Scalar::Boolean(value)),
        Value::String(text) => Ok(Scalar::Text(text)),
        Value::Number(number) => Ok(Scalar::Number(match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Number::Whole(number),
            (None, Some(number)) => Number::Large(number),
            (None, None) => Number::Fraction(number.as_f64().unwrap_or_default()),
        })),
        Value::Array(_) | Value::Object(_) => Err(value),
    }
}

answer! {
    /// The answer to a call that has nothing more to say.
    #[derive(Debug)]
    pub struct IdReply {
        pub id: String,
    }
}

impl IdReply {
    pub fn of(id: impl ToString) -> Self {
        Self { id: id.to_string() }
    }
}

impl Described for &'static str {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        String::schema(schemas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contacts::NewContact;
    use crate::feeds::FeedSettings;
    use crate::purchases::Receipt;
    use crate::stock_level::StockLevel;

    #[test]
    fn an_optional_text_that_is_blank_counts_as_missing() {
        let level = json!({"sku": "A", "quantity": 1, "locale": "", "externalId": " ", "updatedOn": ""});
        let level = StockLevel::read(level).unwrap();
        assert_eq!((level.locale, level.external_id, level.updated_on), (None, None, None));

        let contact = json!({"email": "a@b.se", "firstName": "", "language": "", "countryCode": "\t"});
        let contact = NewContact::read(contact).unwrap();
        assert_eq!((contact.language, contact.country_code), (None, None));

        let receipt = json!({"receiptId": "R", "purchasedOn": "", "items": [{"sku": "A"}]});
        assert!(Receipt::read(receipt).unwrap().purchased_on.is_none());
        let feed = FeedSettings::read(json!({"url": "", "currency": "", "schedule": ""})).unwrap();
        assert!(feed.url.is_none() && feed.currency.is_none() && feed.schedule.is_none());
    }

    #[test]
    fn a_blank_text_is_refused_where_a_value_is_required_or_is_no_text() {
        let words = |body: Value| -> Vec<&str> {
            NewContact::read(body).unwrap_err().iter().map(|error| error.error_code.as_str()).collect()
        };

        assert_eq!(words(json!({"email": ""})), ["InvalidEmail"]);
        assert_eq!(words(json!({"email": "a@b.se", "attributes": "", "acceptsEmail": ""})), ["WrongType", "WrongType"]);
        let level = StockLevel::read(json!({"sku": "", "quantity": ""})).unwrap_err();
        assert_eq!(level.iter().map(|error| error.error_code.as_str()).collect::<Vec<_>>(), ["Empty", "WrongType"]);
    }

    #[test]
    fn a_quantity_is_a_whole_number_however_it_is_written() {
        let quantity = |text: &str| i64::read(serde_json::from_str(text).unwrap()).ok();

        assert_eq!((quantity("5.0"), quantity("1e3"), quantity("-2E0")), (Some(5), Some(1_000), Some(-2)));
        assert_eq!((quantity("1.5"), quantity("1e300"), quantity("\"5\"")), (None, None, None));
    }

    #[test]
    fn spaces_around_a_value_do_not_count() {
        let id = "ff9fd9af-6778-4714-b0fe-f6e6612840c8";

        assert_eq!(ContactId::read(json!(format!(" {id} "))).unwrap().to_string(), id);
        assert_eq!(CountryCode::read(json!("se ")).unwrap().as_str(), "SE");
        assert_eq!(Moment::read(json!(" 1970-01-01T00:00:00Z")).unwrap(), Moment(Timestamp::UNIX_EPOCH));
    }
}
