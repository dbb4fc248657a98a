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

        /// Returns the schema of the parameter with a name, and what is said about it.
        pub(crate) fn described(schemas: &mut Schemas, name: &str) -> (RefOr<Schema>, &'static str) {
            match name {
                $($name => (schemas.of::<$kind>(), ""),)*
                // One that can't be read is answered as one that names nothing, so functions read these themselves.
                "subscriptionId" => (schemas.of::<String>(), "The id that subscribing returned."),
                "importId" => (schemas.of::<String>(), "The id that starting the import returned."),
                "token" => (schemas.of::<String>(), "From an email, or from the header unsubscribe-url."),
                unknown => panic!("say in shared/api/src/path.rs what {{{unknown}}} is"),
            }
        }
    };
}

in_paths! { "contactId": ContactId, "automationId": AutomationId, "templateId": TemplateId, "locale": Locale }
