//! Where the local SES delivers: every mail, to be read by tests and in a browser.

use crate::sample_shop;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedMail {
    /// The message id that SES answered with.
    pub id: String,
    /// RFC 3339.
    pub at: String,
    pub from: String,
    #[serde(default, rename = "replyTo")]
    pub reply_to: Vec<String>,
    pub to: Vec<String>,
    pub subject: String,
    pub html: String,
    pub text: String,
    pub headers: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

/// Mails of which the bodies are kept, which are most of what they need: 60 KB each. Of older ones the rest stays.
const MAX_BODIES: usize = 5_000;

/// Mails, oldest first.
#[derive(Default)]
pub struct Inbox {
    mails: Mutex<Vec<ReceivedMail>>,
}

impl Inbox {
    pub fn add(&self, mail: ReceivedMail) {
        let mut mails = self.lock();
        mails.push(mail);
        let oldest = mails.len().checked_sub(MAX_BODIES + 1);
        if let Some(mail) = oldest.and_then(|oldest| mails.get_mut(oldest)) {
            (mail.html, mail.text) = (String::new(), String::new());
        }
    }

    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.lock().clone()
    }

    pub fn replace(&self, mails: Vec<ReceivedMail>) {
        *self.lock() = mails;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ReceivedMail>> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn router(inbox: Arc<Inbox>) -> Router {
    let inbox = Router::new().route("/messages", get(list).delete(empty)).route("/", get(page)).with_state(inbox);
    inbox.merge(sample_shop::router())
}

async fn list(State(inbox): State<Arc<Inbox>>) -> Json<Vec<ReceivedMail>> {
    Json(inbox.mails())
}

async fn empty(State(inbox): State<Arc<Inbox>>) -> Json<serde_json::Value> {
    inbox.replace(Vec::new());
    Json(serde_json::json!({}))
}

async fn page() -> Html<&'static str> {
    Html(include_str!("inbox.html"))
}
