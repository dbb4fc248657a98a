//! An SES v2 that puts every mail into the inbox instead of sending it, and tells of it as SES would.
//!
//! As with SES's mailbox simulator, the part of an address before the `@` says what happens: `bounce`, `complaint` and
//! `reject` (each also with `+anything`) come to that after the mail was accepted; `throttle` is refused twice as too
//! many requests, and then accepted; `refuse` is never accepted; `unrendered` is accepted and then can't be made of its
//! template; `malformed` has the whole request refused that it is in. The account's rate and its quota of 24 hours are
//! kept to.

mod bulk;
pub mod rate;

use self::rate::SendRate;
use crate::aws::sqs::{Broker, SendOptions};
use crate::faults::proxy::Observer;
use crate::inbox::{Inbox, ReceivedMail};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Refusals of a mail to `throttle@…` before one is accepted.
const THROTTLED: u32 = 2;

pub struct Ses {
    inbox: Arc<Inbox>,
    broker: Arc<Broker>,
    /// The queue that events go to.
    events: Option<String>,
    refusals: Mutex<HashMap<String, u32>>,
    observer: Option<Arc<Observer>>,
    /// Recipients a second that the account may mail.
    send_rate: u64,
    rate: Mutex<SendRate>,
    started: Instant,
    /// Recipients that the account may mail in 24 hours.
    day_quota: Option<u64>,
    /// When the account mailed whom, in the last 24 hours.
    day: Mutex<VecDeque<Instant>>,
}

/// Recipients a second, unless the faults say otherwise.
const SEND_RATE: u64 = 1_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

enum Refusal {
    Throttled,
    UsedUp,
    Rejected,
}

impl Ses {
    pub fn new(
        inbox: Arc<Inbox>,
        broker: Arc<Broker>,
        events: Option<String>,
        observer: Option<Arc<Observer>>,
    ) -> Self {
        let spec = observer.as_ref().map(|observer| &observer.faults.spec);
        let send_rate = spec.and_then(|spec| spec.send_rate).unwrap_or(SEND_RATE);
        let day_quota = spec.and_then(|spec| spec.day_quota);
        Self {
            inbox,
            broker,
            events,
            refusals: Mutex::default(),
            observer,
            send_rate,
            rate: Mutex::new(SendRate::new(send_rate as f64)),
            started: Instant::now(),
            day_quota,
            day: Mutex::default(),
        }
    }

    pub fn router(self) -> Router {
        Router::new()
            .route("/v2/email/account", get(account))
            .route("/v2/email/outbound-emails", post(send_email))
            .route("/v2/email/outbound-bulk-emails", post(bulk::send_bulk_email))
            .fallback(unknown)
            .with_state(Arc::new(self))
    }

    fn throttles(&self, address: &str) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refusals.entry(address.to_owned()).or_default();
        *count += 1;
        *count <= THROTTLED
    }

    /// Returns true if the account has mailed as many recipients as it may. Each recipient of a mail counts.
    fn is_over_rate(&self, recipients: usize) -> bool {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        !rate.takes(recipients, self.started.elapsed())
    }

    /// Returns how many recipients the account has mailed in the last 24 hours.
    fn sent_in_a_day(&self) -> u64 {
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        while day.front().is_some_and(|sent| sent.elapsed() > DAY) {
            day.pop_front();
        }
        day.len() as u64
    }

    /// Returns why a mail is not accepted.
    fn refusal(&self, mail: &ReceivedMail) -> Option<Refusal> {
        let any = |wanted: &str| mail.to.iter().any(|address| behaviour(address) == wanted);
        if any("throttle") && mail.to.iter().any(|address| self.throttles(address)) {
            return Some(Refusal::Throttled);
        }
        if any("refuse") {
            return Some(Refusal::Rejected);
        }
        if self.day_quota.is_some_and(|quota| self.sent_in_a_day() >= quota) {
            return Some(Refusal::UsedUp);
        }
        self.is_over_rate(mail.to.len()).then_some(Refusal::Throttled)
    }

    /// Accepts a mail: a rejected one gets no further, every other one reaches the inbox.
    fn accept(&self, mail: ReceivedMail) {
        self.day.lock().unwrap_or_else(PoisonError::into_inner).extend(mail.to.iter().map(|_| Instant::now()));
        let address = mail.to.first().cloned().unwrap_or_default();
        let outcome = behaviour(&address);
        let told = |kind: &str, more: Value| self.tell(&mail, kind, more);
        told("Send", json!({ "send": {} }));
        match outcome {
            "bounce" => told("Bounce", json!({ "bounce": { "bounceType": "Permanent", "bounceSubType": "General" } })),
            "reject" => return told("Reject", json!({ "reject": { "reason": "Bad content" } })),
            "complaint" => {
                told("Delivery", json!({ "delivery": {} }));
                told("Complaint", json!({ "complaint": { "complaintFeedbackType": "abuse" } }));
            }
            _ => told("Delivery", json!({ "delivery": {} })),
        }
        self.inbox.add(mail);
    }

    fn tell(&self, mail: &ReceivedMail, kind: &str, more: Value) {
        let Some(queue) = &self.events else { return };
        if self.observer.as_ref().is_some_and(|observer| observer.faults.spec.events_lost) {
            return;
        }
        let tags: BTreeMap<&String, [&String; 1]> = mail.tags.iter().map(|(name, value)| (name, [value])).collect();
        let mut event = json!({
            "eventType": kind,
            "mail": { "messageId": mail.id, "timestamp": mail.at, "source": mail.from, "destination": mail.to, "tags": tags },
        });
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        if self.broker.send(queue, event.to_string(), BTreeMap::new(), SendOptions::default()).is_err() {
            eprintln!("template.yaml sends SES events to {queue}, which it does not have");
        }
    }
}

