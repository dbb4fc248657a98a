//! `PUT /inventory/stock-levels` and `PUT /inventory/stock-levels/batch`

use restock_domain::StockLevel;
use restock_http::{Call, Problem, Reply};
use restock_queue::{Queues, StockMessage};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Limits of a batch (`contract.md`).
const MOST_LEVELS: usize = 10_000;
const MOST_BYTES: usize = 5 * 1024 * 1024;

/// What one message carries. 100 is what one BatchGetItem of `match-stock` reads; bytes are bounded because SQS bounds
/// them, and identifiers may be long.
const LEVELS_A_MESSAGE: usize = 100;
const BYTES_A_MESSAGE: usize = 60_000;

/// The levels that are safe on the queue, and those that are not.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedLevels {
    pub accepted: usize,
    pub rejected: Vec<RejectedLevel>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RejectedLevel {
    /// Its place in the batch, from 0.
    pub index: usize,
    pub error_code: &'static str,
    pub message: String,
}

/// Puts levels on the queue. They are safe there when this answers 202.
pub async fn handle(queues: &Queues, call: Call) -> Result<Reply, Problem> {
    if call.bytes().len() > MOST_BYTES {
        return Err(Problem::too_large("A request has at most 5 MB. Send several smaller ones."));
    }
    let (levels, rejected) = if call.path.ends_with("/batch") {
        batch(call.json()?)?
    } else {
        (vec![StockLevel::from_json(call.json()?).map_err(Problem::invalid)?], Vec::new())
    };
    queues.send_levels(messages(&levels)).await?;
    Reply::accepted(&AcceptedLevels { accepted: levels.len(), rejected })
}

fn batch(body: Value) -> Result<(Vec<StockLevel>, Vec<RejectedLevel>), Problem> {
    let values = match body {
        Value::Array(values) => values,
        // Generated clients write an empty list as an empty object.
        Value::Object(map) if map.is_empty() => Vec::new(),
        _ => return Err(Problem::bad_request("NotAnArray", "Send an array of stock levels.")),
    };
    if values.len() > MOST_LEVELS {
        return Err(Problem::too_large("A batch has at most 10,000 stock levels. Send several smaller ones."));
    }
    let (mut levels, mut rejected, mut errors) = (Vec::with_capacity(values.len()), Vec::new(), Vec::new());
    for (index, value) in values.into_iter().enumerate() {
        match StockLevel::from_json(value) {
            Ok(level) => levels.push(level),
            Err(found) => {
                let message: Vec<String> = found.iter().map(|error| error.to_string()).collect();
                let error_code = found.first().map_or("Invalid", |error| error.error_code);
                rejected.push(RejectedLevel { index, error_code, message: message.join(" ") });
                errors.extend(found.into_iter().map(|error| error.under(index)));
            }
        }
    }
    if levels.is_empty() && !rejected.is_empty() {
        errors.truncate(100);
        let detail =
            "None of the stock levels is valid. Correct them and send the batch again; errors has the first 100.";
        return Err(Problem::bad_request("NoValidStockLevel", detail).with_errors(errors));
    }
    Ok((levels, rejected))
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
