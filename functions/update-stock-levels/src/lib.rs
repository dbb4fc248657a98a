//! Serves `PUT /inventory/stock-levels`, `PUT /inventory/stock-levels/batch` and `POST /inventory/stock-levels/imports`.

use jiff::Timestamp;
use restock_api::StockFile;
use restock_api::stock_levels::{
    AcceptedLevels, ImportStockLevels, ImportedLevels, StockLevel as Level, StockLevels, UpdateStockLevel,
    UpdateStockLevels,
};
use restock_domain::StockLevel;
use restock_http::{Call, Failure, Handles, Reply};
use restock_queue::{Queues, StockMessage};

/// Limits of one message. 100 levels are what one BatchGetItem of `match-stock` reads; bytes are bounded because SQS bounds
/// them, and identifiers may be long.
const LEVELS_A_MESSAGE: usize = 100;
const BYTES_A_MESSAGE: usize = 60_000;

pub struct App {
    pub queues: Queues,
    pub clock: fn() -> Timestamp,
}

/// Puts a level on the queue. It is safe there when this answers 202.
impl Handles<UpdateStockLevel> for App {
    async fn handle(&self, _: Call, body: Level) -> Result<Reply<UpdateStockLevel>, Failure> {
        self.queues.send_levels(messages(&[body.into()]), (self.clock)()).await?;
        Ok(Reply::new(AcceptedLevels { accepted: 1, rejected: Vec::new() }))
    }
}

/// Puts the valid levels of a batch on the queue. They are safe there when this answers 202.
impl Handles<UpdateStockLevels> for App {
    async fn handle(&self, _: Call, body: StockLevels) -> Result<Reply<UpdateStockLevels>, Failure> {
        let levels: Vec<StockLevel> = body.valid.into_iter().map(StockLevel::from).collect();
        self.queues.send_levels(messages(&levels), (self.clock)()).await?;
        Ok(Reply::new(AcceptedLevels { accepted: levels.len(), rejected: body.rejected }))
    }
}

/// Puts the valid levels of a file on the queue. They are safe there when this answers 202.
impl Handles<ImportStockLevels> for App {
    async fn handle(&self, _: Call, body: StockFile) -> Result<Reply<ImportStockLevels>, Failure> {
        let StockFile { valid, rejected } = body;
        let levels: Vec<StockLevel> = valid.into_iter().map(StockLevel::from).collect();
        self.queues.send_levels(messages(&levels), (self.clock)()).await?;
        Ok(Reply::new(ImportedLevels::new(levels.len(), rejected)))
    }
}

fn messages(levels: &[StockLevel]) -> Vec<String> {
    let mut messages = Vec::new();
    for chunk in levels.chunks(LEVELS_A_MESSAGE) {
        let body = StockMessage::body(chunk);
        if body.len() <= BYTES_A_MESSAGE {
            messages.push(body);
        } else {
            // A level has at most a few kilobytes, so ten of them always fit.
            messages.extend(chunk.chunks(10).map(StockMessage::body));
        }
    }
    messages
}
