//! A few words to describe an operation with.

use restock_http::ProblemDocument;
use restock_store::KeyScope;
use std::collections::BTreeMap;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, RefOr, Required, ResponseBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The types that are referred to, by name.
#[derive(Default)]
pub struct Described {
    pub schemas: BTreeMap<String, RefOr<Schema>>,
}

impl Described {
    /// A reference to a type.
    pub fn reference<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut nested = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut nested);
        self.schemas.extend(nested);
        RefOr::Ref(utoipa::openapi::Ref::from_schema_name(T::name()))
    }

    pub fn list<T: ToSchema>(&mut self) -> RefOr<Schema> {
        Schema::from(ArrayBuilder::new().items(self.reference::<T>()).build()).into()
    }
}

/// An operation as it is being described.
pub struct Operation<'a> {
    described: &'a mut Described,
    builder: OperationBuilder,
}

const JSON: &str = "application/json";

impl<'a> Operation<'a> {
    /// One that anybody may call.
    pub fn public(described: &'a mut Described, id: &str, summary: &str) -> Self {
        let builder = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
        Self { described, builder }.problem(500, "Something failed on our side; the same request may be sent again.")
    }

    /// One that needs a key with a scope.
    pub fn new(described: &'a mut Described, id: &str, summary: &str, scope: KeyScope) -> Self {
        let scope =
            serde_json::to_value(scope).ok().and_then(|scope| Some(scope.as_str()?.to_owned())).unwrap_or_default();
        let mut operation = Self::public(described, id, summary);
        operation.builder = operation
            .builder
            .description(Some(format!("Needs an API key with the scope `{scope}`.")))
            .security(SecurityRequirement::new("apikey", Vec::<String>::new()));
        operation
            .problem(401, "The API key is missing or unknown.")
            .problem(403, "The API key lacks the scope.")
            .problem(429, "Too many requests; Retry-After says when to try again.")
    }

    pub fn path<T: ToSchema>(self, name: &str) -> Self {
        let schema = self.described.reference::<T>();
        self.parameter(name, ParameterIn::Path, true, schema, "").invalid()
    }

    pub fn path_text(self, name: &str, description: &str) -> Self {
        self.parameter(name, ParameterIn::Path, true, String::schema(), description)
    }

    pub fn query<T: ToSchema>(self, name: &str, description: &str) -> Self {
        let schema = self.described.reference::<T>();
        self.query_of(name, description, schema)
    }

    pub fn required_query<T: ToSchema>(self, name: &str) -> Self {
        let schema = self.described.reference::<T>();
        self.parameter(name, ParameterIn::Query, true, schema, "").invalid()
    }

    pub fn query_of(self, name: &str, description: &str, schema: RefOr<Schema>) -> Self {
        self.parameter(name, ParameterIn::Query, false, schema, description).invalid()
    }

    /// `If-Match` and `If-None-Match`.
    pub fn conditional(self) -> Self {
        let text = String::schema();
        self.parameter(
            "If-Match",
            ParameterIn::Header,
            false,
            text.clone(),
            "The ETag of the version that is to be changed.",
        )
        .parameter("If-None-Match", ParameterIn::Header, false, text, "`*` if there must be none yet.")
        .problem(412, "It was changed meanwhile.")
    }

    fn parameter(
        mut self,
        name: &str,
        place: ParameterIn,
        required: bool,
        schema: RefOr<Schema>,
        description: &str,
    ) -> Self {
        let required = if required { Required::True } else { Required::False };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(description).filter(|text| !text.is_empty()))
            .schema(Some(schema));
        self.builder = self.builder.parameter(parameter);
        self
    }

    pub fn body<T: ToSchema>(self) -> Self {
        let schema = self.described.reference::<T>();
        self.body_of(schema)
    }

    pub fn body_of(self, schema: RefOr<Schema>) -> Self {
        self.body_as(JSON, schema, Required::True)
            .problem(400, "The body is not JSON, or is missing.")
            .too_large()
            .problem(415, "The body is not sent as JSON.")
            .invalid()
    }

    /// One of several media types; sent as it is.
    pub fn file(mut self, media_types: &[&str], required: bool) -> Self {
        let mut body =
            RequestBodyBuilder::new().required(Some(if required { Required::True } else { Required::False }));
        for media_type in media_types {
            let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
            body = body.content(*media_type, ContentBuilder::new().schema(Some(text)).build());
        }
        self.builder = self.builder.request_body(Some(body.build()));
        self.too_large().problem(415, "The file's type is not one of these.")
    }

    fn body_as(mut self, media_type: &str, schema: RefOr<Schema>, required: Required) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().required(Some(required)).content(media_type, content).build();
        self.builder = self.builder.request_body(Some(body));
        self
    }

    pub fn answers<T: ToSchema>(self, status: u16, description: &str) -> Self {
        let schema = self.described.reference::<T>();
        self.answers_with(status, description, schema)
    }

    pub fn answers_with(mut self, status: u16, description: &str, schema: RefOr<Schema>) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(description).content(JSON, content);
        self.builder = self.builder.response(status.to_string(), response);
        self
    }

    /// The same with a header.
    pub fn answers_and_tells<T: ToSchema>(mut self, status: u16, description: &str, header: (&str, &str)) -> Self {
        let content = ContentBuilder::new().schema(Some(self.described.reference::<T>())).build();
        let (name, means) = header;
        let header = HeaderBuilder::new().schema(Some(String::schema())).description(Some(means)).build();
        let response = ResponseBuilder::new().description(description).content(JSON, content).header(name, header);
        self.builder = self.builder.response(status.to_string(), response);
        self
    }

    pub fn answers_page(mut self, status: u16, description: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(String::schema())).build();
        let response = ResponseBuilder::new().description(description).content("text/html", content);
        self.builder = self.builder.response(status.to_string(), response);
        self
    }

    pub fn problem(mut self, status: u16, description: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(self.described.reference::<ProblemDocument>())).build();
        let response = ResponseBuilder::new().description(description).content("application/problem+json", content);
        self.builder = self.builder.response(status.to_string(), response);
        self
    }

    /// Beyond 10 MB API Gateway answers itself, and in words of its own.
    fn too_large(mut self) -> Self {
        let ours = ContentBuilder::new().schema(Some(self.described.reference::<ProblemDocument>())).build();
        let gateways = ObjectBuilder::new().property("message", String::schema()).required("message");
        let gateways = ContentBuilder::new().schema(Some(gateways)).build();
        let response = ResponseBuilder::new().description("The body is too large.");
        let response = response.content("application/problem+json", ours).content(JSON, gateways);
        self.builder = self.builder.response("413", response);
        self
    }

    fn invalid(self) -> Self {
        self.problem(422, "Well-formed, but not valid; `errors` names each field.")
    }

    pub fn build(self) -> utoipa::openapi::path::Operation {
        self.builder.build()
    }
}
