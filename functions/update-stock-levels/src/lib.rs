//! Serves `PUT /inventory/stock-levels`, `PUT /inventory/stock-levels/batch` and `POST
//! /inventory/stock-levels/imports`.

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::stock_levels::{
    AcceptedLevels, ImportStockLevels, ImportedLevels, StockLevels, UpdateStockLevel, UpdateStockLevels,
};
use restock_api::{ErrorCode, Problem, StockFile, StockLevel as Level};
use restock_domain::{Invalid, StockLevel};
use restock_http::{Call, Failure, Handles, Reply};
use restock_queue::{Queues, StockMessage};
use restock_store::{Begun, CallKey, Store};
use std::time::Duration;
use tracing::warn;

/// Limits of one message. 100 levels are what one BatchGetItem of `match-stock` reads; bytes are bounded because SQS
/// bounds them, and identifiers may be long.
const MAX_LEVELS: usize = 100;
const MAX_BYTES: usize = 60_000;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// How long a call with an `Idempotency-Key` is taken to be running that does not end; longer than Lambda lets it run.
pub const MAX_RUN: Duration = Duration::from_secs(30);

pub struct App {
    pub store: Store,
    pub queues: Queues,
    pub clock: fn() -> Timestamp,
}

/// Puts a level on the queue. It is safe there when this answers 202.
impl Handles<UpdateStockLevel> for App {
    async fn handle(&self, call: Call, body: Level) -> Result<Reply<UpdateStockLevel>, Failure> {
        self.send_once(&call, "level", &[body.into()]).await?;
        Ok(Reply::new(AcceptedLevels { accepted: 1, rejected: Vec::new() }))
    }
}

/// Puts the valid levels of a batch on the queue. They are safe there when this answers 202.
impl Handles<UpdateStockLevels> for App {
    async fn handle(&self, call: Call, body: StockLevels) -> Result<Reply<UpdateStockLevels>, Failure> {
        let levels: Vec<StockLevel> = body.valid.into_iter().map(StockLevel::from).collect();
        self.send_once(&call, "batch", &levels).await?;
        Ok(Reply::new(AcceptedLevels { accepted: levels.len(), rejected: body.rejected }))
    }
}

/// Puts the valid levels of a file on the queue. They are safe there when this answers 202.
impl Handles<ImportStockLevels> for App {
    async fn handle(&self, call: Call, body: StockFile) -> Result<Reply<ImportStockLevels>, Failure> {
        let StockFile { valid, rejected } = body;
        let levels: Vec<StockLevel> = valid.into_iter().map(StockLevel::from).collect();
        self.send_once(&call, "file", &levels).await?;
        Ok(Reply::new(ImportedLevels::new(levels.len(), rejected)))
    }
}

impl App {
    /// Puts levels on the queue. If the call has an `Idempotency-Key`, it is not carried out again after one that was;
    /// what is answered follows from the body alone, so the others are answered the same.
    async fn send_once(&self, call: &Call, kind: &str, levels: &[StockLevel]) -> Result<(), Failure> {
        let now = (self.clock)();
        let Some(key) = key_of(call)? else {
            return Ok(self.queues.send_levels(messages(levels), call.correlation(), now).await?);
        };
        let content = [kind.as_bytes(), b"#", call.bytes()].concat();
        match self.store.begin_call(&key, &content, now, MAX_RUN).await? {
            Begun::Now => {}
            Begun::Done => return Ok(()),
            Begun::Running => return Err(Problem::still_running().into()),
            Begun::Different => return Err(Problem::key_reused().into()),
        }
        let sent = self.queues.send_levels(messages(levels), call.correlation(), now).await;
        let noted = match &sent {
            Ok(()) => self.store.end_call(&key, (self.clock)()).await,
            Err(_) => self.store.forget_call(&key).await,
        };
        if let Err(error) = noted {
            let error = DisplayErrorChain::new(&error);
            warn!(%error, "A call with an Idempotency-Key may be carried out again, or refused for a moment");
        }
        Ok(sent?)
    }
}

/// Returns what names a call, if its caller does.
fn key_of(call: &Call) -> Result<Option<CallKey>, Failure> {
    let key = call.header(IDEMPOTENCY_KEY).unwrap_or_default();
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(CallKey::new(call.api_key().unwrap_or_default(), key)));
    }
    if !call.has_header(IDEMPOTENCY_KEY) {
        return Ok(None);
    }
    let invalid = Invalid::new(ErrorCode::InvalidIdempotencyKey, "Use 1 to 255 visible ASCII characters.");
    Err(Problem::invalid_parameter("Idempotency-Key", invalid).into())
}

fn messages(levels: &[StockLevel]) -> Vec<String> {
    let mut messages = Vec::new();
    for chunk in levels.chunks(MAX_LEVELS) {
        let body = StockMessage::body(chunk);
        if body.len() <= MAX_BYTES {
            messages.push(body);
        } else {
            // A level has at most a few kilobytes, so ten of them always fit.
            messages.extend(chunk.chunks(10).map(StockMessage::body));
        }
    }
    messages
}
