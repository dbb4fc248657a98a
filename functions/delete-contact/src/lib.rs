//! `DELETE /contacts/{contactId}`

use restock_domain::ContactId;
use restock_domain::signing::SigningKey;
use restock_http::{Call, Problem, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
}

impl App {
    /// Erases a contact: its personal data and its subscriptions, also those whose mail is queued.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let id = call.parsed_parameter("contactId", ContactId::parse)?;
        if !self.store.erase_contact(id, &self.signing_key).await? {
            return Err(Problem::not_found(
                "ContactNotFound",
                "There is no contact with this id. It may be erased already.",
            ));
        }
        Reply::id(id)
    }
}
