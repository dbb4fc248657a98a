//! Prints the contract as OpenAPI 3.1.

use crate::endpoint::{Description, Method};
use crate::endpoints;
use crate::schema::Schemas;
use utoipa::openapi::path::{HttpMethod, PathItemBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApiBuilder, PathsBuilder, ServerBuilder};

/// Returns the document as JSON, with a line break at its end.
pub fn document() -> String {
    let mut schemas = Schemas::default();
    let mut paths: Vec<(String, &str, PathItemBuilder)> = Vec::new();
    for endpoint in endpoints() {
        let Description { path, base, method, operation, .. } = endpoint;
        let operation = operation(&mut schemas);
        let known = paths.iter().position(|(known, ..)| known == path);
        let (path, base, item) =
            known.map_or_else(|| (path.to_owned(), base, PathItemBuilder::new()), |at| paths.remove(at));
        paths.push((path, base, item.operation(http(method), operation)));
    }
    let mut all = PathsBuilder::new();
    for (path, base, item) in paths {
        let at_root = base.is_empty().then(|| [ServerBuilder::new().url("/").build()]);
        all = all.path(path, item.servers(at_root).build());
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
        .paths(all)
        .components(Some(ComponentsBuilder::new().schemas_from_iter(schemas.0).security_scheme("apikey", key).build()))
        .build();
    let mut json = serde_json::to_string_pretty(&openapi).unwrap_or_else(|error| error.to_string());
    json.push('\n');
    json
}

fn http(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Put => HttpMethod::Put,
        Method::Post => HttpMethod::Post,
        Method::Patch => HttpMethod::Patch,
        Method::Delete => HttpMethod::Delete,
        Method::Head => HttpMethod::Head,
    }
}
