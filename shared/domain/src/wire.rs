//! Reading the JSON that callers send: names match whatever their case, unknown names are ignored, and every field
//! that is wrong is named in one go (`contract.md`, "Rules of the wire").

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Why one value was refused: a stable PascalCase word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    pub error_code: &'static str,
    pub message: String,
}

impl Invalid {
    pub fn new(error_code: &'static str, message: impl Into<String>) -> Self {
        Self { error_code, message: message.into() }
    }

    /// Says where in the body it is: a JSON pointer, empty for the body as a whole.
    pub fn at(self, pointer: &str) -> FieldError {
        FieldError { pointer: pointer.to_owned(), error_code: self.error_code, message: self.message }
    }
}

/// A refused field of a request. `pointer` is a JSON pointer (RFC 6901) into the body.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    pub pointer: String,
    pub error_code: &'static str,
    pub message: String,
}

impl FieldError {
    /// The same error in an element of an array.
    pub fn under(self, index: usize) -> Self {
        self.inside(&format!("/{index}"))
    }

    /// The same error in the part of a body that a JSON pointer leads to.
    pub fn inside(self, pointer: &str) -> Self {
        Self { pointer: format!("{pointer}{}", self.pointer), ..self }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pointer.trim_start_matches('/') {
            "" => f.write_str(&self.message),
            name => write!(f, "{name}: {}", self.message),
        }
    }
}

/// What is said of one body at the most.
const MOST_ERRORS: usize = 100;

/// Collects what is wrong with the parts of a body, as far as the first hundred.
#[derive(Debug, Default)]
pub struct Errors(Vec<FieldError>);

impl Errors {
    /// Refuses the value at a JSON pointer, which therefore is nothing.
    pub fn refuse<T>(&mut self, pointer: &str, invalid: Invalid) -> Option<T> {
        if self.0.len() < MOST_ERRORS {
            self.0.push(invalid.at(pointer));
        }
        None
    }

    /// Takes over what was found in the part at a JSON pointer.
    pub fn extend_at(&mut self, pointer: &str, errors: Vec<FieldError>) {
        let left = MOST_ERRORS.saturating_sub(self.0.len());
        self.0.extend(errors.into_iter().take(left).map(|error| error.inside(pointer)));
    }

    pub fn finish(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// The properties of one JSON object, collecting what is wrong with them until [`Fields::finish`].
pub struct Fields {
    /// By name in lower case, with the name as it was sent.
    values: BTreeMap<String, (String, Value)>,
    errors: Errors,
}

impl Fields {
    /// Takes an object apart. Of two equal names the last one counts; of two that differ in case,
    /// one of them.
    pub fn of(value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Object(map) => {
                let values = map.into_iter().map(|(name, value)| (name.to_lowercase(), (name, value))).collect();
                Ok(Self { values, errors: Errors::default() })
            }
            _ => Err(Invalid::new("NotAnObject", "Send a JSON object.")),
        }
    }

    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(Value) -> Result<T, Invalid>) -> Option<T> {
        match self.take(name) {
            Some(value) => self.parsed(name, value, parse),
            None => self.refuse(name, Invalid::new("Required", format!("{name} is required."))),
        }
    }

    /// A property that may be missing; `null` counts as missing.
    pub fn optional<T>(&mut self, name: &str, parse: impl FnOnce(Value) -> Result<T, Invalid>) -> Option<T> {
        let value = self.take(name).filter(|value| !value.is_null())?;
        self.parsed(name, value, parse)
    }

