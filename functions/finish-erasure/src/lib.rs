//! Consumes the erasures queue: deletes what is left of a contact that was erased, or of its subscriptions after it
//! unsubscribed.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use restock_queue::{Erasure, Failure, Queues, Record, consume, named};
use restock_store::Store;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

pub struct App {
    pub store: Store,
    pub queues: Queues,
    /// How long an invocation goes on deleting; the rest is for the next one.
    pub budget: Duration,
}

impl App {
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let deadline = Instant::now() + self.budget;
        consume(&self.queues, named::Erasures, event, |record| self.process(record, deadline)).await
    }

    /// Deletes what is left. All of it may happen twice: what is deleted is not found again.
    async fn process(&self, record: Record, deadline: Instant) -> Result<(), Failure> {
        let erasure = Erasure::parse(&record.body).map_err(|error| Failure::Malformed(error.to_string()))?;
        let Erasure { contact_id, made_until } = erasure;
        let retry = |error: restock_store::Error| Failure::retry(&error);
        let is_erasure = made_until.is_none();
        if is_erasure && self.store.contact(contact_id).await.map_err(retry)?.is_some() {
            warn!(contact = %contact_id, "An erasure was not carried out, so the contact stays");
            return Ok(());
        }
        let mut deleted = self.store.delete_subscriptions_of(contact_id, made_until, deadline).await.map_err(retry)?;
        if deleted.complete && is_erasure {
            let purchases = self.store.delete_purchases_of(contact_id, deadline).await.map_err(retry)?;
            deleted.items += purchases.items;
            deleted.complete = purchases.complete;
        }
        if deleted.complete && is_erasure {
            let mails = self.store.delete_deliveries_of(contact_id, deadline).await.map_err(retry)?;
            deleted.items += mails.items;
            deleted.complete = mails.complete;
        }
        info!(contact = %contact_id, items = deleted.items, complete = deleted.complete, "Went on with an erasure");
        if deleted.complete {
            return Ok(());
        }
        Err(Failure::Retry { after: Some(Duration::from_secs(1)), reason: "there is more to delete".into() })
    }
}
