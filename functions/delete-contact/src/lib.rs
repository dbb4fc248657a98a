//! Serves `DELETE /contacts/{contactId}`.

use restock_api::contacts::EraseContact;
use restock_api::{ErrorCode, IdReply, Problem};
use restock_domain::ContactId;
use restock_domain::signing::SigningKey;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
}

/// Erases a contact: its personal data and its subscriptions, even those whose mail is queued.
impl Handles<EraseContact> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<EraseContact>, Failure> {
        let id = call.parsed_parameter("contactId", ContactId::parse)?;
        if !self.store.erase_contact(id, &self.signing_key).await? {
            let detail = "There is no contact with this id. It may be erased already.";
            return Err(Problem::not_found(ErrorCode::ContactNotFound, detail).into());
        }
        Ok(Reply::new(IdReply::of(id)))
    }
}