    /// Refuses what nobody asked for, other than these names. For bodies in which a misspelled property would do harm.
    pub fn refuse_others(&mut self, known: &[&str]) {
        for (name, (sent, _)) in std::mem::take(&mut self.values) {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                let message = "There is no such property. Check how it is written.";
                self.refuse::<()>(&escaped(&sent), Invalid::new("UnknownProperty", message));
            }
        }
    }

    /// What was refused, in the order of asking. Call it before using the parsed values.
    pub fn finish(self) -> Result<(), Vec<FieldError>> {
        self.errors.finish()
    }

    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(&name.to_lowercase())
    }

    /// A property as it was sent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(&name.to_lowercase()).map(|(_, value)| value)
    }

    fn parsed<T>(&mut self, name: &str, value: Value, parse: impl FnOnce(Value) -> Result<T, Invalid>) -> Option<T> {
        match parse(value) {
            Ok(parsed) => Some(parsed),
            Err(invalid) => self.refuse(name, invalid),
        }
    }

    /// Refuses a property.
    pub fn refuse<T>(&mut self, name: &str, invalid: Invalid) -> Option<T> {
        self.errors.refuse(&format!("/{name}"), invalid)
    }

    /// Takes over what is wrong inside a property.
    pub fn refuse_inside(&mut self, name: &str, errors: Vec<FieldError>) {
        self.errors.extend_at(&format!("/{name}"), errors);
    }
}

/// A name as it stands in a JSON pointer (RFC 6901).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Reads a JSON string and hands it to the parser of a domain type.
pub fn string<T>(parse: impl FnOnce(&str) -> Result<T, Invalid>) -> impl FnOnce(Value) -> Result<T, Invalid> {
    move |value| match value {
        Value::String(text) => parse(&text),
        other => Err(wrong_type("a string", &other)),
    }
}

/// A short text for people, such as a name: trimmed, at most 200 characters, no control characters.
pub fn text(value: Value) -> Result<String, Invalid> {
    string(|raw| {
        let text = raw.trim();
        if text.chars().count() > 200 {
            return Err(Invalid::new("TooLong", "Use at most 200 characters."));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new("InvalidCharacter", "Leave control characters out."));
        }
        Ok(text.to_owned())
    })(value)
}

pub fn boolean(value: Value) -> Result<bool, Invalid> {
    value.as_bool().ok_or_else(|| wrong_type("true or false", &value))
}

/// A whole number of 64 bits. `5.0`, `"5"` and `null` are not whole numbers.
pub fn integer(value: Value) -> Result<i64, Invalid> {
    if let Some(number) = value.as_i64() {
        return Ok(number);
    }
    match &value {
        Value::Number(number) if number.is_u64() => {
            Err(Invalid::new("OutOfRange", "Use a whole number between -9223372036854775808 and 9223372036854775807."))
        }
        other => Err(wrong_type("a whole number", other)),
    }
}

/// An object whose values are all scalars, such as the attributes of a contact: at most 100 of them.
pub fn scalars(value: Value) -> Result<Map<String, Value>, Invalid> {
    let Value::Object(map) = value else {
        return Err(wrong_type("an object", &value));
    };
    if map.len() > 100 {
        return Err(Invalid::new("TooMany", "Use at most 100 attributes."));
    }
    if map.keys().any(|name| name.trim().is_empty() || name.contains(char::is_control)) {
        let message = "Every attribute needs a name, without control characters.";
        return Err(Invalid::new("InvalidName", message));
    }
    if map.values().any(|value| value.is_object() || value.is_array()) {
        return Err(Invalid::new("WrongType", "Every attribute must be a string, a number, a boolean or null."));
    }
    let storable = |number: f64| number == 0.0 || (1e-129..1e125).contains(&number.abs());
    if map.values().any(|value| value.as_f64().is_some_and(|number| !storable(number))) {
        return Err(Invalid::new("OutOfRange", "Every number must be between 1E-129 and 1E125 in size, or zero."));
    }
    let bytes: usize = map.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    if bytes > 20_000 {
        return Err(Invalid::new("TooLong", "Use at most 20,000 bytes for all attributes together."));
    }
    Ok(map)
}

/// An RFC 3339 time with an offset.
pub fn timestamp(raw: &str) -> Result<jiff::Timestamp, Invalid> {
    raw.parse().map_err(|_| {
        Invalid::new("InvalidTimestamp", "Use an RFC 3339 time with an offset, such as 2026-11-23T08:30:00Z.")
    })
}

/// What was sent is of another type.
pub fn wrong_type(expected: &str, found: &Value) -> Invalid {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction or an exponent, or one that is too large",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    Invalid::new("WrongType", format!("Send {expected}, not {found}."))
}
