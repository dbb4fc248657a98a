//! Reading the conditions of an automation, with every error named.

use crate::FieldError;
use crate::schema::{Described, Schemas, of_type};
use crate::values::scalar;
use crate::wire::{Errors, Properties, Read, alone, wrong_type};
use restock_domain::automation::{Field, Given, Misfit, Operator, Place, Predicate, Test};
use restock_domain::{Condition, ErrorCode, Invalid, Locale, MAX_IDENTIFIER_BYTES, Scalar};
use serde::Serialize;
use serde_json::{Value, json};
use strum::VariantNames;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

/// Limits of one automation: how deep a condition may nest, and how many tests all of them have together.
const MAX_LEVELS: usize = 10;
const MAX_CONDITIONS: usize = 100;
/// Names of a nested field of a product, and bytes of a field as it is written.
const MAX_NAMES: usize = 5;
const MAX_FIELD_BYTES: usize = 220;
/// Values of `in` and `notIn`.
const MAX_VALUES: usize = 1_000;

/// The conditions of an automation.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Conditions(pub Vec<Condition>);

impl Read for Conditions {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Array(values) = value else {
            return Err(alone(wrong_type("an array of conditions", &value)));
        };
        let mut reading = Reading { left: MAX_CONDITIONS, errors: Errors::default() };
        let conditions = reading.each(values, "", 1);
        reading.errors.finish()?;
        Ok(Self(conditions.unwrap_or_default()))
    }
}

/// Reads conditions and collects what is wrong with them.
struct Reading {
    /// The number of tests that may still follow.
    left: usize,
    errors: Errors,
}

impl Reading {
    fn each(&mut self, values: Vec<Value>, pointer: &str, level: usize) -> Option<Vec<Condition>> {
        let each = values.into_iter().enumerate();
        // Every one is read, so that the answer names everything that is wrong.
        let read: Vec<_> = each.map(|(index, value)| self.one(value, &format!("{pointer}/{index}"), level)).collect();
        read.into_iter().collect()
    }

    fn one(&mut self, value: Value, pointer: &str, level: usize) -> Option<Condition> {
        if level > MAX_LEVELS {
            let message = format!("Conditions nest at most {MAX_LEVELS} levels deep.");
            return self.refuse(pointer, ErrorCode::TooDeep, message);
        }
        let mut properties = self.errors.take(pointer, Properties::of(value))?;
        let kinds: Vec<&str> = ["all", "any", "not", "field"].into_iter().filter(|kind| properties.has(kind)).collect();
        let [kind] = kinds[..] else {
            let message = "A condition has either a field with an operator and a value, or one of all, any and not.";
            return self.refuse(pointer, ErrorCode::InvalidCondition, message);
        };
        if kind == "field" {
            return self.test(properties, pointer).map(Condition::Test);
        }
        let value = properties.take(kind).unwrap_or_default();
        properties.refuse_others(&[kind], &[]);
        self.errors.take(pointer, properties.errors.finish())?;
        let pointer = format!("{pointer}/{kind}");
        match (kind, value) {
            ("not", value) => self.one(value, &pointer, level + 1).map(|not| Condition::Not { not: Box::new(not) }),
            (_, Value::Array(values)) if values.is_empty() => {
                self.refuse(&pointer, ErrorCode::Empty, "Put at least one condition here.")
            }
            ("all", Value::Array(values)) => self.each(values, &pointer, level + 1).map(|all| Condition::All { all }),
            (_, Value::Array(values)) => self.each(values, &pointer, level + 1).map(|any| Condition::Any { any }),
            (_, other) => self.errors.take(&pointer, Err(alone(wrong_type("an array of conditions", &other)))),
        }
    }

    fn test(&mut self, mut properties: Properties, pointer: &str) -> Option<Test> {
        let Some(left) = self.left.checked_sub(1) else {
            let message = format!("An automation has at most {MAX_CONDITIONS} conditions.");
            return self.refuse(pointer, ErrorCode::TooMany, message);
        };
        self.left = left;
        let value = properties.take("value");
        let field: Option<Field> = properties.read("field");
        let operator: Option<String> = properties.read("operator");
        properties.refuse_others(&["field", "operator", "value"], &[]);
        self.errors.take(pointer, properties.errors.finish())?;
        let (field, operator) = (field?, operator?);
        let predicate = given(value).and_then(|value| {
            value.as_ref().map_or(Ok(()), |value| check(&field, &operator, value))?;
            Predicate::new(&field, &operator, value)
        });
        match predicate {
            Ok(predicate) => Some(Test { field, predicate }),
            Err(Misfit { place, invalid }) => {
                let place = match place {
                    Place::Operator => "/operator".to_owned(),
                    Place::Value => "/value".to_owned(),
                    Place::Element(index) => format!("/value/{index}"),
                };
                self.errors.add(&format!("{pointer}{place}"), invalid);
                None
            }
        }
    }

