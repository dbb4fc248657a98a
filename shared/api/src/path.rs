//! Parameters of paths: the same name means the same in all of them.

use crate::schema::{Described, Schemas};
use restock_domain::{AutomationId, ContactId, Invalid, Locale, TemplateId};
use utoipa::openapi::{RefOr, Schema};

/// A value that stands in paths.
pub trait PathParameter: Described + Sized {
    /// What stands in braces for it.
    const IN_PATH: &'static str;

    /// Parses what stands in the path of a call.
    fn parse(raw: &str) -> Result<Self, Invalid>;
}

macro_rules! in_paths {
    ($($name:literal: $kind:ident),*) => {
        $(
            impl PathParameter for $kind {
                const IN_PATH: &'static str = $name;

                fn parse(raw: &str) -> Result<Self, Invalid> {
                    $kind::parse(raw)
                }
            }
        )*

        /// Returns the schema of the parameter with a name; `None` if it is parsed by the function alone.
        pub(crate) fn schema_of(schemas: &mut Schemas, name: &str) -> Option<RefOr<Schema>> {
            match name {
                $($name => Some(schemas.of::<$kind>()),)*
                _ => None,
            }
        }
    };
}

in_paths! { "contactId": ContactId, "automationId": AutomationId, "templateId": TemplateId, "locale": Locale }
