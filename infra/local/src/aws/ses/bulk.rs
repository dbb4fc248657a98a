//! `SendBulkEmail`: a template with placeholders, and data for each entry. Each entry has a status of its own.

use super::{Envelope, Letter, Refusal, Ses, behaviour, refuse};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The limits of the SES API reference.
const MAX_ENTRIES: usize = 50;
const MAX_DATA: usize = 262_144;
const MAX_BYTES: usize = 1024 * 1024;

/// A template lacks the value of this placeholder.
#[derive(Debug, PartialEq)]
struct Missing(String);

pub async fn send_bulk_email(State(ses): State<Arc<Ses>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    match send(&ses, &request, body.len()) {
        Ok(results) => Json(json!({ "BulkEmailEntryResults": results })).into_response(),
        Err(message) => refuse(StatusCode::BAD_REQUEST, "BadRequestException", message),
    }
}

/// Sends what is sound, or refuses the whole request.
fn send(ses: &Ses, request: &Value, bytes: usize) -> Result<Vec<Value>, &'static str> {
    let envelope = Envelope::of(request)?;
    let template = &request["DefaultContent"]["Template"];
    let content = &template["TemplateContent"];
    let part = |name: &str| content[name].as_str().unwrap_or_default();
    if ["Subject", "Html", "Text"].iter().any(|name| part(name).contains("{{#")) {
        return Err("A template in a request takes placeholders only.");
    }
    let entries = request["BulkEmailEntries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() || entries.len() > MAX_ENTRIES || bytes > MAX_BYTES {
        return Err("A request has 1 to 50 entries, and a megabyte.");
    }
    let shared = data(&template["TemplateData"])?;
    let mut ready = Vec::new();
    for entry in entries {
        let mut values = shared.clone();
        values.extend(data(&entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"])?);
        let filled = |name: &str| filled(part(name), &values);
        let parts = filled("Subject").and_then(|subject| Ok((subject, filled("Html")?, filled("Text")?)));
        let is_rendered =
            parts.as_ref().inspect_err(|missing| eprintln!("A mail can't be rendered: {missing:?}")).is_ok();
        let (subject, html, text) = parts.unwrap_or_default();
        let (to, headers, tags) = (&entry["Destination"], &entry["ReplacementHeaders"], &entry["ReplacementTags"]);
        if to["ToAddresses"][0].as_str().is_some_and(|address| behaviour(address) == "malformed") {
            return Err("An address is not one.");
        }
        ready.push((envelope.mail(Letter { to, subject, html, text, headers, tags })?, is_rendered));
    }
    let result = |(mail, is_rendered)| {
        let mail: crate::inbox::ReceivedMail = mail;
        match ses.refusal(&mail) {
            Some(Refusal::Throttled) => {
                json!({ "Status": "ACCOUNT_THROTTLED", "Error": "Maximum sending rate exceeded." })
            }
            Some(Refusal::UsedUp) => {
                json!({ "Status": "ACCOUNT_DAILY_QUOTA_EXCEEDED", "Error": "Daily message quota exceeded." })
            }
            Some(Refusal::Rejected) => json!({ "Status": "MESSAGE_REJECTED", "Error": "The message can't be sent." }),
            None => {
                let id = mail.id.clone();
                if is_rendered && !mail.to.iter().any(|address| behaviour(address) == "unrendered") {
                    ses.accept(mail);
                } else {
                    // Such a mail is accepted, and then never sent.
                    ses.tell(&mail, "Rendering Failure", json!({ "failure": { "templateName": "" } }));
                }
                json!({ "Status": "SUCCESS", "MessageId": id })
            }
        }
    };
    Ok(ready.into_iter().map(result).collect())
}

fn data(text: &Value) -> Result<Map<String, Value>, &'static str> {
    let text = text.as_str().unwrap_or("{}");
    if text.chars().count() > MAX_DATA {
        return Err("The data of a template has at most 262144 characters.");
    }
    serde_json::from_str(text).map_err(|_| "The data of a template is a JSON object.")
}

/// Puts values in place of placeholders; what stands in a value is not looked at, and nothing is escaped.
fn filled(template: &str, values: &Map<String, Value>) -> Result<String, Missing> {
    let (mut done, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        let value = values.get(name).and_then(Value::as_str).ok_or_else(|| Missing(name.to_owned()))?;
        done.push_str(before);
        done.push_str(value);
        rest = after;
    }
    Ok(done + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_as_they_are_and_a_missing_one_fails() {
        let values = Map::from_iter([("a".to_owned(), json!("<{{b}}>")), ("b".to_owned(), json!("2"))]);

        assert_eq!(filled("1{{a}}{{b}}3", &values), Ok("1<{{b}}>23".to_owned()));
        assert_eq!(filled("{{c}}", &values), Err(Missing("c".to_owned())));
    }
}
