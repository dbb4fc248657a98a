//! How an endpoint is described in OpenAPI, part by part.

use crate::path;
use crate::problem::ProblemDocument;
use crate::schema::{self, Described, Schemas, of_type};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, RefOr, Required, ResponseBuilder, Schema};

/// The header with the version of what is answered.
pub const ETAG: &str = "etag";

/// An operation as it is being described.
pub struct Operation<'a> {
    schemas: &'a mut Schemas,
    builder: OperationBuilder,
    /// The status of a success, its meaning and its body in JSON.
    success: Option<(u16, String, RefOr<Schema>)>,
}

const JSON: &str = "application/json";
/// The meaning of a 415 where there is a choice of types.
const OTHER_TYPE: &str = "The type of the body is not one of these.";

impl<'a> Operation<'a> {
    pub(crate) fn new(schemas: &'a mut Schemas, id: &str, summary: &str) -> Self {
        let builder = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
        let operation = Self { schemas, builder, success: None };
        operation.problem(500, "Something failed on our side; the same request may be sent again.")
    }

    /// Describes that an API key with a scope is needed, and the problems of all operations that need one.
    pub(crate) fn key(mut self, scope: &str) -> Self {
        self.builder = self
            .builder
            .description(Some(format!("Needs an API key with the scope `{scope}`.")))
            .security(SecurityRequirement::new("apikey", Vec::<String>::new()));
        self.problem(401, "The API key is missing or unknown.")
            .problem(403, "The API key lacks the scope.")
            .problem(422, "Well-formed, but not valid; `errors` names each field.")
            .problem(429, "Too many requests; Retry-After says when to try again.")
    }

    /// Describes the parameters in a path.
    pub(crate) fn path(self, path: &str) -> Self {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        names.fold(self, Self::path_parameter)
    }

    fn path_parameter(self, name: &str) -> Self {
        let (schema, about) = path::described(self.schemas, name);
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
        let about = "Names the call, with up to 255 visible ASCII characters. For 24 hours after a call that was answered 202, the same call gets the same answer and has no effect.";
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

    pub(crate) fn answer<T: Described>(mut self, status: u16, meaning: &str) -> Self {
        let schema = self.schemas.of::<T>();
        self.success = Some((status, meaning.to_owned(), schema.clone()));
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

    /// Adds a header of the success.
    pub fn header(mut self, name: &str, about: &str) -> Self {
        let Some((status, meaning, schema)) = self.success.clone() else { return self };
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let header = HeaderBuilder::new().schema(Some(self.schemas.of::<String>())).description(Some(about)).build();
        let response = ResponseBuilder::new().description(meaning).content(JSON, content).header(name, header);
        self.builder = self.builder.response(status.to_string(), response);
        self
    }

    /// Adds the header with the version of what is answered.
    pub fn etag(self) -> Self {
        self.header(ETAG, "The version, for If-Match.")
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
