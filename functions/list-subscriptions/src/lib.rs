//! `GET /contacts/{contactId}/backinstock/subscriptions`

use restock_domain::ContactId;
use restock_http::{Call, Problem, Reply};
use restock_store::Store;

/// Everything that a contact waits for, oldest first; an empty list for a contact that we don't know.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let contact = call.parsed_parameter("contactId", ContactId::parse)?;
    Reply::ok(&store.subscriptions_of(contact).await?)
}
