//! Serves `GET /contacts/{contactId}/backinstock/subscriptions`.

use restock_api::subscriptions::{ListSubscriptions, Subscription};
use restock_domain::ContactId;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Lists everything that a contact waits for, oldest first; nothing for a contact that we don't know.
impl Handles<ListSubscriptions> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ListSubscriptions>, Failure> {
        let contact = call.parsed_parameter("contactId", ContactId::parse)?;
        let subscriptions = self.store.subscriptions_of(contact).await?;
        Ok(Reply::new(subscriptions.into_iter().map(Subscription::from).collect::<Vec<_>>()))
    }
}
