use crate::keys::Keys;
use crate::{Call, Problem};
use futures::FutureExt;
use lambda_http::http::{StatusCode, header};
use lambda_http::{Body, Error, Request, Response, service_fn};
use restock_store::{KeyScope, Store};
use serde::Serialize;
use std::panic::AssertUnwindSafe;
use utoipa::ToSchema;

/// A success.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: String,
    header: Option<(&'static str, String)>,
}

/// The answer to a call that has nothing more to say.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdReply {
    pub id: String,
}

impl Reply {
    pub fn id(id: impl ToString) -> Result<Self, Problem> {
        Self::ok(&IdReply { id: id.to_string() })
    }

    pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(|error| Problem::internal(&error))?;
        Ok(Self { status, content_type: "application/json", body, header: None })
    }

    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, body)
    }

    pub fn created(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::CREATED, body)
    }

    pub fn accepted(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::ACCEPTED, body)
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.header = Some((name, value));
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// A JSON document as it is.
    pub fn document(body: &str) -> Self {
        Self { status: StatusCode::OK, content_type: "application/json", body: body.to_owned(), header: None }
    }

    /// A page for a person.
    pub fn html(status: StatusCode, body: String) -> Self {
        Self { status, content_type: "text/html; charset=utf-8", body, header: None }
    }
}

/// Runs a function of the API: `handle` sees only calls under `/api/v2` and `/api/v3` whose key has the scope.
pub async fn serve<F>(store: &Store, scope: KeyScope, handle: impl Fn(Call) -> F + Sync) -> Result<(), Error>
where
    F: Future<Output = Result<Reply, Problem>> + Send,
{
    let keys = &Keys::default();
    let handle = &handle;
    serve_public(move |call| async move {
        if !matches!(call.parameter("version"), "v2" | "v3") {
            return Err(Problem::not_found("RouteNotFound", "There is no such path. The API is under /api/v3."));
        }
        keys.authorize(store, &call, scope).await?;
        handle(call).await
    })
    .await
}

/// Runs a function that anybody may call.
pub async fn serve_public<F>(handle: impl Fn(Call) -> F + Sync) -> Result<(), Error>
where
    F: Future<Output = Result<Reply, Problem>> + Send,
{
    let handle = &handle;
    lambda_http::run(service_fn(move |request: Request| async move {
        let answer = AssertUnwindSafe(async { handle(Call::new(request)).await }).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Err(Problem::internal(&Panicked)));
        answer.map_or_else(|problem| problem_response(&problem), reply_response)
    }))
    .await
}

#[derive(Debug)]
struct Panicked;

impl std::fmt::Display for Panicked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the handler panicked")
    }
}

impl std::error::Error for Panicked {}

fn reply_response(reply: Reply) -> Result<Response<Body>, Error> {
    let mut response = Response::builder()
        .status(reply.status)
        .header(header::CONTENT_TYPE, reply.content_type)
        .header(header::CACHE_CONTROL, "no-store");
    if let Some((name, value)) = reply.header {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from(reply.body))?)
}

fn problem_response(problem: &Problem) -> Result<Response<Body>, Error> {
    let mut response = Response::builder()
        .status(problem.status())
        .header(header::CONTENT_TYPE, "application/problem+json")
        .header(header::CACHE_CONTROL, "no-store");
    if let Some(seconds) = problem.retry_after_seconds() {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    if problem.status() == StatusCode::UNAUTHORIZED {
        response = response.header(header::WWW_AUTHENTICATE, "ApiKey");
    }
    Ok(response.body(Body::from(serde_json::to_string(problem)?))?)
}
