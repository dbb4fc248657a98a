//! How types that are written as text, and conditions, are described in OpenAPI. The others derive it.

use crate::automation::OPERATORS;
use crate::{AutomationId, Condition, ContactId, EmailAddress, ExternalId, Locale, Sender, Sku};
use serde_json::json;
use std::borrow::Cow;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, Ref, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

fn text(example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).examples([json!(example)])
}

/// A type that is a text with some rules.
macro_rules! described {
    ($type:ident, $builder:expr) => {
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                Schema::from($builder.build()).into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                stringify!($type).into()
            }
        }
    };
}

described!(Sku, text("SKU-1").min_length(Some(1)).description(Some("At most 512 bytes; compares exactly.")));
described!(ExternalId, text("SE-north").min_length(Some(1)).description(Some("At most 512 bytes; compares exactly.")));
/// Language, script, region and variants (BCP 47).
const LANGUAGE_TAG: &str = "^([A-Za-z]{2,3}|[A-Za-z]{5,8})(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*$";

described!(
    Locale,
    text("sv-SE")
        .max_length(Some(35))
        .pattern(Some(LANGUAGE_TAG))
        .description(Some("A BCP 47 language tag; case does not count."))
);
described!(ContactId, text("ff9fd9af-6778-4714-b0fe-f6e6612840c8").format(Some(SchemaFormat::Custom("uuid".into()))));
described!(EmailAddress, text("name@example.com").format(Some(SchemaFormat::KnownFormat(KnownFormat::Email))));
described!(AutomationId, text("early-birds").pattern(Some("^[a-z0-9][a-z0-9-]{0,49}$")));
described!(
    Sender,
    text("My Shop <hello@shop.example>")
        .description(Some("An address, or a name and an address that SES may send from."))
);
described!(
    Condition,
    OneOfBuilder::new()
        .description(Some(
            "A test of a field, or a group of conditions. docs/automations.md lists fields and operators."
        ))
        .item(
            ObjectBuilder::new()
                .title(Some("Test"))
                .property("field", text("product.price"))
                .property("operator", text("less").enum_values(Some(OPERATORS)))
                .property("value", ObjectBuilder::new().schema_type(SchemaType::AnyValue))
                .required("field")
                .required("operator")
        )
        .item(group("all", "Every one of them holds."))
        .item(group("any", "At least one of them holds."))
        .item(ObjectBuilder::new().title(Some("Not")).property("not", reference()).required("not"))
);

fn group(name: &str, description: &str) -> ObjectBuilder {
    let conditions = ArrayBuilder::new().items(reference()).min_items(Some(1)).description(Some(description));
    ObjectBuilder::new().title(Some(name)).property(name, conditions).required(name)
}

fn reference() -> Ref {
    Ref::from_schema_name("Condition")
}
