//! Serves `PUT /inventory/stock-levels`, `PUT /inventory/stock-levels/batch` and `POST
//! /inventory/stock-levels/imports`.

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::stock_levels::{
    AcceptedLevels, ImportStockLevels, ImportedLevels, StockLevels, StockUpload, UpdateStockLevel, UpdateStockLevels,
};
use restock_api::{ErrorCode, Problem, StockFile, StockLevel as Level, values::WebAddress};
use restock_domain::{Invalid, StockImport, StockLevel};
use restock_http::{Call, Failure, Handles, Reply};
use restock_queue::{Queues, StockFileImport};
use restock_store::{Begun, CallKey, Store};
use std::time::Duration;
use tracing::warn;
use uuid::Uuid;

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

/// Puts the valid levels of a file on the queue, or the import of a file that is fetched. They are safe there when this
/// answers 202.
impl Handles<ImportStockLevels> for App {
    async fn handle(&self, call: Call, body: StockUpload) -> Result<Reply<ImportStockLevels>, Failure> {
        let StockFile { valid, rejected } = match body {
            StockUpload::File(file) => file,
            StockUpload::Url(WebAddress(url)) => {
                let import_id = self.start_import(&call, url).await?;
                return Ok(Reply::new(ImportedLevels::started(import_id)));
            }
        };
        let levels: Vec<StockLevel> = valid.into_iter().map(StockLevel::from).collect();
        self.send_once(&call, "file", &levels).await?;
        Ok(Reply::new(ImportedLevels::new(levels.len(), rejected)))
    }
}

impl App {
    async fn send_once(&self, call: &Call, kind: &str, levels: &[StockLevel]) -> Result<(), Failure> {
        let now = (self.clock)();
        self.once(call, kind, async || Ok(self.queues.send_levels(levels, call.correlation(), now).await?)).await
    }

    /// Queues the import of a file that is fetched, and returns its id: the same for the same `Idempotency-Key`.
    async fn start_import(&self, call: &Call, url: String) -> Result<String, Failure> {
        let import_id = key_of(call)?.map_or_else(|| Uuid::new_v4().simple().to_string(), |key| key.short());
        let started_at = (self.clock)();
        self.once(call, "url", async || {
            self.store.begin_stock_import(&StockImport::running(import_id.clone(), started_at)).await?;
            let import = StockFileImport { import_id: import_id.clone(), url: url.clone(), started_at };
            Ok(self.queues.send_stock_import(&import).await?)
        })
        .await?;
        Ok(import_id)
    }

    /// Carries a call out. If it has an `Idempotency-Key`, it is not carried out again after one that was; what is
    /// answered follows from the call alone, so the others are answered the same.
    async fn once(
        &self,
        call: &Call,
        kind: &str,
        carry_out: impl AsyncFnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(key) = key_of(call)? else { return carry_out().await };
        let content = [kind.as_bytes(), b"#", call.bytes()].concat();
        match self.store.begin_call(&key, &content, (self.clock)(), MAX_RUN).await? {
            Begun::Now => {}
            Begun::Done => return Ok(()),
            Begun::Running => return Err(Problem::still_running().into()),
            Begun::Different => return Err(Problem::key_reused().into()),
        }
        let sent = carry_out().await;
        let noted = match &sent {
            Ok(()) => self.store.end_call(&key, (self.clock)()).await,
            Err(_) => self.store.forget_call(&key).await,
        };
        if let Err(error) = noted {
            let error = DisplayErrorChain::new(&error);
            warn!(%error, "A call with an Idempotency-Key may be carried out again, or refused for a moment");
        }
        sent
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
