//! An SES v2 that puts every mail into the inbox instead of sending it.

use crate::inbox::{Inbox, Mail};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

pub fn router(inbox: Arc<Inbox>) -> Router {
    Router::new().route("/v2/email/outbound-emails", post(send_email)).fallback(unknown).with_state(inbox)
}

async fn send_email(State(inbox): State<Arc<Inbox>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    match mail(&request) {
        Ok(mail) => {
            let id = mail.id.clone();
            inbox.add(mail);
            Json(json!({ "MessageId": id })).into_response()
        }
        Err(message) => refuse(message),
    }
}

/// What SES checks of a request before it accepts the mail.
fn mail(request: &Value) -> Result<Mail, &'static str> {
    let simple = &request["Content"]["Simple"];
    let text = |value: &Value| value["Data"].as_str().map(ToOwned::to_owned);
    let from = request["FromEmailAddress"].as_str().ok_or("Missing FromEmailAddress.")?;
    let to: Vec<String> = serde_json::from_value(request["Destination"]["ToAddresses"].clone()).unwrap_or_default();
    if to.is_empty() || !to.iter().all(|address| address.contains('@')) {
        return Err("Missing or invalid destination.");
    }
    let subject = text(&simple["Subject"]).ok_or("Missing subject.")?;
    if subject.contains(['\r', '\n']) {
        return Err("A header must not have line breaks.");
    }
    let pairs = |list: &Value| -> BTreeMap<String, String> {
        let pairs = list.as_array().into_iter().flatten();
        pairs.filter_map(|pair| Some((pair["Name"].as_str()?.to_owned(), pair["Value"].as_str()?.to_owned()))).collect()
    };
    Ok(Mail {
        id: Uuid::new_v4().simple().to_string(),
        at: jiff::Timestamp::now().to_string(),
        from: from.to_owned(),
        to,
        subject,
        html: text(&simple["Body"]["Html"]).unwrap_or_default(),
        text: text(&simple["Body"]["Text"]).unwrap_or_default(),
        headers: pairs(&simple["Headers"]),
        tags: pairs(&request["EmailTags"]),
    })
}

fn refuse(message: &str) -> Response {
    let kind = [("x-amzn-errortype", "BadRequestException")];
    (StatusCode::BAD_REQUEST, kind, Json(json!({ "message": message }))).into_response()
}

async fn unknown() -> Response {
    refuse("The local SES knows SendEmail only.")
}
