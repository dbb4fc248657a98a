//! Reading the JSON that callers send: names match whatever their case, and every property that is wrong is named in
//! one answer (`docs/contract.md`, "Rules of the wire").

use crate::schema::{Described, Schemas};
use restock_domain::{ErrorCode, Invalid};
use serde_json::Value;
use std::collections::BTreeMap;
use strum::IntoEnumIterator;
use utoipa::openapi::{RefOr, Schema};

/// A value that is read from JSON.
pub trait Read: Sized {
    /// True for a text of which a blank one counts as missing where it may be missing: exports write `""` for no value.
    const IS_TEXT: bool = false;

    /// Reads a value, or returns everything that is wrong with it.
    fn read(value: Value) -> Result<Self, Vec<FieldError>>;

    /// Returns what a missing property stands for, if it may be missing.
    fn missing() -> Option<Self> {
        None
    }
}

/// `null` counts as missing, and so does a blank text.
impl<T: Read> Read for Option<T> {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let is_blank = T::IS_TEXT && value.as_str().is_some_and(|text| text.trim().is_empty());
        if value.is_null() || is_blank { Ok(None) } else { T::read(value).map(Some) }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

crate::answer! {
    /// A property of a request that was refused.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct FieldError {
        /// A JSON pointer (RFC 6901) into the body, or `/` and the name of a parameter.
        pub pointer: String,
        pub error_code: ErrorCode,
        pub message: String,
    }
}

impl FieldError {
    /// Returns an error of the value at a JSON pointer, which is empty for the body as a whole.
    pub fn new(pointer: &str, invalid: Invalid) -> Self {
        Self { pointer: pointer.to_owned(), error_code: invalid.error_code, message: invalid.message }
    }

    /// Returns the same error in the part of a body that a JSON pointer leads to.
    #[must_use]
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

/// Errors of one body that are told.
const MAX_ERRORS: usize = 100;

/// Collects what is wrong with the parts of a body, up to the first hundred errors.
#[derive(Debug, Default)]
pub struct Errors(Vec<FieldError>);

impl Errors {
    /// Records an error at `pointer`.
    pub fn add(&mut self, pointer: &str, invalid: Invalid) {
        self.extend(pointer, alone(invalid));
    }

    /// Records the errors of the part at `pointer`.
    pub fn extend(&mut self, pointer: &str, errors: Vec<FieldError>) {
        let left = MAX_ERRORS.saturating_sub(self.0.len());
        self.0.extend(errors.into_iter().take(left).map(|error| error.inside(pointer)));
    }

    /// Returns the value of a part, or records its errors and returns `None`.
    pub fn take<T>(&mut self, pointer: &str, read: Result<T, Vec<FieldError>>) -> Option<T> {
        read.map_err(|errors| self.extend(pointer, errors)).ok()
    }

