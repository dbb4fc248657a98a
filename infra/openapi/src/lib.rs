//! The description of the HTTP API in OpenAPI 3.1. Answers are described by the types that functions answer with, texts and
//! conditions by the types that read them. `docs/openapi.json` is what this makes, and a test says when it is not.

mod bodies;
mod operations;
mod words;

use operations::operations;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApiBuilder, PathsBuilder, ServerBuilder};
use words::Described;

/// The document as JSON, with a line break at its end.
pub fn document() -> String {
    let mut described = Described::default();
    let operations = operations(&mut described);
    let mut paths = PathsBuilder::new();
    for (path, item) in operations {
        paths = paths.path(path, item);
    }
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "apikey",
        "An API key with the scope that the operation names. The header may also be called x-api-key.",
    )));
    let info = InfoBuilder::new()
        .title("Restock")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Back-in-stock subscriptions, stock levels, product feeds and automations."));
    let openapi = OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/api/v3").build()]))
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new().schemas_from_iter(described.schemas).security_scheme("apikey", key).build(),
        ))
        .build();
    let mut json = serde_json::to_string_pretty(&openapi).unwrap_or_else(|error| error.to_string());
    json.push('\n');
    json
}
