//! Serves `POST /purchases/imports`.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_api::purchases::{Buyer, ImportPurchases, MAX_IMPORTED_ITEMS, items_of, read_line};
use restock_api::{ErrorCode, LineOutcome, Lines, LinesReport, Problem};
use restock_domain::Invalid;
use restock_http::{Call, Failure, Handles, LONG_REQUEST, Reply};
use restock_store::{RecordedReceipts, Store};
use serde_json::Value;
use tokio::time::Instant;

const IN_FLIGHT: usize = 16;

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Records the receipt of each line, for the contact that it names by `contactId` or by `email`. The same file again
/// changes nothing.
impl Handles<ImportPurchases> for App {
    async fn handle(&self, _: Call, Lines(lines): Lines) -> Result<Reply<ImportPurchases>, Failure> {
        let (now, until) = ((self.clock)(), Instant::now() + LONG_REQUEST);
        if lines.iter().filter_map(|(_, value)| value.as_ref().ok()).map(items_of).sum::<usize>() > MAX_IMPORTED_ITEMS {
            let detail = format!("An upload has at most {MAX_IMPORTED_ITEMS} items. Split it.");
            return Err(Problem::too_large(detail).into());
        }
        let recorded = lines.into_iter().map(|(line, value)| async move {
            let outcome = match value {
                Ok(_) if Instant::now() >= until => LineOutcome::out_of_time(),
                Ok(value) => record(&self.store, value, now).await?,
                Err(errors) => LineOutcome::Rejected(errors),
            };
            Ok::<_, restock_store::Error>((line, outcome))
        });
        let outcomes = stream::iter(recorded).buffer_unordered(IN_FLIGHT).try_collect().await?;
        Ok(Reply::new(LinesReport::of(outcomes)))
    }
}

async fn record(store: &Store, value: Value, now: Timestamp) -> Result<LineOutcome, restock_store::Error> {
    let (buyer, receipt) = match read_line(value, now) {
        Ok(read) => read,
        Err(errors) => return Ok(LineOutcome::Rejected(errors)),
    };
    let id = match buyer {
        Buyer::Contact(id) => Some(id),
        Buyer::Email(email) => store.contact_id_of(&email).await?,
    };
    let recorded = match id {
        Some(id) => store.record_receipts(id, std::slice::from_ref(&receipt)).await?,
        None => None,
    };
    Ok(match recorded {
        Some(RecordedReceipts { recorded: 1, .. }) => LineOutcome::Created,
        Some(_) => LineOutcome::Unchanged,
        None => {
            let message = "There is no such contact. Import contacts first.";
            Invalid::new(ErrorCode::ContactNotFound, message).into()
        }
    })
}
