//! Prints the contract as OpenAPI 3.1.

use crate::endpoint::{Description, Endpoint, Method};
use crate::endpoints;
use crate::payload::Answer;
use crate::problem::ProblemDocument;
use crate::schema::{self, Described, Schemas, of_type};
use restock_domain::{AutomationId, ContactId, Locale, TemplateId};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApiBuilder, PathsBuilder, RefOr, Required, ResponseBuilder,
    Schema, ServerBuilder,
};

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

/// An operation as it is being described.
pub struct Operation<'a> {
    schemas: &'a mut Schemas,
    builder: OperationBuilder,
}

const JSON: &str = "application/json";
/// The meaning of a 415 where there is a choice of types.
const OTHER_TYPE: &str = "The type of the body is not one of these.";

impl<'a> Operation<'a> {
    /// Describes what the declaration of an endpoint says by itself.
    pub(crate) fn of<E: Endpoint>(schemas: &'a mut Schemas) -> Self {
        let builder = OperationBuilder::new().operation_id(Some(E::ID)).summary(Some(E::SUMMARY));
        let mut operation = Self { schemas, builder };
        operation = operation.problem(500, "Something failed on our side; the same request may be sent again.");
        if let Some(scope) = E::SCOPE {
            operation.builder = operation
                .builder
                .description(Some(format!("Needs an API key with the scope `{scope}`.")))
                .security(SecurityRequirement::new("apikey", Vec::<String>::new()));
            operation = operation
                .problem(401, "The API key is missing or unknown.")
                .problem(403, "The API key lacks the scope.")
                .problem(422, "Well-formed, but not valid; `errors` names each field.")
                .problem(429, "Too many requests; Retry-After says when to try again.");
        }
        for name in E::PATH.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            operation = operation.path_parameter(name);
        }
        E::Answer::describe(operation, E::STATUS, E::MEANING)
    }

    /// Describes a parameter of the path by its name; the same name means the same in all paths.
    fn path_parameter(self, name: &str) -> Self {
        let (schema, about) = match name {
            "contactId" => (self.schemas.of::<ContactId>(), ""),
            "automationId" => (self.schemas.of::<AutomationId>(), ""),
            "templateId" => (self.schemas.of::<TemplateId>(), ""),
            "locale" => (self.schemas.of::<Locale>(), ""),
            "subscriptionId" => (self.schemas.of::<String>(), "The id that subscribing returned."),
            _ => (self.schemas.of::<String>(), "From an email, or from the header unsubscribe-url."),
        };
        self.parameter(name, ParameterIn::Path, true, schema, about)
    }

    pub fn query<T: Described>(self, name: &str, about: &str) -> Self {
        let schema = self.schemas.of::<T>();
        self.parameter(name, ParameterIn::Query, !T::OPTIONAL, schema, about)
    }

    /// Adds `If-Match` and `If-None-Match`.
    pub fn conditional(self) -> Self {
        let text = self.schemas.of::<String>();
        let if_match = "The ETag of the version that is to be changed.";
        self.parameter("If-Match", ParameterIn::Header, false, text.clone(), if_match)
            .parameter("If-None-Match", ParameterIn::Header, false, text, "`*` if there must be none yet.")
            .problem(412, "It was changed meanwhile.")
    }

    /// Adds `Idempotency-Key`.
    pub fn once(self) -> Self {
        let text = self.schemas.of::<String>();
        let about = "Names the call, with up to 255 visible ASCII characters. After a call that was answered 202, the same one is answered so again for 24 hours and does nothing.";
        self.parameter("Idempotency-Key", ParameterIn::Header, false, text, about)
            .problem(409, "The first call with this Idempotency-Key is still running.")
            .problem(422, "A value is invalid, or another call had this Idempotency-Key.")
    }

    fn parameter(mut self, name: &str, place: ParameterIn, required: bool, schema: RefOr<Schema>, about: &str) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(needed(required))
            .description(Some(about).filter(|text| !text.is_empty()))
            .schema(Some(schema));
        self.builder = self.builder.parameter(parameter);
        self
    }

    pub(crate) fn json_body<T: Described>(self) -> Self {
        self.json_body_as(|schemas| schemas.of::<T>())
    }

    /// Describes a JSON body that may be missing.
    pub(crate) fn optional_json_body<T: Described>(mut self) -> Self {
        let content = ContentBuilder::new().schema(Some(self.schemas.of::<T>())).build();
        let body = RequestBodyBuilder::new().required(Some(Required::False)).content(JSON, content);
        self.builder = self.builder.request_body(Some(body.build()));
        self.problem(400, "The body is not JSON.").too_large().problem(415, "The body is not sent as JSON.")
    }

    pub(crate) fn json_body_as(self, schema: impl FnOnce(&mut Schemas) -> RefOr<Schema>) -> Self {
        self.json_or_file_body(schema, &[])
    }

    /// Describes a body that is JSON, or a file of one of some media types.
    pub(crate) fn json_or_file_body(
        mut self,
        schema: impl FnOnce(&mut Schemas) -> RefOr<Schema>,
        media_types: &[&str],
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(schema(self.schemas))).build();
        let mut body = RequestBodyBuilder::new().required(Some(Required::True)).content(JSON, content);
        for media_type in media_types {
            body = body.content(*media_type, ContentBuilder::new().schema(Some(of_type(Type::String))).build());
        }
        self.builder = self.builder.request_body(Some(body.build()));
        self.problem(400, "The body is not JSON, or is missing.")
            .too_large()
            .problem(415, if media_types.is_empty() { "The body is not sent as JSON." } else { OTHER_TYPE })
    }

    /// Describes a body of one of several media types, which is taken as it is.
    pub(crate) fn file(mut self, media_types: &[&str], required: bool) -> Self {
        let mut body = RequestBodyBuilder::new().required(Some(needed(required)));
        for media_type in media_types {
            body = body.content(*media_type, ContentBuilder::new().schema(Some(of_type(Type::String))).build());
        }
        self.builder = self.builder.request_body(Some(body.build()));
        self.too_large().problem(415, OTHER_TYPE)
    }

    pub(crate) fn answer<T: Described>(self, status: u16, meaning: &str) -> Self {
        let schema = self.schemas.of::<T>();
        self.response(status, meaning, JSON, schema)
    }

    pub(crate) fn any_object(self, status: u16, meaning: &str) -> Self {
        self.response(status, meaning, JSON, schema::of(ObjectBuilder::new()))
    }

    pub fn page(self, status: u16, meaning: &str) -> Self {
        let text = self.schemas.of::<String>();
        self.response(status, meaning, "text/html", text)
    }

    pub fn problem(self, status: u16, meaning: &str) -> Self {
        let document = self.schemas.of::<ProblemDocument>();
        self.response(status, meaning, "application/problem+json", document)
    }

    fn response(mut self, status: u16, meaning: &str, media_type: &str, schema: RefOr<Schema>) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(meaning).content(media_type, content);
        self.builder = self.builder.response(status.to_string(), response);
        self
    }

    /// Describes a success that also has a header.
    pub fn header<E: Endpoint>(mut self, name: &str, about: &str) -> Self
    where
        E::Answer: Described,
    {
        let content = ContentBuilder::new().schema(Some(self.schemas.of::<E::Answer>())).build();
        let header = HeaderBuilder::new().schema(Some(self.schemas.of::<String>())).description(Some(about)).build();
        let response = ResponseBuilder::new().description(E::MEANING).content(JSON, content).header(name, header);
        self.builder = self.builder.response(E::STATUS.to_string(), response);
        self
    }

    /// Adds the answer to a body that is too large. Beyond 10 MB API Gateway answers itself, in words of its own.
    fn too_large(mut self) -> Self {
        let ours = ContentBuilder::new().schema(Some(self.schemas.of::<ProblemDocument>())).build();
        let gateways = ObjectBuilder::new().property("message", self.schemas.of::<String>()).required("message");
        let gateways = ContentBuilder::new().schema(Some(gateways)).build();
        let response = ResponseBuilder::new().description("The body is too large.");
        let response = response.content("application/problem+json", ours).content(JSON, gateways);
        self.builder = self.builder.response("413", response);
        self
    }

    pub(crate) fn build(self) -> utoipa::openapi::path::Operation {
        self.builder.build()
    }
}

fn needed(required: bool) -> Required {
    if required { Required::True } else { Required::False }
}
