//! The gallery: every template in every language, as the API's own previews show them.

use crate::client::Client;
use crate::sample_shop;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone)]
struct Gallery {
    api: Client,
    /// Where the sample shop's pictures are.
    inbox: String,
}

pub fn router(api: Client, inbox: &str) -> Router {
    let gallery = Gallery { api, inbox: inbox.to_owned() };
    Router::new()
        .route("/gallery", get(page))
        .route("/gallery/contents", get(contents))
        .route("/gallery/mail", get(mail))
        .with_state(gallery)
}

async fn page() -> Html<&'static str> {
    Html(include_str!("gallery.html"))
}

/// Returns what there is to show.
async fn contents(State(gallery): State<Gallery>) -> Response {
    let listed = gallery.ask(|api| api.get("/templates")).await;
    match listed {
        Ok(templates) => {
            let languages: Vec<&str> = restock_email::languages().collect();
            Json(json!({"templates": templates, "languages": languages})).into_response()
        }
        Err(told) => told.into_response(),
    }
}

#[derive(Deserialize)]
struct Wanted {
    template: String,
    locale: String,
    scheme: Scheme,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scheme {
    Light,
    Dark,
}

/// Returns the HTML of one mail as it is on a light or a dark screen, with pictures that are served here.
async fn mail(State(gallery): State<Gallery>, Query(wanted): Query<Wanted>) -> Response {
    let sample = json!({"template": wanted.template, "locale": wanted.locale, "firstName": "Astrid"});
    let mut of_shop = sample.clone();
    of_shop["sku"] = json!("SKU-1");
    let preview = |body: Value| gallery.ask(move |api| api.json("POST", "/templates/preview", &body));
    // The sample shop's own product where its feed is imported.
    let shown = match preview(of_shop).await {
        Ok(shown) => Ok(shown),
        Err(_) => preview(sample).await,
    };
    match shown {
        Ok(preview) => {
            let media = match wanted.scheme {
                Scheme::Light => "not all",
                Scheme::Dark => "all",
            };
            let html = preview["html"].as_str().unwrap_or_default().replace("(prefers-color-scheme: dark)", media);
            Html(sample_shop::with_pictures_at(&gallery.inbox, &html)).into_response()
        }
        Err(told) => told.into_response(),
    }
}

impl Gallery {
    /// Asks the API, and returns its answer or what to show in place of it.
    async fn ask(
        &self,
        request: impl FnOnce(&Client) -> Result<crate::client::Answer, ureq::Error> + Send + 'static,
    ) -> Result<Value, (StatusCode, String)> {
        let api = self.api.clone();
        let answered = tokio::task::spawn_blocking(move || request(&api)).await;
        match answered {
            Ok(Ok(answer)) if answer.status == 200 => Ok(answer.json()),
            Ok(Ok(answer)) => Err((StatusCode::BAD_GATEWAY, answer.text)),
            Ok(Err(error)) => Err((StatusCode::BAD_GATEWAY, format!("The API does not answer: {error}"))),
            Err(error) => Err((StatusCode::BAD_GATEWAY, error.to_string())),
        }
    }
}
