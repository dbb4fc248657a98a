//! Describing types in OpenAPI, with utoipa's builders.
//!
//! utoipa's own derive can't describe types of `restock-domain`, which knows no schema; this trait can.

use std::collections::BTreeMap;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

/// A type that the description of the API shows.
pub trait Described {
    /// The name under which others refer to it; `None` if it is written out wherever it is used.
    const NAME: Option<&'static str> = None;
    /// True if a property of this type may be missing.
    const OPTIONAL: bool = false;

    /// Returns the schema, and registers those that it refers to.
    fn schema(schemas: &mut Schemas) -> RefOr<Schema>;

    /// Returns false for a value that an answer leaves out.
    fn is_shown(&self) -> bool {
        true
    }
}

/// The schemas that are referred to, by name.
#[derive(Default)]
pub struct Schemas(pub BTreeMap<String, RefOr<Schema>>);

impl Schemas {
    /// Returns a reference to a type that has a name, or its schema.
    pub fn of<T: Described + ?Sized>(&mut self) -> RefOr<Schema> {
        let Some(name) = T::NAME else { return T::schema(self) };
        if !self.0.contains_key(name) {
            // The name comes first, so that a type may refer to itself.
            self.0.insert(name.to_owned(), RefOr::Ref(Ref::from_schema_name(name)));
            let schema = T::schema(self);
            self.0.insert(name.to_owned(), schema);
        }
        RefOr::Ref(Ref::from_schema_name(name))
    }
}

impl<T: Described> Described for Option<T> {
    const OPTIONAL: bool = true;

    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        schemas.of::<T>()
    }

    fn is_shown(&self) -> bool {
        self.is_some()
    }
}

impl<T: Described> Described for Vec<T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        Schema::from(ArrayBuilder::new().items(schemas.of::<T>()).build()).into()
    }
}

impl<T: Described> Described for BTreeMap<String, T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let values = AdditionalProperties::RefOr(schemas.of::<T>());
        Schema::from(ObjectBuilder::new().additional_properties(Some(values)).build()).into()
    }
}

impl Described for String {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::String))
    }
}

impl Described for bool {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::Boolean))
    }
}

impl Described for u64 {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::Integer).minimum(Some(0)))
    }
}

impl Described for usize {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        u64::schema(schemas)
    }
}

impl Described for i64 {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::Integer))
    }
}

/// A whole number within bounds.
pub struct WholeNumber<const MIN: usize, const MAX: usize>;

impl<const MIN: usize, const MAX: usize> Described for WholeNumber<MIN, MAX> {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::Integer).minimum(Some(MIN)).maximum(Some(MAX)))
    }
}

/// Returns the builder of a schema of one type.
pub fn of_type(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(kind))
}

/// Returns what a builder has built.
pub fn of(builder: ObjectBuilder) -> RefOr<Schema> {
    Schema::from(builder.build()).into()
}

/// Returns the schema of a text that is one of these words.
pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    of(of_type(Type::String).enum_values(Some(words)))
}

/// Returns a schema that also allows null.
pub fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Type(kind) = object.schema_type.clone() {
                object.schema_type = SchemaType::from_iter([kind, Type::Null]);
            }
            // A value has to be among them, whatever the types are.
            if let Some(values) = &mut object.enum_values {
                values.push(serde_json::Value::Null);
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = SchemaType::from_iter([Type::Array, Type::Null]);
            RefOr::T(Schema::Array(array))
        }
        other => Schema::from(OneOfBuilder::new().item(other).item(of_type(Type::Null)).build()).into(),
    }
}

/// Returns the schema as it is: an answer leaves out what is missing.
pub fn same(schema: RefOr<Schema>) -> RefOr<Schema> {
    schema
}

/// Returns a schema with a description: beside a reference, or in place of a description of its own.
pub fn described(schema: RefOr<Schema>, text: &str) -> RefOr<Schema> {
    if text.is_empty() {
        return schema;
    }
    let about = Some(text.to_owned());
    match schema {
        RefOr::Ref(mut reference) => {
            reference.description = text.to_owned();
            RefOr::Ref(reference)
        }
        RefOr::T(Schema::Object(mut object)) => {
            object.description = about;
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.description = about;
            RefOr::T(Schema::Array(array))
        }
        RefOr::T(Schema::OneOf(mut one_of)) => {
            one_of.description = about;
            RefOr::T(Schema::OneOf(one_of))
        }
        other => other,
    }
}

/// Returns a doc comment as one text.
pub fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}
