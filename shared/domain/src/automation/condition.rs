use super::field::Field;
use super::predicate::Predicate;
use crate::wire::{self, Errors, Fields};
use crate::{Contact, FieldError, Invalid, Product, Subscription};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::fmt;

/// Limits of one automation: how deep a condition may nest, and how many tests all of them have together.
pub const MOST_LEVELS: usize = 10;
pub const MOST_CONDITIONS: usize = 100;

/// What must hold of a triggered subscription, as a tree.
///
/// As JSON, a test is `{"field","operator","value"}`, and a group is `{"all":[…]}`, `{"any":[…]}` or `{"not":{…}}`. Reading
/// and writing are each other's inverse.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Field, Predicate),
}

/// What conditions look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub subscription: &'a Subscription,
    /// Of the stock level.
    pub quantity: i64,
    /// As the feed of the subscription's locale has it.
    pub product: &'a Product,
    pub contact: &'a Contact,
    /// When the contact last bought the SKU.
    pub purchased_on: Option<Timestamp>,
    pub now: Timestamp,
}

impl Condition {
    /// Reads the list of an automation's conditions.
    pub fn conditions(value: Value) -> Result<Vec<Self>, Vec<FieldError>> {
        let mut reading = Reading { left: MOST_CONDITIONS, errors: Errors::default() };
        let conditions = match value {
            Value::Array(values) => reading.each(values, "", 1),
            other => reading.errors.refuse("", wire::wrong_type("an array of conditions", &other)),
        };
        reading.errors.finish()?;
        Ok(conditions.unwrap_or_default())
    }

    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(facts)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(facts)),
            Self::Not(condition) => !condition.holds(facts),
            Self::Test(field, predicate) => predicate.holds(field.is_exact(), &field.values(facts), facts.now),
        }
    }

    /// Whether it looks at purchases, which are not read for those that don't.
    pub fn looks_at_purchases(&self) -> bool {
        match self {
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().any(Self::looks_at_purchases),
            Self::Not(condition) => condition.looks_at_purchases(),
            Self::Test(field, _) => *field == Field::PurchasedOn,
        }
    }
}

/// In words, for whoever reads the integration log: `quantity is at least 5`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |f: &mut fmt::Formatter<'_>, word: &str, conditions: &[Self]| {
            let parts: Vec<String> = conditions.iter().map(ToString::to_string).collect();
            write!(f, "{word} ({})", parts.join("; "))
        };
        match self {
            Self::All(conditions) => group(f, "all of", conditions),
            Self::Any(conditions) => group(f, "any of", conditions),
            Self::Not(condition) => write!(f, "not ({condition})"),
            Self::Test(field, predicate) => write!(f, "{field} {predicate}"),
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All(conditions) => json!({ "all": conditions }),
            Self::Any(conditions) => json!({ "any": conditions }),
            Self::Not(condition) => json!({ "not": condition }),
            Self::Test(field, predicate) => {
                json!({ "field": field.to_string(), "operator": predicate.operator(), "value": predicate.value() })
            }
        }
        .serialize(serializer)
    }
}

/// Reads conditions and collects what is wrong with them.
struct Reading {
    /// How many more tests there may be.
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
        if level > MOST_LEVELS {
            let message = format!("Conditions nest at most {MOST_LEVELS} levels deep.");
            return self.errors.refuse(pointer, Invalid::new("TooDeep", message));
        }
        let mut fields = match Fields::of(value) {
            Ok(fields) => fields,
            Err(invalid) => return self.errors.refuse(pointer, invalid),
        };
        let kinds: Vec<&str> = ["all", "any", "not", "field"].into_iter().filter(|kind| fields.has(kind)).collect();
        let [kind] = kinds[..] else {
            let message = "A condition has either a field with an operator and a value, or one of all, any and not.";
            return self.errors.refuse(pointer, Invalid::new("InvalidCondition", message));
        };
        if kind == "field" {
            return self.test(fields, pointer);
        }
        let value = fields.take(kind).unwrap_or_default();
        fields.refuse_others(&[]);
        if let Err(errors) = fields.finish() {
            self.errors.extend_at(pointer, errors);
            return None;
        }
        let pointer = format!("{pointer}/{kind}");
        match (kind, value) {
            ("not", value) => self.one(value, &pointer, level + 1).map(|condition| Condition::Not(Box::new(condition))),
            (_, Value::Array(values)) if values.is_empty() => {
                self.errors.refuse(&pointer, Invalid::new("Empty", "Put at least one condition here."))
            }
            ("all", Value::Array(values)) => self.each(values, &pointer, level + 1).map(Condition::All),
            (_, Value::Array(values)) => self.each(values, &pointer, level + 1).map(Condition::Any),
            (_, other) => self.errors.refuse(&pointer, wire::wrong_type("an array of conditions", &other)),
        }
    }

    fn test(&mut self, mut fields: Fields, pointer: &str) -> Option<Condition> {
        let Some(left) = self.left.checked_sub(1) else {
            let message = format!("An automation has at most {MOST_CONDITIONS} conditions.");
            return self.errors.refuse(pointer, Invalid::new("TooMany", message));
        };
        self.left = left;
        let value = fields.take("value").filter(|value| !value.is_null());
        let field = fields.required("field", wire::string(Field::parse));
        let operator = fields.required("operator", wire::string(|raw| Ok(raw.to_owned())));
        fields.refuse_others(&[]);
        if let Err(errors) = fields.finish() {
            self.errors.extend_at(pointer, errors);
            return None;
        }
        let (field, operator) = (field?, operator?);
        match Predicate::parse(&field, &operator, value) {
            Ok(predicate) => Some(Condition::Test(field, predicate)),
            Err(error) => {
                self.errors.extend_at(pointer, vec![error]);
                None
            }
        }
    }
}