async fn send_email(State(ses): State<Arc<Ses>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mail = match mail(&request) {
        Ok(mail) => mail,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, "BadRequestException", message),
    };
    match ses.refusal(&mail) {
        Some(Refusal::Throttled) => {
            let message = "Maximum sending rate exceeded.";
            let refusal = refuse(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", message);
            return ([("retry-after", "1")], refusal).into_response();
        }
        Some(Refusal::UsedUp) => {
            return refuse(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Daily message quota exceeded.");
        }
        Some(Refusal::Rejected) => {
            return refuse(StatusCode::BAD_REQUEST, "MessageRejected", "The message can't be sent.");
        }
        None => {}
    }
    let id = mail.id.clone();
    ses.accept(mail);
    Json(json!({ "MessageId": id })).into_response()
}

async fn account(State(ses): State<Arc<Ses>>) -> Json<Value> {
    // -1 is no bound.
    let day = ses.day_quota.map_or(-1.0, |quota| quota as f64);
    let (rate, sent) = (ses.send_rate as f64, ses.sent_in_a_day() as f64);
    let quota = json!({ "Max24HourSend": day, "MaxSendRate": rate, "SentLast24Hours": sent });
    Json(json!({ "ProductionAccessEnabled": true, "SendingEnabled": true, "SendQuota": quota }))
}

/// Returns what the address asks for: `bounce` of `bounce+7@example.com`.
fn behaviour(address: &str) -> &str {
    let local = address.split('@').next().unwrap_or_default();
    local.split('+').next().unwrap_or_default()
}

/// Returns what SES checks of a request before it accepts the mail.
fn mail(request: &Value) -> Result<ReceivedMail, &'static str> {
    let simple = &request["Content"]["Simple"];
    let text = |value: &Value| value["Data"].as_str().map(ToOwned::to_owned);
    let envelope = Envelope::of(request)?;
    envelope.mail(Letter {
        to: &request["Destination"],
        subject: text(&simple["Subject"]).ok_or("Missing subject.")?,
        html: text(&simple["Body"]["Html"]).unwrap_or_default(),
        text: text(&simple["Body"]["Text"]).unwrap_or_default(),
        headers: &simple["Headers"],
        tags: &request["EmailTags"],
    })
}

/// What the mails of a request have in common.
struct Envelope {
    from: String,
    reply_to: Vec<String>,
}

struct Letter<'a> {
    to: &'a Value,
    subject: String,
    html: String,
    text: String,
    headers: &'a Value,
    tags: &'a Value,
}

impl Envelope {
    fn of(request: &Value) -> Result<Self, &'static str> {
        let from = request["FromEmailAddress"].as_str().ok_or("Missing FromEmailAddress.")?;
        if !from.is_ascii() {
            return Err("The sender's name must be encoded (RFC 2047).");
        }
        let reply_to = serde_json::from_value(request["ReplyToAddresses"].clone()).unwrap_or_default();
        Ok(Self { from: from.to_owned(), reply_to })
    }

    fn mail(&self, letter: Letter<'_>) -> Result<ReceivedMail, &'static str> {
        let Letter { to, subject, html, text, headers, tags } = letter;
        let to: Vec<String> = serde_json::from_value(to["ToAddresses"].clone()).unwrap_or_default();
        if to.is_empty() || !to.iter().all(|address| address.contains('@')) {
            return Err("Missing or invalid destination.");
        }
        if subject.contains(['\r', '\n']) {
            return Err("A header must not have line breaks.");
        }
        let pairs = |list: &Value| -> BTreeMap<String, String> {
            let pairs = list.as_array().into_iter().flatten();
            let pair = |pair: &Value| Some((pair["Name"].as_str()?.to_owned(), pair["Value"].as_str()?.to_owned()));
            pairs.filter_map(pair).collect()
        };
        Ok(ReceivedMail {
            id: Uuid::new_v4().simple().to_string(),
            at: jiff::Timestamp::now().to_string(),
            from: self.from.clone(),
            reply_to: self.reply_to.clone(),
            to,
            subject,
            html,
            text,
            headers: pairs(headers),
            tags: pairs(tags),
        })
    }
}

fn refuse(status: StatusCode, kind: &'static str, message: &str) -> Response {
    (status, [("x-amzn-errortype", kind)], Json(json!({ "message": message }))).into_response()
}

async fn unknown() -> Response {
    refuse(
        StatusCode::BAD_REQUEST,
        "BadRequestException",
        "The local SES knows SendEmail, SendBulkEmail and GetAccount only.",
    )
}