    /// Returns what was recorded, if anything was.
    pub fn finish(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// The properties of a JSON object, and what is wrong with them.
pub struct Properties {
    /// By name in lower case, with the name as it was sent.
    values: BTreeMap<String, (String, Value)>,
    pub errors: Errors,
}

impl Properties {
    /// Takes an object apart. Of two equal names the last one counts; of two that differ in case, one of them.
    pub fn of(value: Value) -> Result<Self, Vec<FieldError>> {
        match value {
            Value::Object(map) => {
                let values = map.into_iter().map(|(name, value)| (name.to_lowercase(), (name, value))).collect();
                Ok(Self { values, errors: Errors::default() })
            }
            _ => Err(alone(Invalid::new(ErrorCode::NotAnObject, "Send a JSON object."))),
        }
    }

    /// Reads a property; if it is wrong, records that and returns `None`.
    pub fn read<T: Read>(&mut self, name: &str) -> Option<T> {
        let read = match self.take(name) {
            Some(value) => T::read(value),
            None => {
                let required = || alone(Invalid::new(ErrorCode::Required, format!("{name} is required.")));
                T::missing().ok_or_else(required)
            }
        };
        self.errors.take(&format!("/{name}"), read)
    }

    /// Records an error for each property that was not read, other than the names in `ignored`, and says which ones
    /// there are. For bodies in which a misspelled property would do harm.
    pub fn refuse_others(&mut self, known: &[impl AsRef<str>], ignored: &[&str]) {
        for (name, (sent, _)) in std::mem::take(&mut self.values) {
            if !ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(&name)) {
                let invalid = Invalid::new(ErrorCode::UnknownProperty, no_such("property", known));
                self.errors.add(&format!("/{}", escaped(&sent)), invalid);
            }
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(&name.to_lowercase())
    }

    /// Removes a property and returns it as it was sent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(&name.to_lowercase()).map(|(_, value)| value)
    }
}

/// Returns a text without the byte order mark that programs on Windows put before it.
pub fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Says that there is nothing of a name, and which names there are.
pub fn no_such(what: &str, known: &[impl AsRef<str>]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    match known[..] {
        [] => format!("There is no such {what}, nor any other."),
        _ => format!("There is no such {what}. Those that there are: {}.", known.join(", ")),
    }
}

/// Returns a name as it stands in a JSON pointer (RFC 6901).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Returns the error of a value that has no parts.
pub fn alone(invalid: Invalid) -> Vec<FieldError> {
    vec![FieldError::new("", invalid)]
}

/// Reads a JSON string with the parser of a domain type.
pub fn string<T>(value: Value, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Result<T, Vec<FieldError>> {
    match value {
        Value::String(text) => parse(&text).map_err(alone),
        other => Err(alone(wrong_type("a string", &other))),
    }
}

/// Returns the error of a value that is of another type.
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
    Invalid::new(ErrorCode::WrongType, format!("Send {expected}, not {found}."))
}

/// Returns the name of a field as it is on the wire: `external_id` is `externalId`.
pub fn camel_case(field: &str) -> String {
    let mut words = field.trim_start_matches("r#").split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        name.push_str(&first.to_uppercase());
        name.push_str(rest);
    }
    name
}

/// Declares the body of a request: one list of properties from which come the type, its parser, its JSON and its
/// description.
///
/// The type of a property says how it is read and described ([`Read`], [`Described`]); an `Option` may be missing or
/// null. Unknown properties are ignored, or refused if the block ends with `strict` and the names that are still
/// ignored.
#[macro_export]
macro_rules! body {
    (
        $(#[doc = $doc:literal])* $(#[derive($($derive:path),*)])*
        pub struct $name:ident { $($(#[doc = $about:literal])* pub $field:ident: $type:ty),* $(,)? }
        $(strict $ignored:expr)?
    ) => {
        $crate::object! {
            or_null $(#[doc = $doc])* $(#[derive($($derive),*)])*
            pub struct $name { $($(#[doc = $about])* pub $field: $type),* }
        }

        impl $name {
            /// Returns the names of the properties as they are on the wire.
            pub fn properties() -> Vec<String> {
                vec![$($crate::wire::camel_case(stringify!($field))),*]
            }
        }

        impl $crate::Read for $name {
            fn read(value: serde_json::Value) -> Result<Self, Vec<$crate::FieldError>> {
                let mut properties = $crate::wire::Properties::of(value)?;
                $(let $field = properties.read::<$type>(&$crate::wire::camel_case(stringify!($field)));)*
                $(properties.refuse_others(&Self::properties(), &$ignored);)?
                match (properties.errors.finish(), $($field,)*) {
                    (Ok(()), $(Some($field),)*) => Ok(Self { $($field),* }),
                    (errors, ..) => Err(errors.err().unwrap_or_default()),
                }
            }
        }
    };
}

/// Declares an answer: one list of properties from which come the type, its JSON and its description. An `Option` that
/// is `None` is left out.
#[macro_export]
macro_rules! answer {
    ($($declaration:tt)*) => { $crate::object! { same $($declaration)* } };
}

/// The common part of `body!` and `answer!`. `$optional` makes the schema of a property that may be missing.
#[macro_export]
macro_rules! object {
    (
        $optional:ident $(#[doc = $doc:literal])* $(#[derive($($derive:path),*)])*
        pub struct $name:ident { $($(#[doc = $about:literal])* pub $field:ident: $type:ty),* $(,)? }
    ) => {
        $(#[doc = $doc])* $(#[derive($($derive),*)])*
        pub struct $name { $($(#[doc = $about])* pub $field: $type),* }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(if $crate::schema::Described::is_shown(&self.$field) {
                    map.serialize_entry(&$crate::wire::camel_case(stringify!($field)), &self.$field)?;
                })*
                map.end()
            }
        }

        impl $crate::schema::Described for $name {
            const NAME: Option<&'static str> = Some(stringify!($name));

            fn schema(schemas: &mut $crate::schema::Schemas) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let about = $crate::schema::joined(&[$($doc),*]);
                let object = utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::SchemaType::new(utoipa::openapi::schema::Type::Object))
                    .description(Some(about).filter(|about| !about.is_empty()));
                $(
                    let name = $crate::wire::camel_case(stringify!($field));
                    let about = $crate::schema::joined(&[$($about),*]);
                    let schema = schemas.of::<$type>();
                    let object = if <$type as $crate::schema::Described>::OPTIONAL {
                        object.property(&name, $crate::schema::described($crate::schema::$optional(schema), &about))
                    } else {
                        object.property(&name, $crate::schema::described(schema, &about)).required(name)
                    };
                )*
                utoipa::openapi::Schema::from(object.build()).into()
            }
        }
    };
}

impl Described for ErrorCode {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        crate::schema::words(Self::iter().map(Self::as_str))
    }
}