    fn refuse<T>(&mut self, pointer: &str, error_code: ErrorCode, message: impl Into<String>) -> Option<T> {
        self.errors.add(pointer, Invalid::new(error_code, message));
        None
    }
}

impl Read for Field {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        crate::wire::string(value, |raw| {
            let field = Self::parse(raw)?;
            let is_deep = matches!(&field, Self::Product(path) if path.len() > MAX_NAMES);
            if is_deep || raw.len() > MAX_FIELD_BYTES {
                let message = format!(
                    "A field has at most {MAX_NAMES} names with dots between them, and {MAX_FIELD_BYTES} bytes."
                );
                return Err(Invalid::new(ErrorCode::TooLong, message));
            }
            Ok(field)
        })
    }
}

impl Read for String {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        crate::wire::string(value, |text| Ok(text.to_owned()))
    }
}

/// Returns a value as conditions take it; `null` counts as missing.
fn given(value: Option<Value>) -> Result<Option<Given>, Misfit> {
    let nested = |place| move |value| Misfit { place, invalid: wrong_type("a text, a number or a boolean", &value) };
    Ok(match value {
        None | Some(Value::Null) => None,
        Some(Value::Array(values)) => {
            let values = values.into_iter().enumerate();
            let values = values.map(|(index, value)| scalar(value).map_err(nested(Place::Element(index))));
            Some(Given::Many(values.collect::<Result<_, _>>()?))
        }
        Some(value) => Some(Given::One(scalar(value).map_err(nested(Place::Value))?)),
    })
}

/// Refuses values that callers may not send, even if a condition could be made of them.
fn check(field: &Field, operator: &str, value: &Given) -> Result<(), Misfit> {
    match value {
        Given::One(value) => {
            check_one(field, operator, value).map_err(|invalid| Misfit { place: Place::Value, invalid })
        }
        Given::Many(values) if values.is_empty() || values.len() > MAX_VALUES => {
            let message = format!("List between one and {MAX_VALUES} values.");
            Err(Misfit { place: Place::Value, invalid: Invalid::new(ErrorCode::WrongLength, message) })
        }
        Given::Many(values) => values.iter().enumerate().try_for_each(|(index, value)| {
            check_one(field, operator, value).map_err(|invalid| Misfit { place: Place::Element(index), invalid })
        }),
    }
}

fn check_one(field: &Field, operator: &str, value: &Scalar) -> Result<(), Invalid> {
    let Scalar::Text(text) = value else { return Ok(()) };
    if text.trim().is_empty() {
        return Err(Invalid::new(ErrorCode::Empty, "The value can't be empty or blank."));
    }
    if text.len() > MAX_IDENTIFIER_BYTES {
        let message = format!("The value has at most {MAX_IDENTIFIER_BYTES} bytes in UTF-8.");
        return Err(Invalid::new(ErrorCode::TooLong, message));
    }
    // No locale can be equal to what is none.
    if *field == Field::Locale && !matches!(operator, "contains" | "startsWith") {
        Locale::parse(text)?;
    }
    Ok(())
}

impl Described for Conditions {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        Vec::<Condition>::schema(schemas)
    }
}

impl Described for Condition {
    const NAME: Option<&'static str> = Some("Condition");

    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        let test = ObjectBuilder::new()
            .title(Some("Test"))
            .property("field", crate::schema::of(of_type(Type::String).examples([json!("product.price")])))
            .property("operator", crate::schema::words(Operator::VARIANTS.iter().copied()))
            .property("value", ObjectBuilder::new().schema_type(SchemaType::AnyValue))
            .required("field")
            .required("operator");
        let about = "A test of a field, or a group of conditions. Fields are `locale`, `sku`, `externalId`, `quantity`, \
                     `subscribedOn`, `purchasedOn`, `product.<field of the feed>`, `contact.<property>` and \
                     `contact.attributes.<name>`.";
        let condition = OneOfBuilder::new()
            .description(Some(about))
            .item(test)
            .item(group("all", "Every one of them holds."))
            .item(group("any", "At least one of them holds."))
            .item(ObjectBuilder::new().title(Some("Not")).property("not", reference()).required("not"));
        Schema::from(condition.build()).into()
    }
}

fn group(name: &str, about: &str) -> ObjectBuilder {
    let conditions = ArrayBuilder::new().items(reference()).min_items(Some(1)).description(Some(about));
    ObjectBuilder::new().title(Some(name)).property(name, conditions).required(name)
}

fn reference() -> Ref {
    Ref::from_schema_name("Condition")
}
