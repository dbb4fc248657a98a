use crate::keys::{Authorize, Keys};
use crate::{Call, Failure};
use futures::FutureExt;
use jiff::Timestamp;
use lambda_http::http::{StatusCode, header};
use lambda_http::{Body, Error, Request, Response, service_fn};
use restock_api::{Answer as _, Body as _, ETAG, Endpoint, ErrorCode, KeyScope, Problem};
use restock_store::Store;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use tracing::{Instrument, error_span};

/// A function that serves an endpoint. A handler sees only calls whose key has the endpoint's scope, with the body
/// read.
pub trait Handles<E: Endpoint>: Sync {
    fn handle(&self, call: Call, body: E::Body) -> impl Future<Output = Result<Reply<E>, Failure>> + Send;
}

/// A success of an endpoint.
pub struct Reply<E: Endpoint> {
    pub answer: E::Answer,
    pub status: u16,
    header: Option<(&'static str, String)>,
}

impl<E: Endpoint> Reply<E> {
    /// Returns a reply with the endpoint's status.
    pub fn new(answer: impl Into<E::Answer>) -> Self {
        Self { answer: answer.into(), status: E::STATUS, header: None }
    }

    /// Returns the same reply with another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Returns the same reply with one more header.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: String) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Returns the same reply with the `ETag` of a version.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        self.with_header(ETAG, format!("\"{version}\""))
    }

    fn into_response(self) -> Result<Response<Body>, Failure> {
        let body = self.answer.write().map_err(|error| Failure::internal(&error))?;
        let mut response = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, E::Answer::CONTENT_TYPE)
            .header(header::CACHE_CONTROL, "no-store");
        for (name, value) in E::Answer::HEADERS {
            response = response.header(*name, *value);
        }
        if let Some((name, value)) = self.header {
            response = response.header(name, value);
        }
        response.body(Body::from(body)).map_err(|error| Failure::internal(&error))
    }
}

/// Reads a call's body and hands it to the handler of an endpoint.
pub async fn answer<E: Endpoint, A: Handles<E>>(app: &A, call: Call) -> Result<Reply<E>, Failure> {
    let body = E::Body::receive(call.content_type(), call.bytes())?;
    app.handle(call, body).await
}

/// A function of the API: its handlers, by the endpoints that they serve.
pub struct Service<A> {
    app: A,
    /// Looks a call's key up. A function that anybody may call has none, and nothing of it in its binary.
    keys: Option<Box<dyn Authorize>>,
    served: Vec<Served<A>>,
}

struct Served<A> {
    method: &'static str,
    base: &'static str,
    path: &'static str,
    query: &'static [&'static str],
    scope: Option<KeyScope>,
    answer: for<'a> fn(&'a A, Call) -> Answered<'a>,
}

type Answered<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, Failure>> + Send + 'a>>;

impl<A: Send + Sync + 'static> Service<A> {
    /// Makes a function whose endpoints need an API key, which is looked up in the store.
    pub fn with_keys(app: A, store: Store) -> Self {
        Self { keys: Some(Box::new(Keys::of(store, Timestamp::now))), ..Self::public(app) }
    }

    /// Makes a function that anybody may call.
    pub fn public(app: A) -> Self {
        Self { app, keys: None, served: Vec::new() }
    }

    /// Adds an endpoint.
    #[must_use]
    pub fn serving<E: Endpoint>(mut self) -> Self
    where
        A: Handles<E>,
    {
        self.served.push(Served {
            method: E::METHOD.into(),
            base: E::BASE,
            path: E::PATH,
            query: E::QUERY,
            scope: E::SCOPE,
            answer: |app, call| Box::pin(async move { answer::<E, A>(app, call).await?.into_response() }),
        });
        self
    }

    /// Answers calls for as long as the function lives.
    pub async fn run(self) -> Result<(), Error> {
        let service = &self;
        lambda_http::run(service_fn(move |request: Request| async move {
            let call = Call::new(request);
            // Of the highest level, so that no filter leaves it out.
            let span = error_span!("call", correlation = call.correlation());
            let answer = AssertUnwindSafe(service.answer(call)).catch_unwind();
            let answer = answer.map(|answer| answer.unwrap_or_else(|_| Err(Failure::internal(&Panicked))));
            let answer = answer.instrument(span).await;
            restock_metrics::flush();
            answer.or_else(|Failure(problem)| problem_response(&problem))
        }))
        .await
    }

    async fn answer(&self, mut call: Call) -> Result<Response<Body>, Failure> {
        let served = self.served.iter().find(|served| served.fits(&call)).ok_or_else(no_route)?;
        if let (Some(scope), Some(keys)) = (served.scope, &self.keys) {
            call.scopes = keys.authorize(&call, scope).await?;
            // Whatever is added to a link of a mail on its way, the link works.
            call.check_query(served.query)?;
        }
        (served.answer)(&self.app, call).await
    }
}

impl<A> Served<A> {
    /// Returns true if a call has this method and path. API Gateway has matched the route; a function with several
    /// endpoints has to tell them apart.
    fn fits(&self, call: &Call) -> bool {
        let expected = self.base.split('/').chain(self.path.split('/').skip(1));
        let found: Vec<&str> = call.path.split('/').collect();
        let parts: Vec<&str> = expected.collect();
        let fits = |(part, found): (&&str, &&str)| match *part {
            "{version}" => matches!(*found, "v2" | "v3"),
            part => part.starts_with('{') || part == *found,
        };
        call.method.as_str() == self.method && parts.len() == found.len() && parts.iter().zip(&found).all(fits)
    }
}

fn no_route() -> Problem {
    let detail = "There is no such method and path. The API is under /api/v3; GET /api/v3/openapi.json describes it.";
    Problem::not_found(ErrorCode::RouteNotFound, detail)
}

#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct Panicked;

fn problem_response(problem: &Problem) -> Result<Response<Body>, Error> {
    let status = u16::try_from(problem.status()).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/problem+json")
        .header(header::CACHE_CONTROL, "no-store");
    if let Some(seconds) = problem.retry_after_seconds {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    if status == StatusCode::UNAUTHORIZED {
        response = response.header(header::WWW_AUTHENTICATE, "ApiKey");
    }
    Ok(response.body(Body::from(serde_json::to_string(&problem.document)?))?)
}
