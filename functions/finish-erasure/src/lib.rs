//! Consumes the erasures queue: deletes what is left of a contact that was erased, of its subscriptions after it
//! unsubscribed, or of those of a SKU that has ended.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use restock_queue::{EndedSku, Erasure, ErasureMessage, Failure, Queues, Record, consume, named};
use restock_store::{Deleted, Store};
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
        let message = ErasureMessage::parse(&record.body)?;
        let deleted = match message {
            ErasureMessage::Contact(erasure) => self.go_on(erasure, deadline).await,
            ErasureMessage::Sku(EndedSku { sku, made_until }) => {
                let ended = self.store.end_subscriptions(&sku, made_until, deadline).await;
                ended.inspect(
                    |Deleted { items, complete }| info!(%sku, items, complete, "Went on with the end of a SKU"),
                )
            }
        };
        if deleted?.complete {
            return Ok(());
        }
        Err(Failure::Retry { after: Some(Duration::from_secs(1)), reason: "there is more to delete".into() })
    }

    /// Deletes more of a contact.
    async fn go_on(&self, erasure: Erasure, deadline: Instant) -> Result<Deleted, restock_store::Error> {
        let Erasure { contact_id, made_until } = erasure;
        let is_erasure = made_until.is_none();
        if is_erasure && self.store.contact(contact_id).await?.is_some() {
            warn!(contact = %contact_id, "An erasure was not carried out, so the contact stays");
            return Ok(Deleted { items: 0, complete: true });
        }
        let mut deleted = match made_until {
            Some(made_until) => self.store.end_subscriptions_of(contact_id, made_until, deadline).await?,
            None => self.store.delete_subscriptions_of(contact_id, deadline).await?,
        };
        if deleted.complete && is_erasure {
            let purchases = self.store.delete_purchases_of(contact_id, deadline).await?;
            deleted.items += purchases.items;
            deleted.complete = purchases.complete;
        }
        if deleted.complete && is_erasure {
            let mails = self.store.delete_deliveries_of(contact_id, deadline).await?;
            deleted.items += mails.items;
            deleted.complete = mails.complete;
        }
        info!(contact = %contact_id, items = deleted.items, complete = deleted.complete, "Went on with an erasure");
        Ok(deleted)
    }
}
